"""Names of jobs for people, as "train resnet20 snip d0.512 s3": where a key would tell them nothing."""

from __future__ import annotations

from collections.abc import Iterable

from prunebench.plan import Job, Plan, PlannedCell
from prunebench.plan.params import MeasureParams, TrainParams

__all__ = ["JobNames"]


class JobNames:
    """The names of a plan's jobs; a job that several cells need is named for the first of them."""

    def __init__(self, plan: Plan, cells: Iterable[PlannedCell] | None = None) -> None:
        """Look at the plan once; `cells` are those that jobs are named for (None: all of the plan)."""
        self._plan = plan
        self._cell: dict[str, PlannedCell] = {}
        for cell in plan.cells if cells is None else cells:
            stack = [target for target in cell.targets if target not in self._cell]
            while stack:
                key = stack.pop()
                if key not in self._cell:
                    self._cell[key] = cell
                    stack += plan.needs(key)

    def __call__(self, key: str) -> str:
        """Return a job's name; it need not be unique."""
        job, cell = self._plan.jobs[key], self._cell.get(key)
        if cell is None:
            return f"{job.kind} {key[:12]}"
        words = [job.kind, cell.labels.get("architecture", ""), *_what(job, cell), f"s{cell.seed}"]
        return " ".join(word for word in words if word)


def _what(job: Job, cell: PlannedCell) -> list[str]:
    """Return what tells a job from others of its network: method, density, step, as far as it has them."""
    method = "+".join(word for word in (cell.labels["method"], cell.labels.get("ablations", "")) if word)
    if isinstance(job.params, TrainParams) and not job.prunes:
        return ["dense", f"to step {job.params.step}"]
    if job.kind == "score":
        return [method]
    diagnostic = [job.params.diagnostic.name] if isinstance(job.params, MeasureParams) else []
    return [method, f"d{cell.density}", *diagnostic]
