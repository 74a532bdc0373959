"""Folders of images whose names are not UTF-8, as old archives leave them: read, remembered, named in errors."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from prunebench_plugins.datasets import _listing
from prunebench_plugins.datasets.imagenet import Published

from prunebench.errors import DataError
from prunebench.host import Host
from prunebench.testing import check_dataset
from prunebench.training.images.reading import ImagesOnDisk

HOST = Host.load(third_party=False)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's cache is a folder of the test's own, and nothing was listed before."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(_listing, "_LISTED", {})
    return tmp_path / "cache" / "prunebench" / "images"


def folder(**parameters: Any) -> Any:
    words = "".join(f",{name}={value}" for name, value in parameters.items())
    return HOST.dataset(f'image-folder[path="flowers"{words}]')


LATIN = b"caf\xe9"
"""A name in Latin-1, as old zip files and Windows shares leave them: no UTF-8."""


def latin(root: Path, classes: tuple[bytes, ...] = (b"a", LATIN, b"z"), name: bytes = LATIN) -> Path:
    """A small folder with names that are not UTF-8; every image has another grey."""
    try:
        for p, part in enumerate((b"train", b"val")):
            for c, label in enumerate(classes):
                folder = os.fsencode(root) + b"/flowers/" + part + b"/" + label
                os.makedirs(folder)
                for i in range(2):
                    with open(b"%s/%s%d.png" % (folder, name, i), "wb") as file:
                        Image.new("RGB", (8, 8), (100 * p + 10 * c + i,) * 3).save(file, "PNG")
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    return root


@pytest.mark.parametrize("classes", [(b"a", b"b", b"z"), (b"a", LATIN, b"z"), (LATIN, b"\xff\xfe")])
def test_names_that_are_not_utf8_are_read_like_any(classes: tuple[bytes, ...], tmp_path: Path) -> None:
    """Files and classes: labels are places of the sorted names, in memory, streamed and described."""
    root = latin(tmp_path, classes)
    count = len(classes)
    for part, first in (("train", 0), ("test", 100)):
        images, labels = folder(size=8).load(root, part)
        assert images[:, 0, 0, 0].tolist() == [first + 10 * c + i for c in range(count) for i in range(2)]
        assert labels.tolist() == [c for c in range(count) for _ in range(2)]
        streamed = HOST.dataset('image-folder-stream[path="flowers",size=8]').load(root, part)
        assert [os.fsencode(path.name) for path in streamed.paths[:2]] == [LATIN + b"0.png", LATIN + b"1.png"]
        assert torch.equal(streamed.labels, labels)
    held = folder(size=8).description(root)
    assert (held.classes, held.train, held.test) == (count, 2 * count, 2 * count)
    check_dataset(folder(size=8), root)
    check_dataset(HOST.dataset('image-folder-stream[path="flowers",size=8]'), root)


def test_names_that_are_not_utf8_have_a_fingerprint_of_their_own(tmp_path: Path) -> None:
    """The same wherever the folder lies, another for another name, also for what the bytes look like spelled."""
    names = (LATIN, b"caf\xe8", "café".encode(), b"caf\\xe9", b"636166e9", b"caf")
    found = [folder().fingerprint(latin(tmp_path / str(i), name=name)) for i, name in enumerate(names)]
    assert len(set(found)) == len(names)
    assert folder().fingerprint(latin(tmp_path / os.fsdecode(b"m\xfcll"))) == found[0]


def test_the_fingerprint_of_names_in_utf8_is_what_it_was(tmp_path: Path) -> None:
    """It is in the keys of everything trained: of the canonical JSON of [class, [[name, size], …]] a class."""
    root = latin(tmp_path, ("rosé".encode(), "百合".encode()), name="é".encode())
    digests = {}
    for part, there in (("train", "train"), ("test", "val")):
        rows = hashlib.sha256()
        for label in sorted(("rosé", "百合")):
            files = sorted((root / "flowers" / there / label).iterdir())
            listed = [[f.name, f.stat().st_size] for f in files]
            rows.update(json.dumps([label, listed], separators=(",", ":"), ensure_ascii=False).encode())
        digests[part] = rows.hexdigest()
    spelled = json.dumps(digests, separators=(",", ":"), sort_keys=True)
    assert folder().fingerprint(root) == hashlib.sha256(spelled.encode()).hexdigest()


def test_names_that_are_not_utf8_are_remembered(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A remembered listing and decoded images of such names are believed like others."""
    monkeypatch.setattr(_listing, "REMEMBERED_FROM", 2)
    root = latin(tmp_path / os.fsdecode(LATIN))
    for path in (root / "flowers").rglob("*"):
        os.utime(path, (1e9, 1e9))
    first, where = folder(size=8).load(root, "train"), folder().fingerprint(root)
    assert len(list(cache.glob("listing-*"))) == 2
    assert len(list(cache.glob("pixels-*"))) == 1
    monkeypatch.setattr(_listing, "_LISTED", {})
    monkeypatch.setattr(_listing, "_listed", lambda _: pytest.fail("listed again"))
    monkeypatch.setattr("prunebench_plugins.datasets._pixels.decoded", lambda *_: pytest.fail("decoded"))
    monkeypatch.setattr("prunebench_plugins.datasets._class_folders.decoded", lambda *_: pytest.fail("again"))
    again = folder(size=8).load(root, "train")
    assert torch.equal(first[0], again[0])
    assert folder().fingerprint(root) == where
    streamed = HOST.dataset('image-folder-stream[path="flowers"]').load(root, "train")
    assert os.fsencode(streamed.paths[0].name) == LATIN + b"0.png"


@pytest.mark.parametrize("key", ["counts", "stamp", "digest"])
def test_a_remembered_listing_that_was_changed_is_made_again(
    key: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its numbers too, not the names alone."""
    root = latin(tmp_path, (b"a", b"b"), b"c")
    monkeypatch.setattr(_listing, "REMEMBERED_FROM", 2)
    for path in (root / "flowers").rglob("*"):
        os.utime(path, (1e9, 1e9))
    before = folder().description(root), folder().fingerprint(root)
    for path in cache.glob("listing-*"):
        content = path.read_bytes()
        place = content.index(f'"{key}":'.encode()) + len(key) + 4
        other = b"8" if content[place : place + 1] == b"7" else b"7"
        path.write_bytes(content[:place] + other + content[place + 1 :])
    monkeypatch.setattr(_listing, "_LISTED", {})
    assert (folder().description(root), folder().fingerprint(root)) == before


@pytest.mark.parametrize("name", ["image-folder", "image-folder-stream"])
def test_a_damaged_file_whose_name_is_not_utf8_is_named_in_text(name: str, tmp_path: Path) -> None:
    """With its bytes spelled out, so that the sentence can be printed and stored."""
    root = latin(tmp_path)
    bad = os.fsencode(root) + b"/flowers/train/" + LATIN + b"/" + LATIN + b"1.png"
    with open(bad, "r+b") as file:
        file.truncate(40)
    data = HOST.dataset(f'{name}[path="flowers",size=8]')
    with pytest.raises(DataError) as caught:
        if data.stream:
            list(ImagesOnDisk(data.load(root, "train")).split(6))
        else:
            data.load(root, "train")
    assert r"train/caf\xe9/caf\xe91.png (40 bytes) cannot be used" in str(caught.value)
    str(caught.value).encode()


def test_a_list_of_validation_images_may_name_them_in_another_encoding(tmp_path: Path) -> None:
    """The list's bytes are compared with the names' bytes."""
    root = latin(tmp_path, classes=(b"a", b"b"))
    os.rename(root / "flowers", root / "ImageNet")
    val = root / "ImageNet" / "val"
    for label in ("a", "b"):
        for path in sorted((val / label).iterdir()):
            os.rename(path, val / f"{label}-{path.name}")
        os.rmdir(val / label)
    lines = [b"%s-caf\xe9%d.png %s" % (c, i, c) for c in (b"a", b"b") for i in range(2)]
    (root / "ImageNet" / "val_annotations.txt").write_bytes(b"\n".join(lines))
    found = Published().found(root, partial=True)
    assert (found.classes, found.sizes()) == (2, (4, 4))
    assert found.labels("test").tolist() == [0, 0, 1, 1]
