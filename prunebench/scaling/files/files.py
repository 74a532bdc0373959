"""Reading measured points from a CSV file of anybody's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from prunebench.errors import FitError, nearest
from prunebench.scaling.files.csv_table import Table, number, read_table
from prunebench.scaling.files.tidied import accuracies, contradictions, once, with_counts
from prunebench.scaling.form import Form
from prunebench.scaling.points import Floats, Points, points_of
from prunebench.scaling.points.columns import ALIKE, OWN, SCALES, percent_hint, refusal
from prunebench.scaling.points.unpruned import with_unpruned

__all__ = ["SUFFIXES", "Contents", "read_file", "read_points"]

SUFFIXES = (".csv", ".tsv", ".txt")
"""What a file of points ends in."""

_ALIKE = ("dataset", "method", "architecture", "recipe", "split")
"""Columns of text that must hold one value: the points of a law are of one family on one data set."""

_ALIASES = {"subsample": "examples", "loss": "error"}
"""Other names that a column may have, and what it is."""

_ALSO = {"density": " (or sparsity)", "error": " (or loss)", "examples": " (or subsample)"}
_SEVERAL = "; a law is of one {0}: fit them apart"


class Contents(NamedTuple):
    """The points of a file, and what is to be said of them."""

    points: Points
    said: Sequence[str]


def read_points(path: str, form: Form, renamed: Mapping[str, str] | None = None) -> Points:
    """Return the points of a CSV file alone; `read_file` says how it is read."""
    return read_file(path, form.columns, form.most, renamed).points


def read_file(
    path: str, needed: Iterable[str], most: float = 1.0, renamed: Mapping[str, str] | None = None
) -> Contents:
    """Return the points of a CSV file, with the columns that are needed, and what is odd about them.

    Needed are `density` (or `sparsity`) and `error` (of laws of a loss `loss`), and what else a form reads.
    The unpruned error is the column `error_unpruned`, or the error of the rows at density 1 of the same
    network and seed. `subsample` is another name for `examples`. Further columns of numbers are kept, those
    of text must not tell two data sets, methods or architectures apart. A field that is empty or nan is not
    known; in a column that is not needed that is allowed.

    needed: names of columns
    most: the largest error that there can be, 1 for a fraction
    renamed: names of columns by what they hold, {"nonzero": "nonzero_millions"}; {"error": "1-accuracy"} is
        1 less a column

    Raises: FitError naming file, line and column.
    """
    table = read_table(path)
    source = _sources(table, renamed or {})
    for name in _ALIKE:
        if name in source:
            _check_alike(table, source[name].column)
    wanted = {"error", *needed} - {"error_unpruned"}
    columns = _columns(table, source, most, wanted)
    _check_there(table, columns, wanted)
    alone = once(points_of(columns, wanted), wanted - {"error"}, seeded="seed" in columns)

    def wrong(row: int, name: str, said: str) -> FitError:
        return table.wrong(int(alone.rows[row]), source[name].column, said)

    points = with_unpruned(
        with_counts(alone.points, wrong),
        needed="error_unpruned" in needed,
        where=lambda row: table.place(int(alone.rows[row])),
    )
    suspected = _suspected(table, source, points) if most == 1 else []
    return Contents(points, [*alone.said, *contradictions(points), *suspected])


def _suspected(table: Table, source: Mapping[str, _Source], points: Points) -> list[str]:
    """Return that errors look like accuracies. Raises: FitError where they are none."""
    made = accuracies(points)
    if made is None:
        return []
    own = [name for name in ("error", "error_unpruned") if name in source]
    way = " ".join(f"--column {name}={_complement(source[name])}" for name in own)
    said = f"{_taken(source['error'])} {made.said}: accuracies in place of errors? {way} takes them as such"
    if made.sure:
        raise FitError(f"{table.path}: {said}")
    return [said]


def _taken(source: _Source) -> str:
    return f"1 − column '{source.column}'" if source.complement else f"column '{source.column}'"


def _complement(source: _Source) -> str:
    return source.column if source.complement else f"1-{source.column}"


class _Source(NamedTuple):
    """Which column of a file holds something, as it is or as 1 less that."""

    column: str
    complement: bool = False


_ONE_LESS = re.compile(r"1\s*[-−]\s*(.+)")


def _sources(table: Table, renamed: Mapping[str, str]) -> dict[str, _Source]:
    """Return the columns of the file by what they hold."""
    source = {name: _renamed(table, given) for name, given in renamed.items()}
    taken = {one.column for one in source.values()}
    for column in table.names:
        lower = column.lower()
        name = _ALIASES.get(lower, lower if lower in (*OWN, *_ALIKE, "sparsity") else column)
        if column in taken or name in renamed:
            continue
        if name in source:
            raise FitError(
                f"{_head(table)}: '{source[name].column}' and '{column}' are both {name}; give one of them"
            )
        source[name] = _Source(column)
    if "density" in source and "sparsity" in source:
        raise FitError(f"{_head(table)}: 'density' and 'sparsity' are both there; give one of them")
    return source


def _head(table: Table) -> str:
    return f"{table.path}:{table.head}"


def _renamed(table: Table, given: str) -> _Source:
    one_less = _ONE_LESS.fullmatch(given)
    if given not in table.names and one_less:
        return _Source(_named(table, one_less[1]), complement=True)
    return _Source(_named(table, given))


def _named(table: Table, column: str) -> str:
    if column not in table.names:
        raise FitError(f"{table.path} has no column '{column}'{nearest(column, table.names)}")
    return column


def _check_alike(table: Table, column: str) -> None:
    texts = table.texts(column)
    for row, text in enumerate(texts):
        if text != texts[0]:
            said = f"found '{text}', before it '{texts[0]}'{_SEVERAL.format(column)}"
            raise table.wrong(row, column, said)


def _check_there(table: Table, columns: Mapping[str, Floats], needed: set[str]) -> None:
    for name in sorted(needed - set(columns)):
        hint = _accuracy(table.names) if name == "error" else ""
        hint = (
            hint or f"{nearest(name, table.names, alike=ALIKE)}; --column {name}=NAME says which column it is"
        )
        raise FitError(f"{table.path}: column '{name}'{_ALSO.get(name, '')} is missing{hint}")


def _accuracy(names: Sequence[str]) -> str:
    """Return how to take errors from a column of accuracies, where there is one."""
    accuracies = [name for name in names if re.search("^(?!.*err).*(acc|top.?1)", name, re.IGNORECASE)]
    return (
        f"; --column error=1-{accuracies[0]} takes it as 1 − {accuracies[0]}, a fraction"
        if accuracies
        else ""
    )


def _columns(table: Table, source: Mapping[str, _Source], most: float, needed: set[str]) -> dict[str, Floats]:
    """Return the columns of numbers by what they hold."""
    columns: dict[str, Floats] = {}
    for name, one in source.items():
        if name in (*needed, *OWN, "sparsity"):
            columns[name] = _numbers(table, name, one, most, needed=name in needed)
        elif name not in _ALIKE and all(
            not text or number(text) is not None for text in table.texts(one.column)
        ):
            columns[name] = _further(table, one)
    if "seed" in columns and np.isnan(columns["seed"]).all():
        del columns["seed"]
    if "sparsity" in columns:
        columns["density"] = 1 - columns.pop("sparsity")
    unpruned = columns.get("error_unpruned")
    if unpruned is not None and not {"depth", "width", "examples"} & set(columns):
        known = np.unique(unpruned[~np.isnan(unpruned)])
        if len(known) == 1:  # a single network, of which some rows do not repeat it
            columns["error_unpruned"] = np.full(len(unpruned), known[0])
    return columns


def _further(table: Table, one: _Source) -> Floats:
    """Return a column that nothing reads: what is no finite number in it is not known."""
    values = np.array([float(text or "nan") for text in table.texts(one.column)])
    return np.where(np.isfinite(values), 1 - values if one.complement else values, np.nan)


def _numbers(table: Table, name: str, one: _Source, most: float, *, needed: bool) -> Floats:
    """Return a column as numbers; NaN where a field is empty that need not be there. Raises: FitError."""
    read = [number(text) for text in table.texts(one.column)]
    known = [value for value in read if value is not None and value == value]
    # a row without its depth would be of another network, one without its seed of another run
    needed = needed or (name in (*SCALES, "seed") and bool(known))
    given = [1 - value if one.complement and value is not None else value for value in read]
    for row, text in enumerate(table.texts(one.column)):
        value = given[row]
        if not needed and (not text or (value is not None and value != value)):
            given[row] = None
        elif value is None or not np.isfinite(value):
            raise table.not_a_number(row, one.column)
        elif said := refusal(name, value, most):
            shown = f"{text}, so {value:g}" if one.complement else text
            raise table.wrong(row, one.column, f"found {shown}; allowed: {said}{percent_hint(name, known)}")
    return np.array([np.nan if value is None else value for value in given])
