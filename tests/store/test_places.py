"""What stands in the place of a file or a folder, and what cannot be read: found, named, never waited for."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from prunebench.errors import StoreError
from prunebench.store import Damaged, Missing, Store

ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "folder": (Path.mkdir, "a folder"),
    "pipe": (os.mkfifo, "a pipe"),
    "dangling": (lambda path: path.symlink_to("nowhere"), "a link that leads nowhere"),
    "circle": (lambda path: path.symlink_to(path.name), "a link that leads to itself"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "a device"),
}


def fill(store: Store, key: str, result: dict[str, Any]) -> dict[str, tuple[Path, Callable[[], Any]]]:
    """Write a file of each kind; return where it is and how it is read."""
    store.write_record(key, result, {})
    store.write_artifact(key, {"w": torch.ones(3)}, {"kind": "state"})
    plan = store.write_plan("quick-0123456789ab", b"{}")
    path = {part: store.root / part / key[:2] / f"{key}.json" for part in ("records", "measures")}
    measure = {"diagnostic": "d", "of": "mask", "made_from": {key: key}, "outcome": "finished", "value": 1}
    store.write_measure(key, measure, {})
    return {
        "record": (path["records"], lambda: store.read_record(key)),
        "measure": (path["measures"], lambda: store.read_measure(key)),
        "artifact": (store.artifact_path(key), lambda: store.read_artifact(key)),
        "plan": (plan, lambda: store.read_plan(plan, bytes)),
    }


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("kind", ["record", "measure", "artifact", "plan"])
def test_what_is_no_file_is_set_aside(
    store: Store, key: str, result: dict[str, Any], kind: str, odd: str
) -> None:
    """A folder, a pipe, a device or a link that leads nowhere in a file's place is damage: it is moved away."""
    path, read = fill(store, key, result)[kind]
    path.unlink()
    ODD[odd][0](path)
    with pytest.raises(Damaged, match=f"{ODD[odd][1]} stands in its place"):
        read()
    with pytest.raises(Missing):
        read()
    (found,) = store.damaged
    assert found.file == str(path.relative_to(store.root))
    assert found.aside is not None
    assert os.path.lexists(found.aside)
    assert not os.path.lexists(path)
    assert Path("/dev/zero").exists()


@pytest.mark.parametrize("odd", ODD)
def test_a_failure_that_is_no_file_hides_no_other(store: Store, key: str, odd: str) -> None:
    """Of a job's failures those that can be read are."""
    first = store.write_attempt(key, "first")
    store.write_attempt(key, "second")
    first.unlink()
    ODD[odd][0](first)
    assert [attempt["error"] for attempt in store.attempts(key)] == ["second"]
    assert len(store.damaged) == 1


@pytest.mark.parametrize("odd", ODD)
def test_a_log_that_is_no_file_is_moved_away(store: Store, key: str, odd: str) -> None:
    """A job can write its log whatever stood there; nothing is written through a link."""
    ODD[odd][0](store.log_path(key))
    store.log_path(key).write_text("hello\n")
    assert store.log_tail(key) == "hello"
    assert not (store.root / "logs" / "nowhere").exists()


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["store.json", "claim"])
def test_what_cannot_be_made_again_is_named(store: Store, key: str, odd: str, name: str) -> None:
    """Instead of the store's own file, or of a claim: one sentence that says what to move away."""
    with store.claim(key) as claim:
        assert claim is not None
    path = store.root / ("claims" if name == "claim" else "") / (f"{key}.json" if name == "claim" else name)
    path.unlink(missing_ok=True)
    ODD[odd][0](path)
    with pytest.raises(StoreError, match=f"{path.name}: {ODD[odd][1]} stands in its place; move it away"):
        Store.open(store.root).claim(key)


@pytest.mark.parametrize("part", ["records", "measures", "artifacts", "attempts", "plans", "set-aside"])
def test_a_file_in_a_folders_place_is_named(store: Store, key: str, part: str) -> None:
    """Listing says which folder is none, and does not take it for an empty one."""
    (store.root / part).write_text("hello")
    reads = {
        "records": store.record_keys,
        "measures": store.measure_keys,
        "artifacts": store.artifact_keys,
        "attempts": store.attempt_keys,
        "plans": store.plans,
        "set-aside": store.set_aside_files,
    }
    with pytest.raises(StoreError, match=f"{part} is no folder, and one is needed there: move it away"):
        reads[part]()


@pytest.mark.parametrize("kind", ["record", "measure", "artifact", "plan"])
@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO])
def test_a_file_that_cannot_be_read_is_named_and_stays(
    store: Store,
    key: str,
    result: dict[str, Any],
    kind: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody knows whether it is damaged: it is named, with what to do, and is neither moved nor missing."""
    path, read = fill(store, key, result)[kind]

    def refuse(self: Path, mode: str = "r", *rest: Any, **named: Any) -> Any:
        if self == path:
            raise OSError(code, os.strerror(code))
        return real(self, mode, *rest, **named)

    real: Any = Path.open
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StoreError, match=f"cannot read .*{os.strerror(code)}; make it readable") as caught:
        read()
    assert not isinstance(caught.value, Damaged | Missing)
    assert str(path) in str(caught.value)
    assert path.is_file()


@pytest.mark.parametrize("part", ["records", "measures", "artifacts", "attempts", "plans"])
def test_a_folder_that_cannot_be_read_is_named(
    store: Store, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So is a folder."""

    def refuse(path: Path) -> list[str]:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "listdir", refuse)
    reads = {
        "records": store.record_keys,
        "measures": store.measure_keys,
        "artifacts": store.artifact_keys,
        "attempts": store.attempt_keys,
        "plans": store.plans,
    }
    with pytest.raises(StoreError, match=f"cannot read .*{part}: Permission denied; make it readable"):
        reads[part]()


def test_a_file_that_is_too_large_is_not_read(store: Store, key: str, result: dict[str, Any]) -> None:
    """A file's length is looked at before it is read: 200 GB of zeros in a record's place are set aside."""
    path, read = fill(store, key, result)["record"]
    with path.open("r+b") as file:
        file.truncate(200_000_000_000)
    with pytest.raises(Damaged, match=r"200,000,000,000 bytes long, at most 16,000,000 are read"):
        read()
    artifact, read = store.artifact_path(key), lambda: store.read_artifact(key)
    with artifact.open("r+b") as file:
        file.truncate(200_000_000_000)
    with pytest.raises(Damaged, match="its tensors have"):
        read()


def test_a_store_that_is_read_may_mend(store: Store, key: str, result: dict[str, Any]) -> None:
    """Opened for reading, damage is moved away where that was asked for; else it is said and left."""
    path, _ = fill(store, key, result)["record"]
    path.write_text("{")
    reader = Store.open(store.root, write=False)
    with pytest.raises(Damaged, match="left where it is"):
        reader.read_record(key)
    assert [found.aside for found in reader.damaged] == [None]
    assert path.exists()
    mender = Store.open(store.root, write=False, mend=True)
    with pytest.raises(Damaged, match="set aside as"):
        mender.read_record(key)
    assert not path.exists()
    assert [(one.file, one.reason) for one in store.set_aside_files()] == [
        (str(path.relative_to(store.root)), mender.damaged[0].reason)
    ]


def test_a_store_that_cannot_be_changed_is_read_all_the_same(
    store: Store, key: str, result: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a damaged file cannot be moved it is said, and counts as missing."""
    path, _ = fill(store, key, result)["record"]
    path.write_text("{")

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "rename", refuse)
    mender = Store.open(store.root, write=False, mend=True)
    with pytest.raises(Damaged, match="left where it is"):
        mender.read_record(key)
    assert mender.damaged[0].aside is None
    assert "not JSON" in mender.damaged[0].reason
