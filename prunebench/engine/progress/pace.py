"""How long jobs take, learned from those that have ended (pure: no store, clock or torch).

A job is *assumed* to take what its arithmetic and its steps take at an assumed rate. What is learned is the
ratio of measured to assumed seconds: for a device in general, for what is done on it, and for what is done
there with one network. Each of the three begins as the one before it says, as if one job of average length
had said so, and follows its own jobs from the first on. So a job of a sort that was never seen is guessed
from those that are most like it, and no guess jumps when the first of a sort ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prunebench.engine.progress.sorts import Sort

__all__ = ["Expected", "Pace"]

FORGETS = 0.97
"""What a job still counts for when the next of its sort has ended: machines get busier, workers more."""

MOST = 5.0
"""So many times what was expected a job counts for at most, once one of its sort has ended."""

SPREAD = 0.25
"""The standard deviation of the logarithm of one job's seconds, before anything is known of its sort."""

GPU = 0.1
"""The ratio that a GPU begins with: what is assumed is assumed of one thread of a processor."""

UNKNOWN = (1.0, 0.7, 0.8)
"""That of the ratio itself: of a device that nothing is known of; of what is done on a known device; of a
network with which that is done."""


@dataclass(frozen=True)
class Expected:
    """What a second of assumed time is expected to take of jobs of one sort."""

    ratio: float
    spread: float
    """Standard deviation of the logarithm of one job's seconds about the ratio."""
    doubt: float
    """That of the ratio itself: all jobs of the sort are wrong together."""


class _Ratio:
    """What was measured of some jobs, the last ones counting most."""

    def __init__(self) -> None:
        self.count = self.measured = self.assumed = self.squares = 0.0

    def add(self, measured: float, assumed: float, expected: float) -> None:
        """Take in a job; `expected` is the ratio that was believed before.

        One that took many times as long (its process had to wait for a disk, say) counts for some times that.
        """
        if self.count:
            measured = min(measured, MOST * expected * assumed)
        residual = math.log(max(measured, 1e-3) / max(expected * assumed, 1e-3))
        for name, value in (("count", 1.0), ("measured", measured), ("assumed", assumed)):
            setattr(self, name, FORGETS * getattr(self, name) + value)
        self.squares = FORGETS * self.squares + min(residual**2, 4.0)

    def believed(self, above: Expected, unknown: float) -> Expected:
        """Return what these jobs say, beginning with what those above them do."""
        if not self.count:
            return Expected(above.ratio, above.spread, math.hypot(above.doubt, unknown))
        mean = self.assumed / self.count
        ratio = (self.measured + above.ratio * mean) / (self.assumed + mean)
        spread = math.sqrt((self.squares + SPREAD**2) / (self.count + 1))
        before = above.doubt**2 + unknown**2
        return Expected(ratio, spread, 1 / math.sqrt(1 / before + self.count / spread**2))


class Pace:
    """Learns how long jobs take; `learn` takes in those that have ended, in their order."""

    def __init__(self) -> None:
        self._ratios: dict[tuple[str, ...], _Ratio] = {}
        self._known: dict[tuple[str, ...], Expected] = {}

    def learn(self, sort: Sort, device: str, measured: float, assumed: float) -> None:
        """Take in that a job took so many seconds, and was assumed to take so many."""
        if measured < 0 or assumed <= 0:
            return
        # each level learns against what it believed itself
        for path, above, unknown in self._levels(sort, device):
            ratio = self._ratios.setdefault(path, _Ratio())
            ratio.add(measured, assumed, ratio.believed(above, unknown).ratio)
        self._known.clear()

    def expected(self, sort: Sort, device: str) -> Expected:
        """Return what is expected of jobs of a sort on a device."""
        key = (device, *sort)
        if key not in self._known:
            for path, above, unknown in self._levels(sort, device):
                self._known[path] = self._ratios.get(path, _Ratio()).believed(above, unknown)
        return self._known[key]

    def measured(self, sort: Sort, device: str) -> bool:
        """True if a job of this sort has been measured on this device."""
        return (device, *sort) in self._ratios

    def _levels(self, sort: Sort, device: str) -> Iterator[tuple[tuple[str, ...], Expected, float]]:
        """Yield the three levels of a sort on a device, with what is believed one level above."""
        above = Expected(GPU if device.startswith("cuda") else 1.0, SPREAD, 0.0)
        for path, unknown in zip(_paths(sort, device), UNKNOWN, strict=True):
            yield path, above, unknown
            above = self._ratios.get(path, _Ratio()).believed(above, unknown)


def _paths(sort: Sort, device: str) -> Iterable[tuple[str, ...]]:
    return (device,), (device, sort[0]), (device, *sort)
