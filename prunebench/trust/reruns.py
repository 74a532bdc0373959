"""Rows, claimed and rerun: what a row is, and whether a rerun agrees with what is claimed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from prunebench.analysis.prediction import Prediction, prediction
from prunebench.errors import UsageError, closest
from prunebench.percent import accuracy
from prunebench.plan import Plan, PlannedCell
from prunebench.plan.params import RecordParams
from prunebench.store import Record, Store, shown

__all__ = ["Row", "Verified", "asked_of", "judge", "results_in", "row_named", "rows_of", "same_run"]

_PREFIX = 6
"""Digits of a key that must be given at least."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a leaderboard at one sparsity: the cells that differ in nothing but their seed."""

    name: str
    """A cell's name without its seed: matrix::architecture-dataset-method-d0.05."""
    labels: Mapping[str, str]
    density: str
    cells: Sequence[PlannedCell]
    """By rising seed."""

    @property
    def place(self) -> tuple[Any, ...]:
        """What tells rows apart."""
        return (self.cells[0].matrix, *sorted(self.labels.items()), self.density)


def rows_of(plan: Plan) -> dict[tuple[Any, ...], Row]:
    """Return the rows of a plan, by what tells them apart, in its order."""
    members: dict[tuple[Any, ...], list[PlannedCell]] = {}
    for cell in plan.cells:
        place = (cell.matrix, *sorted(cell.labels.items()), cell.density)
        members.setdefault(place, []).append(cell)
    return {
        place: Row(_without_seed(cells[0]), cells[0].labels, cells[0].density, sorted(cells, key=_seed))
        for place, cells in members.items()
    }


def _seed(cell: PlannedCell) -> int:
    return cell.seed


def _without_seed(cell: PlannedCell) -> str:
    return re.sub(rf"-s{cell.seed}(?=$|\.)", "", cell.id)


def row_named(plan: Plan, wanted: str) -> Row:
    """Return the row of a name, of one of its cells' names, or of the beginning of a record's key.

    Raises: UsageError where there is none, with the nearest name, or more than one.
    """
    rows = list(rows_of(plan).values())
    chosen = [
        row
        for row in rows
        if wanted in (row.name, row.name.partition("::")[2])
        or any(wanted in (cell.id, cell.name) for cell in row.cells)
        or (_is_key(wanted) and any(cell.key.startswith(wanted) for cell in row.cells))
    ]
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        names = ", ".join(shown(row.name) for row in chosen[:4])
        raise UsageError(f"'{wanted}' may be {len(chosen)} rows ({names}): give matrix::name")
    near = closest(wanted, [row.name for row in rows])
    hint = f"; did you mean '{shown(near)}'?" if near else ""
    raise UsageError(
        f"no row '{wanted}' in suite {shown(plan.suite['name'])}{hint or ';'} a row is named as its cells "
        "are, without their seed, or by the first digits of a record's key"
    )


def _is_key(text: str) -> bool:
    return len(text) >= _PREFIX and set(text) <= set("0123456789abcdef")


def asked_of(plan: Plan, cell: PlannedCell) -> dict[str, Any]:
    """Return what a cell asks for, without its seed: the same for all cells of a row."""
    whole = plan.jobs[cell.key].params_as(RecordParams).cell.plain()
    return {name: value for name, value in whole.items() if name != "seed"}


def results_in(plan: Plan, store: Store, row: Row) -> dict[int, Record]:
    """Return the records of a row's cells that a store has, by seed."""
    from prunebench.inventory.snapshot import Snapshot

    snapshot = Snapshot(plan, store)
    records = {cell.seed: snapshot.result(cell.key) for cell in row.cells}
    return {seed: record for seed, record in records.items() if record is not None}


def same_run(claimed: Record | None, rerun: Record) -> str | None:
    """Return why a record is no rerun: it is the claimed run itself, or does not say when it was made.

    Whoever runs a cell again finishes at another time, after other seconds of training. This finds copies,
    not forgeries: a time can be edited and sealed again by everybody.
    """
    time = rerun.provenance.get("time") or {}
    finished = time.get("finished")
    if finished is None or rerun.seal is None:
        return "it does not say, under its seal, when it was run"
    if claimed is None:
        return None
    if claimed.provenance.get("time") == time or claimed.provenance == rerun.provenance:
        return f"it is the claimed run once more (finished {shown(finished, 30)}), not another one"
    return None


@dataclass(frozen=True, slots=True)
class Verified:
    """What a rerun of a row came to. Accuracies are in percent; a diverged run counts as a guess."""

    row: Row
    outcome: Literal["agrees", "differs", "undecided"]
    claimed: Mapping[int, float]
    rerun: Mapping[int, float]
    prediction: Prediction | None
    same_bits: Sequence[int]
    """Seeds whose rerun has the digest of the claimed record."""
    other_bits: Sequence[int]
    """Seeds whose rerun has another, within the same numerics class."""
    diverged: int = 0
    """Of both, how many runs diverged: an interval does not describe such a mixture."""
    reason: str = ""
    """Why nothing is decided."""
    numerics: Sequence[str] = field(default=())
    """The numerics classes of claim and rerun."""

    @property
    def judged(self) -> Sequence[int]:
        """The seeds whose mean is judged: those that did not give the claimed bits again, if any did not.

        The interval is of independent runs, and the same bits once more are none.
        """
        others = [seed for seed in self.rerun if seed not in self.same_bits]
        return others or list(self.rerun)

    @property
    def mean(self) -> float:
        """The mean accuracy of the judged seeds."""
        return sum(self.rerun[seed] for seed in self.judged) / len(self.judged)


def judge(
    row: Row, claimed: Mapping[int, Record], rerun: Mapping[int, Record], classes: int | None
) -> Verified:
    """Say whether the mean of a rerun lies in the 95 % prediction interval of the claimed seeds.

    classes: of the data set; where it is not known, diverged runs make the row undecided
    """
    ours, theirs = _accuracies(rerun, classes), _accuracies(claimed, classes)
    both = sorted(claimed.keys() & rerun.keys())
    same = [seed for seed in both if claimed[seed].digest == rerun[seed].digest]
    other = [s for s in both if s not in same and _numerics(claimed[s]) == _numerics(rerun[s]) is not None]
    diverged = sum(r.result["outcome"] == "diverged" for r in (*claimed.values(), *rerun.values()))
    numerics = sorted({n for r in (*claimed.values(), *rerun.values()) if (n := _numerics(r)) is not None})
    known: dict[int, float] = {seed: value for seed, value in theirs.items() if value is not None}
    again: dict[int, float] = {seed: value for seed, value in ours.items() if value is not None}
    reason = ""
    if len(known) < len(claimed) or len(again) < len(rerun):
        reason = "runs diverged, and the accuracy of a guess is not known"
    elif not again:
        reason = "nothing was rerun"
    elif len(known) < 2:
        reason = f"{len(known)} seed is claimed: without a spread there is no interval"
    undecided = Verified(row, "undecided", known, again, None, same, other, diverged, reason, numerics)
    if reason:
        return undecided
    interval = prediction(list(known.values()), len(undecided.judged))
    outcome: Any = "agrees" if interval.has(undecided.mean) else "differs"
    return replace(undecided, outcome=outcome, prediction=interval)


def _numerics(record: Record) -> str | None:
    numerics = record.provenance.get("numerics")
    return numerics if isinstance(numerics, str) else None


def _accuracies(records: Mapping[int, Record], classes: int | None) -> dict[int, float | None]:
    """Return each seed's accuracy in percent; a diverged run has that of a guess, None if not known."""
    guess = 100 / classes if classes else None
    counted = {}
    for seed, record in records.items():
        test = record.result.get("test")
        counted[seed] = accuracy(test) if test else guess
    return counted
