"""What each cell's method costs: scoring, training, arithmetic, weights that are left (imports no torch)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from prunebench.inventory.estimate import logged_seconds
from prunebench.inventory.rows import measured_value
from prunebench.inventory.snapshot import Snapshot
from prunebench.labels import SETTING
from prunebench.plan.cells import PlannedCell
from prunebench.plan.params import MeasureParams, TrainParams
from prunebench.plan.plan import Plan
from prunebench.plan.uncollected import uncollected

__all__ = ["cost_rows"]


@uncollected()
def cost_rows(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return a row for each cell, in plan order: its labels, then the costs of `report.results`.

    Multiply-accumulates are counted when a suite is planned and are there for every cell; seconds where the
    record says them, or the store has the logs of who ran it; the rest where the suite measures it.
    """
    plan = snapshot.plan
    forward = _forward_macs(plan)
    scoring = _Scoring(snapshot)
    return [
        {
            **{name: cell.labels.get(name, "") for name in SETTING},
            "method": cell.labels.get("method", ""),
            "ablations": cell.labels.get("ablations", ""),
            "density": cell.density,
            "sparsity": round(1 - float(cell.density), 12),
            "seed": cell.seed,
            "key": cell.key,
            **_scoring(snapshot, cell, scoring.of(cell, forward.get(_network(cell)))),
            **_recorded(snapshot, cell),
            **_measured(snapshot, cell),
        }
        for cell in plan.cells
    ]


def _scoring(snapshot: Snapshot, cell: PlannedCell, counted: dict[str, Any]) -> dict[str, Any]:
    """Return what scoring took; its time by the record, which others have too, else by the logs."""
    record = snapshot.result(cell.key)
    said = (record.provenance.get("time") or {}).get("scoring_seconds") if record is not None else None
    return counted if said is None else {**counted, "scoring_seconds": said}


class _Scoring:
    """The scorings that a cell's method needs, and how long they took in this store."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._plan, self._store = snapshot.plan, snapshot.store
        try:
            self._logs = set(os.listdir(self._store.root / "logs"))
        except OSError:
            self._logs = set()
        self._seconds: dict[str, float | None] = {}
        self._known: dict[tuple[str, int, str], tuple[float, int]] = {}

    def of(self, cell: PlannedCell, forward: float | None) -> dict[str, Any]:
        alike = (cell.matrix, id(cell.labels), cell.density)  # other seeds: the same work
        if alike not in self._known:
            self._known[alike] = self._work(cell)
        macs, rounds = self._known[alike]
        return {
            "macs": cell.cost,
            "scoring_macs": macs,
            "scoring_rounds": rounds,
            "scoring_passes": macs / forward if forward else None,
            "scoring_seconds": self._time(_timed(self._plan, cell)) if self._logs else None,
        }

    def _work(self, cell: PlannedCell) -> tuple[float, int]:
        """Return the multiply-accumulates of all scorings, and how often weights are scored."""
        macs, rounds = 0.0, 0
        for key in sorted(self._plan.ancestors(cell.key)):
            params = self._plan.jobs[key].params
            if not isinstance(params, TrainParams):
                scorings = params.scorings(cell.prunable).values()
                rounds += sum(len(kept) for _, kept in scorings)
                macs += self._plan.costs[key] if scorings else 0.0
            elif params.run.policy is not None:
                rounds += len(params.run.policy.weights_there)
        return macs, rounds

    def _time(self, keys: Sequence[str]) -> float | None:
        """Return how long these jobs took together; None where a log does not say."""
        times = [self._logged(key) for key in keys]
        return sum(time for time in times if time is not None) if None not in times and times else None

    def _logged(self, key: str) -> float | None:
        if key not in self._seconds:
            log = self._store.log_path(key)
            self._seconds[key] = logged_seconds(log) if log.name in self._logs else None
        return self._seconds[key]


def _timed(plan: Plan, cell: PlannedCell) -> list[str]:
    """Return the keys of the jobs that score or make masks."""
    keys = sorted(plan.ancestors(cell.key))
    return [key for key in keys if plan.jobs[key].kind in ("score", "mask", "shuffle")]


def _network(cell: PlannedCell) -> tuple[str, str]:
    return cell.labels.get("architecture", ""), cell.labels.get("dataset", "")


def _forward_macs(plan: Plan) -> dict[tuple[str, str], float]:
    """Return the multiply-accumulates of one forward pass of one example, by architecture and data set.

    Read off cells that are scored and of which a measured course says how many passes that took.
    """
    known: dict[tuple[str, str], float] = {}
    looked: set[tuple[str, ...]] = set()
    for cell in plan.cells:
        alike = (*_network(cell), cell.matrix, cell.labels.get("method", ""))  # one of them is enough
        if _network(cell) in known or alike in looked:
            continue
        if passes := _passes(plan, cell):
            jobs = (plan.jobs[key] for key in plan.ancestors(cell.key))
            macs = sum(plan.costs[job.key] for job in jobs if job.kind in ("score", "mask"))
            known[_network(cell)] = macs / passes
        elif float(cell.density) < 1:
            looked.add(alike)
    return known


def _passes(plan: Plan, cell: PlannedCell) -> float:
    """Return the forward passes of one example that scoring takes; 0 where no course says so."""
    for key in cell.targets[1:]:
        params = plan.jobs[key].params
        if isinstance(params, MeasureParams) and params.course is not None:
            phases = [phase for phase in params.course["phases"] if phase["kind"] == "score"]
            return float(sum(phase["examples"] * phase["passes"] * phase["rounds"] for phase in phases))
    return 0.0


def _recorded(snapshot: Snapshot, cell: PlannedCell) -> dict[str, Any]:
    """Return what the cell's record says of its mask and its time."""
    record = snapshot.result(cell.key)
    if record is None:
        return {"kept": None, "prunable": cell.prunable, "train_seconds": None}
    mask = record.result.get("mask") or {}
    time: Mapping[str, Any] = record.provenance.get("time") or {}
    dense = cell.prunable if float(cell.density) == 1 else None
    return {
        "kept": mask.get("kept", dense),
        "prunable": cell.prunable,
        "train_seconds": time.get("train_seconds"),
    }


_FIELDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "effective-density": {"effective_density": ("density",)},
    "flops": {"flops_dense": ("dense",), "flops_sparse": ("sparse",)},
    "training-flops": {
        "training_flops_dense": ("dense",),
        "training_flops_sparse": ("sparse",),
        "scoring_flops": ("scoring", "dense"),
        "relative_dense": ("relative", "dense"),
        "relative_sparse": ("relative", "sparse"),
    },
    "shrunk": {
        f"{what}_{which}": (what, which)
        for what in ("parameters", "flops", "seconds")
        for which in ("masked", "shrunk")
    },
}
"""By measure, which of its numbers are a cell's costs."""


def _measured(snapshot: Snapshot, cell: PlannedCell) -> dict[str, Any]:
    numbers: dict[str, Any] = {column: None for columns in _FIELDS.values() for column in columns}
    for key in cell.targets[1:]:
        if not snapshot.listed(key):
            continue
        params = snapshot.plan.jobs[key].params
        if not isinstance(params, MeasureParams) or params.diagnostic.name not in _FIELDS:
            continue
        record = snapshot.result(key)
        value = measured_value(record) if record is not None else None
        if isinstance(value, Mapping):
            for column, place in _FIELDS[params.diagnostic.name].items():
                numbers[column] = _at(value, place)
    return numbers


def _at(value: Any, place: Sequence[str]) -> float | None:
    for name in place:
        value = value.get(name) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) else None
