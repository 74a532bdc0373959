"""A parsed file to models: everything that is wrong with it is found in one go."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from pydantic import ValidationError

from prunebench._version import __version__
from prunebench.canonical import canonical
from prunebench.reading.cursor import Cursor, Problems
from prunebench.reading.families import members
from prunebench.reading.grid import density_on_grid, nearest_on_grid
from prunebench.reading.spelling import show
from prunebench.suite.axes import Axes, Choice, resolve_axes
from prunebench.suite.cell import Cell
from prunebench.suite.check import Check
from prunebench.suite.expand import expand_all
from prunebench.suite.families import name_groups
from prunebench.suite.forms import method_form, method_names
from prunebench.suite.parameters import Components
from prunebench.suite.references import check_references
from prunebench.suite.reported import Reported
from prunebench.suite.schema import PLACEHOLDERS, Matrix, SuiteTable

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


def validate(content: Mapping[str, Any], file: str, host: Components) -> Read:
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
    matrices = list(_matrices(content, here))
    axes = [resolve_axes(m.matrix, m.given, m.here, host) for m in matrices]
    _names_differ((m.here, m.matrix.name) for m in matrices if "name" not in m.bad)
    _labels_differ(matrices, axes, host)
    checks = name_groups(
        [
            (place, check)
            for place, family in _tables(content, "check", here)
            for member in members(family, place, content.get("sets"), "check")
            if (check := _check(member, place)) is not None
        ]
    )
    _names_differ((place, check.name) for place, check in checks)
    cells: list[Cell] | None = None
    if not problems:
        resolved = [(m.matrix, own, m.here) for m, own in zip(matrices, axes, strict=True)]
        cells = expand_all(resolved, host, strict=True)
        if problems:
            cells = None
    check_references(here, content, [(m.matrix, m.bad) for m in matrices], checks, table, cells, host)
    reported = _reported(content, cells, here)
    problems.raise_all()
    assert table is not None
    assert cells is not None
    return Read(table, [m.matrix for m in matrices], [check for _, check in checks], reported, cells)


def _tables(content: Mapping[str, Any], key: str, here: Cursor) -> Iterator[tuple[Cursor, dict[str, Any]]]:
    """Yield the tables of a key that is written in two brackets, with their places."""
    given = content.get(key)
    for i, table in enumerate(given if isinstance(given, list) else []):
        if isinstance(table, dict):
            yield here.at(key, i), table


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


@dataclass(frozen=True)
class _Table:
    """A matrix, the table that it was made of, its place, and its keys that are bad: empty in the matrix."""

    matrix: Matrix
    given: Mapping[str, Any]
    here: Cursor
    bad: set[str]


def _matrices(content: Mapping[str, Any], here: Cursor) -> Iterator[_Table]:
    if content.get("matrix") == []:
        (here / "matrix").problem("is empty; allowed: at least one [[matrix]]")
    for place, given in _tables(content, "matrix", here):
        try:
            yield _Table(Matrix.model_validate(given), given, place, set())
        except ValidationError as error:
            bad = place.not_valid(error, Matrix)
            good = {key: value for key, value in given.items() if key not in bad}
            yield _Table(Matrix.model_validate({**PLACEHOLDERS, **good}), given, place, bad)


def _check(table: Mapping[str, Any], here: Cursor) -> Check | None:
    check = here.validate(Check, table)
    for location, message in check.contradictions() if check is not None else ():
        here.at(*location).problem(message)
    return check


def _reported(content: Mapping[str, Any], cells: Sequence[Cell] | None, here: Cursor) -> list[Reported]:
    """Return the reported numbers; each must be of a method, setting and sparsity of the suite."""
    numbers = []
    for place, table in _tables(content, "reported", here):
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


def _names_differ(names: Iterable[tuple[Cursor, str]]) -> None:
    first: dict[str, Cursor] = {}
    for here, name in names:
        other = first.get(name)
        if other is None:
            first[name] = here
        elif other.location == here.location:
            message = f"is '{name}' more than once; allowed: a name that says every value of 'for'"
            (here / "name").problem(message)
        else:
            (here / "name").problem(f"found '{name}', which is {other.path}'s too; allowed: another")


def _labels_differ(matrices: Sequence[_Table], axes: Sequence[Axes], host: Components) -> None:
    """Refuse one label for two things: in a table they would be one row."""
    first: dict[tuple[str, str], tuple[bytes, Cursor, int]] = {}

    def refuse(key: str, matrix: int, choice: Choice[Any], value: Any, within: str = "") -> None:
        same = canonical(value)
        known, other, where = first.setdefault((key + within, choice.label), (same, choice.here, matrix))
        if known != same and where != matrix:
            message = f"the label '{choice.label}' stands for something else in {other.path}"
            choice.here.problem(f"{message}; allowed: another label, with as = …")

    registered = method_names(host)
    for i, (table, resolved) in enumerate(zip(matrices, axes, strict=True)):
        items = table.matrix.methods
        for choice in resolved.methods:
            item = items[int(choice.here.location[-1])]
            if not isinstance(item, str) and choice.label in registered and choice.label != item.method:
                message = f"the label '{choice.label}' is a registered method's; allowed: another one"
                (choice.here / "as").problem(message)
                continue
            # parameters for all scorers of a matrix may differ between settings, which have rows of their own
            shared = table.matrix.overrides.scorer
            plain = method_form(item, host, table.here.aside()) if shared else choice.value
            if plain is not None:
                refuse("methods", i, choice, plain.model_dump(mode="json", by_alias=True))
            whole = choice.value.model_dump(mode="json", by_alias=True)
            for setting in product(resolved.architecture, resolved.dataset, resolved.recipe):
                refuse("methods", i, choice, whole, canonical([c.label for c in setting]).decode())
        for architecture in resolved.architecture:
            call = architecture.value
            refuse("architecture", i, architecture, [call.name, call.parameters])
        for dataset in resolved.dataset:
            refuse("dataset", i, dataset, dataset.value)
        for recipe in resolved.recipe:
            refuse("recipe", i, recipe, recipe.value.model_dump(mode="json"))
