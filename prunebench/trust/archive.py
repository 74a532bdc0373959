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

__all__ = ["LARGEST", "LARGEST_PACKED", "MOST", "archived", "members"]

LARGEST_PACKED = 256 << 20
"""Bytes that an archive may have."""

LARGEST = 2 << 30
"""Bytes that it may have unpacked: above any suite's, below any disk's."""

MOST = 500_000
"""Files that it may hold."""

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
    largest: int = LARGEST,
    most: int = MOST,
) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of every file in an archive.

    Names are as they stand there. `look` is shown the name and the size of each before it is unpacked, and
    raises StoreError for one that is not wanted.

    Raises: StoreError for anything that is not such an archive, or is beyond the bounds.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_PACKED:
            raise StoreError(f"{path}: {size:,} bytes long, at most {LARGEST_PACKED:,} are read")
        with path.open("rb") as file:
            yield from _members(_Unpacked(path, file, largest), look, most)
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error


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
        self._held = b""

    def read(self, size: int) -> bytes:
        """Return so many bytes. Raises: StoreError where there are fewer, or more than may be unpacked."""
        if size > self._left:
            raise StoreError(f"{self.path}: larger than any archive of records when it is unpacked")
        pieces, wanted = [self._held], size - len(self._held)
        while wanted > 0:
            piece = self._piece()
            if not piece:
                raise StoreError(f"{self.path}: cut short")
            pieces.append(piece)
            wanted -= len(piece)
        whole = b"".join(pieces)
        self._held = whole[size:]
        self._left -= size
        return whole[:size]

    def end(self) -> None:
        """Make sure that nothing but zeros follows, and nothing behind the xz stream."""
        while self._held or not self._xz.eof:
            if self._held.strip(b"\0"):
                raise StoreError(f"{self.path}: something stands behind its end")
            self._left -= len(self._held)
            if self._left < 0:
                raise StoreError(f"{self.path}: larger than any archive of records when it is unpacked")
            self._held = self._piece()
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
