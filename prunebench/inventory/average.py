"""How many weights a network had on average while it was trained (imports no torch)."""

from __future__ import annotations

import itertools

from prunebench.errors import FitError
from prunebench.plan.params import TrainParams
from prunebench.plan.plan import Plan
from prunebench.schedules import Shrinking

__all__ = ["average_weights", "average_while"]


def average_weights(plan: Plan, key: str, prunable: int) -> float:
    """Return the prunable weights that are there, averaged over all training that a cell comes from.

    N of Jin et al. 2025. Of a chain of levels these are the steps of the unpruned network and those of every
    level up to the cell's, each from where it begins; of a network pruned while it trains the steps before,
    between and after the removals; of one pruned before training its own alone. A step that runs share
    is trained, and counted, once.

    Raises: FitError for a mask of which the plan does not say how many weights it keeps.
    """
    ends: dict[str, TrainParams] = {}
    for ancestor in plan.ancestors(key):
        job = plan.jobs[ancestor]
        if job.kind == "train":
            asked = job.params_as(TrainParams)
            if asked.run_key not in ends or ends[asked.run_key].step < asked.step:
                ends[asked.run_key] = asked
    steps = weights = 0.0
    for asked in ends.values():
        run, length = asked.run, asked.step - asked.run.start
        there = prunable if run.mask is None else _kept(plan, run.mask)
        if run.policy is not None:
            there = average_while(run.policy.shrinking, run.start, asked.step)
        steps += length
        weights += length * there
    return weights / steps if steps else float(prunable)


def average_while(left: Shrinking, start: int, stop: int) -> float:
    """Return the mean number of weights over the steps from start to stop, while they are removed."""
    places = [start, *(step for step in left.steps if start < step < stop), stop]
    before = [step for step in left.steps if step <= start]
    counts = [left.kept_at(before[-1]) if before else left.prunable, *map(left.kept_at, places[1:-1])]
    pairs = zip(itertools.pairwise(places), counts, strict=True)
    return sum((end - begin) * count for (begin, end), count in pairs) / max(stop - start, 1)


def _kept(plan: Plan, mask: str) -> float:
    """Return how many weights a mask keeps; one that is shuffled keeps as many as the one before."""
    job = plan.jobs[mask]
    while job.kind == "shuffle":
        job = plan.jobs[job.inputs[0]]
    if "kept" not in job.params.exact_counts:
        raise FitError(
            f"the plan does not say how many weights mask {mask[:12]} keeps, so no average_parameters"
        )
    return float(job.params.exact_counts["kept"])
