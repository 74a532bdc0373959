"""Which jobs are with Ray, and which to hand it next: pure, knows neither Ray nor a store.

Ray runs what it is handed first come, first served, so what is urgent must not stand behind thousands of
others: it is handed a little more than it can run at once. Beyond that it gets jobs whose prerequisites it
holds too, and begins those by itself as these end: short ones, as records that end cells; others where
nothing else is ready.
"""

from __future__ import annotations

from collections import deque

from prunebench.engine.choose import choose
from prunebench.engine.jobs_left import JobsLeft
from prunebench.plan.job import Job

__all__ = ["Submissions"]

AHEAD = 2
"""With Ray are at most so many times as many jobs as it is to have ready at once, and `FEW` more."""

FEW = 8


class Submissions:
    """The jobs of some work that are with Ray, each with those of its prerequisites that are there too."""

    def __init__(self, work: JobsLeft) -> None:
        self.work = work
        self._waits: dict[str, set[str]] = {}
        """For each job with Ray, its prerequisites that are with Ray too and have not ended."""
        self._awaited: dict[str, list[str]] = {}
        """The other way round."""
        self._ready = 0
        """How many of them wait for nothing: they run, or would if there were room."""
        self._short: deque[str] = deque()
        """Small jobs, not with Ray, all of whose prerequisites were there when they came in here."""
        self._long: deque[str] = deque()
        """The others of these."""

    def __contains__(self, key: object) -> bool:
        return key in self._waits

    def __len__(self) -> int:
        return len(self._waits)

    def keys(self) -> list[str]:
        """Return the keys of all jobs with Ray."""
        return list(self._waits)

    def next(self, at_once: int) -> str | None:
        """Return the job to hand over next, or None; Ray is to have about `at_once` jobs that can run."""
        choice = choose(self.work, self._waits, (), at_once)
        if isinstance(choice, Job) and self._ready < at_once:
            return self._hand_over(choice.key)
        ahead = (self._short,) if isinstance(choice, Job) else (self._short, self._long)
        for jobs in ahead:
            while jobs and len(self) < AHEAD * at_once + FEW:
                key = jobs.popleft()
                if key not in self and key in self.work and self._can_follow(key):
                    return self._hand_over(key)
        return None

    def prerequisites(self, key: str) -> list[str]:
        """Return the prerequisites of a job with Ray that are there too."""
        return [need for need in dict.fromkeys(self.work.plan.needs(key)) if need in self._waits[key]]

    def ended(self, key: str) -> None:
        """Take in that a job is not with Ray any more, however it came out; the caller tells the work."""
        self._ready -= not self._waits.pop(key)
        for other in self._awaited.pop(key, ()):
            if other in self._waits:
                self._waits[other].discard(key)
                self._ready += not self._waits[other]

    def unwanted(self) -> list[str]:
        """Return the jobs with Ray that are not to do any more, as something has failed."""
        return [key for key in self._waits if key not in self.work]

    def _hand_over(self, key: str) -> str:
        waits = {need for need in self.work.plan.needs(key) if need in self._waits}
        self._waits[key] = waits
        self._ready += not waits
        for need in waits:
            self._awaited.setdefault(need, []).append(key)
        for one in self.work.readers(key):
            if self._can_follow(one):
                short = self.work.seconds[one] <= self.work.small
                (self._short if short else self._long).append(one)
        return key

    def _can_follow(self, key: str) -> bool:
        """True if all that a job needs is there or with Ray."""
        return all(need in self._waits or need not in self.work for need in self.work.plan.needs(key))
