"""What two stores, or two versions of a suite, have of the same cells (imports no torch)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prunebench.canonical import canonical
from prunebench.inventory.rows import rows
from prunebench.inventory.snapshot import Snapshot
from prunebench.labels import SETTING
from prunebench.plan.cells import PlannedCell
from prunebench.plan.params import RecordParams
from prunebench.plan.plan import Plan
from prunebench.plan.reasons import changes
from prunebench.store import Record, Store

__all__ = ["KINDS", "Side", "differences"]

KINDS = ("same bits", "other bits", "other cell", "only in A", "only in B", "neither")
"""What became of a cell's result from A to B."""

_RESULTS = ("finished", "diverged")

Place = tuple[str, ...]


@dataclass(frozen=True)
class Side:
    """One of two that are compared: a plan, and the store that has its results."""

    name: str
    plan: Plan
    store: Store


def differences(a: Side, b: Side) -> list[dict[str, Any]]:
    """Return a row for each cell of either plan: what both made of it.

    Cells are the same that have the same setting, method, ablations, density and seed. `kind` is one of
    KINDS: where both have a result its bits are the "same" or "other" ones if the key is one, else it is of
    an "other cell", and `why` says what of it changed; "only in A": B has no result of it, `planned` says
    whether it has the cell at all ("A", "B", "both"). `difference` is the accuracy of B − A in points, a
    diverged run as a guess.
    """
    of_a, of_b = _cells(a), _cells(b)
    rows = []
    for place in dict.fromkeys([*of_a, *of_b]):
        one, other = of_a.get(place), of_b.get(place)
        names = (*SETTING, "method", "ablations", "density")
        row: dict[str, Any] = dict(zip(names, place[:-1], strict=True))
        row |= {"sparsity": round(1 - float(row["density"]), 12), "seed": int(place[-1])}
        row |= {"cell": (other or one or _NOBODY).id}
        row |= _sided("a", one) | _sided("b", other)
        row |= _both(a.plan, b.plan, one, other)
        rows.append(row)
    return rows


@dataclass(frozen=True)
class _Cell:
    id: str
    planned: PlannedCell | None
    row: Mapping[str, Any]
    record: Record | None


_NOBODY = _Cell("", None, {"status": "not planned"}, None)


def _cells(side: Side) -> dict[Place, _Cell]:
    """Return a plan's cells by place: the first one where matrices share it."""
    snapshot = Snapshot(side.plan, side.store)
    cells: dict[Place, _Cell] = {}
    for cell, row in zip(side.plan.cells, rows(side.plan, side.store, snapshot), strict=True):
        place = (
            *(str(row[name]) for name in (*SETTING, "method", "ablations", "density")),
            str(cell.seed),
        )
        if place not in cells:
            cells[place] = _Cell(cell.id, cell, row, snapshot.result(cell.key))
    return cells


def _sided(side: str, cell: _Cell | None) -> dict[str, Any]:
    row = (cell or _NOBODY).row
    return {
        f"key_{side}": row.get("key", ""),
        f"status_{side}": row["status"],
        f"accuracy_{side}": row.get("accuracy"),
        f"counted_{side}": _counted(row),
        f"numerics_{side}": row.get("numerics") or "",
    }


def _counted(row: Mapping[str, Any]) -> float | None:
    """Return the accuracy that a run counts with: its own, or that of a guess where it diverged."""
    if row["status"] == "diverged" and row.get("classes"):
        return 100 / float(row["classes"])
    return row.get("accuracy")


def _both(plan_a: Plan, plan_b: Plan, one: _Cell | None, other: _Cell | None) -> dict[str, Any]:
    planned = "both" if one and other else "A" if one else "B"
    a, b = one or _NOBODY, other or _NOBODY
    in_a, in_b = (side.row["status"] in _RESULTS for side in (a, b))
    if not (in_a and in_b):
        kind = "only in A" if in_a else "only in B" if in_b else "neither"
        return {"planned": planned, "kind": kind, "difference": None, "why": ""}
    values = _counted(a.row), _counted(b.row)
    difference = None if None in values else float(values[1] or 0) - float(values[0] or 0)
    same_key = a.row["key"] == b.row["key"]
    kind = ("same bits" if _same_bits(a.record, b.record) else "other bits") if same_key else "other cell"
    why = "" if same_key else _why(plan_a, plan_b, a, b)
    return {"planned": planned, "kind": kind, "difference": difference, "why": why}


def _same_bits(a: Record | None, b: Record | None) -> bool:
    """Say whether two records of one cell hold the same result; of two schemas as far as both say it."""
    assert a is not None
    assert b is not None
    if a.schema == b.schema:
        return a.digest == b.digest
    common = [name for name in a.result if name in b.result]
    return all(canonical(a.result[name]) == canonical(b.result[name]) for name in common)


def _why(plan_a: Plan, plan_b: Plan, a: _Cell, b: _Cell) -> str:
    """Return what of a cell is another in B, in words."""
    assert a.planned is not None
    assert b.planned is not None
    reasons = changes(b.planned, plan_b, plan_a)
    was, now = (
        plan.jobs[cell.key].params_as(RecordParams).cell.plain()
        for plan, cell in ((plan_a, a.planned), (plan_b, b.planned))
    )
    reasons = [text for text in reasons if not text.startswith("recipe ")]  # its fields say more
    reasons += list(_fields(was, now))
    return "; ".join(reasons) or "something that it is made from changed"


def _fields(a: Any, b: Any, place: str = "") -> Iterator[str]:
    """Yield the fields in which two plain values differ, with both values."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for name in dict.fromkeys([*a, *b]):
            yield from _fields(a.get(name), b.get(name), f"{place}.{name}" if place else str(name))
    elif canonical(a) != canonical(b):
        yield f"{place}: {_short(a)} → {_short(b)}"


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
