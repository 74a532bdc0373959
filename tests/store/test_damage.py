"""Damaged artifacts are found, set aside, and then missing."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from prunebench.canonical import digest
from prunebench.errors import StoreError
from prunebench.store import Damaged, Missing, Store


@pytest.fixture
def path(store: Store, key: str) -> Path:
    """An artifact's file."""
    store.write_artifact(
        key, {"w": torch.randn(20), "b": torch.ones(3)}, {"kind": "state", "provenance": {"t": 1}}
    )
    return store.artifact_path(key)


def is_set_aside(store: Store, key: str) -> bool:
    """Whether reading finds the damage, moves the file away with a note, and the key is missing then."""
    with pytest.raises(Damaged) as caught:
        store.read_artifact(key)
    assert caught.value.aside is not None
    assert caught.value.aside.parent == store.root / "set-aside"
    note = json.loads((caught.value.aside.parent / f"{caught.value.aside.name}.note.json").read_text())
    assert note["file"] == f"artifacts/{key[:2]}/{key}.safetensors"
    assert note["reason"] == caught.value.reason
    with pytest.raises(Missing):
        store.read_artifact(key)
    return key not in store.artifact_keys() and not store.has_artifact(key)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 20, 100, 300, -93, -92, -13, -1])
def test_truncated_artifact_is_set_aside(store: Store, key: str, path: Path, length: int) -> None:
    """A file cut off anywhere, in the header's length, the header or the tensors, is found on reading."""
    path.write_bytes(path.read_bytes()[:length])
    assert is_set_aside(store, key)


def test_every_truncation_is_found(store: Store, key: str, path: Path) -> None:
    """Whatever the length, a cut off file is never read, by its header neither."""
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        assert store.artifact_meta(key) is None
        path.write_bytes(whole[:length])
        with pytest.raises(Damaged):
            store.read_artifact(key)


def test_a_longer_file_is_found(store: Store, key: str, path: Path) -> None:
    """Bytes after the end are damage too."""
    path.write_bytes(path.read_bytes() + b"\0")
    assert is_set_aside(store, key)


@pytest.mark.parametrize(
    "content", [b"\0" * 500, b"\xff" * 500, b"{}", b"\x02" + b"\0" * 7 + b"{}", b"hello" * 99]
)
def test_other_contents_are_found(store: Store, key: str, path: Path, content: bytes) -> None:
    """A file that is no artifact at all is set aside, not a crash."""
    path.write_bytes(content)
    assert is_set_aside(store, key)


def test_a_flipped_bit_in_a_tensor_is_found(store: Store, key: str, path: Path) -> None:
    """One changed bit of one weight changes the digest."""
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    assert is_set_aside(store, key)


@pytest.mark.parametrize("old", ["state", "provenance", "kind"])
def test_altered_metadata_are_found(store: Store, key: str, path: Path, old: str) -> None:
    """A letter changed in the metadata, the provenance among them, is found, already by the header."""
    raw = path.read_bytes()
    assert raw.count(old.encode()) == 1
    path.write_bytes(raw.replace(old.encode(), old.upper().encode()))
    assert store.artifact_meta(key) is None
    assert not store.has_artifact(key)
    assert len(list((store.root / "set-aside").glob("*.safetensors"))) == 1


def test_no_flipped_bit_changes_what_is_read(store: Store, key: str, path: Path) -> None:
    """Of many single flipped bits all over the file, each is found or changes nothing (padding)."""
    whole = path.read_bytes()
    good = store.read_artifact(key)
    random_ = random.Random(0)
    for position in random_.sample(range(len(whole)), 250):
        raw = bytearray(whole)
        raw[position] ^= 1 << random_.randrange(8)
        path.write_bytes(raw)
        try:
            read = store.read_artifact(key)
        except (Damaged, StoreError):
            path.unlink(missing_ok=True)
            continue
        assert read.digest == good.digest
        assert read.meta == good.meta
        assert all(torch.equal(read.tensors[name], tensor) for name, tensor in good.tensors.items())


def test_an_artifact_under_another_key_is_refused(store: Store, key: str, path: Path) -> None:
    """A file that was copied to another key's name says whose it is, and is not used."""
    other = "3f" + "0" * 62
    path.rename(path.with_name(f"{other}.safetensors"))
    with pytest.raises(Damaged, match=f"it says that it is '{key}'"):
        store.read_artifact(other)


def test_a_newer_artifact_is_no_damage(store: Store, key: str, path: Path) -> None:
    """An artifact of a newer format is an error that says so; the file stays where it is."""
    path.write_bytes(path.read_bytes().replace(rb"\"format\":1", rb"\"format\":2"))
    with pytest.raises(StoreError, match="has format 2, this prunebench knows up to 1"):
        store.read_artifact(key)
    assert path.exists()


def test_damage_is_said_in_the_log(
    store: Store, key: str, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Setting aside is in the log of "prunebench", and the store can say it, with the path and the reason."""
    path.write_bytes(b"")
    with caplog.at_level(logging.INFO, "prunebench"), pytest.raises(Damaged):
        store.read_artifact(key)
    assert f"artifacts/{key[:2]}/{path.name}" in caplog.text
    assert "cut off" in caplog.text
    (damaged,) = store.damaged
    assert damaged.file == f"artifacts/{key[:2]}/{path.name}"
    assert damaged.reason in caplog.text


def test_a_store_for_reading_leaves_damage_alone(store: Store, key: str, path: Path) -> None:
    """Reading a damaged file through a store opened for reading says so and moves nothing."""
    path.write_bytes(b"")
    reader = Store.open(store.root, write=False)
    with pytest.raises(Damaged, match="left where it is"):
        reader.read_artifact(key)
    assert reader.artifact_meta(key) is None
    assert path.exists()


def test_setting_aside_by_hand(store: Store, key: str, path: Path) -> None:
    """An artifact that may not be used is moved away with the reason given; a second time there is none."""
    aside = store.set_aside(key, "the state was made again")
    assert aside is not None
    assert "the state was made again" in (aside.parent / f"{aside.name}.note.json").read_text()
    assert not store.has_artifact(key)
    assert store.set_aside(key, "again") is None


def test_a_good_file_that_took_the_name_stays(store: Store, key: str, path: Path) -> None:
    """A process that judged the damaged file does not move away the good one that took its place since."""
    found = path.stat()
    whole = path.read_bytes()
    path.rename(path.with_name("judged"))
    path.write_bytes(whole)
    assert store._folder.set_aside(path, "damaged", found) is None
    assert store.read_artifact(key).meta["kind"] == "state"


def reheadered(path: Path, change: Callable[[dict[str, Any]], object], *, seal: bool = True) -> None:
    """Change an artifact's header, its own seal made right again."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    entry = json.loads(header["__metadata__"]["prunebench"])
    change({"header": header, "entry": entry})
    if seal:
        whole = [entry[name] for name in ("key", "digest", "order", "meta")]
        entry["seal"] = digest(whole)
    header["__metadata__"]["prunebench"] = json.dumps(entry)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :])


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h["header"]["w"].update(shape=[21]),
        lambda h: h["header"]["w"].update(shape=[-20]),
        lambda h: h["header"]["w"].update(shape=[10**30]),
        lambda h: h["header"]["w"].update(shape="20"),
        lambda h: h["header"]["w"].update(dtype="F64"),
        lambda h: h["header"]["w"].update(dtype="X9"),
        lambda h: h["header"]["w"].update(data_offsets=[0, 10**18]),
        lambda h: h["header"]["w"].update(data_offsets=[0]),
        lambda h: h["header"].update(b=h["header"]["w"]),
        lambda h: h["header"].pop("w"),
        lambda h: h["entry"].update(order=["w", 1]),
        lambda h: h["entry"].update(format=True),
        lambda h: h["entry"]["meta"].update(curve="long"),
        lambda h: h["entry"]["meta"].update(step=-1),
        lambda h: h["entry"]["meta"].update(layers=[{"name": 1}]),
        lambda h: h["entry"]["meta"].update(deep=json.loads("[" * 60 + "]" * 60)),
        lambda h: h["header"].update(deep=json.loads("[" * 300 + "]" * 300)),
    ],
)
def test_every_field_of_the_header_is_checked(
    store: Store, key: str, path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    """Types, shapes, places and metadata are refused by the header alone, before a tensor is read."""
    reheadered(path, change)
    assert store.artifact_meta(key) is None
    assert not store.has_artifact(key)
    assert len(store.damaged) == 1


def test_an_untouched_header_is_taken(store: Store, key: str, path: Path) -> None:
    """Written again as it was, the artifact is read: what the other tests refuse is their change."""
    reheadered(path, lambda header: None)
    assert store.read_artifact(key).meta["kind"] == "state"


def test_an_impossible_meta_is_not_written(store: Store, key: str) -> None:
    """What would not be read back is refused with its field's name."""
    with pytest.raises(ValueError, match="no artifact's meta: step"):
        store.write_artifact(key, {}, {"step": -1})
    with pytest.raises(ValueError, match="more than 32 levels"):
        store.write_artifact(key, {}, {"x": json.loads("[" * 40 + "]" * 40)})
    assert not store.has_artifact(key)
