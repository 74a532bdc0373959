"""Reads and writes archives of plain files: xz over ustar, nothing else, within bounds.

An archive is other people's input. Of a tar file nothing but regular files with plain names is known here,
so that there are no links, long names, sparse files and folders to be careful with; it is unpacked piece
by piece, and what it would become is counted before it is written.
"""

from __future__ import annotations

import lzma
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from prunebench.errors import StoreError
from prunebench.store import shown

__all__ = ["LARGEST", "LARGEST_PACKED", "MOST", "archived", "members", "unpacked_most"]

LARGEST_PACKED = 256 << 20
"""Bytes that an archive may have."""

LARGEST = 2 << 30
"""Bytes that it may have unpacked: above any suite's, below any disk's."""

MOST = 500_000
"""Files that it may hold."""

_ALLOWANCE, _RATIO = 16 << 20, 40
"""Bytes that any archive may become, and how many more for each of its own: real ones become 13 to 16."""

_FEW, _BYTES_A_FILE = 1_000, 50
"""Files that any archive may hold, and of how many of its bytes one more: real ones have 300 for one."""

_MEMORY = 256 << 20
"""Bytes that unpacking may take: xz's largest preset takes 65 MiB."""

_BLOCK = 512
_PIECE = 1 << 20


def archived(files: Mapping[str, bytes]) -> bytes:
    """Return an archive of these files. The same files give the same bytes (with one release of liblzma)."""
    parts = []
    for name in sorted(files):
        member = tarfile.TarInfo(name)
        member.size = len(files[name])
        padding = -member.size % _BLOCK
        parts += [member.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict"), files[name], b"\0" * padding]
    parts.append(b"\0" * (2 * _BLOCK))
    return lzma.compress(b"".join(parts), preset=9 | lzma.PRESET_EXTREME)


def members(
    path: Path,
    look: Callable[[str, int], None] = lambda name, size: None,
    *,
    largest: int | None = None,
    most: int | None = None,
) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of every file in an archive.

    Names are as they stand there. `look` is shown the name and the size of each before it is unpacked, and
    raises StoreError for one that is not wanted. `largest`, `most`: bytes that all become, and files; by
    default as many as an archive of this size may have, so that a small one costs little to refuse.

    Raises: StoreError for anything that is not such an archive, or is beyond the bounds.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_PACKED:
            raise StoreError(f"{path}: {size:,} bytes long, at most {LARGEST_PACKED:,} are read")
        largest = unpacked_most(size, _ALLOWANCE, _RATIO, LARGEST) if largest is None else largest
        most = min(MOST, _FEW + size // _BYTES_A_FILE) if most is None else most
        with path.open("rb") as file:
            yield from _members(_Unpacked(path, file, largest), look, most)
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error


def unpacked_most(packed: int, allowance: int, ratio: int, largest: int) -> int:
    """Return how many bytes may come out of so many: in proportion, whatever they say of themselves."""
    return min(largest, allowance + ratio * packed)


def _members(content: _Unpacked, look: Callable[[str, int], None], most: int) -> Iterator[tuple[str, bytes]]:
    count = 0
    while True:
        header = content.read(_BLOCK)
        if header == b"\0" * _BLOCK:
            return content.end()
        if count == most:
            raise StoreError(f"{content.path}: more than {most:,} files")
        count += 1
        member = _header(content.path, header)
        look(member.name, member.size)
        yield member.name, content.read(member.size)
        content.read(-member.size % _BLOCK)


def _header(path: Path, header: bytes) -> tarfile.TarInfo:
    """Return what a header says of a plain file; refuse every other kind of member."""
    try:
        member = tarfile.TarInfo.frombuf(header, "ascii", "strict")
    except (tarfile.TarError, UnicodeDecodeError, ValueError) as error:
        raise StoreError(f"{path}: not an archive of plain files ({shown(error)})") from None
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.linkname:
        kinds = {tarfile.SYMTYPE: "a link", tarfile.LNKTYPE: "a link", tarfile.DIRTYPE: "a folder"}
        kind = kinds.get(member.type, f"a member of type {member.type!r}")
        raise StoreError(f"{path}: {shown(member.name, 120)} is {kind}: only plain files are unpacked")
    if not 0 <= member.size <= LARGEST:
        raise StoreError(f"{path}: {shown(member.name, 120)} says that it has {member.size:,} bytes")
    return member


class _Unpacked:
    """The bytes of an xz file, as many as are asked for."""

    def __init__(self, path: Path, file: BinaryIO, largest: int) -> None:
        self.path = path
        self._file, self._left = file, largest
        self._xz = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_MEMORY)
        self._held = bytearray()

    def read(self, size: int) -> bytes:
        """Return so many bytes. Raises: StoreError where there are fewer, or more than may be unpacked."""
        if size > self._left:
            raise self._too_large()
        while len(self._held) < size:
            piece = self._piece()
            if not piece:
                raise StoreError(f"{self.path}: cut short")
            self._held += piece
        self._left -= size
        with memoryview(self._held) as held:
            whole = bytes(held[:size])
        del self._held[:size]
        return whole

    def _too_large(self) -> StoreError:
        return StoreError(f"{self.path}: larger than any archive of records of its size when it is unpacked")

    def end(self) -> None:
        """Make sure that nothing but zeros follows, and nothing behind the xz stream."""
        while self._held or not self._xz.eof:
            if self._held.strip(b"\0"):
                raise StoreError(f"{self.path}: something stands behind its end")
            self._left -= len(self._held)
            if self._left < 0:
                raise self._too_large()
            self._held = bytearray(self._piece())
            if not self._held and not self._xz.eof:
                raise StoreError(f"{self.path}: cut short")
        if self._xz.unused_data or self._file.read(1):
            raise StoreError(f"{self.path}: something stands behind its end")

    def _piece(self) -> bytes:
        """Return the next bytes; none at the end, or where the file is cut off."""
        try:
            while not self._xz.eof:
                packed = self._file.read(_PIECE) if self._xz.needs_input else b""
                if self._xz.needs_input and not packed:
                    return b""
                if piece := self._xz.decompress(packed, max_length=_PIECE):
                    return piece
        except lzma.LZMAError as error:
            raise StoreError(f"{self.path}: not an xz archive, or damaged ({shown(error)})") from None
        return b""
