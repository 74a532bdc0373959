"""What runs have left in a store that nobody wants any more: pilots, and how they began (no torch)."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from prunebench.plan.plan import Plan
from prunebench.store import Damaged, Missing, Store

__all__ = ["unwanted_pilots", "unwanted_runs"]

_LARGEST = 50_000_000
"""Bytes of a file that are read."""


def unwanted_runs(
    store: Store, plans: Sequence[Plan], have: Callable[[str], bool], *, newest: int
) -> Iterator[Path]:
    """Yield the files of how runs began that are of none of these plans, or whose cells are all there; not
    those of the `newest` runs, so many."""
    known = {plan.name: plan for plan in plans}
    for run in store.runs.ids()[:-newest]:
        try:
            start = store.runs.read(run)
        except (Missing, Damaged):
            continue
        if start.plan not in known or _all_there(known[start.plan], start.cells, have):
            yield store.root / "runs" / f"{run}.json"


def _all_there(plan: Plan, names: Collection[str] | None, have: Callable[[str], bool]) -> bool:
    """True if these cells (None: all), by their ids, are done, as far as the plan has them."""
    cells = plan.cells if names is None else [plan.by_id[name] for name in names if name in plan.by_id]
    return all(plan.done(cell, have) for cell in cells)


def unwanted_pilots(
    folder: Path, plans: Sequence[Plan], have: Callable[[str], bool], *, before: float
) -> Iterator[Path]:
    """Yield the folders of submissions that nobody wants, of those in `folder`.

    Those are cancelled, of none of these plans, or their cells are all there; and nothing in them has changed
    since the moment `before`: until then a pilot may be at its end, or somebody may read its log.
    """
    known = {plan.name: plan for plan in plans}
    for name in sorted(_names(folder)):
        one = folder / name
        if _changed(one) < before and not _is_wanted(one, known, have):
            yield one


def _is_wanted(one: Path, plans: dict[str, Plan], have: Callable[[str], bool]) -> bool:
    said = _read(one / "submission.json")
    plan = plans.get(str(said.get("plan"))) if isinstance(said, dict) else None
    if plan is None or (one / "cancelled").exists():
        return False
    names = _read(one / "cells.json")
    return not isinstance(names, list) or not _all_there(plan, list(map(str, names)), have)


def _read(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return orjson.loads(file.read(_LARGEST))
    except (OSError, ValueError):
        return None


def _names(folder: Path) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if not name.startswith(".")]
    except OSError:
        return []


def _changed(folder: Path) -> float:
    """Return when something below a folder has changed last."""
    newest = 0.0
    for at, _, names in os.walk(folder):
        for path in (at, *(os.path.join(at, name) for name in names)):
            try:
                newest = max(newest, os.lstat(path).st_mtime)
            except OSError:
                continue
    return newest
