"""A row per cell, or per cell and measure: the plan's labels joined with the store (imports no torch)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from prunebench.inventory.snapshot import Snapshot
from prunebench.labels import SETTING
from prunebench.percent import accuracy
from prunebench.plan.params import MeasureParams
from prunebench.plan.plan import Plan
from prunebench.plan.uncollected import uncollected
from prunebench.store import Record, Store

__all__ = ["by_position", "measure_rows", "measured_value", "of_selection", "rows", "reached"]


@uncollected()
def rows(plan: Plan, store: Store, snapshot: Snapshot | None = None) -> list[dict[str, Any]]:
    """Return what `prunebench.analysis.table` takes: labels, status and counts of every cell, in plan order.

    A cell is "finished", "diverged", "failed" (something that it needs failed, and nothing came out since)
    or "missing": so too where its record is damaged or another cell's. `snapshot` saves reading them again.
    """
    snapshot = snapshot or Snapshot(plan, store)
    classes = plan.suite.get("classes") or {}
    table = []
    for cell in plan.cells:
        labels = cell.labels
        row: dict[str, Any] = {
            "matrix": cell.matrix,
            "cell": cell.name,
            "key": cell.key,
            **{name: labels.get(name, "") for name in SETTING},
            "method": labels.get("method", ""),
            "ablations": labels.get("ablations", ""),
            "density": cell.density,
            "sparsity": round(1 - float(cell.density), 12),
            "seed": cell.seed,
            "status": "missing",
            "classes": classes.get(labels.get("dataset", "")),
        }
        record = snapshot.result(cell.key)
        if record is not None:
            row |= _result(record)
            row["reached"] = reached(record, cell.target)
        if row["status"] == "missing" and snapshot.status(cell) == "failed":
            row["status"] = "failed"
        table.append(row)
    return table


def of_selection(rows: Sequence[Mapping[str, Any]], asked: Collection[str]) -> list[dict[str, Any]]:
    """Return the rows as they are to be shown where some cells were asked for, by their ids.

    Of the others those without a result are "unselected", not missing; settings of nothing but such are left
    out.
    """
    keys = {row["key"] for row in rows if f"{row['matrix']}::{row['cell']}" in asked}
    marked: list[dict[str, Any]] = []
    shown = set()
    for row in rows:
        left_out = row["status"] == "missing" and row["key"] not in keys
        marked.append({**row, "status": "unselected"} if left_out else dict(row))
        if not left_out:
            shown.add(tuple(row[name] for name in SETTING))
    return [row for row in marked if tuple(row[name] for name in SETTING) in shown]


@uncollected()
def measure_rows(
    plan: Plan,
    store: Store,
    snapshot: Snapshot | None = None,
    cells: Sequence[Mapping[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    """Return what `prunebench.analysis.measures` takes, cell by cell in plan order, measures in the suite's.

    A measure is "finished", "diverged" (what it is of diverged), "failed" (something that it needs failed,
    and nothing came out since) or "missing". Unpruned cells have none of their masks. `snapshot` saves
    reading results again; `cells` are the `rows` of the same, where these are there already.
    """
    snapshot = snapshot or Snapshot(plan, store)
    table = []
    for cell, row in zip(plan.cells, cells or rows(plan, store, snapshot), strict=True):
        if not cell.targets[1:]:
            continue
        about = {
            name: value for name, value in row.items() if name not in ("correct", "examples", "accuracy")
        }
        failed = snapshot.status(cell) == "failed"
        for key in cell.targets[1:]:
            job = plan.jobs[key]
            if not isinstance(job.params, MeasureParams):
                continue
            measured: dict[str, Any] = {"status": "failed" if failed else "missing", "measured": None}
            record = snapshot.result(key)
            if record is not None:
                measured = {"status": record.result["outcome"], "measured": measured_value(record)}
            table.append({**about, "measure": job.params.diagnostic.name, **measured})
    return table


def measured_value(record: Record) -> Any:
    """Return what a measure found; the seconds that it measured, which are no part of it, stand beside."""
    value, seconds = record.result.get("value"), record.provenance.get("seconds")
    return {**value, "seconds": dict(seconds)} if seconds and isinstance(value, Mapping) else value


def _result(record: Record) -> dict[str, Any]:
    result = record.result
    row: dict[str, Any] = {
        "status": result["outcome"],
        "numerics": record.provenance.get("numerics"),
        "by_position": by_position(record),
        **_layers(result),
    }
    if result["outcome"] == "diverged":
        return row | {"diverged_run": result["diverged"]["run"], "diverged_step": result["diverged"]["step"]}
    test = result["test"]
    return row | {
        "correct": test["correct"],
        "examples": test["examples"],
        "loss": test["loss"],
        "accuracy": accuracy(test),
    }


def by_position(record: Record) -> float | None:
    """Return which share of the weights kept was chosen by position among equal scores; None where none."""
    tied, kept = record.provenance.get("by_position"), (record.result.get("mask") or {}).get("kept")
    return tied / kept if tied and kept else None


def reached(record: Record, target: int) -> float | None:
    """Return the density of a mask that keeps fewer weights than were asked for, as whole filters do."""
    mask = record.result.get("mask") or {}
    kept, prunable = mask.get("kept"), mask.get("prunable")
    return kept / prunable if prunable and kept is not None and kept != target else None


def _layers(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return which layers the mask leaves empty, and which is the output layer where that is known.

    A mask's layers stand in module order; the last one is the output layer unless layers were left out, as a
    mask of whole filters leaves out the layer whose outputs are the network's.
    """
    layers = (result.get("mask") or {}).get("layers") or []
    empty = [str(layer.get("name")) for layer in layers if layer.get("kept") == 0]
    form = result["cell"].get("form") or {}
    prunable = form.get("prunable") or {}
    every = isinstance(prunable, Mapping) and prunable.get("of", "weights") == "weights"
    every = every and form.get("unit") != "filter"
    output = str(layers[-1].get("name")) if layers and every and not prunable.get("except") else ""
    return {"empty_layers": empty, "output_layer": output}
