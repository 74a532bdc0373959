"""Tables column by column, and all of a page's data deflated: 20,000 rows fit into a page.

A packed table is `{"rows": n, "columns": {name: column}}`. A column is a list with a value a row, or
`{"k": value}`: the same value in every row. Absent values are null. What repeats along a column costs next
to nothing once it is deflated; js/1-data.js inflates it by the browser's own means.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson
import pandas as pd

from prunebench.numbers import shortened
from prunebench.report.escapes import plain

__all__ = ["deflated", "packed", "safe"]

DIGITS = 6
"""So many significant digits of a number are in the page, more where it would be written otherwise else.

`prunebench leaderboard` prints ten.
"""


def packed(
    frame: pd.DataFrame, names: Sequence[str] | None = None, forms: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return a table packed; `names`: the columns to take; `forms`: how some are written, keys of FORMS.

    A number is shortened to so many digits that the page writes it as all of them would be
    (`numbers.shortened`): fewer where its form is known.
    """
    taken = [str(name) for name in frame] if names is None else names
    forms = forms or {}
    columns: dict[str, Any] = {}
    for name in taken:
        values = _safe_column(frame[name], forms.get(name, ""))
        alike = not values or all(value == values[0] and type(value) is type(values[0]) for value in values)
        columns[name] = {"k": values[0] if values else None} if alike else values
    return {"rows": len(frame), "columns": columns}


def safe(value: Any, short: Callable[[float], Any] | None = None) -> Any:
    """Return a value as JSON has it: texts harmless, no NaN or infinity, numbers to six digits.

    `short`: what else becomes of finite numbers that are not whole.
    """
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, str):
        return plain(value)
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**53):
        return value
    if isinstance(value, int):
        return str(value) if abs(value) > 1e300 else _number(float(value))
    if isinstance(value, float):
        return short(value) if short and math.isfinite(value) else _number(value)
    if isinstance(value, Mapping):
        return {plain(str(name)): safe(item, short) for name, item in value.items()}
    if isinstance(value, Iterable):
        return [safe(item, short) for item in value]
    return plain(str(value))


def _safe_column(column: pd.Series, form: str) -> list[Any]:
    """Return a column's values as `safe` does, each different one once."""
    values = column.tolist()
    if pd.api.types.is_float_dtype(column):
        numbers = {value: _number(float(value), form) for value in set(values) if not pd.isna(value)}
        return [numbers.get(value) for value in values]
    if not all(isinstance(value, str | float) for value in values):
        return [safe(value) for value in values]
    known = {value: safe(value) for value in set(values)}
    return [known.get(value) for value in values]  # a NaN that is not itself is null as well


def deflated(value: Any) -> str:
    """Return a value as JSON, deflated (RFC 1950) in base64: no text in it can end an element of the page."""
    return base64.b64encode(zlib.compress(orjson.dumps(value), 9)).decode()


def _number(value: float, form: str = "") -> float | int | None:
    if not math.isfinite(value):
        return None
    if value.is_integer() and abs(value) < 2**53 and form not in _FEW_DIGITS:
        return int(value)
    return _whole(shortened(value, _FEW_DIGITS.get(form, DIGITS), form))


_FEW_DIGITS = {"points": 5, "difference": 4, "amount": 4, "seconds": 4, "share": 5, "factor": 4}
"""Significant digits of numbers whose form is known."""


def _whole(value: float) -> float | int:
    """Return a number that is whole as such: it has one character less."""
    return int(value) if value.is_integer() and abs(value) < 2**53 else value
