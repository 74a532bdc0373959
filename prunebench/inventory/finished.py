"""Finds a finished cell in a store, and the frozen plan that says how it is made (imports no torch)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from prunebench.errors import UsageError
from prunebench.inventory.binding import record_of
from prunebench.inventory.frozen import read_frozen
from prunebench.plan import Plan, PlannedCell
from prunebench.smoke import limit_of
from prunebench.store import Damaged, Missing, Record, Store

__all__ = ["FinishedCell", "find_cell", "find_selected"]

_PREFIX = 6
"""Characters of a key that must be given at least."""


@dataclass(frozen=True)
class FinishedCell:
    """A finished cell, and the frozen plan that says how it is made."""

    path: Path
    plan: Plan
    cell: PlannedCell
    record: Record

    @property
    def state(self) -> str:
        """The key of the cell's end state."""
        return self.plan.jobs[self.cell.key].inputs[0]


def find_cell(store: Store, wanted: str, suite: str | None = None) -> FinishedCell:
    """Return the finished cell of a record's key, of a prefix of at least six characters, or matrix::cell.

    Raises: UsageError where there is none, or more than one; StoreError.
    """
    if "::" in wanted and suite is None:
        raise UsageError(
            f"'{wanted}' is a cell's name: say of which suite with --suite SUITE, or give its key"
        )
    key = None if "::" in wanted else _whole_key(store, wanted)
    known = False
    for path in reversed(store.plans(suite)):
        try:
            plan = read_frozen(path, store, mentions=key or wanted.split("::", 1)[1])
        except (Missing, Damaged):
            continue
        if plan is None or (key is None and limit_of(plan.suite)):  # a smoke run's cells have no names
            continue
        for cell in plan.cells:
            if cell.key == key or cell.id == wanted:
                known = True
                if store.has_record(cell.key):
                    record = store.read_record(cell.key, record_of(plan, cell.key))
                    return FinishedCell(path, plan, cell, record)
    if known:
        raise UsageError(
            f"{wanted} has no record: it has not been run to the end (`prunebench run` does that)"
        )
    if key is not None:
        raise UsageError(
            f"record {key[:12]} is in no frozen plan of {store.root}: run its suite once more, then export"
        )
    raise UsageError(f"no frozen plan of suite '{suite}' in {store.root} has a cell {wanted}")


def find_selected(
    store: Store, suite: str, selected: Callable[[Plan], Sequence[PlannedCell]]
) -> FinishedCell:
    """Return the one finished cell that `selected` returns of a suite's newest plan.

    Raises: UsageError where it returns more than one, or where that one is not finished; StoreError.
    """
    for path in reversed(store.plans(suite)):
        try:
            plan = read_frozen(path, store)
        except (Missing, Damaged):
            continue
        if plan is None or limit_of(plan.suite):
            continue
        cells = {cell.key: cell for cell in selected(plan)}
        if len(cells) > 1:
            some = ", ".join(cell.id for cell in list(cells.values())[:4])
            more = ", …" if len(cells) > 4 else ""
            raise UsageError(
                f"{len(cells)} cells are selected ({some}{more}), one is exported: say more with -k "
                "('snip and s0') and --sparsity, or give its key"
            )
        return find_cell(store, next(iter(cells)))
    raise UsageError(f"no frozen plan of suite '{suite}' in {store.root}: `prunebench run` makes one")


def _whole_key(store: Store, wanted: str) -> str:
    prefix = wanted.lower()
    if not set(prefix) <= set("0123456789abcdef") or not _PREFIX <= len(prefix) <= 64:
        raise UsageError(
            f"'{wanted}' is no key; allowed: a record's key or at least its first {_PREFIX} characters "
            "(`prunebench plan SUITE --cells` lists them), or matrix::cell with --suite"
        )
    matches = sorted(key for key in store.record_keys() if key.startswith(prefix))
    if len(matches) > 1:
        some = ", ".join(key[:16] for key in matches[:4])
        raise UsageError(
            f"'{wanted}' is the beginning of {len(matches)} records' keys ({some}, …): give more of it"
        )
    if not matches:
        raise UsageError(f"no record in {store.root} has a key that begins with '{wanted}'")
    return matches[0]
