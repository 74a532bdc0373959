"""ImageNet: a thousand class folders, read while training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prunebench import DataError, Dataset, Description
from prunebench_plugins.datasets._bounded import TooLarge, read_at_most
from prunebench_plugins.datasets._class_folders import (
    ClassFolders,
    annotated_folders,
    class_folders,
    subfolders,
)
from prunebench_plugins.datasets.image_folder import IMAGENET_MEAN, IMAGENET_STD

if TYPE_CHECKING:
    from prunebench.training.images.files import ImageFiles

__all__ = ["IMAGENET", "Published", "load_imagenet"]

FOLDERS = ("ImageNet", "imagenet", "ILSVRC2012", "ILSVRC/Data/CLS-LOC")
"""Where it may lie under the root; the first that is there counts."""

LISTS = ("LOC_val_solution.csv", "val_annotations.txt")
"""Lists of the validation images' classes, for images that lie in one folder; looked for beside train and
val and in the root: a line holds an image's name, a comma or blank, its class, and what is not used."""

_LIST = 1 << 26
"""Bytes of such a list; the longest that is published has two million."""

_SHAPE = (3, 224, 224)


@dataclass(frozen=True)
class Published:
    """How much there is of the published data set: what a whole copy must have."""

    classes: int = 1000
    train: int = 1_281_167
    test: int = 50_000

    def found(self, root: Path, *, partial: bool) -> ClassFolders:
        """Return the classes' folders under a root. Raises: DataError, saying what is missing."""
        base = next((root / name for name in FOLDERS if (root / name).is_dir()), None)
        if base is None:
            raise DataError(
                f"data set 'imagenet': {root} lacks {FOLDERS[0]}/train/CLASS/… and {FOLDERS[0]}/val/CLASS/…; "
                "image-net.org gives it to those who register; put it there, or name another folder with "
                "--data or PRUNEBENCH_DATA (docs/data.md)"
            )
        if (base / "val").is_dir() and not subfolders(base / "val"):
            listed = next(
                (f / n for f in (base, base / "val", root) for n in LISTS if (f / n).is_file()), None
            )
            if listed is None:
                raise DataError(
                    f"{base / 'val'} has no class folders: sort the validation images into one for each "
                    f"class, or put {LISTS[0]}, the list of their classes, into {base} (docs/data.md)"
                )
            folders = annotated_folders(base / "train", base / "val", _read_list(listed), listed)
        else:
            folders = class_folders(base / "train", base / "val")
        train, test = folders.sizes()
        if not partial and (folders.classes, train, test) != (self.classes, self.train, self.test):
            fewest, count = min(folders.train.counts.items(), key=lambda item: item[1])
            raise DataError(
                f"{base} holds {train:,} training and {test:,} validation images of {folders.classes:,} "
                f"classes, published are {self.train:,} and {self.test:,} of {self.classes:,}: half "
                f"unpacked (class {fewest} has the fewest, {count:,})? partial = true takes it as it is"
            )
        return folders

    def missing(self, root: Path, *, partial: bool = False) -> str | None:
        """Return what is missing under the root and what to put where, or None."""
        try:
            self.found(root, partial=partial)
        except DataError as error:
            return str(error)
        return None

    def fingerprint(self, root: Path, *, partial: bool = False) -> str:
        """Return the digest of classes, names and sizes, or raise DataError."""
        return self.found(root, partial=partial).fingerprint

    def describe(self, root: Path, *, partial: bool = False) -> Description:
        """Return the sizes found; the published ones where the files are missing."""
        classes, sizes = self.classes, (self.train, self.test)
        try:
            folders = self.found(root, partial=partial)
            classes, sizes = folders.classes, folders.sizes()
        except DataError:
            pass
        return Description(_SHAPE, classes, *sizes, IMAGENET_MEAN, IMAGENET_STD)


def _read_list(path: Path) -> dict[str, str]:
    """Return the class of each image by name. Raises: DataError."""
    try:
        with path.open("rb") as file:
            content = read_at_most(file, _LIST)
    except TooLarge as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    text = content.decode("utf-8", "surrogateescape")  # as names of files are
    if "\0" in text:
        raise DataError(f"{path} cannot be read: it is no text")
    classes: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.replace(",", " ").split()
        if not fields or fields[0] == "ImageId":
            continue
        if len(fields) < 2:
            raise DataError(f"{path}, line {number}: a class is missing after {fields[0]}")
        if classes.setdefault(fields[0], fields[1]) != fields[1]:
            raise DataError(f"{path}, line {number}: {fields[0]} has a second class, {fields[1]}")
    return classes


_PUBLISHED = Published()


def load_imagenet(root: Path, part: str, *, partial: bool = False) -> ImageFiles:
    """ImageNet (ILSVRC 2012): photographs of a thousand kinds of things, 1,281,167 and 50,000 images.

    O. Russakovsky et al., "ImageNet large scale visual recognition challenge" (2015). Read while training,
    at 224×224, from ImageNet/train/CLASS/ and ImageNet/val/CLASS/ (also imagenet, ILSVRC2012 and
    ILSVRC/Data/CLS-LOC); validation images may lie in val itself where LOC_val_solution.csv tells their
    classes. Labels are the places of the classes' sorted names. Anything less than the published
    number of images is refused unless `partial = true`. Mean and deviation are those commonly used for it.
    """
    return _PUBLISHED.found(root, partial=partial).files(part, _SHAPE)


IMAGENET = Dataset(
    "imagenet",
    load_imagenet,
    shape=_SHAPE,
    classes=_PUBLISHED.classes,
    train=_PUBLISHED.train,
    test=_PUBLISHED.test,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    fingerprint=_PUBLISHED.fingerprint,
    missing=_PUBLISHED.missing,
    describe=_PUBLISHED.describe,
    stream=True,
    margin=1.0,
    version="1",
)
