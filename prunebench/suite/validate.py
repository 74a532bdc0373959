"""A parsed file to models: everything that is wrong with it is found in one go."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prunebench._version import __version__
from prunebench.reading.cursor import Cursor, Problems
from prunebench.reading.families import members, names_differ, tables
from prunebench.reading.grid import density_on_grid, nearest_on_grid
from prunebench.reading.spelling import show
from prunebench.suite.cell import Cell
from prunebench.suite.changes import Changes
from prunebench.suite.check import Check
from prunebench.suite.families import name_groups
from prunebench.suite.matrices import cells_of, read_matrices
from prunebench.suite.parameters import Components
from prunebench.suite.references import check_references
from prunebench.suite.reported import Reported
from prunebench.suite.schema import Matrix, SuiteTable

__all__ = ["SCHEMA", "Read", "validate"]

SCHEMA = 1
"""The schema of suite files that this version reads."""


@dataclass(frozen=True)
class Read:
    """What a file says: its own table, its matrices, checks and reported numbers, and its cells."""

    table: SuiteTable
    matrices: list[Matrix]
    checks: list[Check]
    reported: list[Reported]
    cells: list[Cell]


def validate(content: Mapping[str, Any], file: str, host: Components, changes: Changes) -> Read:
    """Return what a file of this content says.

    Raises: SuiteError with every problem of the file, a line each.
    """
    problems = Problems(file, content)
    here = Cursor(problems)
    schema = content.get("schema")
    if isinstance(schema, int) and not isinstance(schema, bool) and schema != SCHEMA:
        newer = ": a newer prunebench is needed" if schema > SCHEMA else ""
        message = f"found {schema}; prunebench {__version__} reads schema {SCHEMA}{newer}"
        (here / "schema").problem(message)
        problems.raise_all()
    odd = list(_not_plain(content, here))
    for place, value, wanted in odd:
        place.problem(f"found {show(value)}; allowed: {wanted}")
    for place, _, _ in odd:
        problems.settle(place.location)
    if odd:
        content = _without(content)

    table = here.validate(SuiteTable, content)
    matrices = read_matrices(content, here, host, changes)
    checks = name_groups(
        [
            (place, check)
            for place, family in tables(content, "check", here)
            for member in members(family, place, content.get("sets"), "check")
            if (check := _check(member, place)) is not None
        ]
    )
    names_differ((place, check.name) for place, check in checks)
    cells: list[Cell] | None = None
    if not problems:
        cells = cells_of(matrices, host, strict=True)
        if problems:
            cells = None
    check_references(here, content, [(m.matrix, m.bad) for m in matrices], checks, table, cells, host)
    reported = _reported(content, cells, here)
    problems.raise_all()
    assert table is not None
    assert cells is not None
    return Read(table, [m.matrix for m in matrices], [check for _, check in checks], reported, cells)


def _without(value: Any) -> Any:
    """Return the content with None, which TOML cannot say, for what no key takes: so nothing trips."""
    if isinstance(value, Mapping):
        return {key: _without(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without(item) for item in value]
    return None if any(True for _ in _not_plain(value, Cursor(Problems()))) else value


def _not_plain(value: Any, here: Cursor) -> Iterator[tuple[Cursor, Any, str]]:
    """Yield what TOML can say and no key of a suite takes: dates, times, nan, inf."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _not_plain(item, here / key)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _not_plain(item, here / i)
    elif isinstance(value, float) and not math.isfinite(value):
        yield here, value, "a finite number"
    elif isinstance(value, int) and abs(value) >= 2**63:
        yield here, value, "a number of at most 63 bits"
    elif not isinstance(value, str | int | float):
        yield here, value, "a text, a number, true or false, a list or a table"


def _check(table: Mapping[str, Any], here: Cursor) -> Check | None:
    check = here.validate(Check, table)
    for location, message in check.contradictions() if check is not None else ():
        here.at(*location).problem(message)
    return check


def _reported(content: Mapping[str, Any], cells: Sequence[Cell] | None, here: Cursor) -> list[Reported]:
    """Return the reported numbers; each must be of a method, setting and sparsity of the suite."""
    numbers = []
    for place, table in tables(content, "reported", here):
        one = place.validate(Reported, table)
        if one is None:
            continue
        for location, message in one.contradictions():
            place.at(*location).problem(message)
        numbers.append(one)
        if cells is not None:
            _reported_there(one, cells, place)
    return numbers


def _reported_there(one: Reported, cells: Sequence[Cell], here: Cursor) -> None:
    methods = {cell.labels["method"] for cell in cells}
    if one.method not in methods:
        (here / "method").unknown(one.method, "method of this suite", methods)
        return
    grid = sorted({cell.density for cell in cells if one.selects(cell)})
    if not grid:
        here.problem("selects no cell of this suite")
    for i, sparsity in enumerate(one.sparsities if grid else []):
        if density_on_grid(sparsity, grid, sparsity=True) not in grid:
            near = nearest_on_grid(sparsity, grid, sparsity=True)
            message = f"found {show(sparsity)}, which is no sparsity of these cells{near}"
            here.at("sparsities", i).problem(message)
