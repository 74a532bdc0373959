"""MiniPlaces: 100 kinds of places of 128×128 pixels, with their lists or in class folders."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from prunebench import DataError, Dataset, Description
from prunebench_plugins.datasets._class_folders import ClassFolders, subfolders, told_apart
from prunebench_plugins.datasets._listing import IMAGES, Listing, list_images
from prunebench_plugins.datasets._trees import FolderTree

if TYPE_CHECKING:
    import torch

__all__ = ["MINI_PLACES", "PLACES", "PlacesFiles", "load_miniplaces"]

_SIZE = 128
_SHAPE = (3, _SIZE, _SIZE)

FOLDERS = ("MiniPlaces", "miniplaces", "mini-places")
"""Where it may lie under the root; the first that is there counts."""

IMAGES_IN = ("images", "data/images", "")
"""Where `train` and `val` may lie below that; the first that has a train counts."""

LISTS_IN = ("", "data", "development_kit/data")
"""Where train.txt, val.txt and categories.txt may lie below it, each by itself: beside the images, or as in
the development kit."""

_DEPTH = 4
"""Folders from train to an image's at most: t/temple/east_asia is three."""


@dataclass(frozen=True)
class _List:
    """The lines of train.txt or val.txt: a label each, by the image's path below its part."""

    path: Path
    labels: Mapping[str, int]

    def of(self, name: str, label: int | None = None) -> int:
        """Return the label of an image, which is `label` where its folder says one. Raises: DataError."""
        said = self.labels.get(name, self.labels.get(PurePosixPath(name).name))
        if said is None:
            raise DataError(f"{self.path} does not say the label of {name}")
        if label is not None and said != label:
            raise DataError(f"{self.path} says label {said} of {name}; others of its folder have {label}")
        return said


@dataclass(frozen=True)
class PlacesFiles:
    """How much there is of the published data set: what a whole copy must have."""

    classes: int = 100
    train: int = 1000
    test: int = 100
    """Images of each class."""

    def found(self, root: Path, *, partial: bool) -> ClassFolders:
        """Return both parts' images by label under a root. Raises: DataError, saying what is missing."""
        base = next((root / name for name in FOLDERS if (root / name).is_dir()), None)
        if base is None:
            raise DataError(
                f"data set 'miniplaces': {root} lacks {FOLDERS[0]}/images/train/… and "
                f"{FOLDERS[0]}/images/val/…; unpack data.tar.gz of miniplaces.csail.mit.edu there, with "
                "train.txt and val.txt of github.com/CSAILVision/miniplaces beside images, or name another "
                "folder with --data or PRUNEBENCH_DATA (docs/data.md)"
            )
        images = next((base / name for name in IMAGES_IN if (base / name / "train").is_dir()), None)
        if images is None or not (images / "val").is_dir():
            raise DataError(
                f"{base} has no images/train and images/val (nor train and val): half unpacked? Expected are "
                "train/LETTER/CLASS/… and val/… with their lists, or train/CLASS/… and val/CLASS/…"
            )
        folders = self._look(base, images)
        if not partial:
            self._whole(images, folders)
        return folders

    def _look(self, base: Path, images: Path) -> ClassFolders:
        train, val = images / "train", images / "val"
        names = _leaves(train)
        if not names:
            raise DataError(f"{train} has no folders; expected is one for each class, with its images")
        labels = _labels(base, train, names)
        order = sorted(names, key=labels.__getitem__)
        trained = list_images({str(labels[name]): train / name for name in order})
        _agree(_read_list(base, "train"), trained, order)
        listed = _read_list(base, "val")
        if subfolders(val):
            if other := sorted(set(_leaves(val)) ^ set(names)):
                here, there = (train, val) if other[0] in names else (val, train)
                raise DataError(
                    f"class '{other[0]}' has a folder in {here} and none in {there}; both parts need the "
                    "same classes"
                )
            tested = list_images({str(labels[name]): val / name for name in order})
            _agree(listed, tested, order)
        elif listed is None:
            raise DataError(
                f"{val} has no class folders: put val.txt, the list of its images' labels, into {base}, or "
                "sort the images into a folder for each class"
            )
        else:
            known = {name: str(label) for name, label in listed.labels.items()}
            tested = told_apart(val, train, list(trained.counts), known, listed.path)
        return ClassFolders(trained, tested)

    def _whole(self, images: Path, folders: ClassFolders) -> None:
        if folders.classes != self.classes:
            raise DataError(
                f"{images}/train has {folders.classes} classes, published are {self.classes}: half unpacked? "
                "partial = true takes it as it is"
            )
        parts = (("train", folders.train, self.train), ("val", folders.test, self.test))
        for part, listing, published in parts:
            for label, count in listing.counts.items():
                if count != published:
                    raise DataError(
                        f"{listing.folders[label]}: label {label} has {count} images in {part}, published "
                        f"are {published}: half unpacked? Unpack it again, or partial = true takes it so"
                    )

    def load(self, root: Path, part: str, *, partial: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a part's images N×3×128×128 (uint8) and labels N (int64), or raise DataError."""
        folders = self.found(root, partial=partial)
        return folders.images(part, _SIZE, exact=True), folders.labels(part)

    def fingerprint(self, root: Path, *, partial: bool = False) -> str:
        """Return the digest of labels, names and sizes, or raise DataError."""
        return self.found(root, partial=partial).fingerprint

    def missing(self, root: Path, *, partial: bool = False) -> str | None:
        """Return what is missing under the root and what to put where, or None."""
        try:
            self.found(root, partial=partial)
        except DataError as error:
            return str(error)
        return None

    def describe(self, root: Path, *, partial: bool = False) -> Description:
        """Return the sizes found; the published ones where the files are missing."""
        try:
            folders = self.found(root, partial=partial)
        except DataError:
            return Description(_SHAPE, self.classes, self.classes * self.train, self.classes * self.test)
        return Description(_SHAPE, folders.classes, *folders.sizes())


def _leaves(folder: Path, within: str = "", left: int = _DEPTH) -> list[str]:
    """Return the folders that have none of their own, as paths below a folder, sorted. Raises: DataError."""
    leaves: list[str] = []
    for name in subfolders(folder / within):
        path = f"{within}/{name}" if within else name
        inner = subfolders(folder / path)
        if not inner:
            leaves.append(path)
            continue
        if left == 1:
            raise DataError(
                f"{folder / path} has folders: images lie at most {_DEPTH} folders below {folder}"
            )
        if image := _image_in(folder / path):
            raise DataError(
                f"{folder / path} has folders, and an image beside them ({image}): which is a class?"
            )
        leaves += _leaves(folder, path, left - 1)
    return sorted(leaves)


def _image_in(folder: Path) -> str | None:
    with os.scandir(folder) as entries:
        return next((entry.name for entry in entries if entry.name.lower().endswith(IMAGES)), None)


def _labels(base: Path, train: Path, names: Sequence[str]) -> dict[str, int]:
    """Return the label of each class folder: of categories.txt, of train.txt, else the place of its name.

    Raises: DataError where a list names other classes than there are folders, or a label twice.
    """
    categories = _read(base, "categories.txt")
    if categories is not None:
        path, lines = categories
        labels = {name.strip("/"): label for _, name, label in _fields(path, lines)}
        where = path
    elif (listed := _read_list(base, "train")) is not None:
        labels = {str(PurePosixPath(name).parent): label for name, label in listed.labels.items()}
        where = listed.path
    else:
        return {name: place for place, name in enumerate(names)}
    if other := sorted(set(labels) ^ set(names)):
        here, there = (where, train) if other[0] in labels else (train, where)
        raise DataError(
            f"class '{other[0]}' is in {here} and not in {there}: half unpacked? Where folders have other "
            "names than the lists say, take the lists away"
        )
    if sorted(labels.values()) != list(range(len(names))):
        raise DataError(
            f"{where} does not give {len(names)} classes the labels 0 to {len(names) - 1}, once each"
        )
    return labels


def _agree(listed: _List | None, listing: Listing, order: Sequence[str]) -> None:
    """Compare images in class folders with the list of their part, where there is one. Raises: DataError."""
    if listed is None:
        return
    left = dict(listed.labels)
    for (label, files), folder in zip(listing.files.items(), order, strict=True):
        for name, _ in files:
            listed.of(f"{folder}/{name}", int(label))
            left.pop(f"{folder}/{name}" if f"{folder}/{name}" in left else name, None)
    if left:
        raise DataError(
            f"{listed.path} lists {next(iter(left))} (of {len(left)}), which is not there: half unpacked?"
        )


def _read(base: Path, name: str) -> tuple[Path, str] | None:
    for place in LISTS_IN:
        tree = FolderTree(base / place)
        text = tree.text(name)
        if text is not None:
            return tree.base / name, text
    return None


def _read_list(base: Path, part: str) -> _List | None:
    """Return a part's list, or None where there is none. Raises: DataError."""
    file = _read(base, f"{part}.txt")
    if file is None:
        return None
    path, text = file
    labels: dict[str, int] = {}
    for number, name, label in _fields(path, text):
        below = name.lstrip("/").removeprefix(f"{part}/")
        if labels.setdefault(below, label) != label:
            raise DataError(f"{path}, line {number}: {below} has a second label, {label}")
    return _List(path, labels)


def _fields(path: Path, text: str) -> list[tuple[int, str, int]]:
    """Return number, name and label of each line that has any. Raises: DataError."""
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if not (fields := line.split()):
            continue
        label = fields[1] if len(fields) == 2 else ""
        if not (label.isascii() and label.isdecimal() and len(label) < 9):
            raise DataError(
                f"{path}, line {number}: found '{line.strip()[:80]}'; expected is a name and its label, a "
                "number from 0 on"
            )
        rows.append((number, fields[0], int(label)))
    return rows


PLACES = PlacesFiles()


def load_miniplaces(root: Path, part: str, *, partial: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """MiniPlaces: photographs of 100 kinds of places, 128×128 in colour, 100,000 and 10,000 images.

    A part of Places2 (Zhou et al. 2017), made for MIT's course 6.869. Read from MiniPlaces/images as it was
    published, with train.txt, val.txt and categories.txt, or from a folder for each class in train and val;
    lists that are there must agree with what lies beside them. The published validation images are the test
    images. Labels are the lists', else the places of the classes' sorted names, which are the same. Grey
    images become RGB. Anything less than the published number of images is refused unless `partial = true`.
    Mean and deviation are computed from the training images.
    """
    return PLACES.load(root, part, partial=partial)


MINI_PLACES = Dataset(
    "miniplaces",
    load_miniplaces,
    shape=_SHAPE,
    classes=PLACES.classes,
    train=PLACES.classes * PLACES.train,
    test=PLACES.classes * PLACES.test,
    mean=None,
    std=None,
    fingerprint=PLACES.fingerprint,
    missing=PLACES.missing,
    describe=PLACES.describe,
    margin=1.0,
    version="1",
)
