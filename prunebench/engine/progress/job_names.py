"""What jobs are called where people read it: what is done, to which network, for which cell (no torch)."""

from __future__ import annotations

from collections import Counter
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
        names = Counter(cell.name for cell in cells)
        self._several = {name for name, number in names.items() if number > 1}
        """The names of cells that several matrices have."""
        pairs = {(cell.labels["architecture"], cell.labels["dataset"]) for cell in cells}
        self._architectures = [architecture for architecture, _ in pairs]

    def __call__(self, key: str) -> str:
        """Return a job's name, such as "train resnet20 snip d0.05 s1" or "train resnet20 unpruned s1 to step
        1000"; of a job of no cell, its key.

        A job that several cells need is named for the first of them, as far as it is that cell's own.
        """
        job, cell = self._plan.jobs.get(key), self._owner(key)
        if job is None or cell is None:
            return f"job {key[:12]}"
        matrix = f" {cell.matrix}" if cell.name in self._several else ""
        return f"{_verb(job)} {self._network(cell)} {_what(job, cell)}{matrix}{self._when(job)}"

    def _when(self, job: Job) -> str:
        """Return to or at which step of a run a job is done, where the run has others of its kind."""
        if isinstance(job.params, TrainParams) and job.key in self._plan.later:
            return f" to step {job.params.step}"
        read = self._plan.jobs.get(job.inputs[0]) if isinstance(job.params, ScoreParams) else None
        step = read.params.step if read is not None and isinstance(read.params, TrainParams) else 0
        return f" at step {step}" if step else ""

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
    labels = cell.labels
    scored_at = f"at-{labels['score_at']}" if labels.get("score_at") else ""
    words = (labels["method"], labels.get("find", ""), scored_at, labels.get("ablations", ""))
    method = "+".join(filter(None, words))
    return f"{'unpruned' if method == 'none' else f'{method} d{float(cell.density):.4g}'} {seed}"
