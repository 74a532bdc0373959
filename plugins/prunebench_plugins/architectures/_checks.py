"""Parameters that come from a suite: checked here, so that a mistake is one line and not a traceback."""

from __future__ import annotations

import math
from collections.abc import Sequence

from prunebench.errors import UsageError

__all__ = ["positive_integers", "scaled"]


def scaled(channels: int, width: float, who: str) -> int:
    """Return max(1, round(channels · width)) with Python's rounding (12.5 → 12).

    Raises: UsageError for a width that is not a positive number.
    """
    if isinstance(width, bool) or not isinstance(width, int | float) or not 0 < width < math.inf:
        raise UsageError(f"{who}: width = {width!r}; allowed: a number above 0 (1 is as published)")
    return max(1, round(channels * width))


def positive_integers(values: object, name: str, who: str) -> list[int]:
    """Return `values` as a list of layer sizes.

    Raises: UsageError for anything but a non-empty list of integers above 0.
    """
    listed = list(values) if isinstance(values, Sequence) and not isinstance(values, str) else None
    if not listed or any(isinstance(v, bool) or not isinstance(v, int) or v < 1 for v in listed):
        raise UsageError(f"{who}: {name} = {values!r}; allowed: a list of integers above 0, as [300, 100]")
    return listed
