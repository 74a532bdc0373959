"""Opening a store, and what is said where that cannot be."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from prunebench.errors import StoreError
from prunebench.store import Missing, Store


def test_first_opening_makes_the_folder(tmp_path: Path) -> None:
    """A store that is not there is made, with its format in store.json and nothing else left behind."""
    Store.open(tmp_path / "a" / "b")
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["store.json"]
    assert json.loads((tmp_path / "a" / "b" / "store.json").read_text()) == {"format": 1}


def test_opening_again_finds_the_same(tmp_path: Path, key: str, result: dict[str, Any]) -> None:
    """A second opening reads what was written through the first."""
    Store.open(tmp_path / "s").write_record(key, result, {})
    assert Store.open(str(tmp_path / "s")).read_record(key).result == result


def test_opening_for_reading_creates_nothing(tmp_path: Path) -> None:
    """Where there is no store, opening for reading says so and leaves the disk alone."""
    with pytest.raises(Missing, match="prunebench run SUITE"):
        Store.open(tmp_path / "s", write=False)
    assert not (tmp_path / "s").exists()


def test_an_absent_store_can_read_as_empty(tmp_path: Path, key: str) -> None:
    """With absent_ok a store that is not there holds nothing, and still nothing is created."""
    store = Store.open(tmp_path / "s", write=False, absent_ok=True)
    assert not store.has_record(key)
    assert not store.has_artifact(key)
    assert store.record_keys() == store.artifact_keys() == store.measure_keys() == set()
    assert store.plans("quick") == []
    assert store.attempts(key) == []
    assert store.states(key) == []
    assert store.artifact_meta(key) is None
    store.log_path(key)
    assert not (tmp_path / "s").exists()


def test_without_create_a_missing_store_is_said(tmp_path: Path) -> None:
    """create=False refuses to make a store."""
    with pytest.raises(Missing, match="no store at"):
        Store.open(tmp_path / "s", create=False)


def test_a_store_for_reading_refuses_every_change(store: Store, key: str, result: dict[str, Any]) -> None:
    """Nothing can be written, dropped, claimed or swept through a store that was opened for reading."""
    reader = Store.open(store.root, write=False)
    for change in (
        lambda: reader.write_record(key, result, {}),
        lambda: reader.write_measure(key, {}, {}),
        lambda: reader.write_artifact(key, {}, {}),
        lambda: reader.drop_artifact(key),
        lambda: reader.set_aside(key, "why"),
        lambda: reader.write_attempt(key, "no"),
        lambda: reader.write_plan("quick-123456", b"{}"),
        lambda: reader.claim(key),
        lambda: reader.sweep(),
    ):
        with pytest.raises(StoreError, match="opened for reading"):
            change()
    assert [path.name for path in store.root.iterdir()] == ["store.json"]


def test_a_file_is_no_store(tmp_path: Path) -> None:
    """A path that is a file is refused with what to give instead."""
    (tmp_path / "s").write_text("hello")
    with pytest.raises(StoreError, match=r"is a file.*--store DIR"):
        Store.open(tmp_path / "s")


@pytest.mark.parametrize("write", [True, False])
def test_a_path_below_a_file_is_refused(tmp_path: Path, write: bool) -> None:
    """A store below something that is a file cannot be; that is an error for people."""
    (tmp_path / "f").write_text("hello")
    with pytest.raises(
        StoreError, match="no store at" if not write else "a file stands where a folder is needed"
    ):
        Store.open(tmp_path / "f" / "s", write=write)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    """A store of a newer prunebench is not touched, and the message says to use that."""
    (tmp_path / "store.json").write_text('{"format": 2}')
    with pytest.raises(StoreError, match="has format 2, this prunebench knows up to 1"):
        Store.open(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["store.json"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b'{"format": "1"}', b'{"format": true}', b"\xff\xfe", b"1"]
)
def test_a_damaged_store_file_is_said(tmp_path: Path, content: bytes) -> None:
    """A store.json that is none is an error that says how to repair it."""
    (tmp_path / "store.json").write_bytes(content)
    with pytest.raises(StoreError, match="is damaged"):
        Store.open(tmp_path)


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_store_that_cannot_be_written_is_found_on_opening(
    store: Store, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Opening for writing tries a real commit, so that no hour of work is lost to a read-only folder."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(StoreError, match=f"cannot write.*{os.strerror(code)}"):
        Store.open(store.root)
    assert [path.name for path in store.root.iterdir()] == ["store.json"]
    Store.open(store.root, write=False)


def test_a_folder_that_takes_no_files_is_found_on_opening(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder in which no file can be made is not a store to write to, and the message says what to do."""

    def refuse(self: Path, mode: str = "r", *rest: object, **named: object) -> object:
        if "x" in mode:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return real(self, mode, *rest, **named)

    real: Any = Path.open
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(
        StoreError, match=r"Permission denied; make it writable, or give another .* PRUNEBENCH_STORE"
    ):
        Store.open(store.root)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_refused(store: Store) -> None:
    """A folder without write permission is refused."""
    store.root.chmod(0o500)
    try:
        with pytest.raises(StoreError, match="Permission denied"):
            Store.open(store.root)
    finally:
        store.root.chmod(0o700)


def test_importing_and_listing_needs_no_torch(store: Store, key: str, result: dict[str, Any]) -> None:
    """Listings, records and artifacts' metadata are read without torch."""
    store.write_record(key, result, {})
    store.write_artifact(key, {}, {"kind": "state"})
    program = (
        "import sys; from prunebench.store import Store; s = Store.open(sys.argv[1], write=False);"
        "k, = s.record_keys(); s.read_record(k); assert s.artifact_meta(k)['kind'] == 'state';"
        "assert s.artifact_keys() == {k}; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, str(store.root)], check=True)


def test_a_folder_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    """A store is made in an empty or a new folder only: nothing is written among other people's files."""
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(StoreError, match=r"is no store, and it is not empty \(thesis.tex\)"):
        Store.open(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_what_is_left_of_a_store_becomes_one_again(store: Store, key: str, result: dict[str, Any]) -> None:
    """A store that lost its store.json, or an empty folder, is taken."""
    store.write_record(key, result, {})
    (store.root / "store.json").unlink()
    assert Store.open(store.root).has_record(key)
