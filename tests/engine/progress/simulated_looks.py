"""Looks at a store while simulated workers run a plan: every job takes a known time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from prunebench.engine.progress.progress import Look, Running
from prunebench.engine.progress.sorts import sort_of
from prunebench.inventory.estimate import assumed, marginal, planned_steps
from prunebench.plan import Plan
from prunebench.plan.params import TrainParams
from prunebench.store import JobTime
from tests.engine.progress.quick_runs import QuickRun
from tests.engine.simulated_workers import Simulation

__all__ = ["Recorded", "looks", "seconds_of"]


@dataclass
class Recorded(Simulation):
    """A simulation that remembers who ran what, and when."""

    jobs: list[tuple[float, float, str, int]] = field(default_factory=list)
    """When a job began and ended, its key, its worker."""

    def _start(self, worker, key):  # type: ignore[no-untyped-def]
        super()._start(worker, key)
        self.jobs.append((self.now, self.now + self.seconds[key] / worker.speed, key, id(worker)))


def seconds_of(plan: Plan, rng: np.random.Generator, noise: float = 0.2) -> dict[str, float]:
    """Return how long each job takes: what is assumed, times a factor of what it does, a smaller one of what
    it does that to, and some noise."""
    factors: dict[object, float] = {}

    def factor(of: object, deviation: float) -> float:
        return factors.setdefault(of, float(np.exp(rng.normal(0, deviation))))

    seconds = {}
    for key, job in plan.jobs.items():
        sort = sort_of(job)
        supposed = assumed(marginal(plan, key), planned_steps(plan, key), "cpu")
        own = factor(sort[0], 0.8) * factor(sort, 0.25)
        seconds[key] = 2 * supposed * own * float(np.exp(rng.normal(0, noise)))
    return seconds


def looks(
    plan: Plan, run: Recorded | QuickRun, moments: Sequence[float], begun: float = 1e9
) -> Iterator[Look]:
    """Yield what a store says at these seconds of a run."""
    before = -1.0
    numbers = {worker: n for n, worker in enumerate(dict.fromkeys(worker for *_, worker in run.jobs))}
    for moment in moments:
        ended = [job for job in run.jobs if job[1] <= moment]
        yield Look(
            moment=begun + moment,
            have={key for _, _, key, _ in ended},
            running=[
                Running(key, "here", numbers[worker], moment - at, f"gw{numbers[worker]}", "cpu", "cpu")
                for at, until, key, worker in run.jobs
                if at <= moment < until
            ],
            times=[
                _time(plan, key, until - at, numbers[worker], until)
                for at, until, key, worker in ended
                if until > before
            ],
        )
        before = moment


def _time(plan: Plan, key: str, seconds: float, number: int, at: float) -> JobTime:
    kind, of = sort_of(plan.jobs[key])
    params = plan.jobs[key].params
    steps = planned_steps(plan, key)
    return JobTime(
        key=key,
        kind=kind,
        of=of,
        device="cpu",
        seconds=seconds,
        macs=float(marginal(plan, key)),
        steps=steps,
        images=steps * params.run.recipe.batch if isinstance(params, TrainParams) else 0,
        at=f"{at:015.6f}",
        process=f"here-{number}-0",
    )
