"""MiniPlaces in the layouts that go about, small: with the published lists, in class folders; what can be half there."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from prunebench_plugins.datasets.mini_places import MINI_PLACES, PLACES, PlacesFiles

from prunebench.errors import DataError
from prunebench.testing import check_dataset

CLASSES = ("a/abbey", "b/bakery/shop", "i/ice_skating_rink/outdoor", "i/iceberg")
"""Folders as published: below a letter, some with a kind of their own below that."""
TRAIN, TEST = 3, 2
SMALL = PlacesFiles(classes=4, train=TRAIN, test=TEST)


def jpeg(seed: int, *, grey: bool = False, size: tuple[int, int] = (128, 128)) -> bytes:
    """A photograph's likeness: smooth noise, compressed."""
    draws = np.random.default_rng(seed).integers(0, 256, (8, 8) if grey else (8, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(draws).resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def published() -> dict[str, bytes]:
    """Images below images/, lists below data/: each with the parts' names, as the development kit has them."""
    members = {"data/categories.txt": "".join(f"/{c} {k}\n" for k, c in enumerate(CLASSES)).encode()}
    lines = []
    for label, name in enumerate(CLASSES):
        for i in range(1, TRAIN + 1):
            members[f"images/train/{name}/{i:08}.jpg"] = jpeg(100 * label + i, grey=i == 1)
            lines.append(f"train/{name}/{i:08}.jpg {label}")
    members["data/train.txt"] = "\n".join(lines).encode() + b"\n"
    lines = []
    for i in range(1, TEST * 4 + 1):
        members[f"images/val/{i:08}.jpg"] = jpeg(1000 + i)
        lines.append(f"val/{i:08}.jpg {(5 * i) % 4}")  # in no order of classes
    members["data/val.txt"] = "\n".join(lines).encode() + b"\n"
    members["images/test/00000001.jpg"] = jpeg(5)
    members["objects/train/a/abbey/00000001.xml"] = b"<boxes/>"
    return members


MEMBERS = published()
CLASS_OF = {f"{i:08}.jpg": (5 * i) % 4 for i in range(1, TEST * 4 + 1)}


def put(root: Path, members: dict[str, bytes] = MEMBERS, folder: str = "MiniPlaces") -> Path:
    for name, content in members.items():
        path = root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root / folder


def without(*starts: str) -> dict[str, bytes]:
    return {name: content for name, content in MEMBERS.items() if not name.startswith(starts)}


def sort_validation(base: Path) -> None:
    """Move the validation images into folders named as those of training."""
    for name, label in CLASS_OF.items():
        target = base / "images" / "val" / CLASSES[label]
        target.mkdir(parents=True, exist_ok=True)
        shutil.move(base / "images" / "val" / name, target / name)


def lists_beside(root: Path) -> None:
    base = put(root, without("data/cat"), "miniplaces")
    for name in ("train.txt", "val.txt"):
        shutil.move(base / "data" / name, base / name)


def in_the_kit(root: Path) -> None:
    base = put(root)
    (base / "development_kit").mkdir()
    shutil.move(base / "data", base / "development_kit" / "data")


def sorted_folders(root: Path) -> None:
    sort_validation(put(root))


def class_folders(root: Path) -> None:
    """One folder for each class, no letters, no lists: as ImageFolder wants them."""
    base = put(root, without("data"))
    sort_validation(base)
    for part in ("train", "val"):
        for name in CLASSES:
            target = base / part / name.partition("/")[2].replace("/", "-")
            target.parent.mkdir(exist_ok=True)
            shutil.move(base / "images" / part / name, target)
    shutil.rmtree(base / "images")


LAYOUTS: dict[str, Callable[[Path], Any]] = {
    "published": put,
    "lists beside the images": lists_beside,
    "lists in the kit": in_the_kit,
    "no list but val.txt": lambda root: put(root, without("data/cat", "data/train")),
    "validation sorted": sorted_folders,
    "class folders": class_folders,
}


def expected(part: str) -> tuple[np.ndarray, list[int]]:
    """Pixels and labels decoded here, image by image, in the order of labels and names."""
    if part == "train":
        rows = [
            (k, f"images/train/{c}/{i:08}.jpg") for k, c in enumerate(CLASSES) for i in range(1, TRAIN + 1)
        ]
    else:
        rows = sorted((label, f"images/val/{name}") for name, label in CLASS_OF.items())
    pixels = [np.array(Image.open(io.BytesIO(MEMBERS[path])).convert("RGB")) for _, path in rows]
    return np.stack(pixels).transpose(0, 3, 1, 2), [label for label, _ in rows]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_images_labels_and_fingerprint(layout: str, tmp_path: Path) -> None:
    """Labels are those of the lists; grey images are RGB; folders' names are no part of what the data are."""
    LAYOUTS[layout](tmp_path)
    for part in ("train", "test"):
        pixels, labels = expected(part)
        images, given = SMALL.load(tmp_path, part)
        assert np.array_equal(images.numpy(), pixels)
        assert given.tolist() == labels
    assert SMALL.missing(tmp_path) is None
    put(tmp_path / "other")
    assert SMALL.fingerprint(tmp_path) == SMALL.fingerprint(tmp_path / "other")
    described = SMALL.describe(tmp_path)
    assert (described.classes, described.train, described.test) == (4, 12, 8)


def test_labels_are_the_lists_even_where_they_are_not_in_the_order_of_names(tmp_path: Path) -> None:
    """And that is another data set: the fingerprint is of labels."""
    turned = {
        name: "".join(
            f"{line.split()[0]} {3 - int(line.split()[1])}\n" for line in text.decode().splitlines()
        ).encode()
        for name, text in MEMBERS.items()
        if name.startswith("data/")
    }
    put(tmp_path / "turned", {**MEMBERS, **turned})
    put(tmp_path / "plain")
    images, labels = SMALL.load(tmp_path / "turned", "train")
    plain = SMALL.load(tmp_path / "plain", "train")[0]
    assert labels.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    assert np.array_equal(images[:3].numpy(), plain[9:].numpy())
    assert SMALL.fingerprint(tmp_path / "turned") != SMALL.fingerprint(tmp_path / "plain")


def test_the_fingerprint_is_of_names_sizes_and_labels(tmp_path: Path) -> None:
    """A content of another size, another name, another label: another fingerprint."""
    image = "images/train/a/abbey/00000001.jpg"
    val = MEMBERS["data/val.txt"]
    swapped = val.replace(b"val/00000001.jpg 1", b"val/00000001.jpg 2").replace(b"02.jpg 2", b"02.jpg 1")
    changes: list[dict[str, bytes]] = [
        {},
        {image: jpeg(999)},
        {image.replace("00001.jpg", "00009.jpg"): MEMBERS[image]},
        {"data/val.txt": swapped},
    ]
    prints = set()
    for k, change in enumerate(changes):
        members = (without(image, "data/train") if k == 2 else MEMBERS) | change
        prints.add(SMALL.fingerprint(put(tmp_path / str(k), members).parent))
    assert len(prints) == 4


def test_a_root_without_it_is_described_as_published() -> None:
    """Planning needs no file; the sentence says what to put where."""
    described = MINI_PLACES.description(Path("nowhere"))
    sizes = (described.shape, described.classes, described.train, described.test)
    assert sizes == ((3, 128, 128), 100, 100_000, 10_000)
    assert MINI_PLACES.missing is not None
    text = MINI_PLACES.missing(Path("nowhere")) or ""
    for word in ("MiniPlaces/images/train", "nowhere", "data.tar.gz", "val.txt", "--data", "docs/data.md"):
        assert word in text
    assert (MINI_PLACES.mean, MINI_PLACES.std) == (None, None)  # computed, by whoever has the images
    assert (PLACES.classes, PLACES.train, PLACES.test) == (100, 1000, 100)


def lines(part: str, change: Callable[[str], str]) -> dict[str, bytes]:
    name = f"data/{part}.txt"
    return {**MEMBERS, name: change(MEMBERS[name].decode()).encode()}


BROKEN: dict[str, tuple[dict[str, bytes], str]] = {
    "no validation": (without("images/val"), "has no images/train and images/val"),
    "nothing but lists": (without("images"), "has no images/train and images/val"),
    "neither lists nor class folders": (without("data"), "val has no class folders: put val.txt"),
    "a class is missing": (
        without("images/train/i/iceberg"),
        "class 'i/iceberg' is in .*categories.txt and not in",
    ),
    "a class that no list knows": (
        {**MEMBERS, "images/train/z/zoo/00000001.jpg": jpeg(1)},
        "class 'z/zoo' is in .*train and not in .*categories.txt",
    ),
    "half a class": (
        without("images/train/i/iceberg/00000003"),
        r"train.txt lists i/iceberg/00000003.jpg \(of 1\)",
    ),
    "half a class, unlisted": (
        without("images/train/i/iceberg/00000003", "data/train"),
        "label 3 has 2 images in train, published are 3",
    ),
    "an image that is not listed": (
        {**MEMBERS, "images/train/a/abbey/00000009.jpg": jpeg(1)},
        "train.txt does not say the label of a/abbey/00000009.jpg",
    ),
    "a validation image that is not listed": (
        {**MEMBERS, "images/val/00000099.jpg": jpeg(1)},
        "val.txt does not say the class of .*00000099.jpg",
    ),
    "a listed image that is not there": (without("images/val/00000002"), "val.txt lists 00000002.jpg"),
    "another label": (
        lines("train", lambda text: text.replace("abbey/00000002.jpg 0", "abbey/00000002.jpg 1")),
        "train.txt says label 1 of a/abbey/00000002.jpg; others of its folder have 0",
    ),
    "a label beyond the classes": (
        lines("val", lambda text: text.replace("01.jpg 1", "01.jpg 4")),
        "val.txt: class '4' of 00000001.jpg has no folder in .*train",
    ),
    "a label that is no number": (
        lines("val", lambda text: text.replace("01.jpg 1", "01.jpg abbey")),
        "val.txt, line 1: found 'val/00000001.jpg abbey'; expected is a name and its label, a number from 0 on",
    ),
    "a line without a label": (
        lines("val", lambda text: text + "val/1.jpg\n"),
        "val.txt, line 9: found 'val/1.jpg'",
    ),
    "two labels": (
        lines("val", lambda text: text + "val/00000001.jpg 0\n"),
        "val.txt, line 9: 00000001.jpg has a second label, 0",
    ),
    "a label of two classes": (
        {
            **MEMBERS,
            "data/categories.txt": MEMBERS["data/categories.txt"].replace(b"iceberg 3", b"iceberg 2"),
        },
        "does not give 4 classes the labels 0 to 3, once each",
    ),
    "an image beside folders": (
        {**MEMBERS, "images/train/a/00000001.jpg": jpeg(1)},
        r"train/a has folders, and an image beside them \(00000001.jpg\)",
    ),
    "folders without end": (
        {**MEMBERS, "images/train/a/b/c/d/e/00000001.jpg": jpeg(1)},
        "images lie at most 4 folders below",
    ),
    "an empty file": ({**MEMBERS, "images/val/00000002.jpg": b""}, "00000002.jpg is empty"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_neither_layout_or_half_of_one_is_refused(what: str, tmp_path: Path) -> None:
    """`missing` and loading say the same; nothing is written."""
    members, message = BROKEN[what]
    put(tmp_path, members)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match=message) as caught:
        SMALL.load(tmp_path, "train")
    assert str(caught.value) == SMALL.missing(tmp_path)
    assert SMALL.describe(tmp_path).train == 12
    assert sorted(tmp_path.rglob("*")) == before


def test_sorted_validation_images_need_the_same_classes_and_agree_with_their_list(tmp_path: Path) -> None:
    base = put(tmp_path)
    sort_validation(base)
    other = base / "images/val/b/bakery/shop"
    shutil.move(next(iter(sorted(other.iterdir()))), base / "images/val/i/iceberg/moved.jpg")
    assert "does not say the label of i/iceberg/moved.jpg" in (SMALL.missing(tmp_path) or "")
    shutil.rmtree(base / "images/val/b")
    assert "class 'b/bakery/shop' has a folder in" in (SMALL.missing(tmp_path) or "")


def test_a_part_of_it_is_taken_when_the_suite_says_so(tmp_path: Path) -> None:
    """partial = true: fewer classes and images than published, sizes as found; the published numbers without."""
    put(tmp_path)
    assert "has 4 classes, published are 100" in (PLACES.missing(tmp_path) or "")
    few = replace(PLACES, classes=4)
    assert "label 0 has 3 images in train, published are 1000" in (few.missing(tmp_path) or "")
    part = MINI_PLACES.bound("miniplaces[partial=true]", {"partial": True})
    assert part.missing is not None
    assert part.missing(tmp_path) is None
    described = part.description(tmp_path)
    assert (described.classes, described.train, described.test) == (4, 12, 8)


def test_a_part_of_it_passes_the_conformance_kit(tmp_path: Path) -> None:
    put(tmp_path)
    check_dataset(MINI_PLACES.bound("miniplaces[partial=true]", {"partial": True}), tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (jpeg(0)[:300], "(?i)truncated"),
        (b"not an image", "no image in a format that is known"),
        (jpeg(0, size=(128, 64)), "it is 128×64 pixels, expected 128×128"),
    ],
    ids=["cut", "text", "size"],
)
def test_an_image_that_is_none_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    """The file, and what is wrong with it; an image of another size is no image of this data set."""
    name = "images/train/b/bakery/shop/00000002.jpg"
    put(tmp_path, {**MEMBERS, name: content})
    with pytest.raises(DataError, match=message) as caught:
        SMALL.load(tmp_path, "train")
    assert name in str(caught.value)
