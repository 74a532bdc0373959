"""A folder, or a zip file that holds that folder, asked alike: text files, images by folder, contents."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Protocol

from prunebench.errors import DataError
from prunebench_plugins.datasets._bounded import (
    TooLarge,
    read_at_most,
    refuse_many_members,
    size_at_most,
)
from prunebench_plugins.datasets._class_folders import subfolders
from prunebench_plugins.datasets._listing import IMAGES, as_text, list_images

__all__ = ["FolderTree", "Tree", "ZipTree"]

_TEXT = 1 << 24
"""Bytes of a list of classes or annotations; the longest that is published has a tenth of it."""

Listed = Mapping[str, list[tuple[str, int]]]


class Tree(Protocol):
    """What both can do. Paths are below the folder, with slashes."""

    @property
    def name(self) -> str:
        """What errors call it."""

    def folders(self, path: str) -> list[str]:
        """Return the names of a folder's own folders, sorted; none where there is no such folder."""

    def text(self, path: str) -> str | None:
        """Return a text file's content, or None where there is none."""

    def images(self, folders: Mapping[str, str]) -> tuple[Listed, str]:
        """Return (name, size) of the images by label of their folder, and what tells a changed file."""

    def read(self, path: str, most: int) -> bytes:
        """Return a file's content, of at most so many bytes."""


@dataclass(frozen=True)
class FolderTree:
    """A folder."""

    base: Path

    @property
    def name(self) -> str:
        """Its path."""
        return str(self.base)

    def folders(self, path: str) -> list[str]:
        """Return the names of a folder's own folders, sorted; none where there is no such folder."""
        return subfolders(self.base / path) if (self.base / path).is_dir() else []

    def text(self, path: str) -> str | None:
        """Return a text file's content, or None where there is none. Raises: DataError."""
        if not (self.base / path).is_file():
            return None
        return self.read(path, _TEXT).decode("utf-8", "surrogateescape")

    def images(self, folders: Mapping[str, str]) -> tuple[Listed, str]:
        """Return the images by label, and a digest of names, sizes and times. Raises: DataError."""
        listed = list_images({label: self.base / path for label, path in folders.items()})
        return listed.files, listed.stamp

    def read(self, path: str, most: int) -> bytes:
        """Return a file's content, of at most so many bytes. Raises: DataError."""
        try:
            with (self.base / path).open("rb") as file:
                return read_at_most(file, most)
        except OSError as error:
            raise DataError(f"{self.base / path} cannot be read: {error.strerror or error}") from error
        except TooLarge as error:
            raise DataError(f"{self.base / path} is not the original: {error}") from error


@lru_cache(maxsize=2)
def _members(path: Path, size: int, modified: int) -> dict[str, dict[str, int]]:
    """Return {folder: {name: size}} of a zip file. Raises: DataError where it is not a whole one."""
    try:
        refuse_many_members(path)
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except Exception as error:  # a damaged directory may raise anything
        raise DataError(
            f"{path} ({size:,} bytes) is no whole zip file ({error}): half downloaded? Delete it, and put "
            "the original there or let prunebench fetch it"
        ) from error
    folders: dict[str, dict[str, int]] = {}
    for info in infos:
        if not info.is_dir():
            place = PurePosixPath(info.filename)
            folders.setdefault(str(place.parent), {})[place.name] = info.file_size
    return folders


@dataclass(frozen=True)
class ZipTree:
    """A zip file's folder `inside`; nothing of it is unpacked to the disk."""

    path: Path
    inside: str
    _open: list[zipfile.ZipFile] = field(default_factory=list, compare=False)

    @property
    def name(self) -> str:
        """The zip file's path and the folder in it."""
        return f"{self.path}:{self.inside}"

    def _folders(self) -> dict[str, dict[str, int]]:
        status = self.path.stat()
        return _members(self.path, status.st_size, status.st_mtime_ns)

    def folders(self, path: str) -> list[str]:
        """Return the names of a folder's own folders, sorted; none where there is no such folder."""
        start = f"{self.inside}/{path}/"
        below = (name[len(start) :] for name in self._folders() if name.startswith(start))
        return sorted({name.split("/")[0] for name in below})

    def text(self, path: str) -> str | None:
        """Return a text file's content, or None where there is none. Raises: DataError."""
        place = PurePosixPath(self.inside, path)
        there = place.name in self._folders().get(str(place.parent), {})
        return self.read(path, _TEXT).decode("utf-8", "surrogateescape") if there else None

    def images(self, folders: Mapping[str, str]) -> tuple[Listed, str]:
        """Return the images by label, and the file's size and time. Raises: DataError for an empty folder."""
        members, listed = self._folders(), {}
        for label, path in folders.items():
            files = members.get(f"{self.inside}/{path}", {})
            listed[label] = sorted((n, size) for n, size in files.items() if n.lower().endswith(IMAGES))
            if not listed[label]:
                raise DataError(f"{self.name}/{path} holds no image")
        status = self.path.stat()
        return listed, f"{as_text(str(self.path.resolve()))} {status.st_size} {status.st_mtime_ns}"

    def read(self, path: str, most: int) -> bytes:
        """Return a file's content, of at most so many bytes, its CRC compared. Raises: DataError."""
        try:
            if not self._open:
                self._open.append(zipfile.ZipFile(self.path))
            member = self._open[0].getinfo(f"{self.inside}/{path}")
            size_at_most("it", member.file_size, most)
            with self._open[0].open(member) as file:
                return read_at_most(file, most)
        except Exception as error:  # zipfile raises several kinds for what is damaged or unknown to it
            raise DataError(f"{self.name}/{path} cannot be read: {error}") from error

    def close(self) -> None:
        """Close the file, if it was opened."""
        while self._open:
            self._open.pop().close()
