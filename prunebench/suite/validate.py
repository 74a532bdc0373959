"""A parsed file to models: everything that is wrong with it is found in one go."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prunebench._version import __version__
from prunebench.checks.read import Read as ReadChecks
from prunebench.checks.read import read_checks
from prunebench.reading.cursor import Cursor, Problems
from prunebench.reading.spelling import show
from prunebench.suite.cell import Cell
from prunebench.suite.changes import Changes
from prunebench.suite.matrices import cells_of, read_matrices
from prunebench.suite.parameters import Components
from prunebench.suite.references import baselines_there, kinds_of, spelled
from prunebench.suite.schema import Matrix, SuiteTable

__all__ = ["SCHEMA", "Read", "validate"]

SCHEMA = 1
"""The schema of suite files that this version reads."""


@dataclass(frozen=True)
class Read:
    """What a file says: its own table, its matrices, its checks and its cells."""

    table: SuiteTable
    matrices: list[Matrix]
    checks: ReadChecks
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
    before = problems.noted
    matrices = read_matrices(content, here, host, changes)
    well = problems.noted == before
    checks = read_checks(content, here, host)
    cells: list[Cell] | None = None
    if well:
        before = problems.noted
        cells = cells_of(matrices, host, strict=True)
        if problems.noted > before:
            cells = None
    names = spelled([(m.matrix, m.bad) for m in matrices], table)
    baselines_there(table, content, names, here)
    there = checks.look_up(names, host)
    if cells is not None:
        kinds = kinds_of(cells)
        checks.find_cells(there, kinds, host)
    problems.raise_all()
    assert table is not None
    assert cells is not None
    return Read(table, [m.matrix for m in matrices], checks, cells)


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
