"""CSV: a line a row, texts that no spreadsheet takes for formulas, numbers as they are."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from prunebench.report.escapes import csv_field
from prunebench.report.formats.values import plain_value

__all__ = ["write"]

_text = lru_cache(maxsize=10_000)(csv_field)
"""Rows say the same names again and again."""


def write(rows: Iterable[Mapping[Any, Any]], columns: Sequence[str], *, digits: int | None = 10) -> str:
    """Return `columns` of the rows as CSV, the columns' names first; what is absent is empty.

    Floats have so many significant `digits`, or all that they need (None).
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([csv_field(name) for name in columns])
    for row in rows:
        writer.writerow([_field(plain_value(row[name], digits)) for name in columns])
    return out.getvalue()


def _field(value: Any) -> Any:
    """Return a plain value as one field: of a list its entries, of a layer its name and seeds."""
    if isinstance(value, list):
        return _text("; ".join(str(_field(item)) for item in value))
    if isinstance(value, dict):
        return f"{value['layer']}{' (output)' if value['output'] else ''}: {value['seeds']}"
    if value is None:
        return ""
    return _text(value) if isinstance(value, str) else value
