"""Commits: whole or not at all, whoever dies; with hard links and without."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from prunebench.errors import StoreError
from prunebench.store import Damaged, Missing, Store
from prunebench.store._commit import commit, replace

Start = Callable[..., "subprocess.Popen[str]"]

SLOW_WRITER = """
import sys, time
from pathlib import Path
from typing import Any
from prunebench.store._commit import commit
def chunks():
    yield b"half"
    print("writing", flush=True)
    time.sleep(60)
    yield b"whole"
commit(Path(sys.argv[1]) / "artifacts" / "3f" / ("3f" * 32 + ".safetensors"), chunks())
"""

SLOW_COPIER = """
import errno, os, shutil, sys, time
from prunebench.store import Store
def refuse(*_, **__):
    raise OSError(errno.EPERM, "no hard links here")
os.link = refuse
store = Store.open(sys.argv[1])
def copy(source, target, *_):
    content = source.read()
    target.write(content[: len(content) // 2])
    target.flush()
    print("copying", flush=True)
    time.sleep(float(sys.argv[2]))
    target.write(content[len(content) // 2 :])
shutil.copyfileobj = copy
import torch
store.write_artifact("3f" * 32, {"w": torch.zeros(100)}, {"from": "copier"})
"""


def leftovers(store: Store) -> list[str]:
    """Temporary files anywhere in the store."""
    return sorted(path.name for path in store.root.rglob(".*"))


def refuse_links(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Make this a file system without hard links."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)


def test_first_commit_wins(tmp_path: Path) -> None:
    """The second commit of a name is refused and changes nothing."""
    path = tmp_path / "a" / "b"
    assert commit(path, [b"on", b"e"])
    assert not commit(path, [b"two"])
    assert path.read_bytes() == b"one"
    assert [p.name for p in path.parent.iterdir()] == ["b"]


def test_one_of_many_threads_commits(tmp_path: Path) -> None:
    """Of many concurrent commits of one name exactly one succeeds, and its bytes are there whole."""
    results: list[bool] = [False] * 12
    barrier = threading.Barrier(12)

    def run(i: int) -> None:
        barrier.wait()
        results[i] = commit(tmp_path / "x", [bytes([i]) * 5000])

    threads = [threading.Thread(target=run, args=(i,)) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(results) == 1
    assert (tmp_path / "x").read_bytes() == bytes([results.index(True)]) * 5000
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """An error in the middle of writing leaves neither the file nor a temporary one."""

    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        commit(tmp_path / "x", chunks())
    assert list(tmp_path.iterdir()) == []


def test_files_are_flushed_before_they_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The contents reach the disk before the name does, and the name's folder after it."""
    events: list[str] = []
    fsync, link = os.fsync, os.link

    def note_fsync(descriptor: int) -> None:
        events.append("folder" if os.path.isdir(f"/dev/fd/{descriptor}") else "file")
        fsync(descriptor)

    def note_link(*names: str) -> None:
        events.append("link")
        link(*names)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "link", note_link)
    commit(tmp_path / "x", [b"1"])
    assert events == ["file", "link", "folder"]


def test_a_lost_answer_of_the_server_is_a_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a link was made and its answer lost, the repeated call finds the name taken by our own file."""
    link = os.link

    def twice(source: str, target: str) -> None:
        link(source, target)
        link(source, target)

    monkeypatch.setattr(os, "link", twice)
    assert commit(tmp_path / "x", [b"1"])


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS], ids=errno.errorcode.get)
def test_without_hard_links_the_same_holds(
    store: Store, key: str, monkeypatch: pytest.MonkeyPatch, code: int, result: dict[str, Any]
) -> None:
    """Where links are refused, names are created exclusively: the first still wins."""
    refuse_links(monkeypatch, code)
    store = Store.open(store.root)
    store.write_artifact(key, {"w": torch.zeros(3)}, {"from": "first"})
    second = store.write_artifact(key, {"w": torch.ones(3)}, {"from": "second"})
    assert second.meta == {"from": "first"}
    assert torch.equal(second.tensors["w"], torch.zeros(3))
    assert store.write_record(key, result, {}) == store.read_record(key)
    claim = store.claim(key)
    assert claim is not None
    assert store.claim(key) is None
    claim.release()
    assert leftovers(store) == []


def test_a_copy_that_fails_takes_its_name_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a disk fills up in the middle of a copy, the half file does not stay visible."""
    refuse_links(monkeypatch, errno.EPERM)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(StoreError, match="free some space"):
        commit(tmp_path / "x", [b"1"])
    assert list(tmp_path.iterdir()) == []


def test_a_killed_writer_leaves_nothing_visible(store: Store, key: str, start: Start) -> None:
    """A process killed in the middle of a write leaves a hidden file, which is swept; the key is missing."""
    writer = start(SLOW_WRITER)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "writing\n"
    assert store.sweep() == []  # it lives
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert not store.has_artifact(key)
    assert store.artifact_keys() == set()
    with pytest.raises(Missing):
        store.read_artifact(key)
    assert len(leftovers(store)) == 1
    assert len(store.sweep()) == 1
    assert leftovers(store) == []


def test_a_killed_copier_is_found_and_set_aside(store: Store, key: str, start: Start) -> None:
    """Without hard links a killed writer leaves a half file: it is found, set aside, and made again."""
    copier = start(SLOW_COPIER, 60)
    assert copier.stdout is not None
    assert copier.stdout.readline() == "copying\n"
    copier.send_signal(signal.SIGKILL)
    copier.wait()
    with pytest.raises(Damaged):
        store.read_artifact(key)
    with pytest.raises(Missing):
        store.read_artifact(key)
    assert len(store.sweep()) == 1
    assert leftovers(store) == []


def test_a_living_copier_is_waited_for(store: Store, key: str, start: Start) -> None:
    """A file that is being copied right now is not damaged: readers, and losing writers, wait for it."""
    copier = start(SLOW_COPIER, 1.5)
    assert copier.stdout is not None
    assert copier.stdout.readline() == "copying\n"
    assert store.write_artifact(key, {"w": torch.ones(2)}, {"from": "loser"}).meta == {"from": "copier"}
    assert store.read_artifact(key).tensors["w"].shape == (100,)
    assert not (store.root / "set-aside").exists()


def test_replacing_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is replaced is the old one or the new one, also where replacing fails."""
    path = tmp_path / "x"
    replace(path, b"old")

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(StoreError):
        replace(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_cached_absence_is_not_believed(
    store: Store, key: str, result: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a name seems absent, its folder is listed afresh and the name tried again (as NFS needs)."""
    store.write_record(key, result, {})
    real: Any = Path.open
    calls: list[Path] = []

    def stale_once(self: Path, *rest: object, **named: object) -> object:
        calls.append(self)
        if len(calls) == 1:
            raise FileNotFoundError(errno.ENOENT, "cached")
        return real(self, *rest, **named)

    monkeypatch.setattr(Path, "open", stale_once)
    assert store.read_record(key).result == result
    monkeypatch.setattr(os.path, "exists", lambda _: False)
    assert store.has_record(key)
