"""Compares a submission with the suite that it is for: other methods on the same networks, data and recipes.

A submission brings its own plan, which anybody can write. So it is compared with the leaderboard's, cell by
cell: the same setting, the same resolved network, data set, recipe, density and seed as a cell that is
there; only the method may be another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prunebench.canonical import canonical
from prunebench.labels import SETTING
from prunebench.plan import Plan, PlannedCell
from prunebench.plan.params import RecordParams
from prunebench.store import shown
from prunebench.trust.complete import left_out, missing_cells

__all__ = ["admission_faults", "rerun_faults", "suite_faults"]

_SHARED = ("architecture", "dataset", "data", "recipe", "initialization")
"""Kinds of components that all methods of a setting share."""

_FIXED = ("architecture", "dataset", "split", "recipe", "prunable", "seed")
"""What a record's cell says that a method does not choose."""


def admission_faults(submitted: Plan, plan: Plan) -> list[str]:
    """Return why cells of a submission are none of the suite's, a line each; nothing where all are."""
    faults = _suite_words(submitted, plan) + _other_components(submitted, plan)
    known = _Known(plan)
    for cell in submitted.cells:
        fault = known.fault(submitted, cell)
        if fault is not None:
            faults.append(f"{shown(cell.id)}: {fault}")
    return faults + (left_out(submitted, plan) if not faults else [])


def _suite_words(submitted: Plan, plan: Plan) -> list[str]:
    return [
        f"its suite's {name} is {shown(submitted.suite[name], 60)}, here it is {shown(plan.suite[name], 60)}"
        for name in ("name", "version")
        if submitted.suite[name] != plan.suite[name]
    ]


def _other_components(submitted: Plan, plan: Plan) -> list[str]:
    """Compare what all methods share: a network of another version is another network."""
    faults = []
    for label, identity in submitted.identities.items():
        here = plan.identities.get(label)
        if here is not None and canonical(here) != canonical(identity):
            faults.append(
                f"{shown(label, 80)} is another than the leaderboard's: {_told(identity)}, not {_told(here)}"
            )
        elif here is None and label.partition(" ")[0] in _SHARED:
            faults.append(f"{shown(label, 80)} is no part of this leaderboard's suite")
    return faults


def _told(identity: Any) -> str:
    named = dict(identity) if isinstance(identity, Mapping) else {}
    for name in ("version", "digest", "fingerprint", "values"):
        if name in named:
            return f"{name} {shown(str(named[name])[:12])}"
    return shown(identity, 40)


class _Known:
    """The cells of a leaderboard, by what they have in common with a submission's."""

    def __init__(self, plan: Plan) -> None:
        self._keys = {cell.key for cell in plan.cells}
        self._ids = {cell.id for cell in plan.cells}
        self._rows = {self._row(cell) for cell in plan.cells}
        self._seeds: dict[str, set[int]] = {}
        self._fixed: dict[tuple[Any, ...], set[bytes]] = {}
        self._kept: dict[tuple[Any, ...], set[int]] = {}
        for cell in plan.cells:
            setting = self._setting(cell)
            self._seeds.setdefault(cell.matrix, set()).add(cell.seed)
            self._fixed.setdefault((*setting, cell.seed), set()).add(_fixed(plan, cell))
            self._kept.setdefault((*setting, cell.density), set()).add(cell.target)

    @staticmethod
    def _setting(cell: PlannedCell) -> tuple[Any, ...]:
        return (cell.matrix, *(cell.labels.get(name, "") for name in SETTING))

    def _row(self, cell: PlannedCell) -> tuple[Any, ...]:
        method = (cell.labels.get("method", ""), cell.labels.get("ablations", ""))
        return (*self._setting(cell), *method, cell.density, cell.seed)

    def fault(self, submitted: Plan, cell: PlannedCell) -> str | None:
        """Return why a cell does not belong here; the first reason."""
        if cell.key in self._keys:
            return "this very cell is in the leaderboard already"
        if cell.id in self._ids or self._row(cell) in self._rows:
            return "the leaderboard has this row already, of another method: give yours another name"
        if cell.matrix not in self._seeds:
            return f"the suite has no matrix {shown(repr(cell.matrix), 60)}"
        if cell.seed not in self._seeds[cell.matrix]:
            seeds = ", ".join(map(str, sorted(self._seeds[cell.matrix])))
            return f"seed {cell.seed} is none of the suite's ({seeds})"
        setting = self._setting(cell)
        here = self._fixed.get((*setting, cell.seed))
        if here is None:
            return "its setting is none of the suite's"
        if _fixed(submitted, cell) not in here:
            return (
                f"it is called as the suite's cells are, and is another: {self._difference(submitted, cell)}"
            )
        if cell.target not in self._kept.get((*setting, cell.density), ()):
            return f"density {shown(cell.density, 30)} is none of the suite's in this setting"
        return None

    def _difference(self, submitted: Plan, cell: PlannedCell) -> str:
        theirs = _asked(submitted, cell)
        return (
            f"its network, data, recipe or number of weights ({shown(theirs.get('prunable'), 30)} prunable)"
        )


def _asked(plan: Plan, cell: PlannedCell) -> dict[str, Any]:
    return plan.jobs[cell.key].params_as(RecordParams).cell.plain()


def _fixed(plan: Plan, cell: PlannedCell) -> bytes:
    asked = _asked(plan, cell)
    return canonical({name: asked.get(name) for name in _FIXED})


def rerun_faults(rerun: Plan, plan: Plan) -> list[str]:
    """Return why cells of a rerun are of no row that is claimed; other seeds are welcome."""
    from prunebench.trust.reruns import asked_of, rows_of

    claimed = rows_of(plan)
    faults = []
    for place, row in rows_of(rerun).items():
        here = claimed.get(place)
        if here is None:
            faults.append(f"{shown(row.name)}: the leaderboard has no such row")
            continue
        asked = canonical(asked_of(plan, here.cells[0]))
        faults += [
            f"{shown(cell.id)}: it is the rerun of another cell"
            for cell in row.cells
            if canonical(asked_of(rerun, cell)) != asked
        ]
        keys = {cell.seed: cell.key for cell in here.cells}
        faults += [
            f"{shown(cell.id)}: it was made of other components or data than what is claimed"
            for cell in row.cells
            if keys.get(cell.seed, cell.key) != cell.key
        ]
    return faults


def suite_faults(plan: Plan, suite: Plan) -> list[str]:
    """Return which cells of a plan are none of a suite's as it is planned here, or lack, a line each."""
    here = {cell.id: cell for cell in suite.cells}
    faults = []
    for cell in plan.cells:
        planned = here.get(cell.id)
        if planned is None:
            faults.append(f"{shown(cell.id)} is no cell of suite {suite.suite['name']}")
        elif canonical(_asked(plan, cell)) != canonical(_asked(suite, planned)):
            faults.append(f"{shown(cell.id)} is called as the suite's cell is, and is another")
    return faults + missing_cells(plan, suite)
