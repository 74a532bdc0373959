"""Signs of life: work that goes on says so, and whoever watches over it knows that it does not hang."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

__all__ = ["beat", "felt_by", "felt_in_imports", "last"]


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


class _Imports:
    """Stands before those that find modules, finds none, and says that work goes on."""

    @staticmethod
    def find_spec(*_: object) -> None:
        beat()


@contextlib.contextmanager
def felt_in_imports() -> Iterator[None]:
    """Let each module that is imported meanwhile be a sign: the first use of a library may import hundreds,
    which takes minutes on a slow file system.
    """
    finder = _Imports()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # foreign code may have taken it out
            sys.meta_path.remove(finder)
