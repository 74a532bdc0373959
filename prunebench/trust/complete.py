"""What rows lack of the seeds, sparsities and measures of their matrix: nobody chooses among them.

A matrix is a product: each of its methods, with each of its ablations, at each point of pruning, has a cell
at each sparsity and seed. So what one row has and another lacks was left out, unless the suite itself leaves
cells out (`only`, `exclude`): the plan's `uneven` says which matrices those are, and "methods" where a method
that the suite does not name is whole there all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from prunebench.analysis import variant_name
from prunebench.plan import Plan, PlannedCell
from prunebench.store import shown

__all__ = ["lacking_words", "left_out", "missing_cells", "missing_in_matrices"]

Point = tuple[str, int]
"""A density and a seed."""
Place = tuple[str, ...]
"""A matrix and the labels of a setting."""

_SETTING = ("architecture", "dataset", "recipe", "split")
_PRUNED = ("ablations", "find", "score_at")
"""With the method, what tells rows of a setting apart."""


@dataclass
class _Rows:
    """The rows of one matrix in one setting: of each method and treatment, the points and measures it has."""

    points: dict[tuple[str, ...], set[Point]] = field(default_factory=dict)
    unpruned: set[Point] = field(default_factory=set)
    measures: dict[Point, frozenset[str]] = field(default_factory=dict)
    """Of the pruned networks."""

    def add(self, cell: PlannedCell) -> None:
        point = (cell.density, cell.seed)
        if cell.labels.get("method") == "none":
            self.unpruned.add(point)
            return
        row = (cell.labels.get("method", ""), *(cell.labels.get(name, "") for name in _PRUNED))
        self.points.setdefault(row, set()).add(point)
        self.measures[point] = self.measures.get(point, frozenset()) | _measures(cell)

    @property
    def whole(self) -> set[Point]:
        """All points that a row of it has."""
        return set().union(*self.points.values())

    def treatments(self) -> set[tuple[str, ...]]:
        """Return all combinations of ablations, find changes and points of pruning."""
        return {row[1:] for row in self.points}


def _measures(cell: PlannedCell) -> frozenset[str]:
    return frozenset(part for part in cell.parts if part.startswith("diagnostic "))


def _rows(plan: Plan) -> dict[Place, _Rows]:
    rows: dict[Place, _Rows] = {}
    for cell in plan.cells:
        place = (cell.matrix, *(cell.labels.get(name, "") for name in _SETTING))
        rows.setdefault(place, _Rows()).add(cell)
    return rows


def missing_in_matrices(plan: Plan) -> list[str]:
    """Return which rows of a plan lack seeds or sparsities that others of their matrix have, a line each."""
    uneven, by_place = _selected(plan), _rows(plan)
    matrices: dict[str, list[_Rows]] = {}
    for place, rows in by_place.items():
        matrices.setdefault(place[0], []).append(rows)
    return [
        line
        for place, rows in by_place.items()
        if place[0] not in uneven
        for line in _uneven(place, rows, matrices[place[0]])
    ]


def _selected(plan: Plan) -> Mapping[str, Any]:
    """Return the matrices of which the suite itself leaves cells out."""
    said = plan.suite.get("uneven")
    return said if isinstance(said, Mapping) else {}


def _uneven(place: Place, rows: _Rows, settings: Sequence[_Rows]) -> Iterator[str]:
    """Compare the rows of a setting with the product of all that the matrix has."""
    methods = dict.fromkeys(row[0] for one in settings for row in one.points)
    treatments = dict.fromkeys(treatment for one in settings for treatment in sorted(one.treatments()))
    needed = set().union(*(one.whole for one in settings))
    for method in methods:
        for treatment in treatments:
            lacking = needed - rows.points.get((method, *treatment), set())
            if lacking:
                yield _line(method, treatment, lacking, needed, place)
    unpruned = set().union(*(one.unpruned for one in settings))
    unpruned |= {("1", seed) for _, seed in needed} if unpruned else set()
    if lacking := unpruned - rows.unpruned:
        yield _line("none", ("", "", ""), lacking, unpruned, place)


def missing_cells(plan: Plan, suite: Plan) -> list[str]:
    """Return which rows of a suite as it is planned here a plan lacks, whole or in part, a line each."""
    there, faults = _rows(plan), []
    for place, rows in _rows(suite).items():
        own = there.get(place, _Rows())
        for row, needed in rows.points.items():
            if lacking := needed - own.points.get(row, set()):
                faults.append(_line(row[0], row[1:], lacking, needed, place))
        if lacking := rows.unpruned - own.unpruned:
            faults.append(_line("none", ("", "", ""), lacking, rows.unpruned, place))
    return faults


def left_out(submitted: Plan, plan: Plan) -> list[str]:
    """Return what a submission's methods lack of what the methods of a leaderboard have, a line each.

    They are to be in every matrix and setting, with each treatment, at all sparsities and seeds, and measured
    as the others are.
    """
    uneven, theirs, faults = _selected(plan), _rows(submitted), list[str]()
    methods = dict.fromkeys(cell.labels.get("method", "") for cell in submitted.cells)
    for place, rows in _rows(plan).items():
        own, some = theirs.get(place, _Rows()), uneven.get(place[0]) == "any"
        for method, treatment in product(methods, sorted(rows.treatments())):
            sets = [points for row, points in rows.points.items() if row[1:] == treatment]
            needed = min(sets, key=len) if some else set().union(*sets)
            points = own.points.get((method, *treatment), set())
            lacking = set() if some and not points else needed - points
            if lacking:
                faults.append(_line(method, treatment, lacking, needed, place))
        faults += _unmeasured(place, own, rows)
    return faults


def _unmeasured(place: Place, own: _Rows, rows: _Rows) -> Iterator[str]:
    """Yield the measures of a matrix that a submission's cells do not have."""
    lacking: dict[str, None] = {}
    for point, measures in own.measures.items():
        lacking |= dict.fromkeys(sorted(rows.measures.get(point, frozenset()) - measures))
    for label in lacking:
        name = shown(label.removeprefix("diagnostic "), 60)
        yield f"measure {name} of {_where(place)} is missing"


def _line(
    method: str, treatment: tuple[str, ...], lacking: set[Point], needed: set[Point], place: Place
) -> str:
    ablations, *rest = treatment
    name = variant_name(method, ablations)
    more = "".join(f" {one}" for one in rest if one)
    words, verb = lacking_words(lacking, needed)
    return f"{shown(name, 100)}{shown(more, 60)}: {words} of {_where(place)} {verb} missing"


def _where(place: Place) -> str:
    matrix, architecture, dataset, *_ = place
    return shown(f"{architecture} on {dataset} (matrix {matrix})", 120)


def lacking_words(lacking: Iterable[Point], needed: Iterable[Point]) -> tuple[str, str]:
    """Return which seeds and densities are missing, and the verb for them.

    >>> lacking_words({("0.5", 1), ("0.5", 2)}, {("0.5", 0), ("0.5", 1), ("0.5", 2)})
    ('seeds 1, 2', 'are')
    """
    lost, whole = set(lacking), set(needed)
    seeds = sorted({seed for _, seed in lost})
    densities = sorted({density for density, _ in lost}, key=_value, reverse=True)
    if lost == whole:
        return "all cells", "are"
    if lost == {point for point in whole if point[1] in seeds}:
        return _several("seed", "seeds", [str(seed) for seed in seeds])
    if lost == {point for point in whole if point[0] in densities}:
        return _several("density", "densities", densities)
    points = sorted(lost, key=lambda point: (-_value(point[0]), point[1]))
    named = [f"seed {seed} at density {density}" for density, seed in points]
    more = f" and {len(named) - 3} more" if len(named) > 3 else ""
    return f"{', '.join(named[:3])}{more}", "is" if len(named) == 1 else "are"


def _value(density: str) -> float:
    try:
        return float(density)
    except ValueError:
        return 0.0


def _several(noun: str, nouns: str, values: Sequence[str]) -> tuple[str, str]:
    many = len(values) > 1
    return f"{nouns if many else noun} {', '.join(values)}", "are" if many else "is"
