"""Folders of images: read as torchvision reads them, refused with a name where something is wrong with them."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from prunebench_plugins.datasets import _listing
from prunebench_plugins.datasets._class_folders import class_folders
from prunebench_plugins.datasets._listing import list_images

from prunebench.errors import DataError, UsageError
from prunebench.host import Host
from prunebench.testing import check_dataset
from prunebench.training.images.files import anew

HOST = Host.load(third_party=False)
SIZES = ((40, 30), (30, 40), (33, 33), (16, 90), (17, 19))
"""Width and height of each class's images."""


def photograph(seed: int, size: tuple[int, int], form: str = "JPEG", mode: str = "RGB") -> bytes:
    draws = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(draws).resize(size, Image.Resampling.BICUBIC).convert(mode).save(buffer, form)
    return buffer.getvalue()


def flowers(root: Path, evaluate: str = "val", classes: tuple[str, ...] = ("rose", "Lily", "oak")) -> Path:
    """A small folder of the usual layout: formats, sizes and kinds of pixels mixed."""
    for p, part in enumerate(("train", evaluate)):
        for c, name in enumerate(classes):
            folder = root / "flowers" / part / name
            folder.mkdir(parents=True)
            for i, size in enumerate(SIZES[: 5 - 2 * p]):
                mode = ("RGB", "L", "P", "RGBA", "LA")[i]
                form, ending = (("JPEG", "jpg"), ("JPEG", "JPEG"))[i % 2] if i < 2 else ("PNG", "png")
                (folder / f"{10 - i}.{ending}").write_bytes(
                    photograph(100 * p + 10 * c + i, size, form, mode)
                )
            (folder / ".hidden.jpg").write_bytes(b"no image")
            (folder / "notes.txt").write_text("passed over")
    return root


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's cache is a folder of the test's own, and nothing was listed before."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(_listing, "_LISTED", {})
    return tmp_path / "cache" / "prunebench" / "images"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return flowers(tmp_path / "data")


def folder(**parameters: Any) -> Any:
    given = {"path": "flowers", **parameters}
    words = ",".join(f"{name}={value!r}".replace("'", '"') for name, value in given.items())
    return HOST.dataset(f"image-folder[{words}]")


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("size", [8, 33, 40])
def test_a_folder_in_memory_is_torchvisions(part: str, size: int, root: Path) -> None:
    """Order, labels and every pixel of ImageFolder with Resize and CenterCrop."""
    from prunebench.vision import torchvision

    transforms = torchvision.transforms
    shape = transforms.Compose(
        [
            transforms.Resize(size),  # bilinear, the antialias of Pillow
            transforms.CenterCrop(size),
            transforms.PILToTensor(),
        ]
    )
    there = root / "flowers" / {"train": "train", "test": "val"}[part]
    theirs = torchvision.datasets.ImageFolder(
        there, shape, is_valid_file=lambda p: Path(p).name[0] != "." and not p.endswith("txt")
    )
    images, labels = folder(size=size).load(root, part)
    assert images.dtype == torch.uint8
    assert torch.equal(images, torch.stack([image for image, _ in theirs]))
    assert labels.tolist() == [label for _, label in theirs.samples]
    assert labels.dtype == torch.int64


def test_a_streamed_folder_names_its_files_in_torchvisions_order(root: Path) -> None:
    """Paths and labels of ImageFolder; nothing is decoded."""
    from prunebench.vision import torchvision

    theirs = torchvision.datasets.ImageFolder(
        root / "flowers" / "train", is_valid_file=lambda p: Path(p).name[0] != "." and not p.endswith("txt")
    )
    found = HOST.dataset('image-folder-stream[path="flowers",size=48]').load(root, "train")
    assert [str(path) for path in found.paths] == [path for path, _ in theirs.samples]
    assert found.labels.tolist() == theirs.targets
    assert (len(found), found.shape) == (15, (3, 48, 48))
    assert found.paths[-1] == list(found.paths)[-1] == found.paths[14]
    assert found.paths[3:5] == list(found.paths)[3:5]
    with pytest.raises(IndexError):
        found.paths[15]


@pytest.mark.parametrize("name", ["image-folder", "image-folder-stream"])
def test_folders_pass_the_conformance_kit(name: str, root: Path) -> None:
    """With their files, sizes as found."""
    check_dataset(HOST.dataset(f'{name}[path="flowers",size=16]'), root)


def test_sizes_and_classes_are_those_found(root: Path) -> None:
    """Where the folder is missing planning goes on with what is declared."""
    held = folder(size=20).description(root)
    assert (held.shape, held.classes, held.train, held.test) == ((3, 20, 20), 3, 15, 9)
    assert (held.mean, held.std) == (None, None)
    held = folder(mean=[0.1, 0.2, 0.3], std=[0.4, 0.5, 0.6]).description(root)
    assert (held.mean, held.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert folder().description(root / "nowhere").shape == (3, 64, 64)
    assert "there is no folder" in folder().missing(root / "nowhere")


def test_test_is_as_good_as_val_and_both_want_a_word(tmp_path: Path) -> None:
    """`evaluate` says which, where there are both."""
    flowers(tmp_path, "test")
    assert folder().missing(tmp_path) is None
    (tmp_path / "flowers" / "val").symlink_to(tmp_path / "flowers" / "test")
    assert "say which is evaluated with evaluate = 'val' or 'test'" in folder().missing(tmp_path)
    assert folder(evaluate="val").missing(tmp_path) is None


def test_the_fingerprint_is_of_classes_names_and_sizes(tmp_path: Path) -> None:
    """The same wherever the folder lies; another file, name or class is another one."""
    prints = [folder().fingerprint(flowers(tmp_path / "a")), folder().fingerprint(flowers(tmp_path / "b"))]
    assert prints[0] == prints[1]
    there = tmp_path / "b" / "flowers"
    (there / "train" / "rose" / "6.png").rename(there / "train" / "rose" / "5.png")
    prints.append(folder().fingerprint(tmp_path / "b"))
    (there / "train" / "rose" / "5.png").write_bytes(photograph(1, (90, 90)))
    prints.append(folder().fingerprint(tmp_path / "b"))
    for part in ("train", "val"):
        (there / part / "oak").rename(there / part / "elm")
    prints.append(folder().fingerprint(tmp_path / "b"))
    assert len(set(prints)) == 4


# -- what is wrong -----------------------------------------------------------------------------------------


def wide(path: Path) -> None:
    Image.fromarray(np.full((9, 9), 40_000, np.uint16)).save(path)


def loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nothing"))


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut": (lambda p: p.write_bytes(photograph(0, (40, 40), "PNG")[:90]), "cannot be used"),
    "text": (lambda p: p.write_bytes(b"<html>"), "no image in a format that is known"),
    "empty": (lambda p: p.write_bytes(b""), "is empty"),
    "16 bits": (wide, "16 bits for each channel, expected are whole numbers of 8 bits"),
    "loop": (loop, "a link to nothing, or to itself"),
    "dangling": (dangling, "a link to nothing, or to itself"),
    "pipe": (pipe, "is called an image and is no file"),
    "directory": (directory, "is called an image and is no file"),
}


@pytest.mark.parametrize("what", sorted(SPOILED))
def test_a_file_that_is_no_image_is_named(what: str, root: Path) -> None:
    """One error with the file's path; the folder stays as it was."""
    path = root / "flowers" / "train" / "rose" / "8.png"
    SPOILED[what][0](path)
    before = sorted(root.rglob("*"))
    with pytest.raises(DataError, match=SPOILED[what][1]) as caught:
        folder().load(root, "train")
    assert str(path) in str(caught.value)
    assert sorted(root.rglob("*")) == before


def unlink_all(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "a class in train alone": (
        lambda f: (f / "val/rose").rename(f / "rose"),
        "class 'rose' has a folder in .*/train and none in .*/val",
    ),
    "a class in val alone": (
        lambda f: (f / "val/elm").mkdir(),
        "class 'elm' has a folder in .*/val and none",
    ),
    "an empty class": (lambda f: unlink_all(f / "train/rose"), "train/rose holds no image"),
    "no classes": (lambda f: (f / "val").rename(f / "away") and (f / "val").mkdir(), "val has no folders"),
    "no val": (lambda f: (f / "val").rename(f / "away"), "has no folder val"),
    "no train": (lambda f: (f / "train").rename(f / "away"), "has no folder train"),
    "folders in a class": (
        lambda f: (f / "train/rose/more").mkdir(),
        "train/rose/more is a folder; allowed: images directly in",
    ),
    "a class that is a loop": (
        lambda f: (f / "train/elm").symlink_to(f / "train/elm"),
        "train/elm is a link",
    ),
    "a class that is nowhere": (lambda f: (f / "train/elm").symlink_to(f / "gone"), "train/elm is a link"),
    "the folder in itself": (lambda f: (f / "train/elm").symlink_to(f), "class 'elm' has a folder in"),
}


@pytest.mark.parametrize("what", sorted(WRONG))
def test_a_folder_that_is_not_whole_is_refused(what: str, root: Path) -> None:
    """`missing`, the fingerprint and loading say the same; planning goes on."""
    change, message = WRONG[what]
    change(root / "flowers")
    with pytest.raises(DataError, match=message) as caught:
        folder().load(root, "train")
    assert folder().missing(root) == str(caught.value)
    with pytest.raises(DataError, match=message):
        folder().fingerprint(root)
    assert folder().description(root).shape == (3, 64, 64)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"path": ""}, "wants path"),
        ({"path": "/etc"}, "below the data root"),
        ({"path": "a/../.."}, "without"),
        ({"path": "./flowers"}, "spell it 'flowers'"),
        ({"path": "a//flowers/"}, "spell it 'a/flowers'"),
        ({"size": 0}, "size is found 0"),
        ({"evaluate": "dev"}, "'val' or 'test'"),
        ({"mean": [0.1, 0.1, 0.1]}, "both or neither"),
        ({"mean": [0.1, 0.1], "std": [0.1, 0.1]}, "three numbers"),
        ({"mean": [0.1, 0.1, 0.1], "std": [0.1, 0.0, 0.1]}, "std is found"),
        ({"mean": [99.0, 0.1, 0.1], "std": [0.1, 0.1, 0.1]}, "scale 0 to 1"),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, dict) else "",
)
def test_parameters_that_cannot_be_are_refused(parameters: dict[str, Any], message: str) -> None:
    """Before any file is looked at."""
    with pytest.raises(UsageError, match=message):
        folder(**parameters)


def test_images_that_do_not_fit_into_memory_are_refused(root: Path) -> None:
    """With their size and what needs less."""
    with pytest.raises(DataError, match=r"15 images of 9000000×9000000 need .* GB of memory.*stream"):
        folder(size=9_000_000).load(root, "train")


# -- what is remembered ------------------------------------------------------------------------------------


@pytest.fixture
def remembering(monkeypatch: pytest.MonkeyPatch, root: Path) -> Path:
    """Small folders are remembered like large ones; theirs were last changed a while ago."""
    monkeypatch.setattr(_listing, "REMEMBERED_FROM", 1)
    age(root)
    return root


def age(root: Path, seconds: float = 60) -> None:
    for path in [root, *root.rglob("*")]:
        if path.is_dir():
            os.utime(path, (time.time() - seconds,) * 2)


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a new process."""
    monkeypatch.setattr(_listing, "_LISTED", {})


def test_a_listing_is_read_from_the_cache_by_the_next_process(
    remembering: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No class folder is looked into again; fingerprint, sizes and paths are the same."""
    before = class_folders(remembering / "flowers/train", remembering / "flowers/val")
    assert len(list(cache.glob("listing-*.jsonl"))) == 2
    forget(monkeypatch)
    monkeypatch.setattr(_listing, "_scan", None)
    after = class_folders(remembering / "flowers/train", remembering / "flowers/val")
    assert after.fingerprint == before.fingerprint
    assert after.sizes() == before.sizes() == (15, 9)
    assert list(after.files("test", (3, 8, 8)).paths) == list(before.files("test", (3, 8, 8)).paths)
    assert after.train.stamp == before.train.stamp


def test_a_changed_folder_is_listed_again(remembering: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image more: its folder has another time."""
    folders = {"rose": remembering / "flowers/train/rose"}
    first = list_images(folders)
    forget(monkeypatch)
    (folders["rose"] / "new.jpg").write_bytes(photograph(0, (9, 9)))
    second = list_images(folders)
    assert (first.counts["rose"], second.counts["rose"]) == (5, 6)
    assert second.digest != first.digest


def test_before_results_are_made_a_folder_is_looked_at_anew(remembering: Path) -> None:
    """A file that is written over in place leaves its folder's time: planning may miss it, training may not."""
    folders = {"rose": remembering / "flowers/train/rose"}
    first = list_images(folders)
    victim = next((remembering / "flowers/train/rose").iterdir())
    victim.write_bytes(victim.read_bytes() + b"more")
    assert list_images(folders).digest == first.digest
    with anew():
        assert list_images(folders).digest != first.digest


def test_a_folder_changed_just_now_is_not_remembered(
    root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may change again under the same time stamp."""
    monkeypatch.setattr(_listing, "REMEMBERED_FROM", 1)
    list_images({"rose": root / "flowers/train/rose"})
    assert not list(cache.glob("*"))
    assert not _listing._LISTED


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: b"",
        lambda content: content[:-10],
        lambda content: content.replace(b"10.jpg", b"11.jpg"),
        lambda content: b"[1]\n[2]",
        lambda content: b"\xff" * 50,
    ],
    ids=["empty", "cut", "another-name", "other-json", "bytes"],
)
def test_a_damaged_listing_is_made_again(
    spoil: Callable[[bytes], bytes], remembering: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is never believed; nothing fails."""
    folders = {"rose": remembering / "flowers/train/rose"}
    first = list_images(folders)
    (path,) = cache.glob("listing-*.jsonl")
    content = path.read_bytes()
    path.write_bytes(spoil(content))
    forget(monkeypatch)
    assert list_images(folders).digest == first.digest
    assert path.read_bytes() == content


def test_a_cache_that_is_deleted_or_cannot_be_written_is_none(
    remembering: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything is listed anew."""
    folders = {"rose": remembering / "flowers/train/rose"}
    first = list_images(folders)
    for path in cache.iterdir():
        path.unlink()
    cache.rmdir()
    cache.write_text("a file in the folder's place")
    forget(monkeypatch)
    assert list_images(folders) == first


def _list_often(where: str, cache: str, times: int) -> set[str]:
    os.environ["XDG_CACHE_HOME"] = cache
    found = set()
    _listing.REMEMBERED_FROM = 1
    for _ in range(times):
        _listing._LISTED.clear()
        for written in _listing.cache_folder().glob("listing-*"):
            written.unlink(missing_ok=True)
        found.add(list_images({"rose": Path(where)}).digest)
    return found


def test_processes_that_write_the_same_listing_do_not_disturb_each_other(
    remembering: Path, cache: Path
) -> None:
    """Each reads a whole one or none, and nothing temporary stays."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    where = str(remembering / "flowers/train/rose")
    with ProcessPoolExecutor(3, mp_context=get_context("fork")) as pool:
        jobs = [pool.submit(_list_often, where, str(cache.parents[1]), 60) for _ in range(3)]
        found = set().union(*(job.result() for job in jobs))
    assert found == {list_images({"rose": Path(where)}).digest}
    assert not list(cache.glob("*.part")) + list(cache.glob(".*"))


def test_a_large_folder_is_not_listed_the_second_time(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty thousand files in a hundred folders: planning again looks into none of them."""
    folders = {}
    for c in range(100):
        folders[f"{c:03}"] = tmp_path / "big" / f"{c:03}"
        folders[f"{c:03}"].mkdir(parents=True)
        for i in range(200):
            (folders[f"{c:03}"] / f"{i}.jpg").write_bytes(b"x")
    age(tmp_path / "big")
    first = list_images(folders)
    assert len(list(cache.iterdir())) == 1
    forget(monkeypatch)
    monkeypatch.setattr("os.scandir", lambda folder: pytest.fail(f"{folder} is listed again"))
    assert list_images(folders).digest == first.digest
