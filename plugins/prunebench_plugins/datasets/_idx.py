"""The idx format of MNIST: a magic number, big-endian dimensions, bytes."""

from __future__ import annotations

import math
import struct

import numpy as np

from prunebench.errors import DataError

__all__ = ["parse_idx"]

_UNSIGNED_BYTE = 8


def parse_idx(content: bytes, where: str) -> np.ndarray:
    """Return the uint8 array that an idx file's content describes (a view of the content, not writable).

    Raises: DataError naming `where` for content that is not idx, not of bytes, or not of the length it says.
    """
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != _UNSIGNED_BYTE:
        raise DataError(
            f"{where}: not an idx file of unsigned bytes; it begins with {content[:4].hex(' ') or 'nothing'}"
        )
    rank = content[3]
    start = 4 + 4 * rank
    if len(content) < start:
        raise DataError(f"{where}: the idx header says {rank} dimensions and ends before them")
    shape = struct.unpack(f">{rank}I", content[4:start])
    if len(content) - start != math.prod(shape):
        raise DataError(
            f"{where}: the idx header says {'×'.join(map(str, shape))} = {math.prod(shape)} bytes, "
            f"found {len(content) - start}"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)
