"""What lies in many folders: names and sizes, listed once and remembered where there is much of it."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import platformdirs

from prunebench.canonical import digest
from prunebench.errors import DataError
from prunebench.training.images.files import looks_anew

__all__ = [
    "IMAGES",
    "REMEMBERED_FROM",
    "Listing",
    "as_text",
    "cache_folder",
    "list_images",
    "row_of",
    "write_whole",
]

IMAGES = (".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp")
"""Names that end so, in any case, are images; others are passed over."""

REMEMBERED_FROM = 20_000
"""Files from which a listing is worth remembering."""

_RACY = 2.0
"""Seconds after a change within which a folder may change again under the same time stamp."""


@dataclass(frozen=True)
class Listing:
    """The images of some folders, each folder under a label: their numbers, and digests of what they are."""

    folders: Mapping[str, Path]
    counts: Mapping[str, int]
    digest: str
    """Of labels, names and sizes: the same wherever the folders lie."""
    stamp: str
    """Of these and of the files' times: another one where a file was written again with the same size."""
    rows: tuple[bytes, ...]
    """A folder's label and files each, as JSON."""

    @cached_property
    def files(self) -> Mapping[str, list[tuple[str, int]]]:
        """(name, size in bytes) of each folder's images by label, sorted by name."""
        return dict(map(_files_of, self.rows))


_LISTED: dict[str, tuple[Mapping[str, int], Listing]] = {}
"""What this process listed last: one planning asks several times."""


def as_text(name: str) -> str:
    """Return a name of the file system as text for JSON: itself, unless its bytes are not UTF-8.

    Those are spelled out after a NUL, which no name contains; so no digest of other names moves.

    >>> as_text("café"), as_text("caf\\udce9")
    ('café', '\\x00636166e9')
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return f"\0{os.fsencode(name).hex()}"
    return name


def from_text(text: str) -> str:
    """Return the name that `as_text` spelled."""
    return os.fsdecode(bytes.fromhex(text[1:])) if text.startswith("\0") else text


def row_of(label: str, files: Sequence[tuple[Any, ...]]) -> bytes:
    """Return a folder's label and its files, name and numbers each, as JSON."""
    try:
        return orjson.dumps([label, files])
    except TypeError:  # a name that is not UTF-8
        return orjson.dumps([as_text(label), [(as_text(name), *numbers) for name, *numbers in files]])


def _files_of(row: bytes) -> tuple[str, list[tuple[str, int]]]:
    label, files = orjson.loads(row)
    if b"\\u0000" not in row:
        return label, [(name, size) for name, size in files]
    return from_text(label), [(from_text(name), size) for name, size in files]


def cache_folder() -> Path:
    """Return the folder for what can be made again at any time: listings, decoded images."""
    return platformdirs.user_cache_path("prunebench") / "images"


def list_images(folders: Mapping[str, Path]) -> Listing:
    """List the images of each folder, given by label; from memory where no folder has changed since.

    Raises: DataError for a folder that cannot be read, holds no image, or holds images in folders of its own.
    """
    began = time.time()
    times = {label: _modified(folder) for label, folder in folders.items()}
    settled = max(times.values(), default=0) < (began - _RACY) * 1e9
    known = digest({"folders": _spelled(folders)})
    trusted = not looks_anew()  # a file written over in place leaves its folder's time as it was
    if trusted and known in _LISTED and _LISTED[known][0] == times:
        return _LISTED[known][1]
    where = cache_folder() / f"listing-{known[:32]}.jsonl"
    listing = _remembered(where, folders, times) if trusted else None
    if listing is None:
        listing = _listed(folders)
        if settled and sum(listing.counts.values()) >= REMEMBERED_FROM:
            head = {"folders": _spelled(folders), "times": list(times.values())}
            head |= {"counts": list(listing.counts.values())}
            head |= {"digest": listing.digest, "stamp": listing.stamp}
            head["check"] = digest(head)
            write_whole(where, b"\n".join([orjson.dumps(head), *listing.rows]))
    if settled:
        if len(_LISTED) >= 8:
            _LISTED.pop(next(iter(_LISTED)))
        _LISTED[known] = (times, listing)
    return listing


def _listed(folders: Mapping[str, Path]) -> Listing:
    rows, counts = [], {}
    names, stamps = hashlib.sha256(), hashlib.sha256()
    for label, folder in folders.items():
        files = _scan(folder)
        counts[label] = len(files)
        rows.append(row_of(label, [(name, size) for name, size, _ in files]))
        names.update(rows[-1])
        stamps.update(row_of(label, files))
    return Listing(folders, counts, names.hexdigest(), stamps.hexdigest(), tuple(rows))


def _spelled(folders: Mapping[str, Path]) -> dict[str, str]:
    return {as_text(label): as_text(str(folder.resolve())) for label, folder in folders.items()}


def _modified(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror or error}") from error


def _remembered(where: Path, folders: Mapping[str, Path], times: Mapping[str, int]) -> Listing | None:
    """Return a listing written earlier, if no folder has changed since; its rows are read, not parsed."""
    try:
        first, *rows = where.read_bytes().split(b"\n")
        head: dict[str, Any] = orjson.loads(first)
        if head.pop("check", None) != digest(head) or len(rows) != len(folders):
            return None
        if head["folders"] != _spelled(folders) or head["times"] != list(times.values()):
            return None
        names = hashlib.sha256()
        for row in rows:
            names.update(row)
        if names.hexdigest() != head["digest"]:  # cut short, or somebody's hand
            return None
        counts = dict(zip(folders, head["counts"], strict=True))
        return Listing(folders, counts, head["digest"], head["stamp"], tuple(rows))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _scan(folder: Path) -> list[tuple[str, int, int]]:
    """Return (name, size, time of change) of a folder's images, sorted by name."""
    try:
        images = sorted(_images(folder))
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror or error}") from error
    if not images:
        raise DataError(f"{folder} holds no image (names end in {', '.join(IMAGES)})")
    return images


def _images(folder: Path) -> Iterator[tuple[str, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.name.lower().endswith(IMAGES):
                status = _status(entry)
                if not stat.S_ISREG(status.st_mode):
                    raise DataError(f"{entry.path} is called an image and is no file: put the file there")
                if status.st_size == 0:
                    raise DataError(f"{entry.path} is empty: put the whole file there, or remove it")
                yield entry.name, status.st_size, status.st_mtime_ns
            elif entry.is_dir():
                raise DataError(f"{entry.path} is a folder; allowed: images directly in {folder}")


def _status(entry: os.DirEntry[str]) -> os.stat_result:
    try:
        return entry.stat()
    except OSError as error:
        link = " (a link to nothing, or to itself)" if entry.is_symlink() else ""
        raise DataError(f"{entry.path} cannot be read{link}: {error.strerror or error}") from error


def write_whole(path: Path, content: bytes) -> bool:
    """Write a file in one step; return whether that was possible."""
    part: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(part, path)
    except OSError:
        if part is not None and os.path.exists(part):
            os.unlink(part)
        return False
    return True
