"""Workers that pull from one plan in simulated time: each knows only what it has seen, as real ones do."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prunebench.engine.choose import Wait, choose
from prunebench.engine.jobs_left import JobsLeft
from prunebench.plan import Plan

__all__ = ["Simulation"]

STALE = 60.0
"""Simulated seconds after which the claim of a worker that died is stale."""


@dataclass
class _Worker:
    """One worker: what it believes to be left, and the cell that it was handed."""

    work: JobsLeft
    speed: float
    own: tuple[str, ...] = ()
    held: set[str] = field(default_factory=set)


@dataclass
class Simulation:
    """What happens when some workers run a plan, job by job."""

    plan: Plan
    cells: Sequence[tuple[str, ...]]
    """The targets of each cell, in the order in which cells are handed out."""
    seconds: Mapping[str, float]
    speeds: Sequence[float]
    dies: Callable[[], bool] = lambda: False
    """True if a worker dies in the middle of the job that it begins; another takes its place."""
    fails: Collection[str] = ()
    """Jobs that fail whoever runs them."""
    now: float = 0.0
    busy: float = 0.0
    """Seconds that workers spent on jobs, those that died included."""
    started: list[tuple[float, str]] = field(default_factory=list)
    committed: list[str] = field(default_factory=list)
    abandoned: dict[str, float] = field(default_factory=dict)
    """Jobs whose workers died, and when their claims go stale; the last time of each."""
    decide: Callable[..., Any] = choose
    """What chooses the next job."""
    _done: set[str] = field(default_factory=set)
    _failed: set[str] = field(default_factory=set)
    _claimed: set[str] = field(default_factory=set)
    _events: list[tuple[float, int, _Worker | None, str, bool]] = field(default_factory=list)
    _number: int = 0

    def run(self) -> float:
        """Run until nothing is left that can be made; return the simulated seconds."""
        handed, waiting = iter(self.cells), [self._worker(speed) for speed in self.speeds]
        while True:
            waiting = [worker for worker in waiting if not self._begin(worker, handed)]
            if not self._events:
                return self.now
            self.now, _, worker, key, lives = heapq.heappop(self._events)
            self._end(key, lives)
            if worker is not None:
                waiting.append(worker if lives else self._worker(worker.speed))

    def _worker(self, speed: float) -> _Worker:
        """Return a worker that has just looked at the store."""
        targets = [target for cell in self.cells for target in cell]
        seconds = self.seconds.__getitem__
        return _Worker(
            JobsLeft(self.plan, targets, self._done.__contains__, set(self._failed), seconds), speed
        )

    def _begin(self, worker: _Worker, handed: Iterator[tuple[str, ...]]) -> bool:
        """Let a worker that is free begin a job; return whether there was one."""
        worker.held &= self._claimed
        while True:
            while worker.own is not None and not self._lacking(worker):
                if not (cell := next(handed, ())):
                    break
                worker.own = cell
            choice = self.decide(worker.work, worker.held, self._lacking(worker), len(self.speeds))
            if choice is None or isinstance(choice, Wait):
                return False
            assert choice.key not in worker.held, "a job that is known to be claimed was chosen"
            if not self._learns(worker, choice.key):
                break
        self._start(worker, choice.key)
        return True

    def _lacking(self, worker: _Worker) -> frozenset[str]:
        """Return the jobs left that a worker's own cell needs."""
        lacking: set[str] = set()
        stack = [target for target in worker.own if target in worker.work]
        while stack:
            key = stack.pop()
            if key not in lacking:
                lacking.add(key)
                stack += [need for need in self.plan.needs(key) if need in worker.work]
        return frozenset(lacking)

    def _learns(self, worker: _Worker, key: str) -> bool:
        """True if a worker that looks at a job finds it done, failed or claimed."""
        if key in self._done:
            worker.work.made(key)
        elif key in self._failed:
            worker.work.failed(key)
        elif key in self._claimed:
            worker.held.add(key)
        else:
            return False
        return True

    def _start(self, worker: _Worker, key: str) -> None:
        assert key not in self._claimed
        assert key not in self._done
        assert all(need in self._done for need in self.plan.needs(key))
        self._claimed.add(key)
        self.started.append((self.now, key))
        lives = not self.dies()
        took = self.seconds[key] / worker.speed * (1.0 if lives else 0.5)
        self.busy += took
        self._push(self.now + took, worker, key, lives)

    def _end(self, key: str, lives: bool) -> None:
        """Commit a job, or leave its claim until that is stale: an event without a worker."""
        if lives and key not in self.abandoned:
            self._claimed.discard(key)
            (self._failed if key in self.fails else self._done).add(key)
            self.committed += [] if key in self.fails else [key]
        elif lives:
            del self.abandoned[key]
            self._claimed.discard(key)
        else:
            self.abandoned[key] = self.now + STALE
            self._push(self.now + STALE, None, key, True)

    def _push(self, at: float, worker: _Worker | None, key: str, lives: bool) -> None:
        self._number += 1
        heapq.heappush(self._events, (at, self._number, worker, key, lives))
