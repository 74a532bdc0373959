"""What a worker does next: a pure decision, which knows no file, clock, process or pytest."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Container, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from prunebench.plan.job import Job
from prunebench.plan.plan import Plan

__all__ = ["Wait", "Work", "choose"]


@dataclass(frozen=True)
class Wait:
    """Everything that is ready is claimed by others: `job` is the first of it."""

    job: Job


def choose(work: Work, claimed: Container[str] = (), own: Collection[str] = ()) -> Job | Wait | None:
    """Return the job to run next, Wait where others hold all that is ready, None where nothing is left.

    A job is ready when all that it needs is there; one that failed never is, nor is what needs it. Jobs whose
    keys are in `own` come first, then the order of `work`. `claimed` holds the keys that others work on.
    """
    held: Job | None = None
    for key in work.ready(own):
        job = work.plan.jobs[key]
        if key not in claimed:
            return job
        held = held or job
    return None if held is None else Wait(held)


class Work:
    """The jobs that some targets of a plan still need.

    `made` and `failed` keep it up to date by looking at the jobs around the one they name, so that a decision
    takes no longer with 70,000 jobs than with ten. Where an output was lost, make another.
    """

    def __init__(
        self, plan: Plan, wanted: Iterable[str], have: Callable[[str], bool], failed: Container[str] = ()
    ) -> None:
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
        self._ready = [place for place, key in enumerate(self._order) if not self._lacking[key]]
        for key in self._order:
            if key in failed:
                self.failed(key)

    def ready(self, first: Collection[str] = ()) -> Iterator[str]:
        """Yield the keys of jobs that have all they need: those of `first`, then in the order of targets."""
        preferred = {self._place[key] for key in first if self._lacking.get(key) == 0}
        others = (place for place in self._ready if place not in preferred) if preferred else self._ready
        return (self._order[place] for place in chain(sorted(preferred), others))

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

    def _needs(self, key: str) -> set[str]:
        return {need for need in self.plan.needs(key) if need in self._place}

    def _remove(self, keys: Iterable[str]) -> None:
        """Take jobs out, and what nothing wants any more then."""
        stack = list(keys)
        while stack:
            key = stack.pop()
            lacking = self._lacking.pop(key, None)
            if lacking is None:
                continue
            if not lacking:
                del self._ready[bisect_left(self._ready, self._place[key])]
            for need in self._needs(key):
                self._uses[need] -= 1
                if not self._uses[need]:
                    stack.append(need)
