"""A CSV file as text: where it is, its columns, and for each row its line and its fields."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prunebench.errors import FitError, nearest_file

__all__ = ["Table", "number", "read_table"]

_SEPARATOR = re.compile(r"sep=(.)\s*", re.IGNORECASE)
"""A first line that tells spreadsheets what separates the columns."""

_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+(e[-+]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class Table:
    """A CSV file: where it is, the names of its columns, and for each row its line and its fields."""

    path: str
    names: Sequence[str]
    rows: Sequence[tuple[int, Mapping[str, str]]]
    head: int
    """The line of the names."""

    def place(self, row: int) -> str:
        """Return file and line of a row."""
        return f"{self.path}:{self.rows[row][0]}"

    def wrong(self, row: int, column: str, said: str) -> FitError:
        """Return an error that names file, line and column."""
        return FitError(f"{self.place(row)}: column '{column}': {said}")

    def texts(self, column: str) -> list[str]:
        """Return a column's fields, as they are."""
        return [fields[column] for _, fields in self.rows]

    def not_a_number(self, row: int, column: str) -> FitError:
        """Return the error for a field that is no number."""
        text = self.texts(column)[row]
        if _DECIMAL_COMMA.fullmatch(text):
            point = text.replace(",", ".")
            return self.wrong(
                row, column, f"found {text}; allowed: a decimal point, as {point}, and no commas"
            )
        return self.wrong(row, column, f"found {text or 'nothing'}; allowed: a number")


def number(text: str) -> float | None:
    """Return a field as a number, None where it is none."""
    try:
        return float(text)
    except ValueError:
        return None


def read_table(path: str) -> Table:
    """Return the table that a file holds; lines that begin with # are comments.

    The columns are separated by what a first line `sep=;` says, else by the commas, semicolons or tabs of the
    line of names.

    Raises: FitError naming file and line.
    """
    lines, comments, separator = _lines(path)
    reader = csv.reader(lines, delimiter=separator)
    try:
        read = [(reader.line_num, [field.strip() for field in fields]) for fields in reader]
    except csv.Error as error:
        raise FitError(f"{path}:{reader.line_num}: not CSV: {error}") from error
    (head, names), *rows = [one for one in read if any(one[1])]
    _check_names(f"{path}:{head}", names, comments[-1:], separator)
    for line, fields in rows:
        if len(fields) != len(names):
            hint = _width_hint(len(fields), len(names), separator)
            raise FitError(f"{path}:{line}: found {len(fields)} fields; the header has {len(names)}{hint}")
    if not rows:
        raise FitError(f"{path}: no line follows the column names")
    return Table(path, names, [(line, dict(zip(names, fields, strict=True))) for line, fields in rows], head)


def _lines(path: str) -> tuple[list[str], list[str], str]:
    """Return the lines with comments made empty, the comments before the names, and the separator."""
    lines = _text(path).splitlines(keepends=True)
    said = _SEPARATOR.fullmatch(lines[0]) if lines else None
    if said:
        lines[0] = "\n"
    comments = [line.strip()[1:].strip() for line in lines if line.lstrip().startswith("#")]
    lines = ["\n" if line.lstrip().startswith("#") else line for line in lines]
    head = next((line for line in lines if line.strip()), None)
    if head is None:
        raise FitError(f"{path}: the file is empty; allowed: a line of column names, then a line a point")
    return lines, comments, said[1] if said else max(",;\t", key=head.count)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FitError(f"{path}: not UTF-8: byte {error.object[error.start]:#04x}") from error
    except FileNotFoundError as error:
        raise FitError(f"{path}: no such file{nearest_file(Path(path))}") from error
    except OSError as error:
        raise FitError(f"{path}: {error.strerror or error}") from error


def _check_names(place: str, names: Sequence[str], comment: Sequence[str], separator: str) -> None:
    if any(number(name) is not None or _DECIMAL_COMMA.fullmatch(name) for name in names):
        named = [one for one in comment if one.count(separator) == len(names) - 1]
        hint = f"; the comment '# {named[0]}' seems to: take its # away" if named else ""
        raise FitError(f"{place}: found {', '.join(names)}; the first line must name the columns{hint}")
    for name in names:
        if not name:
            raise FitError(f"{place}: a column has no name: found '{separator.join(names)}'")
        if names.count(name) > 1:
            raise FitError(f"{place}: two columns are named '{name}'")


def _width_hint(there: int, wanted: int, separator: str) -> str:
    if wanted == 1:
        return "; the columns are separated by commas, semicolons or tabs: the same in all lines"
    return "; decimal commas? write points, as 0.5" if there > wanted and separator == "," else ""
