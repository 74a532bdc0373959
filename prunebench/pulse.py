"""Signs of life: work that goes on says so, and whoever watches over it knows that it does not hang."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["beat", "felt_by", "last"]


class _Pulse:
    """When the last sign came, by the machine's monotonic clock, and who else is told of each."""

    at = 0.0
    told: Callable[[float], object] | None = None


def beat() -> None:
    """Say that work goes on: a training step was made, a batch evaluated, a chunk or a round scored."""
    _Pulse.at = now = time.monotonic()
    if _Pulse.told is not None:
        _Pulse.told(now)


def last() -> float:
    """Return when the last sign came, as `time.monotonic` counts; 0 where none has come yet."""
    return _Pulse.at


def felt_by(told: Callable[[float], object] | None) -> None:
    """Let `told` be called with the time of each sign from now on; None: nobody."""
    _Pulse.told = told
