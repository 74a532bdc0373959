"""What checks and reported numbers name must be there: methods, settings, measures, cells, sparsities."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from prunebench.checks.asked import Components
from prunebench.checks.cells import EACH, Cells, Kind, Labels, Where
from prunebench.checks.grammar import Check
from prunebench.checks.quantified import axis, every_cells, measures
from prunebench.checks.reported import Reported
from prunebench.errors import nearest
from prunebench.labels import FAMILY
from prunebench.reading.cursor import Cursor
from prunebench.reading.grid import density_on_grid, nearest_on_grid
from prunebench.reading.labels import find_label, plain_changes, point_label
from prunebench.reading.spelling import show

__all__ = ["Finds", "Spelled", "are_there", "have_cells", "known", "reported_there"]

Names = set[str] | None


@dataclass(frozen=True)
class Finds:
    """The finds of a matrix: their changes by their labels, "" where there are none."""

    matrix: str
    methods: Collection[str]
    changes: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Spelled:
    """The names that a suite's matrices spell, by key; None where they cannot be told."""

    methods: Names
    ablations: Names
    find: Sequence[Finds] | None
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
        _cells(cells, check.where, here.at(*location), spelled)
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


def _cells(cells: Cells, where: Where, here: Cursor, spelled: Spelled) -> None:
    known(here / "method", cells.method, "method", spelled.methods)
    label = cells.ablations_label or "none"
    known(here / "ablations", label, "combination of ablations", spelled.ablations)
    if cells.find is not None and spelled.find is not None:
        _find(cells.method, cells.find, where, here / "find", spelled.find)
    if cells.score_at is not None:
        known(here / "score_at", point_label(cells.score_at), "pruning step", spelled.score_at)
    for key, name in cells.setting.items():
        known(here / key, name, key, spelled.where[key])


def _find(
    method: str, find: str | Mapping[str, Any], where: Where, here: Cursor, finds: Sequence[Finds]
) -> None:
    """Note a find that the matrices of a method, in the check's settings, do not have."""
    own = [one for one in finds if method in one.methods and one.matrix in (where.matrix or [one.matrix])]
    of = f"of '{method}'" if own else "of this suite"
    changes = {label: table for one in own or finds for label, table in one.changes.items()}
    label = find_label(find)
    if label in changes:
        return
    told = f"found '{label or '{}'}', which is no find {of}"
    if isinstance(find, Mapping):
        plain = plain_changes(find)
        alike = [label for label, table in changes.items() if plain_changes(table) == plain]
        if alike:
            here.problem(f"found '{label}', which is called '{alike[0]}' here; allowed: find = '{alike[0]}'")
            return
    if changes.keys() == {""}:
        here.problem(f"{told}, which has none; allowed: no find")
        return
    here.problem(told + nearest(label, (one or "{}" for one in changes)))


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
    before = here.noted
    for location, cells in every_cells(check, host):
        mine = [kind.labels for kind in kinds if _selects(cells, check, kind.labels, along)]
        if mine:
            if location[0] != "quantity" or here.noted == before:  # as its side, where that says none
                _one_find(cells, f"of '{check.name}' ", mine, here.at(*location))
            continue
        finds = {
            kind.labels["find"] for kind in kinds if _selects(_any_find(cells), check, kind.labels, along)
        }
        if finds:
            message = f"of '{check.name}' is found with {_listed(finds)} alone: give one of these as find"
            here.at(*location).problem(message)
            continue
        anywhere = (kind.labels for kind in kinds if _selects(cells, check, kind.labels, True, anywhere=True))
        points = {labels["score_at"] for labels in anywhere}
        if points:
            message = f"of '{check.name}' is scored at {', '.join(sorted(points))} alone: give score_at"
        else:
            message = f"selects no cell of this suite (with the 'where' of '{check.name}')"
        here.at(*location).problem(message)


def _any_find(cells: Cells) -> Cells:
    return cells.model_copy(update={"find": None})


def _listed(finds: Collection[str]) -> str:
    return ", ".join(sorted(find or "{}" for find in finds))


def _one_find(cells: Cells, of: str, labels: Sequence[Labels], here: Cursor) -> None:
    """Note a selection that does not say which find it means, and has cells of several in one setting."""
    if cells.says_find:
        return
    finds: dict[tuple[str, ...], set[str]] = {}
    for one in labels:
        finds.setdefault(tuple(one[key] for key in FAMILY), set()).add(one["find"])
    several = next((own for own in finds.values() if len(own) > 1), None)
    if several is not None:
        here.problem(
            f"{of}has cells of several finds: {_listed(several)}; allowed: find = one of them, or find = "
            f"'{EACH}', which makes each a setting of its own"
        )


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
    mine = [kind for kind in kinds if one.selects(kind.labels)]
    grid = sorted(set().union(*(kind.densities for kind in mine)))
    if not grid and named:
        here.problem("selects no cell of this suite")
    _one_find(one, "", [kind.labels for kind in mine], here)
    for i, sparsity in enumerate((one.sparsities or []) if grid else []):
        if density_on_grid(sparsity, grid, sparsity=True) not in grid:
            near = nearest_on_grid(sparsity, grid, sparsity=True)
            message = f"found {show(sparsity)}, which is no sparsity of these cells{near}"
            here.at("sparsities", i).problem(message)
