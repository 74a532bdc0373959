"""Reading measured points from a CSV file of anybody's."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prunebench.errors import FitError, nearest, nearest_file
from prunebench.scaling.form import Form
from prunebench.scaling.points import Floats, Points, points_of
from prunebench.scaling.unpruned import with_unpruned

__all__ = ["SUFFIXES", "read_points"]

SUFFIXES = (".csv", ".tsv", ".txt")
"""What a file of points ends in."""

_ALIKE = ("dataset", "method", "architecture", "recipe", "split")
"""Columns of text that must hold one value: the points of a law are of one family on one data set."""

_SHARES = ("density", "sparsity")
_ERRORS = ("error", "error_unpruned")
_ALIASES = {"subsample": "examples", "loss": "error"}
"""Other names that a column may have, and what it is."""

_OWN = ("density", *_ERRORS, "depth", "width", "examples", "seed")


@dataclass(frozen=True)
class _Table:
    """A CSV file: where it is, the names of its columns, and for each row its line and its fields."""

    path: str
    names: Sequence[str]
    rows: Sequence[tuple[int, Mapping[str, str]]]

    def wrong(self, row: int, column: str, said: str) -> FitError:
        """Return an error that names file, line and column."""
        return FitError(f"{self.path}:{self.rows[row][0]}: column '{column}': {said}")

    def texts(self, column: str) -> list[str]:
        """Return a column's fields, as they are."""
        return [fields[column] for _, fields in self.rows]


def read_points(path: str, form: Form, renamed: Mapping[str, str] | None = None) -> Points:
    """Return the points of a CSV file, with what a form needs.

    Needed are `density` (or `sparsity`) and `error` (of laws of a loss `loss`), and what else the form reads.
    The unpruned error is the column `error_unpruned`, or the error of the rows at density 1 of the same
    network and seed. `subsample` is another name for `examples`. Further columns of numbers are kept, those
    of text must not tell two data sets, methods or architectures apart.

    renamed: names of columns by what they hold, {"nonzero": "nonzero_millions"}

    Raises: FitError naming file, line and column.
    """
    table = _read(path)
    source = _sources(table, renamed or {})
    for name in _ALIKE:
        if name in source:
            _check_alike(table, source[name])
    needed = {"error", *(name for name in form.columns if name != "error_unpruned")}
    columns: dict[str, Floats] = {}
    for name, column in source.items():
        if name not in _ALIKE and (
            name in _OWN or name == "sparsity" or name in needed or _numeric(table, column)
        ):
            columns[name] = _numbers(table, name, column, most=form.most, needed=name in needed)
    if "sparsity" in columns:
        columns["density"] = 1 - columns.pop("sparsity")
    _check_there(table, columns, needed)
    return with_unpruned(
        points_of(columns, form.columns), needed="error_unpruned" in form.columns, where=path
    )


def _read(path: str) -> _Table:
    text = _text(path)
    if not text.strip():
        raise FitError(f"{path}: the file is empty; allowed: a line of column names, then a line a point")
    delimiter = max(",;\t", key=text.splitlines()[0].count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    try:
        header = [name.strip() for name in next(reader)]
        lines = [(reader.line_num, fields) for fields in reader if any(field.strip() for field in fields)]
    except csv.Error as error:
        raise FitError(f"{path}:{reader.line_num}: not CSV: {error}") from error
    _check_header(path, header)
    for line, fields in lines:
        if len(fields) != len(header):
            raise FitError(f"{path}:{line}: found {len(fields)} fields; the header has {len(header)}")
    if not lines:
        raise FitError(f"{path}: no line follows the column names")
    return _Table(
        path, header, [(line, dict(zip(header, map(str.strip, f), strict=True))) for line, f in lines]
    )


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FitError(f"{path}: not UTF-8: byte {error.object[error.start]:#04x}") from error
    except FileNotFoundError as error:
        raise FitError(f"{path}: no such file{nearest_file(Path(path))}") from error
    except OSError as error:
        raise FitError(f"{path}: {error.strerror or error}") from error


def _check_header(path: str, header: Sequence[str]) -> None:
    if any(_number(name) is not None for name in header):
        raise FitError(f"{path}:1: found {', '.join(header)}; the first line must name the columns")
    for name in header:
        if not name:
            raise FitError(f"{path}:1: a column has no name")
        if header.count(name) > 1:
            raise FitError(f"{path}:1: two columns are named '{name}'")


def _sources(table: _Table, renamed: Mapping[str, str]) -> dict[str, str]:
    """Return the columns of the file by what they hold."""
    for column in renamed.values():
        if column not in table.names:
            raise FitError(f"{table.path} has no column '{column}'{nearest(column, table.names)}")
    taken = set(renamed.values())
    source = dict(renamed)
    for column in table.names:
        name = _ALIASES.get(column.lower(), column.lower() if column.lower() in (*_OWN, *_ALIKE) else column)
        if column in taken or name in renamed:
            continue
        if name in source:
            raise FitError(
                f"{table.path}:1: '{source[name]}' and '{column}' are both {name}; give one of them"
            )
        source[name] = column
    if "density" in source and "sparsity" in source:
        raise FitError(f"{table.path}:1: 'density' and 'sparsity' are both there; give one of them")
    return source


def _check_alike(table: _Table, column: str) -> None:
    texts = table.texts(column)
    for row, text in enumerate(texts):
        if text != texts[0]:
            raise table.wrong(
                row,
                column,
                f"found '{text}', before it '{texts[0]}'; a law is of one {column}: fit them apart",
            )


def _check_there(table: _Table, columns: Mapping[str, Floats], needed: set[str]) -> None:
    for name in sorted(needed - set(columns)):
        other = {"density": " (or sparsity)", "error": " (or loss)", "examples": " (or subsample)"}.get(
            name, ""
        )
        rename = f"; --column {name}=NAME says which column it is" if table.names else ""
        hint = nearest(name, table.names)
        raise FitError(f"{table.path}: column '{name}'{other} is missing{hint}{rename}")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _numeric(table: _Table, column: str) -> bool:
    return all(not text or _number(text) is not None for text in table.texts(column))


def _numbers(table: _Table, name: str, column: str, *, most: float, needed: bool) -> Floats:
    """Return a column as numbers; NaN where a field is empty that need not be there. Raises: FitError."""
    values = [_number(text) if text else None for text in table.texts(column)]
    known = [value for value in values if value is not None]
    for row, (text, value) in enumerate(zip(table.texts(column), values, strict=True)):
        if value is None and not text and not needed:
            continue
        if value is None or not np.isfinite(value):
            raise table.wrong(row, column, f"found {text or 'nothing'}; allowed: a number")
        if said := _refused(name, value, most):
            raise table.wrong(row, column, f"found {text}; allowed: {said}{_percent(name, known)}")
    return np.array([np.nan if value is None else value for value in values])


def _refused(name: str, value: float, most: float) -> str:
    """Return what is allowed where a value is not, else nothing."""
    if name == "density" and not 0 < value <= 1:
        return "the share of weights that is left, above 0, up to 1"
    if name == "sparsity" and not 0 <= value < 1:
        return "the share of weights removed, from 0 to below 1"
    if name in _ERRORS and not 0 < value <= most:
        return "a fraction above 0, up to 1" if most == 1 else "a loss above 0"
    if name in ("depth", "width", "examples") and value <= 0:
        return "a number above 0"
    if name == "seed" and (value < 0 or value != int(value)):
        return "a whole number of at least 0"
    return ""


def _percent(name: str, known: Sequence[float]) -> str:
    """Return that a column's numbers look like percent, where they do."""
    if name in (*_SHARES, *_ERRORS) and 1 < max(known) <= 100:
        return f" ({sum(value > 1 for value in known)} of {len(known)} are above 1: percent? divide by 100)"
    return ""
