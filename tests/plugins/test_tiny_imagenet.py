"""TinyImageNet in its real layouts, small: zip, folder, sorted folder; everything that can be half there."""

from __future__ import annotations

import hashlib
import io
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from prunebench_plugins.datasets import _listing
from prunebench_plugins.datasets.tiny_imagenet import _FILES, TINY_IMAGENET, TinyFiles

from prunebench.errors import DataError

WNIDS = ("n02124075", "n01443537", "n04067472")
"""As published: in no order."""
TRAIN, TEST = 4, 2


def jpeg(seed: int, *, grey: bool = False, size: tuple[int, int] = (64, 64)) -> bytes:
    """A photograph's likeness: smooth noise, compressed."""
    draws = np.random.default_rng(seed).integers(0, 256, (8, 8) if grey else (8, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(draws).resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def members() -> dict[str, bytes]:
    """The published layout: classes, training images of each, validation images in one folder, test images."""
    found = {"wnids.txt": "\n".join(WNIDS).encode() + b"\n", "words.txt": b"n01443537\tgoldfish\n"}
    lines = []
    for k, wnid in enumerate(WNIDS):
        for i in range(TRAIN):
            found[f"train/{wnid}/images/{wnid}_{i}.JPEG"] = jpeg(100 * k + i, grey=i == 0)
        found[f"train/{wnid}/{wnid}_boxes.txt"] = b"boxes"
    for i in range(TEST * len(WNIDS)):
        found[f"val/images/val_{i}.JPEG"] = jpeg(1000 + i)
        lines.append(f"val_{i}.JPEG\t{WNIDS[i % 3]}\t0\t32\t44\t62")
    found["val/val_annotations.txt"] = "\n".join(lines).encode() + b"\n"
    found["test/images/test_0.JPEG"] = jpeg(5)
    return found


MEMBERS = members()


def zipped(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(f"tiny-imagenet-200/{name}"), content)
    return buffer.getvalue()


ZIP = zipped(MEMBERS)
SMALL = replace(
    _FILES,
    archive_md5=hashlib.md5(ZIP, usedforsecurity=False).hexdigest(),
    classes=3,
    train=TRAIN,
    test=TEST,
    urls=("http://127.0.0.1:9",),
)


def unpack(root: Path, contents: dict[str, bytes] = MEMBERS) -> Path:
    for name, content in contents.items():
        path = root / "tiny-imagenet-200" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root / "tiny-imagenet-200"


def sort_validation(folder: Path, inner: str) -> None:
    """Move the validation images into class folders, as a common script does."""
    for line in (folder / "val" / "val_annotations.txt").read_text().splitlines():
        name, wnid = line.split("\t")[:2]
        target = folder / "val" / wnid / inner
        target.mkdir(parents=True, exist_ok=True)
        shutil.move(folder / "val" / "images" / name, target / name)
    (folder / "val" / "images").rmdir()


def expected(part: str) -> tuple[np.ndarray, list[int]]:
    """Pixels and labels decoded here, image by image, in the order of sorted classes and names."""
    order = sorted(WNIDS)
    if part == "train":
        rows = [(w, f"{w}_{i}.JPEG", f"train/{w}/images/{w}_{i}.JPEG") for w in WNIDS for i in range(TRAIN)]
    else:
        rows = [(WNIDS[i % 3], f"val_{i}.JPEG", f"val/images/val_{i}.JPEG") for i in range(TEST * 3)]
    rows.sort()
    pixels = [np.array(Image.open(io.BytesIO(MEMBERS[path])).convert("RGB")) for *_, path in rows]
    return np.stack(pixels).transpose(0, 3, 1, 2), [order.index(wnid) for wnid, *_ in rows]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's cache is a folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "prunebench" / "images"


Layout = Callable[[Path], object]
LAYOUTS: dict[str, Layout] = {
    "zip": lambda root: (root / "tiny-imagenet-200.zip").write_bytes(ZIP),
    "folder": unpack,
    "sorted": lambda root: sort_validation(unpack(root), ""),
    "sorted-images": lambda root: sort_validation(unpack(root), "images"),
}


@pytest.fixture(params=sorted(LAYOUTS))
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A data root with the data set in one of its layouts."""
    folder = tmp_path / "data"
    folder.mkdir()
    LAYOUTS[request.param](folder)
    return folder


@pytest.mark.parametrize("part", ["train", "test"])
def test_every_layout_gives_the_same_images_labels_and_fingerprint(
    root: Path, part: str, tmp_path: Path
) -> None:
    """Validation classes are those of the annotations; grey images are RGB; the order is by class and name."""
    pixels, labels = expected(part)
    images, found = SMALL.load(root, part)
    assert images.dtype == torch.uint8
    assert np.array_equal(images.numpy(), pixels)
    assert found.tolist() == labels
    other = tmp_path / "other"
    other.mkdir()
    LAYOUTS["zip"](other)
    assert SMALL.fingerprint(root) == SMALL.fingerprint(other)
    assert SMALL.missing(root) is None
    described = SMALL.describe(root)
    assert (described.classes, described.train, described.test) == (3, 12, 6)


def test_a_root_without_it_is_described_as_published() -> None:
    """Planning needs no file; the sentence says what to put where."""
    described = TINY_IMAGENET.description(Path("nowhere"))
    assert (described.shape, described.classes, described.train, described.test) == (
        (3, 64, 64),
        200,
        100_000,
        10_000,
    )
    assert TINY_IMAGENET.missing is not None
    text = TINY_IMAGENET.missing(Path("nowhere"))
    for word in ("tiny-imagenet-200.zip", "nowhere", "cs231n.stanford.edu", "--data"):
        assert word in text


def test_the_fingerprint_is_of_names_sizes_and_classes(tmp_path: Path) -> None:
    """Another size, a name, a class changed: another fingerprint."""
    prints = set()
    for k, change in enumerate(
        (
            {},
            {"train/n01443537/images/n01443537_0.JPEG": jpeg(999)},
            {
                "val/val_annotations.txt": MEMBERS["val/val_annotations.txt"].replace(
                    b"val_0.JPEG\tn02124075", b"val_0.JPEG\tn04067472"
                )
            },
        )
    ):
        unpack(tmp_path / str(k), {**MEMBERS, **change})
        prints.add(SMALL.fingerprint(tmp_path / str(k), partial=True))
    assert len(prints) == 3


def without(*names: str) -> dict[str, bytes]:
    return {name: c for name, c in MEMBERS.items() if not any(name.startswith(n) for n in names)}


ANNOTATIONS = MEMBERS["val/val_annotations.txt"].decode()
BROKEN = {
    "no list of classes": (without("wnids.txt"), "has no wnids.txt"),
    "a class is missing": (without("train/n01443537"), r"lacks the folders of 1 of 3 classes.*n01443537"),
    "an unknown class": (
        {**MEMBERS, "train/n09/images/a.JPEG": b"x"},
        "has a folder n09, which wnids.txt does not list",
    ),
    "half a class": (
        without("train/n01443537/images/n01443537_3"),
        "class n01443537 has 3 images, published are 4",
    ),
    "no validation": (without("val"), "half unpacked"),
    "no annotations": (without("val/val_a"), "val_annotations.txt is not there"),
    "an image without annotation": (
        {**MEMBERS, "val/val_annotations.txt": ANNOTATIONS.split("\n", 1)[1].encode()},
        r"says nothing of 1 of 6 images \(val_0.JPEG",
    ),
    "an annotated image that is not there": (
        without("val/images/val_2"),
        "line 3: val_2.JPEG is not in val/images",
    ),
    "an annotation of another class": (
        {**MEMBERS, "val/val_annotations.txt": ANNOTATIONS.replace("n02124075", "n0", 1).encode()},
        "line 1: class 'n0' of val_0.JPEG is not in wnids.txt",
    ),
    "an image with two classes": (
        {**MEMBERS, "val/val_annotations.txt": (ANNOTATIONS + "val_0.JPEG\tn01443537\n").encode()},
        "line 7: val_0.JPEG has a second class",
    ),
}


@pytest.mark.parametrize("kind", ["folder", "zip"])
@pytest.mark.parametrize("what", sorted(BROKEN))
def test_half_a_data_set_is_refused_by_name(what: str, kind: str, tmp_path: Path) -> None:
    """`missing` and loading say the same: which file, what was found; nothing is written anywhere."""
    contents, message = BROKEN[what]
    if kind == "folder":
        unpack(tmp_path, contents)
    else:
        (tmp_path / "tiny-imagenet-200.zip").write_bytes(zipped(contents))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match=message) as caught:
        SMALL.load(tmp_path, "train")
    assert str(caught.value) == SMALL.missing(tmp_path)
    assert "tiny-imagenet-200" in str(caught.value)
    assert SMALL.describe(tmp_path).train == 12
    assert sorted(tmp_path.rglob("*")) == before


def test_a_part_of_it_is_taken_when_the_suite_says_so(tmp_path: Path) -> None:
    """partial = true: fewer classes and images than published, sizes as found."""
    unpack(tmp_path)
    assert "lists 3 classes, published are 200" in (_FILES.missing(tmp_path) or "")
    assert _FILES.missing(tmp_path, partial=True) is None
    described = _FILES.describe(tmp_path, partial=True)
    assert (described.classes, described.train, described.test) == (3, 12, 6)
    assert len(_FILES.load(tmp_path, "test", partial=True)[0]) == 6


@pytest.mark.parametrize("size", [0, 10, len(ZIP) // 2, len(ZIP) - 1])
def test_half_a_download_is_refused(size: int, tmp_path: Path) -> None:
    """A zip file cut short anywhere."""
    (tmp_path / "tiny-imagenet-200.zip").write_bytes(ZIP[:size])
    with pytest.raises(DataError, match=f"{size:,} bytes.*no whole zip file.*half downloaded"):
        SMALL.load(tmp_path, "train")


def test_another_zip_file_than_the_published_is_refused(tmp_path: Path) -> None:
    """It looks whole, and its MD5 differs."""
    (tmp_path / "tiny-imagenet-200.zip").write_bytes(zipped({**MEMBERS, "words.txt": b"other"}))
    with pytest.raises(DataError, match="is damaged: expected MD5"):
        SMALL.load(tmp_path, "train")


@pytest.mark.parametrize("kind", ["folder", "zip"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (jpeg(0)[:300], "(?i)truncated"),
        (b"not an image", "no image in a format that is known"),
        (jpeg(0, size=(64, 32)), "it is 64×32 pixels, expected 64×64"),
    ],
    ids=["cut", "text", "size"],
)
def test_an_image_that_is_none_is_named(content: bytes, message: str, kind: str, tmp_path: Path) -> None:
    """The file, its size, what is wrong with it."""
    contents = {**MEMBERS, "train/n01443537/images/n01443537_2.JPEG": content}
    if kind == "folder":
        unpack(tmp_path, contents)
    else:
        (tmp_path / "tiny-imagenet-200.zip").write_bytes(zipped(contents))
    with pytest.raises(DataError, match=message) as caught:
        SMALL.load(tmp_path, "train", partial=True)
    assert "train/n01443537/images/n01443537_2.JPEG" in str(caught.value)


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    """What a full disk leaves."""
    unpack(tmp_path, {**MEMBERS, "train/n01443537/images/n01443537_2.JPEG": b""})
    assert "n01443537_2.JPEG is empty" in (SMALL.missing(tmp_path) or "")


def test_pixels_are_decoded_once(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second load reads the cache: images that became unreadable meanwhile, with time and size kept, show it."""
    monkeypatch.setattr(_listing, "REMEMBERED_FROM", 10)
    folder = unpack(tmp_path)
    first = SMALL.load(tmp_path, "train")[0]
    assert [p.suffix for p in cache.iterdir()] == [".safetensors"]
    monkeypatch.setattr("prunebench_plugins.datasets.tiny_imagenet.decoded", None)
    assert torch.equal(SMALL.load(tmp_path, "train")[0], first)
    (folder / "train/n01443537/images/n01443537_0.JPEG").write_bytes(jpeg(77))
    with pytest.raises(TypeError):  # decoded again
        SMALL.load(tmp_path, "train")


@pytest.mark.parametrize("spoil", ["cut", "bit"])
def test_a_damaged_cache_is_made_again(
    spoil: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its checksum is compared; a cache is never believed."""
    monkeypatch.setattr(_listing, "REMEMBERED_FROM", 10)
    unpack(tmp_path)
    first = SMALL.load(tmp_path, "train")[0]
    (path,) = cache.iterdir()
    content = path.read_bytes()
    path.write_bytes(
        content[:-50] if spoil == "cut" else content[:-50] + bytes([content[-50] ^ 1]) + content[-49:]
    )
    assert torch.equal(SMALL.load(tmp_path, "train")[0], first)
    monkeypatch.setattr("prunebench_plugins.datasets.tiny_imagenet.decoded", None)
    assert torch.equal(SMALL.load(tmp_path, "train")[0], first)


def test_a_cache_that_cannot_be_written_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file stands where its folder should be: images are decoded each time."""
    monkeypatch.setattr(_listing, "REMEMBERED_FROM", 10)
    (tmp_path / "cache").write_text("taken")
    unpack(tmp_path / "data")
    assert np.array_equal(SMALL.load(tmp_path / "data", "test")[0].numpy(), expected("test")[0])


def test_fetching_puts_the_verified_zip_file_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a mirror; half a file that lay there is replaced, a folder that is not whole is left alone."""
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "tiny-imagenet-200.zip").write_bytes(ZIP)
    monkeypatch.setenv("PRUNEBENCH_MIRROR", mirror.as_uri())
    root = tmp_path / "root"
    root.mkdir()
    (root / "tiny-imagenet-200.zip").write_bytes(ZIP[:500])
    SMALL.download(root)
    assert (root / "tiny-imagenet-200.zip").read_bytes() == ZIP
    SMALL.download(root)
    half = tmp_path / "half"
    unpack(half, without("train/n01443537"))
    with pytest.raises(DataError, match="lacks the folders"):
        SMALL.download(half)


def test_a_source_with_half_the_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its MD5 is not the published one: nothing stays."""
    (tmp_path / "tiny-imagenet-200.zip").write_bytes(ZIP[:-7])
    monkeypatch.setenv("PRUNEBENCH_MIRROR", tmp_path.as_uri())
    with pytest.raises(DataError, match="not the published file: expected MD5"):
        SMALL.download(tmp_path / "root")
    assert not list((tmp_path / "root").rglob("*"))


def test_a_folder_that_is_not_whole_gives_way_to_the_zip_file(tmp_path: Path) -> None:
    """Unpacking broke off; the zip file is still beside it."""
    unpack(tmp_path, without("val"))
    (tmp_path / "tiny-imagenet-200.zip").write_bytes(ZIP)
    assert SMALL.missing(tmp_path) is None
    assert len(SMALL.load(tmp_path, "test")[0]) == 6


def test_the_published_numbers() -> None:
    """200 classes of 500 training and 50 validation images, one zip file."""
    assert isinstance(_FILES, TinyFiles)
    assert (TINY_IMAGENET.classes, TINY_IMAGENET.train, TINY_IMAGENET.test) == (200, 100_000, 10_000)
    assert _FILES.archive_md5 == "90528d7ca1a48142e341f4ef8d21d0de"
