"""Parameters that come from a suite: checked here, so that a mistake is one line and not a traceback."""

from __future__ import annotations

import math
from collections.abc import Sequence

from prunebench.errors import UsageError

__all__ = ["flag", "positive_integers", "scaled", "sides"]


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


def sides(
    input_shape: Sequence[int], least: int, who: str, why: str, most: int | None = None
) -> tuple[int, int]:
    """Return height and width of an input C×H×W.

    Raises: UsageError where a side is below `least` or above `most`; `why` says what in the network asks it.
    """
    _, height, width = input_shape
    if min(height, width) < least or (most is not None and max(height, width) > most):
        given = "×".join(map(str, input_shape))
        allowed = f"sides of at least {least}" if most is None else f"sides of {least} to {most}"
        raise UsageError(f"{who}: images of {given} (channels×height×width); allowed: {allowed} ({why})")
    return height, width


def flag(value: object, name: str, who: str) -> bool:
    """Return a parameter that is true or false.

    Raises: UsageError for anything else.
    """
    if not isinstance(value, bool):
        raise UsageError(f"{who}: {name} = {value!r}; allowed: true, false")
    return value
