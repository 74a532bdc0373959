"""What a job does, and how a cell came out, in a few words (imports no torch)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prunebench.numbers import spelled
from prunebench.percent import accuracy

if TYPE_CHECKING:
    from prunebench.engine.worker import Worker
    from prunebench.plan import Job, PlannedCell
    from prunebench.store import Store

__all__ = ["came_out", "described", "summary"]


def described(job: Job) -> str:
    """Return what a job does, in a few words."""
    from prunebench.plan.params import TrainParams  # pytest loads this module in everyone's projects

    if isinstance(job.params, TrainParams):
        what = "pruned" if job.prunes else "dense"
        return f"train {job.params.run.architecture.name} {what} to step {job.params.step:,}"
    return job.kind


def summary(worker: Worker, cell: PlannedCell) -> str:
    """Return how a cell came out, as a worker's store says: "96.39 %" or "diverged at step 120"."""
    return came_out(worker.store, cell)


def came_out(store: Store, cell: PlannedCell) -> str:
    """Return how a cell came out, in a few words. Raises: Missing, Damaged."""
    result = store.read_record(cell.key).result
    if result["outcome"] == "diverged":
        return f"diverged at step {result['diverged']['step']}"
    return f"{spelled(accuracy(result['test']), 'points')} %"
