"""What checks and reported numbers name must be there: methods, settings, measures, cells, sparsities."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from prunebench.checks.asked import Components
from prunebench.checks.cells import Cells, Kind, Labels
from prunebench.checks.grammar import Check
from prunebench.checks.quantified import axis, every_cells, measures
from prunebench.checks.reported import Reported
from prunebench.errors import nearest
from prunebench.reading.cursor import Cursor
from prunebench.reading.grid import density_on_grid, nearest_on_grid
from prunebench.reading.labels import find_label, point_label
from prunebench.reading.spelling import show

__all__ = ["Spelled", "are_there", "have_cells", "known", "reported_there"]

Names = set[str] | None


@dataclass(frozen=True)
class Spelled:
    """The names that a suite's matrices spell, by key; None where they cannot be told."""

    methods: Names
    ablations: Names
    find: Names
    score_at: Names
    measures: Names
    where: Mapping[str, Names]
    """Of matrix, architecture, dataset, recipe and split."""
    needed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The baselines with which each range is found: "trivial", "matching", "extreme"."""


_NONE = {
    "claim": "this suite has no [[claim]]",
    "measure": "no [[matrix]] of this suite has measures",
    "pruning step": "no [[matrix]] of this suite has score_at",
}
"""What is said where a suite has nothing of a kind."""


def known(here: Cursor, name: str, what: str, allowed: Names) -> None:
    """Note a name that is none of those allowed; nothing where these cannot be told."""
    if allowed is not None and name not in allowed:
        hint = nearest(name, allowed, _NONE.get(what, ""))
        here.problem(f"found '{name}', which is no {what} of this suite{hint}")


def are_there(
    check: Check, here: Cursor, claims: Collection[str], spelled: Spelled, host: Components
) -> None:
    """Note every method, ablation, setting, measure, baseline and claim of a check that is not there.

    `claims` are the ids of all that the file has.
    """
    if check.claim is not None:
        known(here / "claim", check.claim, "claim", set(claims))
    if check.group:
        return
    for location, cells in every_cells(check, host):
        _cells(cells, here.at(*location), spelled)
    for key, allowed in spelled.where.items():
        for j, name in enumerate(getattr(check.where, key) or []):
            known(here.at("where", key, j), name, key, allowed)
    for location, name, field_ in measures(check, host):
        known(here.at(*location), name, "measure", spelled.measures)
        _field(name, field_, here.at(*location), host)
    for location, one in check.ranges:
        for method in spelled.needed.get(one, ()) if isinstance(one, str) else ():
            if spelled.methods is not None and method not in spelled.methods:
                message = f"found '{one}', which needs the baseline '{method}' that no matrix has"
                here.at(*location).problem(message)


def _cells(cells: Cells, here: Cursor, spelled: Spelled) -> None:
    known(here / "method", cells.method, "method", spelled.methods)
    label = cells.ablations_label or "none"
    known(here / "ablations", label, "combination of ablations", spelled.ablations)
    if cells.find is not None:
        known(here / "find", find_label(cells.find) or "{}", "find", spelled.find)
    if cells.score_at is not None:
        known(here / "score_at", point_label(cells.score_at), "pruning step", spelled.score_at)
    for key, name in cells.setting.items():
        known(here / key, name, key, spelled.where[key])


def _field(name: str, field_: str, here: Cursor, host: Components) -> None:
    """Note a field of a measure that the diagnostic, by what it says of itself, does not give."""
    if name not in host.names("diagnostics"):
        return
    allowed = host.get("diagnostics", name).fields
    if allowed and not any(fnmatchcase(field_, pattern) for pattern in allowed):
        which = f"field '{field_}'" if field_ else "no field"
        here.problem(f"found {which} of the measure '{name}'{nearest(field_, allowed)}")


def have_cells(checks: Sequence[tuple[Cursor, Check]], kinds: Sequence[Kind], host: Components) -> None:
    """Note every selection that has no cells, and every sparsity of a range that the cells do not have."""
    for here, check in checks:
        if not check.group:
            _have_cells(check, here, kinds, host)
    for here, check in checks:
        if check.sparsities:
            _sparsities_there(check, here, kinds, host)


def _have_cells(check: Check, here: Cursor, kinds: Sequence[Kind], host: Components) -> None:
    along = axis(check, host) == "score_at"
    for location, cells in every_cells(check, host):
        if any(_selects(cells, check, kind.labels, along) for kind in kinds):
            continue
        anywhere = (kind.labels for kind in kinds if _selects(cells, check, kind.labels, True, anywhere=True))
        points = {labels["score_at"] for labels in anywhere}
        if points:
            message = f"of '{check.name}' is scored at {', '.join(sorted(points))} alone: give score_at"
        else:
            message = f"selects no cell of this suite (with the 'where' of '{check.name}')"
        here.at(*location).problem(message)


def _selects(cells: Cells, check: Check, labels: Labels, along: bool, *, anywhere: bool = False) -> bool:
    """Return True if cells of these labels are meant: at any point along that axis, or with `anywhere`."""
    means = cells.means(labels, every_point=anywhere or (along and cells.score_at is None))
    return means and check.where.has(labels, but=cells.setting)


def _sparsities_there(check: Check, here: Cursor, kinds: Sequence[Kind], host: Components) -> None:
    along = axis(check, host) == "score_at"
    pruned = [cells for _, cells in every_cells(check, host) if cells.method != "none"]
    own = [k.densities for k in kinds if any(_selects(one, check, k.labels, along) for one in pruned)]
    every = set().union(*own) or set().union(*(kind.densities for kind in kinds))
    grid = sorted(every, key=float, reverse=True)
    for location, sparsity in check.sparsities:
        if density_on_grid(sparsity, grid, sparsity=True) is None:
            near = nearest_on_grid(sparsity, grid, sparsity=True)
            message = f"found {show(sparsity)}, which is no sparsity of the cells of '{check.name}'{near}"
            here.at(*location).problem(message)


def reported_there(one: Reported, here: Cursor, kinds: Sequence[Kind], *, named: bool) -> None:
    """Note a reported method, setting or sparsity that the suite does not have.

    Without `named` a name that is not there was noted already.
    """
    methods = {kind.labels["method"] for kind in kinds}
    if one.method not in methods:
        if named:
            (here / "method").unknown(one.method, "method of this suite", methods)
        return
    grid = sorted(set().union(*(kind.densities for kind in kinds if one.selects(kind.labels))))
    if not grid and named:
        here.problem("selects no cell of this suite")
    for i, sparsity in enumerate((one.sparsities or []) if grid else []):
        if density_on_grid(sparsity, grid, sparsity=True) not in grid:
            near = nearest_on_grid(sparsity, grid, sparsity=True)
            message = f"found {show(sparsity)}, which is no sparsity of these cells{near}"
            here.at("sparsities", i).problem(message)
