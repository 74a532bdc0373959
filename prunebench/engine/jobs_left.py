"""What a run still has to do: kept up to date job by job, however many thousand there are."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Container, Iterable, Iterator
from itertools import pairwise

from prunebench.plan.plan import Plan

__all__ = ["JobsLeft"]

SMALL = 0.02
"""The shortest jobs that together take this part of all the work are small: done first they delay nobody."""

ALIKE = 1.1
"""Chains whose lengths differ by less than about this factor count as equal: estimates are no better."""


class JobsLeft:
    """The jobs that some targets of a plan still need, and which of them are ready: have all that they read.

    `made` and `failed` keep it up to date by looking at the jobs around the one they name, so that a decision
    takes no longer with 70,000 jobs than with ten. Where an output was lost, make another.
    """

    def __init__(
        self,
        plan: Plan,
        wanted: Iterable[str],
        have: Callable[[str], bool],
        failed: Container[str] = (),
        seconds: Callable[[str], float] = lambda key: 1.0,
    ) -> None:
        """Look at the plan once. `seconds` is about how long a job takes: it decides what is urgent."""
        self.plan = plan
        self.blocked: dict[str, str] = {}
        """Wanted keys that cannot be made, and for each the failed job that it needs."""
        self._wanted = list(dict.fromkeys(wanted))
        self._order = plan.remaining(self._wanted, have)
        self._place = {key: place for place, key in enumerate(self._order)}
        self._readers: dict[str, list[str]] = {key: [] for key in self._order}
        self._lacking: dict[str, int] = {}
        """For each job that is to be made, how many of its needs are not there yet."""
        for key in self._order:
            lacking = self._needs(key)
            self._lacking[key] = len(lacking)
            for need in lacking:
                self._readers[need].append(key)
        self._uses = {key: len(readers) for key, readers in self._readers.items()}
        """For each of them, how many jobs and targets still want it: what none wants is not made."""
        for key in self._wanted:
            if key in self._uses:
                self._uses[key] += 1
        self.seconds = {key: seconds(key) for key in self._order}
        self.left = math.fsum(self.seconds.values())
        """The seconds that all that is left would take one worker."""
        self._chain = self._chains()
        self._rank = {key: _rank(chain) for key, chain in self._chain.items()}
        self.small = _small(self.seconds.values())
        """Jobs of so many seconds or fewer are small."""
        self._ready = [place for place, key in enumerate(self._order) if not self._lacking[key]]
        self._by_chain = sorted((self._rank[self._order[place]], place) for place in self._ready)
        for key in self._order:
            if key in failed:
                self.failed(key)

    # -- what is ready -----------------------------------------------------------------------------------

    def ready(self) -> Iterator[str]:
        """Yield the keys of jobs that have all they need, in the order of the targets."""
        return (self._order[place] for place in self._ready)

    def ready_of(self, keys: Collection[str]) -> list[str]:
        """Return those of these keys that are ready, in the order of the targets."""
        return [
            self._order[place] for place in sorted(self._place[k] for k in keys if self._lacking.get(k) == 0)
        ]

    def urgent(self, seconds: float) -> Iterator[tuple[int, str]]:
        """Yield the ready jobs from which the remaining chain takes so long or longer, the longest first.

        Each comes with the rank of its chain: equal for chains that are about as long, smaller for longer.
        """
        last = _rank(seconds)
        for rank, place in self._by_chain:
            if rank > last:
                return
            yield rank, self._order[place]

    def ending(self, seconds: float) -> Iterator[str]:
        """Yield the ready jobs that end all that follows from them within so long, the shortest first."""
        first = _rank(seconds)
        for rank, place in reversed(self._by_chain):
            if rank < first:
                return
            if self._chain[self._order[place]] <= seconds:
                yield self._order[place]

    def rank(self, key: str) -> int:
        """Return the rank of a job's remaining chain."""
        return self._rank[key]

    def readers(self, key: str) -> list[str]:
        """Return the jobs left that read what a job makes, or go on from it."""
        return [reader for reader in self._readers.get(key, ()) if reader in self._lacking]

    def __contains__(self, key: object) -> bool:
        """True if a job is left to do and can be done."""
        return key in self._lacking

    def __len__(self) -> int:
        return len(self._lacking)

    def __iter__(self) -> Iterator[str]:
        """Yield the keys of the jobs that are left to do and can be done, inputs first."""
        return iter(self._lacking)

    # -- news --------------------------------------------------------------------------------------------

    def made(self, key: str) -> None:
        """Take in that a job's output is there; that of a job which is not asked for changes nothing."""
        if key not in self._lacking:
            return
        self._remove([key])
        for reader in self._readers[key]:
            if reader in self._lacking:
                self._lacking[reader] -= 1
                if not self._lacking[reader]:
                    insort(self._ready, self._place[reader])
                    insort(self._by_chain, (self._rank[reader], self._place[reader]))

    def failed(self, key: str) -> None:
        """Take in that a job failed: what needs it is not made, nor what only that would have needed."""
        if key not in self._lacking:
            return
        doomed = {key: None}
        stack = [key]
        while stack:
            for reader in self._readers[stack.pop()]:
                if reader in self._lacking and reader not in doomed:
                    doomed[reader] = None
                    stack.append(reader)
        self.blocked.update((one, key) for one in self._wanted if one in doomed)
        self._remove(doomed)

    # -- bookkeeping -------------------------------------------------------------------------------------

    def _needs(self, key: str) -> set[str]:
        return {need for need in self.plan.needs(key) if need in self._place}

    def _chains(self) -> dict[str, float]:
        """Return for each job the seconds of the longest chain of jobs that begins with it."""
        chains: dict[str, float] = {}
        for key in reversed(self._order):
            after = max((chains[reader] for reader in self._readers[key]), default=0.0)
            chains[key] = self.seconds[key] + after
        return chains

    def _remove(self, keys: Iterable[str]) -> None:
        """Take jobs out, and what nothing wants any more then."""
        stack = list(keys)
        while stack:
            key = stack.pop()
            lacking = self._lacking.pop(key, None)
            if lacking is None:
                continue
            self.left -= self.seconds[key]
            if not lacking:
                place = self._place[key]
                del self._ready[bisect_left(self._ready, place)]
                del self._by_chain[bisect_left(self._by_chain, (self._rank[key], place))]
            for need in self._needs(key):
                self._uses[need] -= 1
                if not self._uses[need]:
                    stack.append(need)


def _small(seconds: Iterable[float]) -> float:
    """Return the most seconds for which all jobs that take no more take a small part of the time together."""
    ordered = sorted(seconds)
    limit, spent, small = SMALL * math.fsum(ordered), 0.0, 0.0
    for one, following in pairwise([*ordered, math.inf]):
        spent += one
        if spent > limit:
            break
        small = one if following > one else small
    return small


def _rank(seconds: float) -> int:
    """Return the smaller a number the longer a chain is, in steps of about a tenth."""
    return -round(math.log(max(seconds, 1e-9), ALIKE))
