"""TinyImageNet: 200 classes of 64×64 pixels, in the published zip file or its folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from prunebench import DataError, Dataset, Description
from prunebench_plugins.datasets._download import fetch, sources
from prunebench_plugins.datasets._files import damaged, md5_of, put_there
from prunebench_plugins.datasets._listing import as_text
from prunebench_plugins.datasets._pixels import decoded, kept
from prunebench_plugins.datasets._trees import FolderTree, Tree, ZipTree

if TYPE_CHECKING:
    import torch

__all__ = ["TINY_IMAGENET", "TinyFiles", "load_tiny_imagenet"]

_SIZE = 64
_SHAPE = (3, _SIZE, _SIZE)

_MOST = 1 << 20
"""Bytes of an image's file: its pixels are 12,288, and one's own copy may carry profiles and comments."""


@dataclass(frozen=True, slots=True)
class _Image:
    """An image: its class, its own name, its size in bytes, its path below the folder."""

    wnid: str
    name: str
    size: int
    path: str


@dataclass(frozen=True)
class _Found:
    """A whole look at one copy: its classes, sorted, and its images by part, sorted by class and name."""

    tree: Tree
    classes: tuple[str, ...]
    images: Mapping[str, list[_Image]]
    stamp: str

    @property
    def fingerprint(self) -> str:
        """The digest of parts, classes, names and sizes: the same for the zip and a folder, sorted or not."""
        hashed = hashlib.sha256(orjson.dumps([as_text(wnid) for wnid in self.classes]))
        for part, images in self.images.items():
            listed = [(as_text(i.wnid), as_text(i.name), i.size) for i in images]
            hashed.update(orjson.dumps([part, listed]))
        return hashed.hexdigest()


@dataclass(frozen=True)
class TinyFiles:
    """The published zip file, its folder, where it can be fetched, and how much there is of it."""

    name: str
    folder: str
    archive: str
    archive_md5: str
    urls: tuple[str, ...]
    classes: int
    train: int
    test: int
    """Images of each class."""

    def load(self, root: Path, part: str, *, partial: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a part's images N×3×64×64 (uint8) and labels N (int64), or raise DataError."""
        import torch

        held = self._found(root, partial)
        images = held.images[part]
        labels = {wnid: label for label, wnid in enumerate(held.classes)}
        tree = held.tree

        def make() -> torch.Tensor:
            if isinstance(tree, ZipTree) and not partial:
                digest = md5_of(tree.path)
                if digest != self.archive_md5:
                    raise damaged(tree.path, "MD5", self.archive_md5, digest)
            with closing(tree) if isinstance(tree, ZipTree) else nullcontext():
                return decoded(
                    len(images),
                    lambda place: tree.read(images[place].path, _MOST),
                    lambda place: f"{tree.name}/{images[place].path}",
                    _SIZE,
                )

        what = f"tiny-imagenet {as_text(tree.name)} {part} {partial}"
        pixels = kept(what, held.stamp, len(images), _SIZE, make)
        return pixels, torch.tensor([labels[image.wnid] for image in images], dtype=torch.int64)

    def fingerprint(self, root: Path, *, partial: bool = False) -> str:
        """Return the digest of classes, names and sizes, or raise DataError."""
        return self._found(root, partial).fingerprint

    def missing(self, root: Path, *, partial: bool = False) -> str | None:
        """Return what is missing under the root and what to put where, or None."""
        try:
            self._found(root, partial)
        except DataError as error:
            return str(error)
        return None

    def describe(self, root: Path, *, partial: bool = False) -> Description:
        """Return the sizes found; the published ones where the files are missing."""
        try:
            held = self._found(root, partial)
        except DataError:
            return Description(_SHAPE, self.classes, self.classes * self.train, self.classes * self.test)
        sizes = (len(held.images["train"]), len(held.images["test"]))
        return Description(_SHAPE, len(held.classes), *sizes)

    def download(self, root: Path, *, partial: bool = False) -> None:
        """Fetch the zip file unless a whole copy is there, verified, or raise DataError."""
        problem = self.missing(root, partial=partial)
        if problem is None:
            return
        if partial or (root / self.folder).is_dir():  # somebody's own: they say what becomes of it
            raise DataError(problem)
        try:
            fetch(
                sources(self.urls, self.archive, self.archive),
                root / self.archive,
                self.archive_md5,
                self.name,
            )
        except DataError as error:
            if (root / self.archive).exists():  # damaged: that is what to know first
                raise DataError(f"{problem}\n{error}") from error
            raise

    # -- looking -----------------------------------------------------------------------------------------

    def _found(self, root: Path, partial: bool) -> _Found:
        """Look at the folder, or where that is not there or not whole, at the zip file. Raises: DataError."""
        folder, archive = root / self.folder, root / self.archive
        if not folder.is_dir() and not archive.is_file():
            raise DataError(
                f"data set {self.name!r}: {root} lacks {self.archive} (or, unpacked, {self.folder}); "
                f"{put_there(self.urls)}"
            )
        if folder.is_dir():
            try:
                return self._look(FolderTree(folder), partial)
            except DataError:
                if not archive.is_file():
                    raise
        with closing(ZipTree(archive, self.folder)) as tree:
            return self._look(tree, partial)

    def _look(self, tree: Tree, partial: bool) -> _Found:
        classes = self._classes(tree, partial)
        train, train_stamp = self._by_class(tree, "train", classes)
        test, test_stamp = self._validation(tree, classes)
        if not partial:
            for part, images, published in (("train", train, self.train), ("val", test, self.test)):
                self._whole(tree, part, images, classes, published)
        return _Found(tree, classes, {"train": train, "test": test}, f"{train_stamp} {test_stamp}")

    def _classes(self, tree: Tree, partial: bool) -> tuple[str, ...]:
        text = tree.text("wnids.txt")
        if text is None:
            raise DataError(f"{tree.name} has no wnids.txt, the list of classes: half unpacked?")
        classes = tuple(sorted(set(text.split())))
        folders = tree.folders("train")
        absent = [wnid for wnid in classes if wnid not in set(folders)]
        if absent or not classes:
            raise DataError(
                f"{tree.name}/train lacks the folders of {len(absent)} of {len(classes)} classes in wnids.txt"
                + (f" ({absent[0]}, …)" if absent else "")
                + ": half unpacked? Unpack the zip file again"
            )
        if more := [name for name in folders if name not in set(classes)]:
            raise DataError(f"{tree.name}/train has a folder {more[0]}, which wnids.txt does not list")
        if not partial and len(classes) != self.classes:
            raise DataError(
                f"{tree.name}/wnids.txt lists {len(classes)} classes, published are {self.classes}; "
                "partial = true takes it as it is"
            )
        return classes

    def _by_class(self, tree: Tree, part: str, classes: tuple[str, ...]) -> tuple[list[_Image], str]:
        """Return the images of class folders, in a folder `images` of each or directly in it."""
        inner = {wnid: "/images" if "images" in tree.folders(f"{part}/{wnid}") else "" for wnid in classes}
        by_class, stamp = tree.images({wnid: f"{part}/{wnid}{inner[wnid]}" for wnid in classes})
        images = [
            _Image(wnid, name, size, f"{part}/{wnid}{inner[wnid]}/{name}")
            for wnid in classes
            for name, size in by_class[wnid]
        ]
        return images, stamp

    def _validation(self, tree: Tree, classes: tuple[str, ...]) -> tuple[list[_Image], str]:
        """Return the validation images: of one folder and its annotations, or sorted into class folders."""
        folders = set(tree.folders("val"))
        if sorted_into := folders - {"images"}:
            if other := sorted(sorted_into ^ set(classes)):
                raise DataError(
                    f"{tree.name}/val has class folders, and {other[0]} is "
                    + ("none of the classes" if other[0] in sorted_into else "not among them")
                )
            return self._by_class(tree, "val", classes)
        if "images" not in folders:
            raise DataError(f"{tree.name}/val has neither images nor class folders: half unpacked?")
        listed, stamp = tree.images({"": "val/images"})
        sizes = dict(listed[""])
        annotated = self._annotations(tree, classes, sizes)
        if unlabelled := [name for name in sizes if name not in annotated]:
            raise DataError(
                f"{tree.name}/val/val_annotations.txt says nothing of {len(unlabelled)} of {len(sizes)} "
                f"images ({unlabelled[0]}, …)"
            )
        images = [_Image(annotated[name], name, size, f"val/images/{name}") for name, size in sizes.items()]
        return sorted(images, key=lambda image: (image.wnid, image.name)), stamp

    def _annotations(self, tree: Tree, classes: tuple[str, ...], sizes: Mapping[str, int]) -> dict[str, str]:
        """Return the class of each validation image. Lines: name, class, and a box that is not used."""
        where = f"{tree.name}/val/val_annotations.txt"
        text = tree.text("val/val_annotations.txt")
        if text is None:
            raise DataError(f"{where} is not there: it says the validation images' classes. Half unpacked?")
        known, classes_of = set(classes), dict[str, str]()
        for number, line in enumerate(text.splitlines(), 1):
            fields = line.split()
            if not fields:
                continue
            name, wnid = fields[0], fields[1] if len(fields) > 1 else ""
            if wnid not in known:
                raise DataError(f"{where}, line {number}: class '{wnid}' of {name} is not in wnids.txt")
            if name not in sizes:
                raise DataError(f"{where}, line {number}: {name} is not in val/images: half unpacked?")
            if classes_of.setdefault(name, wnid) != wnid:
                raise DataError(f"{where}, line {number}: {name} has a second class, {wnid}")
        return classes_of

    def _whole(
        self, tree: Tree, part: str, images: list[_Image], classes: tuple[str, ...], published: int
    ) -> None:
        counts = dict.fromkeys(classes, 0)
        for image in images:
            counts[image.wnid] += 1
        for wnid, count in counts.items():
            if count != published:
                raise DataError(
                    f"{tree.name}/{part}: class {wnid} has {count} images, published are {published}: half "
                    "unpacked? Unpack the zip file again, or partial = true takes it as it is"
                )


_FILES = TinyFiles(
    "tiny-imagenet",
    folder="tiny-imagenet-200",
    archive="tiny-imagenet-200.zip",
    archive_md5="90528d7ca1a48142e341f4ef8d21d0de",
    urls=("http://cs231n.stanford.edu",),
    classes=200,
    train=500,
    test=50,
)


def load_tiny_imagenet(root: Path, part: str, *, partial: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """TinyImageNet: photographs of 200 kinds of things, 64×64 in colour, 100,000 and 10,000 images.

    A part of ImageNet, made for Stanford's course CS231n. Read from tiny-imagenet-200.zip (verified by its
    published MD5) or the folder tiny-imagenet-200; the published validation images, with the classes that
    val_annotations.txt gives them or sorted into class folders, are the test images. Labels are the places of
    the classes' sorted names. Grey images become RGB. Anything less than the published number of images is
    refused unless `partial = true`. Mean and deviation are computed from the training images.
    """
    return _FILES.load(root, part, partial=partial)


TINY_IMAGENET = Dataset(
    "tiny-imagenet",
    load_tiny_imagenet,
    shape=_SHAPE,
    classes=_FILES.classes,
    train=_FILES.classes * _FILES.train,
    test=_FILES.classes * _FILES.test,
    mean=None,
    std=None,
    fingerprint=_FILES.fingerprint,
    download=_FILES.download,
    missing=_FILES.missing,
    describe=_FILES.describe,
    margin=1.0,
    version="1",
)
