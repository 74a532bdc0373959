"""Random numbers by purpose: every use of a cell's seed draws from a stream of its own (imports no torch).

The bits come from numpy's Philox4x64 through `random_raw()`, which is specified to the bit; what is made of
them is a few lines here, so that the numbers depend on no library's idea of a shuffle or of a normal draw.
"""

from __future__ import annotations

import hashlib
import math
import operator

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from prunebench.canonical import canonical

__all__ = ["Stream", "stream"]

_CHUNK = 1 << 16
"""Normals made at once: the float64 values in between stay in the processor's cache."""


class Stream:
    """The random numbers of one (seed, purpose, parts); each call goes on where the last one stopped.

    >>> s = stream(0, "order", 3)
    >>> sorted(s.permutation(4).tolist())
    [0, 1, 2, 3]
    """

    __slots__ = ("_bits", "parts", "purpose", "seed")

    def __init__(self, seed: int, purpose: str, *parts: str | int) -> None:
        self.seed = operator.index(seed)
        self.purpose = purpose
        self.parts = tuple(p if isinstance(p, str) else operator.index(p) for p in parts)
        name = hashlib.sha256(canonical([self.seed, self.purpose, *self.parts])).digest()
        self._bits = np.random.Philox(key=np.frombuffer(name[:16], dtype="<u8").astype(np.uint64))

    def __repr__(self) -> str:
        return f"stream{(self.seed, self.purpose, *self.parts)!r}"

    def raw(self, n: int) -> NDArray[np.uint64]:
        """Return `n` numbers of 64 random bits."""
        bits: NDArray[np.uint64] = self._bits.random_raw(n)
        return bits

    def uniform(self, shape: int | tuple[int, ...]) -> NDArray[np.float64]:
        """Return float64 values in (0, 1), both ends excluded: odd multiples of 2⁻⁵³."""
        return _uniform(self.raw(_size(shape))).reshape(shape)

    def normal(self, shape: int | tuple[int, ...]) -> NDArray[np.float32]:
        """Return standard normal float32 values: the inverse distribution function of uniform ones."""
        n = _size(shape)
        out = np.empty(n, dtype=np.float32)
        for start in range(0, n, _CHUNK):
            part = out[start : start + _CHUNK]
            part[:] = ndtri(_uniform(self.raw(len(part))))
        return out.reshape(shape)

    def permutation(self, n: int) -> NDArray[np.int64]:
        """Return 0 … n − 1 in random order: the order of `n` raw numbers."""
        return np.argsort(self.raw(n), kind="stable").astype(np.int64, copy=False)

    def integers(self, n: int, high: int) -> NDArray[np.int64]:
        """Return `n` integers in 0 … high − 1, for `high` up to 2³² (unequal by less than high · 2⁻⁵³)."""
        if not 1 <= high <= 1 << 32:
            raise ValueError(f"high must lie in 1 … 2³², found {high}")
        share = (self.raw(n) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return (share * high).astype(np.int64)

    def child(self, *parts: str | int) -> Stream:
        """Return the stream of these parts and more; this one is left as it is."""
        return Stream(self.seed, self.purpose, *self.parts, *parts)


def stream(seed: int, purpose: str, *parts: str | int) -> Stream:
    """Return the stream of random numbers for one use of a seed.

    Purposes in use: "init" and "fresh" (then the parameter's name), "order", "augment" and "noise" (then the
    epoch), "batch", "scores", "shuffle", "subsample", "val". Another purpose or part is another, independent
    stream, so a new consumer moves nobody's numbers.
    """
    return Stream(seed, purpose, *parts)


def _uniform(raw: NDArray[np.uint64]) -> NDArray[np.float64]:
    # 52 bits and a half: with 53 the largest would round to 1, whose normal is infinite
    values = (raw >> np.uint64(12)).astype(np.float64)
    values += 0.5
    values *= 2.0**-52
    return values


def _size(shape: int | tuple[int, ...]) -> int:
    return math.prod(shape) if isinstance(shape, tuple) else int(shape)
