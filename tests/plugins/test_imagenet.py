"""ImageNet's layouts in small: class folders, validation images with a list, copies that are not whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prunebench_plugins.datasets import _listing, imagenet
from prunebench_plugins.datasets.imagenet import FOLDERS, IMAGENET, Published

from prunebench.errors import DataError
from prunebench.host import Host
from prunebench.testing import check_dataset

WNIDS = ("n01443537", "n01440764", "n02091134")
SMALL = Published(classes=3, train=12, test=6)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The user's cache is a folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(_listing, "_LISTED", {})
    return


def validation(i: int) -> str:
    return f"ILSVRC2012_val_{i + 1:08}.JPEG"


def class_of(i: int) -> str:
    return WNIDS[(i * 2) % 3]


def write(root: Path, name: str = "ImageNet") -> Path:
    """Three classes of four training and two validation images; nothing here decodes them."""
    base = root / name
    for wnid in WNIDS:
        (base / "train" / wnid).mkdir(parents=True)
        for i in range(4):
            (base / "train" / wnid / f"{wnid}_{i}.JPEG").write_bytes(b"x" * (i + 1))
    for i in range(6):
        (base / "val" / class_of(i)).mkdir(parents=True, exist_ok=True)
        (base / "val" / class_of(i) / validation(i)).write_bytes(b"y" * (i + 1))
    return base


def flatten(base: Path) -> None:
    """Validation images in one folder, as their archive holds them."""
    for folder in [path for path in (base / "val").iterdir() if path.is_dir()]:
        for path in folder.iterdir():
            path.rename(base / "val" / path.name)
        folder.rmdir()


KAGGLE = "ImageId,PredictionString\n" + "".join(
    f"{Path(validation(i)).stem},{class_of(i)} 111 108 431 323 {class_of(i)} 1 2 3 4 \n" for i in range(6)
)
PLAIN = "".join(f"{validation(i)}\t{class_of(i)}\t0\t0\t1\t1\n" for i in range(6))


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("name", FOLDERS)
def test_imagenet_is_torchvisions_image_folder(name: str, part: str, tmp_path: Path) -> None:
    """The same files with the same labels in the same order, wherever it is looked for."""
    from prunebench.vision import torchvision

    base = write(tmp_path, name)
    found = SMALL.found(tmp_path, partial=False).files(part, (3, 224, 224))
    theirs = torchvision.datasets.ImageFolder(base / {"train": "train", "test": "val"}[part])
    assert [(str(path), label) for path, label in zip(found.paths, found.labels.tolist(), strict=True)] == (
        theirs.samples
    )
    assert SMALL.missing(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (KAGGLE, "ILSVRC/Data/CLS-LOC/LOC_val_solution.csv"),
        (KAGGLE, "LOC_val_solution.csv"),
        (PLAIN, "ILSVRC/Data/CLS-LOC/val_annotations.txt"),
        (PLAIN, "ILSVRC/Data/CLS-LOC/val/val_annotations.txt"),
    ],
    ids=["kaggle-beside", "kaggle-root", "plain-beside", "plain-in-val"],
)
def test_validation_images_in_one_folder_are_told_apart_by_a_list(
    text: str, where: str, tmp_path: Path
) -> None:
    """The same data set, with the same fingerprint, as when they are sorted into class folders."""
    write(tmp_path / "sorted")
    base = write(tmp_path / "flat", "ILSVRC/Data/CLS-LOC")
    flatten(base)
    assert "LOC_val_solution.csv" in (SMALL.missing(tmp_path / "flat") or "")
    (tmp_path / "flat" / where).write_text(text)
    ours, theirs = (SMALL.found(tmp_path / kind, partial=False) for kind in ("flat", "sorted"))
    assert ours.fingerprint == theirs.fingerprint
    assert ours.labels("test").tolist() == theirs.labels("test").tolist() == [0, 0, 1, 1, 2, 2]
    names = [path.name for path in theirs.files("test", (3, 8, 8)).paths]
    assert [path.name for path in ours.files("test", (3, 8, 8)).paths] == names
    assert all(path.is_file() for path in ours.files("test", (3, 8, 8)).paths)


WRONG: dict[str, tuple[Callable[[str], str], str]] = {
    "an image not listed": (
        lambda text: text.replace(validation(2), "other.JPEG"),
        r"does not say the class of .*ILSVRC2012_val_00000003.JPEG",
    ),
    "an image not there": (
        lambda text: text + f"{validation(9)} {WNIDS[0]}\n",
        "lists ILSVRC2012_val_00000010",
    ),
    "no class": (lambda text: text + "x.JPEG\n", "line 7: a class is missing after x.JPEG"),
    "two classes": (
        lambda text: text + f"{validation(0)} {WNIDS[1]}\n",
        "line 7: ILSVRC2012_val_00000001.JPEG has a second class",
    ),
    "an unknown class": (
        lambda text: text.replace(WNIDS[0], "n9"),
        "class 'n9' of .* has no folder in .*train",
    ),
    "a class without images": (
        lambda text: text.replace(WNIDS[0], WNIDS[1]),
        "class 'n01443537' has a folder in .*train and no image in",
    ),
}


@pytest.mark.parametrize("what", sorted(WRONG))
def test_a_list_that_does_not_fit_is_refused(what: str, tmp_path: Path) -> None:
    """The file, the line where there is one, the image."""
    change, message = WRONG[what]
    base = write(tmp_path)
    flatten(base)
    (base / "val_annotations.txt").write_text(change(PLAIN))
    with pytest.raises(DataError, match=message) as caught:
        SMALL.found(tmp_path, partial=True)
    assert "val_annotations.txt" in str(caught.value)


def test_a_list_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """By name."""
    base = write(tmp_path)
    flatten(base)
    (base / "val_annotations.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"val_annotations.txt cannot be read"):
        SMALL.found(tmp_path, partial=True)


HALF: dict[str, tuple[Callable[[Path], Any], str]] = {
    "an image": (lambda b: (b / "train" / WNIDS[2] / f"{WNIDS[2]}_3.JPEG").unlink(), "holds 11 training"),
    "a class": (
        lambda b: [shutil.rmtree(b / part / WNIDS[0]) for part in ("train", "val")],
        "of 2 classes, published are 12 and 6 of 3",
    ),
    "a class of one part": (lambda b: shutil.rmtree(b / "val" / WNIDS[0]), "class 'n01443537' has a folder"),
    "val": (lambda b: shutil.rmtree(b / "val"), "val cannot be read: No such file"),
    "train": (lambda b: shutil.rmtree(b / "train"), "train cannot be read: No such file"),
}


@pytest.mark.parametrize("what", sorted(HALF))
def test_half_a_copy_is_refused(what: str, tmp_path: Path) -> None:
    """With what was found and what is published; it is planned with the published sizes."""
    change, message = HALF[what]
    change(write(tmp_path))
    assert SMALL.missing(tmp_path) is not None
    with pytest.raises(DataError, match=message):
        SMALL.fingerprint(tmp_path)
    held = SMALL.describe(tmp_path)
    assert (held.classes, held.train, held.test) == (3, 12, 6)


def test_the_class_with_the_fewest_images_is_named(tmp_path: Path) -> None:
    """It is the one where unpacking broke off, more often than not."""
    base = write(tmp_path)
    (base / "train" / WNIDS[2] / f"{WNIDS[2]}_3.JPEG").unlink()
    assert "class n02091134 has the fewest, 3" in (SMALL.missing(tmp_path) or "")


def test_a_part_of_it_is_taken_when_the_suite_says_so(tmp_path: Path) -> None:
    """partial = true: sizes as found; the conformance kit passes."""
    write(tmp_path)
    dataset = Host.load(third_party=False).dataset("imagenet[partial=true]")
    assert IMAGENET.missing is not None
    assert "published are 1,281,167" in (IMAGENET.missing(tmp_path) or "")
    held = dataset.description(tmp_path)
    assert (held.shape, held.classes, held.train, held.test) == ((3, 224, 224), 3, 12, 6)
    check_dataset(dataset, tmp_path)


def test_without_files_it_says_where_to_register() -> None:
    """And is planned as published."""
    held = IMAGENET.description(Path("nowhere"))
    assert (held.classes, held.train, held.test) == (1000, 1_281_167, 50_000)
    text = IMAGENET.missing(Path("nowhere")) if IMAGENET.missing else ""
    for word in ("image-net.org", "nowhere", "ImageNet/train/CLASS", "--data", "PRUNEBENCH_DATA"):
        assert word in str(text)
    assert imagenet.LISTS[0] == "LOC_val_solution.csv"
