"""Runs one job: reads and writes the store, and nothing else. Where and when is the engine's business."""

from __future__ import annotations

from collections.abc import Callable

from prunebench.jobs.context import Context, log
from prunebench.jobs.masks import run_mask, run_score, run_shuffle
from prunebench.jobs.results import run_measure, run_record
from prunebench.jobs.train import run_train
from prunebench.plan.job import Job, Kind

__all__ = ["run_job"]

_RUN: dict[Kind, Callable[[Job, Context], None]] = {
    "train": run_train,
    "score": run_score,
    "mask": run_mask,
    "shuffle": run_shuffle,
    "measure": run_measure,
    "record": run_record,
}


def run_job(job: Job, context: Context) -> None:
    """Make a job's output and commit it under the job's key.

    Raises: whatever its components raise; Missing and Damaged where an input has to be made first;
    InputChanged where an input was set aside; InputRefused.
    """
    log.info("%s %s", job.kind, job.key)
    with context.arithmetic(context.device):
        _RUN[job.kind](job, context)
