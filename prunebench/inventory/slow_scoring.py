"""Scoring that would take hours on the CPU, and what to set (imports no torch)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from prunebench.inventory.estimate import ASSUMED, job_seconds, kind_of
from prunebench.inventory.snapshot import Snapshot
from prunebench.plan.cells import PlannedCell
from prunebench.plan.params import ScoreParams, TrainParams
from prunebench.plan.plan import Plan

__all__ = ["LONG", "SlowScoring", "cells_that_need", "slow_scorings"]

LONG = 3600.0
"""Seconds that one scoring may take on the CPU before `plan` warns of it."""


@dataclass
class SlowScoring:
    """Scorings of one method in one setting, each of which takes hours on the CPU."""

    architecture: str
    dataset: str
    method: str
    matrices: list[str] = field(default_factory=list)
    cells: int = 0
    jobs: int = 0
    longest: float = 0.0
    """Seconds of the longest."""
    seconds: float = 0.0
    """Of all together."""

    def in_words(self) -> str:
        """Return which scorings these are, and how long they take."""
        each = f"{hours(self.longest)} a mask"
        all_of_them = f", {hours(self.seconds)} for all {self.jobs}" if self.jobs > 1 else ""
        of_cells = f"{self.cells:,} cell{'' if self.cells == 1 else 's'}"
        return f"{self.method} of {self.architecture} on {self.dataset}: {each}{all_of_them} ({of_cells})"


def hours(seconds: float) -> str:
    """Return a time in hours, to a digit where there are few.

    >>> hours(170 * 3600), hours(6.81 * 3600)
    ('170 h', '6.8 h')
    """
    value = seconds / 3600
    return f"{value:.0f} h" if value >= 10 else f"{value:.1f} h"


def slow_scorings(snapshot: Snapshot, cells: Sequence[PlannedCell], *, threads: int = 1) -> list[SlowScoring]:
    """Return the scorings left to do for these cells that take more than an hour on the CPU, longest first.

    Masks in rounds count with all their rounds, and methods that prune while training with all their
    scorings. What such jobs took in this store counts, else what is assumed of a thread.
    """
    plan, rate = snapshot.plan, ASSUMED["cpu"] * threads
    suspects = {key: macs for key in snapshot.remaining(cells) if (macs := _macs_on_cpu(plan, key)) > 0}
    taken = job_seconds(snapshot) if suspects else {}
    long: dict[str, float] = {}
    for key, macs in suspects.items():
        seconds = (
            macs / rate if plan.jobs[key].kind == "train" else taken.get(kind_of(plan, key), macs / rate)
        )
        if seconds > LONG:
            long[key] = seconds
    groups: dict[tuple[str, str, str], SlowScoring] = {}
    for key, seconds in long.items():
        needing = cells_that_need(plan, cells, [key])
        for cell in needing[:1]:
            name = (cell.labels["architecture"], cell.labels["dataset"], cell.labels["method"])
            group = groups.setdefault(name, SlowScoring(*name))
            group.jobs += 1
            group.seconds += seconds
            group.longest = max(group.longest, seconds)
            group.cells += len(needing)
            group.matrices = list(dict.fromkeys([*group.matrices, *(one.matrix for one in needing)]))
    return sorted(groups.values(), key=lambda group: -group.longest)


def cells_that_need(plan: Plan, cells: Iterable[PlannedCell], keys: Iterable[str]) -> list[PlannedCell]:
    """Return which of the cells descend from one of these jobs."""
    reached: set[str] = set()
    stack = list(keys)
    while stack:
        key = stack.pop()
        if key not in reached:
            reached.add(key)
            stack.extend(plan.readers.get(key, ()))
    return [cell for cell in cells if cell.key in reached]


def _macs_on_cpu(plan: Plan, key: str) -> float:
    """Return the multiply-accumulates of a job's scorings that the CPU does."""
    params = plan.jobs[key].params
    if isinstance(params, TrainParams):
        return _while_training(plan, key, params)
    scoring = params if isinstance(params, ScoreParams) else getattr(params, "scoring", None)
    on_cpu = isinstance(scoring, ScoreParams) and scoring.scorer.device == "cpu"
    return plan.costs[key] if on_cpu else 0.0


def _while_training(plan: Plan, key: str, params: TrainParams) -> float:
    """Return what a run's policy scores: what the run costs beyond a dense one of the same steps."""
    policy = params.run.policy
    if policy is None or policy.scoring.scorer.device != "cpu" or policy.scoring.data is None:
        return 0.0
    for other, job in plan.jobs.items():
        dense = job.params
        if (
            isinstance(dense, TrainParams)
            and dense.run.policy is None
            and (dense.step, dense.run.start) == (params.step, params.run.start)
            and dense.run.recipe == params.run.recipe
            and (dense.run.architecture, dense.run.data) == (params.run.architecture, params.run.data)
        ):
            return plan.costs[key] - plan.costs[other]
    return 0.0
