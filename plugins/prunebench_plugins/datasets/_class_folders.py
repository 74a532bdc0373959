"""Images in a folder for each class, a folder for each part: found, compared, as labels and paths."""

from __future__ import annotations

import hashlib
import os
import stat
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, overload

from prunebench.canonical import digest
from prunebench.errors import DataError
from prunebench_plugins.datasets._listing import Listing, as_text, list_images, row_of
from prunebench_plugins.datasets._pixels import decoded, fitted, kept

if TYPE_CHECKING:
    import torch

    from prunebench.training.images.files import ImageFiles

__all__ = ["ClassFolders", "annotated_folders", "class_folders", "subfolders", "told_apart"]


class _Paths(Sequence[Path]):
    """The paths of a listing's images, folder after folder; made when asked for: there may be a million."""

    def __init__(self, listing: Listing) -> None:
        self._folders = [str(folder) for folder in listing.folders.values()]
        self._names = [[name for name, _ in files] for files in listing.files.values()]
        self._starts = list(accumulate((len(names) for names in self._names), initial=0))

    def __len__(self) -> int:
        return self._starts[-1]

    @overload
    def __getitem__(self, place: int) -> Path: ...
    @overload
    def __getitem__(self, place: slice) -> list[Path]: ...
    def __getitem__(self, place: int | slice) -> Path | list[Path]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        place += len(self) if place < 0 else 0
        if not 0 <= place < len(self):
            raise IndexError(place)
        folder = bisect_right(self._starts, place) - 1
        return Path(self._folders[folder], self._names[folder][place - self._starts[folder]])

    def __iter__(self) -> Iterator[Path]:
        for folder, names in zip(self._folders, self._names, strict=True):
            yield from (Path(folder, name) for name in names)


@dataclass(frozen=True)
class ClassFolders:
    """The listings of "train" and "test"; labels are the places of the class folders' names, sorted."""

    train: Listing
    test: Listing

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.train.counts)

    @property
    def fingerprint(self) -> str:
        """The digest of both parts' classes, names and sizes."""
        return digest({"train": self.train.digest, "test": self.test.digest})

    def sizes(self) -> tuple[int, int]:
        """Return the numbers of training and test images."""
        return sum(self.train.counts.values()), sum(self.test.counts.values())

    def labels(self, part: str) -> torch.Tensor:
        """Return a part's labels, int64 N, in the order of its images: by class, then by name."""
        import torch

        counts = torch.tensor(list(self._part(part).counts.values()))
        return torch.repeat_interleave(torch.arange(len(counts)), counts)

    def files(self, part: str, shape: tuple[int, int, int]) -> ImageFiles:
        """Return a part as files to read while training."""
        from prunebench.training.images.files import ImageFiles

        return ImageFiles(_Paths(self._part(part)), self.labels(part), shape)

    def images(self, part: str, size: int, *, exact: bool = False) -> torch.Tensor:
        """Return a part's images as uint8 N×3×size×size: shorter side scaled, middle square cropped.

        With `exact` images of another size are refused instead.

        Raises: DataError naming a file that cannot be decoded.
        """
        listing = self._part(part)

        def make() -> torch.Tensor:
            paths = _Paths(listing)

            def read(place: int) -> bytes:
                try:
                    return paths[place].read_bytes()
                except OSError as error:
                    raise DataError(f"{paths[place]} cannot be read: {error.strerror or error}") from error

            shape = None if exact else fitted(size)
            return decoded(len(paths), read, lambda place: str(paths[place]), size, shape)

        folders = [as_text(str(folder.resolve())) for folder in listing.folders.values()]
        count, how = sum(listing.counts.values()), f"{size} exact" if exact else f"{size}"
        return kept(f"folders {digest({'folders': folders})} {how}", listing.stamp, count, size, make)

    def _part(self, part: str) -> Listing:
        return self.train if part == "train" else self.test


def subfolders(folder: Path) -> list[str]:
    """Return the names of a folder's own folders, sorted; hidden ones are passed over.

    Raises: DataError where it cannot be read, or a link in it leads nowhere: it may stand for a class.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(e.name for e in entries if not e.name.startswith(".") and _is_folder(e))
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror or error}") from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return stat.S_ISDIR(entry.stat().st_mode)
    except OSError as error:
        link = "is a link to nothing, or to itself" if entry.is_symlink() else "cannot be read"
        raise DataError(f"{entry.path} {link}: {error.strerror or error}") from error


def class_folders(train: Path, test: Path) -> ClassFolders:
    """Return what lies under the folders of the two parts, each with a folder for every class.

    Raises: DataError naming a folder that is not there, holds no image, or a class that one part alone has.
    """
    names = {part: subfolders(part) for part in (train, test)}
    for part, classes in names.items():
        if not classes:
            raise DataError(f"{part} has no folders; expected is one for each class, with its images")
    for here, there in ((train, test), (test, train)):
        if alone := [name for name in names[here] if name not in set(names[there])]:
            more = f" (and {len(alone) - 1} more)" if len(alone) > 1 else ""
            raise DataError(
                f"class '{alone[0]}'{more} has a folder in {here} and none in {there}; "
                "both parts need the same classes"
            )
    listings = [list_images({name: part / name for name in names[part]}) for part in (train, test)]
    return ClassFolders(*listings)


def annotated_folders(train: Path, test: Path, classes: Mapping[str, str], where: Path) -> ClassFolders:
    """Return what lies under a folder with class folders and one without, whose images a list tells apart.

    Args:
        train: the folder with a folder for every class.
        test: the folder with the images themselves.
        classes: the class of each test image by its name, with or without the name's ending.
        where: the list's file, for errors.

    Raises: DataError naming an image that is not listed or not there, or a class that one part alone has.
    """
    names = subfolders(train)
    listing = told_apart(test, train, names, classes, where)
    return ClassFolders(list_images({name: train / name for name in names}), listing)


def told_apart(
    test: Path, train: Path, names: Sequence[str], classes: Mapping[str, str], where: Path
) -> Listing:
    """Return the images that lie in one folder, by class: as if they had been sorted into folders.

    Args:
        test: the folder with the images themselves.
        train: where the training images lie, for errors.
        names: the classes, in their order.
        classes: the class of each image by its name, with or without the name's ending.
        where: the file that says these, for errors.

    Raises: DataError naming an image that is not listed or not there, or a class without images.
    """
    flat = list_images({"": test})
    grouped: dict[str, list[tuple[str, int]]] = {name: [] for name in names}
    left = dict(classes)
    for name, size in flat.files[""]:
        label = left.pop(name, None) or left.pop(Path(name).stem, None)
        if label is None:
            raise DataError(f"{where} does not say the class of {test / name}")
        if label not in grouped:
            raise DataError(f"{where}: class '{label}' of {name} has no folder in {train}")
        grouped[label].append((name, size))
    if left:
        raise DataError(
            f"{where} lists {next(iter(left))} (of {len(left)}), not there in {test}: half unpacked?"
        )
    if alone := [name for name, listed in grouped.items() if not listed]:
        raise DataError(f"class '{alone[0]}' has a folder in {train} and no image in {where}")
    rows = tuple(row_of(name, listed) for name, listed in grouped.items())
    of_rows = hashlib.sha256(b"".join(rows)).hexdigest()  # as if they had been sorted into folders
    return replace(
        flat,
        folders=dict.fromkeys(grouped, test),
        counts={name: len(listed) for name, listed in grouped.items()},
        digest=of_rows,
        stamp=digest({"files": flat.stamp, "classes": of_rows}),
        rows=rows,
    )
