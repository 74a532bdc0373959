"""A store is refused on a file system that does not do what commits rest on, with a sentence, and left as it is."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from prunebench.errors import StoreError
from prunebench.store import Store


def overwriting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A link takes the place of what is there."""
    monkeypatch.setattr(os, "link", lambda source, target: shutil.copyfile(source, target))


def creating(monkeypatch: pytest.MonkeyPatch) -> None:
    """No hard links, and an exclusive creation that is none."""

    def refused(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    real = Path.open

    def lax(self: Path, mode: str = "r", *rest: Any, **named: Any) -> Any:
        return real(self, "wb" if mode == "xb" else mode, *rest, **named)

    monkeypatch.setattr(os, "link", refused)
    monkeypatch.setattr(Path, "open", lax)


def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file says that it has two names, as ours would after an answer that was lost."""

    class Two:
        st_nlink = 2
        st_mode = 0o100644

    stat = os.stat
    monkeypatch.setattr(os, "stat", lambda path, **how: Two() if ".tmp" in str(path) else stat(path, **how))


def garbled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read is not what was written."""
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: read(self).upper())


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (overwriting, "a file that is there is replaced by another of its name"),
        (creating, "a file that is there is replaced by another of its name"),
        (counting, "a file that is there is replaced by another of its name"),
        (garbled, "a file that was written reads differently"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_a_file_system_does_otherwise_is_said(
    store: Store, monkeypatch: pytest.MonkeyPatch, fault: Any, said: str
) -> None:
    with monkeypatch.context() as patch:
        fault(patch)
        with pytest.raises(StoreError) as refused:
            Store.open(store.root)
    assert str(refused.value).startswith(
        f"the store {store.root} is on a file system that cannot commit safely: {said}"
    )
    assert "give another store with --store DIR or PRUNEBENCH_STORE" in str(refused.value)
    assert [path.name for path in store.root.iterdir()] == ["store.json"]


@pytest.mark.parametrize("there", [(), ("a",), ("a", "a/b")])
@pytest.mark.parametrize("call", [Store.open, Store.check])
def test_a_store_that_is_refused_has_not_been_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: tuple[str, ...], call: Any
) -> None:
    """Nor one of the folders that it would be in."""
    for name in there:
        (tmp_path / name).mkdir()
    with monkeypatch.context() as patch:
        overwriting(patch)
        with pytest.raises(StoreError, match="cannot commit safely"):
            call(tmp_path / "a" / "b")
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == list(there)


def test_a_full_disk_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may still have room for folders, but for no file."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="free some space"):
        Store.open(tmp_path / "store")
    assert list(tmp_path.iterdir()) == []


def test_checking_makes_nothing_and_changes_nothing(tmp_path: Path, store: Store) -> None:
    Store.check(tmp_path / "a" / "b")
    Store.check(store.root)
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["store", "store.json"]
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(StoreError, match="is no store, and it is not empty"):
        Store.check(tmp_path)


def test_where_listings_lag_behind_a_store_is_fine(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "listdir", lambda _: ["store.json"])
    assert Store.open(store.root).writable


def test_without_hard_links_a_store_is_fine(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are created exclusively then."""

    def refused(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    assert Store.open(store.root).writable
