"""What pruning asks of a source of random numbers (`prunebench.training.streams.Stream` is one)."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

__all__ = ["RandomStream"]


class RandomStream(Protocol):
    """A stream of random numbers with children that are streams of their own."""

    def child(self, *parts: str | int) -> RandomStream:
        """Return another stream, the same for the same parts; this one is not disturbed."""
        ...

    def raw(self, n: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """Return n random 64-bit numbers."""
        ...

    def uniform(self, shape: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return float64 numbers between 0 and 1, both excluded."""
        ...

    def permutation(self, n: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return 0 … n − 1 in random order."""
        ...
