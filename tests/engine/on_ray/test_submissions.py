"""Which jobs Ray is handed, and when: in an order that works first come, first served."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from prunebench.engine.jobs_left import JobsLeft
from prunebench.engine.on_ray.submissions import Submissions
from prunebench.plan import Job, Plan
from prunebench.plan.params import ShuffleParams
from tests.engine.test_scheduling import chains, least


def plan_of(**inputs: tuple[str, ...]) -> Plan:
    """Return a plan of jobs that read each other."""
    jobs = {key: Job(key, ShuffleParams(seed=0), needs) for key, needs in inputs.items()}
    return Plan(suite={}, cells=[], jobs=jobs, costs={}, identities={})


def submissions(plan: Plan, *targets: str, have: Collection[str] = ()) -> Submissions:
    return Submissions(JobsLeft(plan, targets, have.__contains__))


def handed(some: Submissions, at_once: int) -> list[str]:
    """Return what is handed over now."""
    return list(iter(lambda: some.next(at_once), None))


@dataclass
class FirstComeFirstServed:
    """Ray in simulated time: so many slots, one queue; a job enters it once its prerequisites have ended."""

    plan: Plan
    seconds: Mapping[str, float]
    slots: int
    fails: Collection[str] = ()
    now: float = 0.0
    busy: float = 0.0
    most: int = 0
    started: list[str] = field(default_factory=list)
    _waits: dict[str, set[str]] = field(default_factory=dict)
    _queue: deque[str] = field(default_factory=deque)
    _running: list[tuple[float, str]] = field(default_factory=list)

    def run(self, some: Submissions, at_once: int, look: Callable[[], Any] = lambda: None) -> float:
        while True:
            for key in handed(some, at_once):
                self._waits[key] = set(some.prerequisites(key))
                self._queue += [] if self._waits[key] else [key]
            self.most = max(self.most, len(some))
            self._begin()
            if not self._running:
                assert not len(some)
                return self.now
            self.now, key = heapq.heappop(self._running)
            self._end(key)
            some.ended(key)
            (some.work.failed if key in self.fails else some.work.made)(key)
            look()

    def _begin(self) -> None:
        while self._queue and len(self._running) < self.slots:
            key = self._queue.popleft()
            self.started.append(key)
            self.busy += self.seconds[key]
            heapq.heappush(self._running, (self.now + self.seconds[key], key))

    def _end(self, key: str) -> None:
        del self._waits[key]
        for other, waits in self._waits.items():
            if key in waits:
                waits.discard(key)
                self._queue += [] if waits else [other]


def test_what_is_ready_comes_first_and_then_what_follows_from_it() -> None:
    """Ray holds little more than it can run; with nothing else ready, what it can go on with by itself too."""
    plan = plan_of(a=(), b=("a",), c=("b",), d=(), e=())
    some = submissions(plan, "c", "d", "e")
    assert handed(some, 2) == ["a", "d"]
    some.ended("d")
    some.work.made("d")
    assert handed(some, 2) == ["e", "b", "c"]
    assert [some.prerequisites(key) for key in "abce"] == [[], ["a"], ["b"], []]


def test_what_is_short_follows_at_once() -> None:
    """A record ends its cell without a word of the driver, however much else is ready."""
    plan = plan_of(run=(), record=("run",), other=(), more=())
    seconds = {"record": 1.0}
    work = JobsLeft(
        plan, ["record", "other", "more"], lambda key: False, (), lambda key: seconds.get(key, 100.0)
    )
    assert handed(Submissions(work), 1) == ["run", "record"]


def test_what_is_there_is_no_prerequisite() -> None:
    plan = plan_of(a=(), b=(), c=("a", "b"))
    some = submissions(plan, "c", have={"a"})
    assert handed(some, 4) == ["b", "c"]
    assert some.prerequisites("c") == ["b"]


def test_a_job_whose_other_prerequisite_is_nowhere_waits() -> None:
    plan = plan_of(a=(), b=(), c=("a", "b"))
    some = submissions(plan, "c")
    assert handed(some, 1) == ["a"]
    some.ended("a")
    some.work.made("a")
    assert handed(some, 1) == ["b", "c"]


def test_what_a_failure_leaves_unwanted_is_named_and_nothing_else_is_handed_over_for_it() -> None:
    plan = plan_of(a=(), b=("a",), c=("b",), d=())
    some = submissions(plan, "c", "d")
    assert handed(some, 2) == ["a", "d", "b", "c"]
    some.ended("a")
    some.work.failed("a")
    assert some.unwanted() == ["b", "c"]
    for key in ("b", "c", "d"):
        some.ended(key)
    some.work.made("d")
    assert handed(some, 2) == []


def test_a_job_that_came_back_undone_is_handed_over_again() -> None:
    plan = plan_of(a=(), b=("a",))
    some = submissions(plan, "b")
    assert handed(some, 1) == ["a", "b"]
    some.ended("a")
    some.ended("b")
    assert handed(some, 1) == ["a", "b"]


@pytest.mark.parametrize(("number", "slots"), [(16, 8), (12, 8), (40, 8), (16, 2), (33, 16)])
def test_chains_end_nearly_as_soon_as_they_can(number: int, slots: int) -> None:
    """Although Ray serves first what it was handed first."""
    plan, cells, seconds = chains(number)
    work = JobsLeft(plan, [key for cell in cells for key in cell], lambda key: False, (), seconds.__getitem__)
    ray = FirstComeFirstServed(plan, seconds, slots)
    end = ray.run(Submissions(work), slots + max(2, slots // 4))
    assert sorted(ray.started) == sorted(plan.jobs)
    assert end <= 1.15 * least(plan, seconds, [1.0] * slots)
    assert ray.most <= 3 * slots + 16


@pytest.mark.parametrize("seed", range(20))
def test_every_job_runs_once_after_what_it_needs_and_failures_block_what_needs_them(seed: int) -> None:
    """In random graphs, with random failures: what ran and what is blocked is what the graph says."""
    draws = random.Random(seed)
    names = [f"j{number}" for number in range(60)]
    inputs = {
        name: tuple(draws.sample(names[:place], min(place, draws.randrange(4))))
        for place, name in enumerate(names)
    }
    plan, fails = plan_of(**inputs), set(draws.sample(names, 4))
    doomed: set[str] = set()
    for name in names:
        if name in fails or doomed.intersection(inputs[name]):
            doomed.add(name)
    some = submissions(plan, *names)
    ray = FirstComeFirstServed(plan, dict.fromkeys(names, 1.0) | {"j3": 20.0}, 5, fails)
    ray_ran: list[str] = []

    def look() -> None:
        for key in some.unwanted():  # cancelled, before it can begin
            some.ended(key)
            ray._waits.pop(key, None)
        ray._queue = deque(key for key in ray._queue if key in ray._waits)

    ray.run(some, 7, look)
    ray_ran = ray.started
    assert len(set(ray_ran)) == len(ray_ran)
    assert set(ray_ran) == (set(names) - doomed) | {
        name for name in fails if not doomed.intersection(inputs[name])
    }
    assert set(some.work.blocked) == doomed
