"""No more is read than there can be: a small archive may claim, or unpack to, any number of bytes."""

from __future__ import annotations

import gzip
import struct
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Protocol

__all__ = ["ROOM", "TooLarge", "members_of_tar", "read_at_most", "refuse_many_members", "size_at_most"]

ROOM = 1 << 20
"""Bytes that an archive may have beside what it holds: headers, padding, readme files."""

_MEMBERS = 1000
"""Members of a tar file that a data set of a few files is published as."""

_DIRECTORY = 1 << 25
"""Bytes of a zip file's directory; 120,000 images need 13 million."""


class TooLarge(Exception):
    """Something is larger than the original can be; the text says what, and how large it may be."""


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def size_at_most(what: str, size: int, most: int) -> None:
    """Raises: TooLarge where a size is above `most`."""
    if size > most:
        raise TooLarge(f"{what} has {size:,} bytes, and the original at most {most:,}")


def read_at_most(file: _Readable, most: int) -> bytes:
    """Return what is left of an open file, and no more than a byte beyond `most` of it.

    Raises: TooLarge where there is more; what the file raises.
    """
    content = file.read(most + 1)
    if len(content) > most:
        raise TooLarge(f"it holds more than the {most:,} bytes that the original has at most")
    return content


class _AtMost:
    """A stream of which so many bytes can be read and no more, whatever its headers make a reader ask for."""

    def __init__(self, stream: _Readable, most: int) -> None:
        self._stream, self._left, self._most = stream, most, most

    def read(self, size: int) -> bytes:
        content = self._stream.read(min(size, self._left + 1))
        self._left -= len(content)
        if self._left < 0:
            raise TooLarge(f"it unpacks to more than the {self._most:,} bytes that the original has at most")
        return content


def members_of_tar(archive: Path, wanted: Mapping[str, int]) -> dict[str, bytes]:
    """Return the contents of a gzipped tar file's members by name, given the most bytes that each has.

    Members that are not wanted are passed over, unread; links and files with holes are no members.

    Raises: TooLarge; what gzip and tarfile raise for a damaged file.
    """
    contents: dict[str, bytes] = {}
    total = sum(wanted.values()) + ROOM
    with (
        gzip.open(archive) as unpacked,
        tarfile.open(
            fileobj=_AtMost(unpacked, total),  # type: ignore[call-overload]
            mode="r|",
            bufsize=1 << 18,
        ) as tar,
    ):
        for number, member in enumerate(tar):
            if number >= _MEMBERS:
                raise TooLarge(f"it has more than {_MEMBERS:,} members")
            if member.name not in wanted or not member.isreg() or member.issparse():
                continue
            size_at_most(f"{member.name} in it", member.size, wanted[member.name])
            file = tar.extractfile(member)
            assert file is not None
            contents[member.name] = file.read()
    return contents


def refuse_many_members(archive: Path) -> None:
    """Refuse a zip file whose directory, which is read whole, is larger than that of any data set here.

    Raises: TooLarge, OSError. A file without a directory's end is left to whoever reads it.
    """
    with archive.open("rb") as file:
        file.seek(0, 2)
        size = file.tell()
        tail = _at(file, max(0, size - (1 << 16) - 22), (1 << 16) + 22)
        end = tail.rfind(b"PK\5\6")
        if end < 0 or end + 22 > len(tail):
            return
        (directory,) = struct.unpack_from("<I", tail, end + 12)
        locator = tail[max(0, end - 20) : end]
        if locator[:4] == b"PK\6\7":  # of a zip file with more members or bytes than the old fields can say
            (place,) = struct.unpack_from("<Q", locator, 8)
            record = _at(file, place, 56) if place < size else b""
            if record[:4] == b"PK\6\6" and len(record) == 56:
                (directory,) = struct.unpack_from("<Q", record, 40)
    size_at_most("its directory", directory, _DIRECTORY)


def _at(file: BinaryIO, place: int, size: int) -> bytes:
    file.seek(place)
    return file.read(size)
