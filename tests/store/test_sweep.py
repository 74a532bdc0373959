"""Sweeping: only what dead processes of this host, or others long ago, left behind."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from prunebench.store import Store
from prunebench.store._commit import temporary
from prunebench.store._process import Owner

DEAD = 2**22 - 3
"""A process number above what a system gives out by default."""


def leave(folder: Path, owner: str, *, age: float = 0, kind: str = "tmp") -> Path:
    """Leave a temporary file of `owner` ("host.pid.start") behind."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".{'3f' * 32}.safetensors.{owner}.0123abcd.{kind}"
    path.write_bytes(b"half")
    os.utime(path, (time.time() - age,) * 2)
    return path


PLACES = [
    "",
    "artifacts/3f",
    "records/3f",
    "measures/3f",
    "claims",
    "plans",
    "attempts/" + "3f" * 32,
    "set-aside",
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ["tmp", "copying"])
def test_leftovers_of_dead_processes_are_swept(store: Store, place: str, kind: str) -> None:
    """Temporary files of a dead process of this host go at once, wherever they are."""
    path = leave(store.root / place, f"{Owner.me().host}.{DEAD}.7", kind=kind)
    assert store.sweep() == [path]
    assert not path.exists()


def test_files_of_living_processes_stay(store: Store) -> None:
    """A living process's temporary file stays, however old it looks."""
    me = Owner.me()
    path = leave(store.root / "artifacts" / "3f", f"{me.host}.{me.pid}.{me.start}", age=1e6)
    assert store.sweep() == []
    assert path.exists()


def test_a_reused_number_is_another_process(store: Store) -> None:
    """A file of a process that had this process's number before it is a leftover."""
    me = Owner.me()
    path = leave(store.root / "records" / "3f", f"{me.host}.{me.pid}.{me.start + 100}")
    assert store.sweep() == [path]


def test_other_hosts_files_stay_until_they_are_old(store: Store) -> None:
    """Nothing is known of another host's processes: only what is far older than a file touched now goes."""
    young = leave(store.root / "artifacts" / "3f", "elsewhere-00000000.1.1", age=3600)
    old = leave(store.root / "artifacts" / "40", "elsewhere-00000000.1.1", age=2 * 86400)
    assert store.sweep() == [old]
    assert young.exists()


def test_nothing_else_is_swept(store: Store, key: str, result: dict[str, Any]) -> None:
    """Results, set aside files, logs and files of other people stay, however old they are."""
    store.write_record(key, result, {})
    store.write_artifact(key, {}, {})
    store.write_attempt(key, "failed")
    store.log_path(key).write_text("log")
    store.set_aside(key, "why")
    (store.root / "records" / ".nfs0123").write_text("")
    (store.root / "records" / "3f" / ".notes.tmp").write_text("")
    before = sorted(path for path in store.root.rglob("*") if path.is_file())
    for path in before:
        os.utime(path, (1, 1))
    assert store.sweep() == []
    assert sorted(path for path in store.root.rglob("*") if path.is_file()) == before


def test_dead_claims_are_swept(store: Store, key: str) -> None:
    """The claim of a dead process of this host is removed, a living one's stays."""
    claim = store.claim(key)
    assert claim is not None
    other = store.root / "claims" / "other.json"
    content = (store.root / "claims" / f"{key}.json").read_text()
    other.write_text(content.replace(f'"pid":{os.getpid()}', f'"pid":{DEAD}'))
    assert store.sweep() == [other]
    assert store.claim(key) is None
    claim.release()


def test_own_temporary_names_are_understood(store: Store) -> None:
    """The names that this process gives are recognised as a living process's, and differ each time."""
    one, two = temporary(store.root / "x.json"), temporary(store.root / "x.json")
    assert one != two
    one.write_text("")
    assert store.sweep() == []
