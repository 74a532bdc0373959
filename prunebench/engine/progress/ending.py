"""When a run will have ended, and how sure that is (pure: no store, clock or torch)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from prunebench.engine.jobs_left import JobsLeft
from prunebench.engine.progress.pace import Expected, Pace
from prunebench.engine.progress.sorts import Sort

__all__ = ["AtWork", "Ends", "Load", "ends"]

SURE = 1.3
"""How many standard deviations a range reaches to either side: four of five ends lie within."""

ALIKE = 0.7
"""How much the errors of different sorts have in common: with 1 they would be wrong together, all one way."""

LEAST, MOST = 0.05, 1.5
"""Between which the standard deviation of the end's logarithm is believed to lie."""

USUALLY_BUSY = 0.9
"""The share of their time for which workers are assumed to have a job, before that has been seen."""

SETTLES = 20.0
"""Seconds of a worker's time after which what was seen of it counts as much as that."""


@dataclass(frozen=True)
class Ends:
    """In how many seconds a run ends: most likely, and between what in four of five cases."""

    low: float
    middle: float
    high: float
    measured: bool
    """True where most of what is left is of sorts that have been measured; else it is a guess."""


@dataclass(frozen=True)
class Load:
    """The part of a job that is left: how much of its assumed seconds, of what sort."""

    sort: Sort
    assumed: float


@dataclass(frozen=True)
class AtWork:
    """What workers do with their time."""

    workers: float
    """How many there are."""
    offered: float = 0.0
    """Seconds that there have been workers for, all together."""
    busy: float = 0.0
    """Of these, the seconds that they had a job."""
    waits: float = 0.0
    """Seconds until the first of them begins."""

    @property
    def share(self) -> float:
        """The share of their time that workers are expected to have a job for."""
        before = SETTLES * self.workers
        share = (self.busy + USUALLY_BUSY * before) / (self.offered + before)
        return min(1.0, max(0.1, share))

    @property
    def doubt(self) -> float:
        """The standard deviation of that share's logarithm."""
        return 0.02 + 0.15 / (1 + self.offered / (SETTLES * self.workers))


def ends(
    work: JobsLeft,
    loads: Mapping[str, Load],
    running: Mapping[str, float],
    pace: Pace,
    device: str,
    at_work: AtWork,
) -> Ends:
    """Return when all that is left is done.

    `loads` has every job that is left, `running` the seconds that those which are being made still take where
    that is known better than by their sort. The end is that of the longest chain of jobs that wait for each
    other, or of all jobs shared by the workers, whichever is later.
    """
    if not len(work):
        return Ends(0.0, 0.0, 0.0, True)
    seconds: dict[str, float] = {}
    doubtful = squares = measured = 0.0
    known: dict[Sort, tuple[Expected, bool]] = {}
    for key in work:
        load = loads[key]
        if load.sort not in known:
            known[load.sort] = pace.expected(load.sort, device), pace.measured(load.sort, device)
        expected, is_measured = known[load.sort]
        took = seconds[key] = running.get(key, expected.ratio * load.assumed)
        doubtful += took * expected.doubt
        squares += (took * expected.spread) ** 2
        measured += took * is_measured
    whole = math.fsum(seconds.values())
    workers = max(1.0, at_work.workers)
    chain = _longest(work, seconds.__getitem__)
    middle = at_work.waits + max(whole / workers, chain) / at_work.share
    doubt = math.hypot(ALIKE * doubtful, math.sqrt(squares)) / whole if whole else 0.0
    doubt = min(MOST, max(LEAST, math.hypot(doubt, at_work.doubt)))
    low, high = middle * math.exp(-SURE * doubt), middle * math.exp(SURE * doubt)
    return Ends(low, middle, high, measured > whole / 2)


def _longest(work: JobsLeft, seconds: Callable[[str], float]) -> float:
    """Return the seconds of the longest chain of jobs that wait for each other."""
    chains: dict[str, float] = {}
    longest = 0.0
    for key in reversed(list(work)):
        after = max((chains[reader] for reader in work.readers(key)), default=0.0)
        chains[key] = seconds(key) + after
        longest = max(longest, chains[key])
    return longest
