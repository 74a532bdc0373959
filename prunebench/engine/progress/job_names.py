"""What jobs are called where people read it: what is done, to which network, for which cell (no torch)."""

from __future__ import annotations

from collections.abc import Sequence

from prunebench.plan.cells import PlannedCell
from prunebench.plan.job import Job
from prunebench.plan.params import MeasureParams, ScoreParams, TrainParams
from prunebench.plan.plan import Plan

__all__ = ["JobNames"]


class JobNames:
    """Names of the jobs that some cells of a plan need."""

    def __init__(self, plan: Plan, cells: Sequence[PlannedCell]) -> None:
        self._plan, self._cells = plan, cells
        self._owners: dict[str, PlannedCell] | None = None
        pairs = {(cell.labels["architecture"], cell.labels["dataset"]) for cell in cells}
        self._architectures = [architecture for architecture, _ in pairs]

    def __call__(self, key: str) -> str:
        """Return a job's name, such as "train resnet20 snip d0.05 s1"; of a job of no cell, its key.

        A job that several cells need is named for the first of them, as far as it is that cell's own.
        """
        job, cell = self._plan.jobs.get(key), self._owner(key)
        if job is None or cell is None:
            return f"job {key[:12]}"
        return f"{_verb(job)} {self._network(cell)} {_what(job, cell)}".rstrip()

    def _network(self, cell: PlannedCell) -> str:
        architecture, dataset = cell.labels["architecture"], cell.labels["dataset"]
        return f"{architecture} {dataset}" if self._architectures.count(architecture) > 1 else architecture

    def _owner(self, key: str) -> PlannedCell | None:
        """Return the first cell that needs a job."""
        if self._owners is None:
            self._owners = owners = {}
            for cell in self._cells:
                stack = list(cell.targets)
                while stack:
                    at = stack.pop()
                    if at not in owners:
                        owners[at] = cell
                        stack += self._plan.needs(at)
        return self._owners.get(key)


def _verb(job: Job) -> str:
    if isinstance(job.params, MeasureParams):
        return f"measure {job.params.diagnostic.name}"
    return job.kind


def _what(job: Job, cell: PlannedCell) -> str:
    """Return for which cell a job is done, less what the job does not depend on."""
    params, seed = job.params, f"s{cell.seed}"
    if isinstance(params, TrainParams) and not job.prunes:
        return f"unpruned {seed}"
    if isinstance(params, ScoreParams):
        return f"{params.scorer.name} {seed}"
    method = "+".join(filter(None, (cell.labels["method"], cell.labels.get("ablations", ""))))
    return f"{'unpruned' if method == 'none' else f'{method} d{float(cell.density):.4g}'} {seed}"
