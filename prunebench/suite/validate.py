"""A parsed file to models: everything that is wrong with it is found in one go."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from pydantic import ValidationError

from prunebench._version import __version__
from prunebench.canonical import canonical
from prunebench.host.form import Form
from prunebench.suite.axes import Axes, Choice, resolve_axes
from prunebench.suite.cell import Cell
from prunebench.suite.check import Check
from prunebench.suite.expand import expand_matrix
from prunebench.suite.families import members, name_groups
from prunebench.suite.filters import density_on_grid, nearest_on_grid
from prunebench.suite.forms import method_form, method_names
from prunebench.suite.parameters import Components
from prunebench.suite.problems import Location, Problems, at, show, unknown
from prunebench.suite.references import check_references
from prunebench.suite.reported import Reported
from prunebench.suite.schema import PLACEHOLDERS, Matrix, SuiteTable

__all__ = ["SCHEMA", "validate"]

SCHEMA = 1
"""The schema of suite files that this version reads."""


def validate(
    content: Mapping[str, Any], file: str, host: Components
) -> tuple[SuiteTable, list[Matrix], list[Check], list[Reported]]:
    """Return the file's own table, its matrices, its checks and the numbers it reports.

    Raises: SuiteError with every problem of the file, a line each.
    """
    problems = Problems(file, content)
    schema = content.get("schema")
    if isinstance(schema, int) and not isinstance(schema, bool) and schema != SCHEMA:
        newer = ": a newer prunebench is needed" if schema > SCHEMA else ""
        problems.add(("schema",), f"found {schema}; prunebench {__version__} reads schema {SCHEMA}{newer}")
        problems.raise_all()
    odd = list(_not_plain(content, ()))
    for location, found, wanted in odd:
        problems.add(location, f"found {show(found)}; allowed: {wanted}")
    for location, _, _ in odd:
        problems.settle(location)
    if odd:
        content = _without(content)

    table = _table(content, problems)
    tables = [t for t in _list(content.get("matrix")) if isinstance(t, dict)]
    if content.get("matrix") == []:
        problems.add(("matrix",), "is empty; allowed: at least one [[matrix]]")
    matrices = [_matrix(t, i, problems) for i, t in enumerate(tables)]
    axes = [resolve_axes(m, i, host, problems) for i, (m, _) in enumerate(matrices)]
    _names_differ(
        "matrix", ((i, m.name) for i, (m, bad) in enumerate(matrices) if "name" not in bad), problems
    )
    _labels_differ(matrices, axes, host, problems)
    checks = [
        (i, check)
        for i, t in enumerate(_list(content.get("check")))
        if isinstance(t, dict)
        for member in members(t, i, content.get("sets"), problems)
        if (check := _check(member, i, problems)) is not None
    ]
    checks = name_groups(checks, problems)
    _names_differ("check", ((i, c.name) for i, c in checks), problems)
    cells: list[Cell] | None = None
    if not problems:
        forms: dict[bytes, Form] = {}
        cells = []
        for i, ((matrix, _), resolved) in enumerate(zip(matrices, axes, strict=True)):
            scratch = Problems(file, content)
            cells += expand_matrix(matrix, resolved, i, host, scratch, forms, strict=True)
            problems.lines += scratch.lines
        if problems:
            cells = None
    check_references(content, matrices, checks, table, cells, host, problems)
    reported = _reported(content, cells, problems)
    problems.raise_all()
    assert table is not None
    return table, [matrix for matrix, _ in matrices], [check for _, check in checks], reported


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _without(value: Any) -> Any:
    """Return the content with None, which TOML cannot say, for what no key takes: so nothing trips."""
    if isinstance(value, Mapping):
        return {key: _without(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without(item) for item in value]
    return None if any(True for _ in _not_plain(value, ())) else value


def _not_plain(value: Any, location: Location) -> Iterator[tuple[Location, Any, str]]:
    """Yield what TOML can say and no key of a suite takes: dates, times, nan, inf."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _not_plain(item, (*location, key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _not_plain(item, (*location, i))
    elif isinstance(value, float) and not math.isfinite(value):
        yield location, value, "a finite number"
    elif isinstance(value, int) and abs(value) >= 2**63:
        yield location, value, "a number of at most 63 bits"
    elif not isinstance(value, str | int | float):
        yield location, value, "a text, a number, true or false, a list or a table"


def _table(content: Mapping[str, Any], problems: Problems) -> SuiteTable | None:
    try:
        return SuiteTable.model_validate(dict(content))
    except ValidationError as error:
        problems.add_validation(error, SuiteTable, ())
        return None


def _matrix(table: dict[str, Any], index: int, problems: Problems) -> tuple[Matrix, set[str]]:
    """Return a matrix, and the keys of it that are bad: those stand empty in what is returned."""
    try:
        return Matrix.model_validate(table), set()
    except ValidationError as error:
        bad = problems.add_validation(error, Matrix, ("matrix", index))
    good = {key: value for key, value in table.items() if key not in bad}
    return Matrix.model_validate({**PLACEHOLDERS, **good}), bad


def _check(table: Mapping[str, Any], index: int, problems: Problems) -> Check | None:
    try:
        check = Check.model_validate(table)
    except ValidationError as error:
        problems.add_validation(error, Check, ("check", index))
        return None
    for location, message in check.contradictions():
        problems.add(("check", index, *location), message)
    return check


def _reported(content: Mapping[str, Any], cells: Sequence[Cell] | None, problems: Problems) -> list[Reported]:
    """Return the reported numbers; each must be of a method, setting and sparsity of the suite."""
    found = []
    for i, table in enumerate(_list(content.get("reported"))):
        if not isinstance(table, dict):
            continue
        try:
            one = Reported.model_validate(table)
        except ValidationError as error:
            problems.add_validation(error, Reported, ("reported", i))
            continue
        for location, message in one.contradictions():
            problems.add(("reported", i, *location), message)
        found.append(one)
        if cells is None:
            continue
        methods = {cell.labels["method"] for cell in cells}
        if one.method not in methods:
            problems.add(("reported", i, "method"), unknown(one.method, "method of this suite", methods))
            continue
        grid = sorted({cell.density for cell in cells if one.selects(cell)})
        if not grid:
            problems.add(("reported", i), "selects no cell of this suite")
            continue
        for j, sparsity in enumerate(one.sparsities):
            if density_on_grid(sparsity, grid, sparsity=True) not in grid:
                near = nearest_on_grid(sparsity, grid, sparsity=True)
                message = f"found {show(sparsity)}, which is no sparsity of these cells{near}"
                problems.add(("reported", i, "sparsities", j), message)
    return found


def _names_differ(key: str, names: Iterable[tuple[int, str]], problems: Problems) -> None:
    first: dict[str, int] = {}
    for i, name in names:
        if first.get(name) == i:
            message = f"is '{name}' more than once; allowed: a name that says every value of 'for'"
            problems.add((key, i, "name"), message)
        elif name in first:
            problems.add(
                (key, i, "name"), f"found '{name}', which is {at(key, first[name])}'s too; allowed: another"
            )
        first.setdefault(name, i)


def _labels_differ(
    matrices: list[tuple[Matrix, set[str]]], axes: list[Axes], host: Components, problems: Problems
) -> None:
    """Refuse one label for two things: in a table they would be one row."""
    first: dict[tuple[str, str], tuple[bytes, str]] = {}

    def refuse(key: str, index: int, choice: Choice[Any], value: Any, within: str = "") -> None:
        place: Location = ("matrix", index, key, choice.index)
        same = canonical(value)
        other, where = first.setdefault((key + within, choice.label), (same, problems.path(place)))
        if other != same and where.split(".")[0] != at("matrix", index):
            message = f"the label '{choice.label}' stands for something else in {where}"
            problems.add(place, f"{message}; allowed: another label, with as = …")

    registered = method_names(host)
    for i, resolved in enumerate(axes):
        for choice in resolved.methods:
            item = matrices[i][0].methods[choice.index]
            place: Location = ("matrix", i, "methods", choice.index)
            if not isinstance(item, str) and choice.label in registered and choice.label != item.method:
                message = f"the label '{choice.label}' is a registered method's; allowed: another one"
                problems.add((*place, "as"), message)
                continue
            # parameters for all scorers of a matrix may differ between settings, which have rows of their own
            shared = matrices[i][0].overrides.scorer
            plain = method_form(item, host, lambda *_: None) if shared else choice.value
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
