"""Original files of a data set under the data root: found, read, verified (nothing is written here)."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from prunebench.canonical import digest
from prunebench.errors import DataError
from prunebench_plugins.datasets._bounded import ROOM, TooLarge, read_at_most, size_at_most

__all__ = [
    "Original",
    "damaged",
    "fingerprint_of",
    "md5_of",
    "missing_of",
    "put_there",
    "read",
    "set_aside",
    "sha256_of",
    "usable",
]


@dataclass(frozen=True)
class Original:
    """A published file: its path under the root, the SHA-256 of its content, the MD5 of its published .gz.

    Where its publisher gives an MD5 of the content and no SHA-256 is at hand, `md5` takes the latter's place.
    `most` is a number of bytes that the content has at most: what is larger is refused before it is read.
    """

    path: str
    sha256: str
    archive_md5: str = ""
    md5: str = ""
    most: int = 1 << 28

    @property
    def expected(self) -> tuple[str, str]:
        """The kind of checksum that the content is compared with, and its value."""
        return ("SHA-256", self.sha256) if self.sha256 else ("MD5", self.md5)

    def found(self, content: bytes) -> str:
        """Return the same checksum of a content."""
        if self.sha256:
            return sha256_of(content)
        return hashlib.md5(content, usedforsecurity=False).hexdigest()

    def is_genuine(self, content: bytes) -> bool:
        """True if a content is the published one."""
        return self.found(content) == self.expected[1]


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 of a content in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def md5_of(path: Path) -> str:
    """Return the MD5 of a file in hexadecimal (the checksum that data sets publish; no protection)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def fingerprint_of(originals: Iterable[Original]) -> str:
    """Return a digest of names and contents, known before any file is there; the same compressed or not."""
    return digest({"files": [[o.path, o.sha256 or f"md5:{o.md5}"] for o in originals]})


def put_there(urls: Sequence[str]) -> str:
    """Return the words that tell how to get a data set's files under the root."""
    return (
        f"`prunebench run` fetches it from {', '.join(urls[:1]) or 'nowhere'} or PRUNEBENCH_MIRROR; else put "
        "it there, or name another folder with --data or PRUNEBENCH_DATA (docs/data.md)"
    )


def missing_of(root: Path, originals: Iterable[Original], dataset: str, urls: Sequence[str]) -> str | None:
    """Return which originals are not under the root, compressed or not, and what to do; None if all are."""
    absent = [o.path for o in originals if _find(root, o) is None]
    if not absent:
        return None
    more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
    what = f"{absent[0]}.gz{more} (or the same without .gz)"
    return f"data set {dataset!r}: {root} lacks {what}; {put_there(urls)}"


def _find(root: Path, original: Original) -> Path | None:
    plain = root / original.path
    for path in (plain, plain.with_name(plain.name + ".gz")):
        if path.is_file():
            return path
    return None


def damaged(path: Path, kind: str, expected: str, found: str, why: str = "") -> DataError:
    """Return the error for a file whose content is not the published one."""
    because = f" ({why})" if why else ""
    return _not_taken(f"{path} is damaged{because}: expected {kind} {expected}, found {found}")


def _not_taken(why: str) -> DataError:
    return DataError(
        f"{why}. Nothing was taken from it: delete it, and put the original there or let prunebench fetch it"
    )


def read(root: Path, original: Original) -> bytes:
    """Return an original's uncompressed content, verified.

    Raises: DataError where the file is not there, cannot be read, or is another one.
    """
    path = _find(root, original)
    if path is None:
        raise DataError(f"neither {root / original.path} nor that name with .gz is there")
    compressed = path.suffix == ".gz"
    try:
        size_at_most("it", path.stat().st_size, original.most + (ROOM if compressed else 0))
        with gzip.open(path) if compressed else path.open("rb") as file:
            content = read_at_most(file, original.most)
    except TooLarge as error:
        raise _not_taken(f"{path} is damaged: {error}") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        why = f"{path.stat().st_size} bytes: {error}"
        raise damaged(path, "MD5", original.archive_md5, md5_of(path), why) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    if not original.is_genuine(content):
        kind, expected = original.expected
        kind += " of what it holds" if compressed else ""
        raise damaged(path, kind, expected, original.found(content))
    return content


def usable(root: Path, original: Original) -> bool:
    """True if an original is under the root and whole."""
    try:
        read(root, original)
    except DataError:
        return False
    return True


def set_aside(path: Path) -> None:
    """Rename a damaged file, if it is there, so that it is found no more and still nothing is lost."""
    if path.is_file():
        os.replace(path, path.with_name(path.name + ".damaged"))
