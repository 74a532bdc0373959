"""A row per cell and measure: the plan's labels joined with the store's measures (imports no torch)."""

from __future__ import annotations

from typing import Any

from prunebench.engine.rows import rows
from prunebench.engine.snapshot import Snapshot
from prunebench.plan.plan import Plan
from prunebench.store import Store

__all__ = ["measure_rows"]


def measure_rows(plan: Plan, store: Store) -> list[dict[str, Any]]:
    """Return what `prunebench.analysis.measures` takes, cell by cell in plan order, measures in the suite's.

    A measure is "finished", "diverged" (what it is of diverged), "failed" (something that it needs failed,
    and nothing came out since) or "missing". Unpruned cells have none of their masks.
    """
    snapshot = Snapshot(plan, store)
    found = []
    for cell, row in zip(plan.cells, rows(plan, store, snapshot), strict=True):
        about = {
            name: value for name, value in row.items() if name not in ("correct", "examples", "accuracy")
        }
        failed = snapshot.status(cell) == "failed"
        for key in cell.targets[1:]:
            job = plan.jobs[key]
            if job.kind != "measure":
                continue
            measured: dict[str, Any] = {"status": "failed" if failed else "missing", "measured": None}
            record = snapshot.result(key)
            if record is not None:
                measured = {"status": record.result["outcome"], "measured": record.result.get("value")}
            found.append({**about, "measure": job.params["diagnostic"]["name"], **measured})
    return found
