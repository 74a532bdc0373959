"""What checks, baselines and the leaderboard speak of must be there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from prunebench.errors import nearest
from prunebench.reading.cursor import Cursor
from prunebench.reading.grid import density_on_grid, nearest_on_grid
from prunebench.reading.labels import ablations_label, changes_label, point_label
from prunebench.reading.spelling import show
from prunebench.suite.cell import Cell
from prunebench.suite.check import Check, Selection
from prunebench.suite.parameters import Components
from prunebench.suite.schema import Matrix, SuiteTable, label_of

__all__ = ["check_references"]


class _Spelled:
    """What the matrices spell, by key; None where a matrix's key is bad, so that nothing can be said."""

    def __init__(self, matrices: Sequence[tuple[Matrix, set[str]]]) -> None:
        def every(key: str, names: Callable[[Matrix], Iterable[str]]) -> set[str] | None:
            if any(key in bad for _, bad in matrices):
                return None
            return {name for matrix, _ in matrices for name in names(matrix)}

        def calls(key: str) -> Callable[[Matrix], Iterable[str]]:
            return lambda matrix: (label_of(item) for item in getattr(matrix, key))

        self.methods = every("methods", lambda m: map(label_of, m.methods))
        if self.methods is not None and any(m.dense for m, _ in matrices):
            self.methods.add("none")
        self.ablations = every("ablations", lambda m: (ablations_label(a) or "none" for a in m.ablations))
        self.find = every("find", lambda m: (changes_label(f) or "{}" for f in m.find))
        self.score_at = every("score_at", lambda m: map(point_label, m.score_at or []))
        self.measures = every("measures", lambda m: m.measures)
        self.where = {
            "matrix": every("name", lambda m: [m.name]),
            "architecture": every("architecture", calls("architecture")),
            "dataset": every("dataset", calls("dataset")),
            "recipe": every("recipe", calls("recipe")),
            "split": every("split", lambda m: [m.split]),
        }


def check_references(
    here: Cursor,
    content: Mapping[str, Any],
    matrices: Sequence[tuple[Matrix, set[str]]],
    checks: Sequence[tuple[Cursor, Check]],
    table: SuiteTable | None,
    cells: Sequence[Cell] | None,
    host: Components,
) -> None:
    """Note every method, ablation, setting, sparsity, measure and check that is spoken of and is not there.

    `cells` are there only where the matrices are without problems; then each selection of a check must
    have some.
    """
    spelled = _Spelled(matrices)
    if table is not None:
        for key, method in table.baselines.model_dump(by_alias=True).items():
            if key in content.get("baselines", {}):
                _known(here.at("baselines", key), method, "method", spelled.methods)
    for place, check in checks:
        _check(check, place, spelled)
        _fields(check, place, host)
        if table is not None:
            _baselines_there(check, place, table, spelled)
    _refuse_circles(checks)
    if cells is not None and not here.noted:
        _have_cells(checks, cells)
        _sparsities_there(checks, cells)


def _known(here: Cursor, name: str, what: str, allowed: set[str] | None) -> None:
    if allowed is not None and name not in allowed:
        here.problem(f"found '{name}', which is no {what} of this suite{nearest(name, allowed)}")


def _check(check: Check, here: Cursor, spelled: _Spelled) -> None:
    for location, selection in check.selections:
        place = here.at(*location)
        _known(place / "method", selection.method, "method", spelled.methods)
        label = selection.ablations_label or "none"
        _known(place / "ablations", label, "combination of ablations", spelled.ablations)
        if selection.find is not None:
            _known(place / "find", changes_label(selection.find) or "{}", "find", spelled.find)
        if selection.score_at is not None:
            point = point_label(selection.score_at)
            _known(place / "score_at", point, "pruning step", spelled.score_at)
        for key in ("architecture", "dataset", "recipe"):
            if getattr(selection, key) is not None:
                _known(place / key, getattr(selection, key), key, spelled.where[key])
    for key, allowed in spelled.where.items():
        for j, name in enumerate(getattr(check.where, key) or []):
            _known(here.at("where", key, j), name, key, allowed)
    for location, name, _ in check.measures:
        _known(here.at(*location), name, "measure", spelled.measures)


def _fields(check: Check, here: Cursor, host: Components) -> None:
    """Note every field of a measure that the diagnostic, by what it says of itself, does not give."""
    for location, name, field in check.measures:
        if name not in host.names("diagnostics"):
            continue
        allowed = host.get("diagnostics", name).fields
        if allowed and not any(fnmatchcase(field, pattern) for pattern in allowed):
            found = f"field '{field}'" if field else "no field"
            message = f"found {found} of the measure '{name}'{nearest(field, allowed)}"
            here.at(*location).problem(message)


def _baselines_there(check: Check, here: Cursor, table: SuiteTable, spelled: _Spelled) -> None:
    """A range of ours is found with the baselines' accuracies: they must be in the suite."""
    baselines = table.baselines
    needed = {
        "trivial": (baselines.random, baselines.none),
        "matching": (baselines.after_training, baselines.random, baselines.none),
        "extreme": (baselines.after_training, baselines.none),
    }
    for place, one in check.ranges:
        for method in needed.get(one, ()) if isinstance(one, str) else ():
            if spelled.methods is not None and method not in spelled.methods:
                message = f"found '{one}', which needs the baseline '{method}' that no matrix has"
                here.at(*place).problem(message)


def _refuse_circles(checks: Sequence[tuple[Cursor, Check]]) -> None:
    uses = {c.name: [*(c.all_ or []), *(c.any_ or [])] for _, c in checks}
    for here, check in checks:
        reached, todo = set(), [n for n in uses[check.name] if n != check.name]
        while todo:
            name = todo.pop()
            if name == check.name:
                here.problem(f"'{check.name}' rests on itself, by way of the checks that it names")
                break
            if name not in reached:
                reached.add(name)
                todo += [n for n in uses.get(name, []) if n != name]


def _have_cells(checks: Sequence[tuple[Cursor, Check]], cells: Sequence[Cell]) -> None:
    rows = list({id(cell.labels): cell for cell in cells}.values())  # cells of a kind share their labels
    for here, check in checks:
        for location, selection in check.selections:
            if any(_selects(selection, check, row) for row in rows):
                continue
            place = here.at(*location)
            points = {
                row.labels["score_at"] for row in rows if _selects(selection, check, row, anywhere=True)
            }
            if points:
                message = f"of '{check.name}' is scored at {', '.join(sorted(points))} alone: give score_at"
            else:
                message = f"selects no cell of this suite (with the 'where' of '{check.name}')"
            place.problem(message)


def _selects(selection: Selection, check: Check, cell: Cell, *, anywhere: bool = False) -> bool:
    """True if a check's selection means a cell: at any point along the axis of points, or with `anywhere`."""
    along = selection.score_at is None and check.along == "score_at"
    means = selection.means(cell, every_point=anywhere or along)
    return means and check.where.has(cell, but=selection.setting)


def _sparsities_there(checks: Sequence[tuple[Cursor, Check]], cells: Sequence[Cell]) -> None:
    """Note every sparsity of a range that the cells which the check selects do not have."""
    kinds: dict[int, tuple[Cell, set[str]]] = {}
    for cell in cells:
        kinds.setdefault(id(cell.labels), (cell, set()))[1].add(cell.density)
    for here, check in checks:
        if not check.sparsities:
            continue
        pruned = [selection for _, selection in check.selections if selection.method != "none"]
        own = [ds for cell, ds in kinds.values() if any(_selects(one, check, cell) for one in pruned)]
        grid = sorted(set().union(*own) or {cell.density for cell in cells}, key=float, reverse=True)
        for location, sparsity in check.sparsities:
            if density_on_grid(sparsity, grid, sparsity=True) is None:
                near = nearest_on_grid(sparsity, grid, sparsity=True)
                message = f"found {show(sparsity)}, which is no sparsity of the cells of '{check.name}'{near}"
                here.at(*location).problem(message)
