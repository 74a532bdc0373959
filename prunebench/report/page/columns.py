"""Tables packed column by column, each column in the shortest of a few forms: 20,000 rows fit into a page.

A packed table is `{"rows": n, "columns": {name: column}}`. A column is one of

- `{"k": value}`: the same value in every row;
- `{"v": [values]}`: a value a row;
- `{"r": [value, count, value, count, …]}`: runs of equal values;
- `{"t": [values], "c": [numbers]}` or `{"t": [values], "r": [number, count, …]}`: numbers of values;
- `{"u": [first, count, first, count, …]}`: whole numbers that count up;
- `{"s": column, "x": [row, value, …]}`: as another column, but for some rows; with "m" for "s", 100 less it;
- `{"f": [shared, rest, shared, rest, …]}`: each text is what it shares with the one before, and its rest;
- `{"h": "…"}`: keys, of each its first twelve hexadecimal digits, as eight of base64;
- `{"j": [columns]}`: each text is those of other columns of the row, joined;
- `{"p": column}`: 100 times another column.

The texts of "t" may be `{"f": …}` themselves. `unpack` in js/1-data.js reads them. Absent values are null.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import orjson
import pandas as pd

from prunebench.numbers import shortened
from prunebench.report.escapes import plain

__all__ = ["embedded", "key_digits", "packed", "safe"]

DIGITS = 6
"""So many significant digits of a number are in the page, more where it would be written otherwise else.

`prunebench leaderboard` prints ten.
"""

_FEW = 20
"""Of more rows a column of numbers may be told by another one."""


def packed(
    frame: pd.DataFrame, names: Sequence[str] | None = None, forms: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return a table packed; `names`: the columns to take; `forms`: how some are written, keys of FORMS.

    A number is shortened to so many digits that the page writes it as all of them would be
    (`numbers.shortened`): fewer where its form is known.
    """
    taken = [str(name) for name in frame] if names is None else names
    forms = forms or {}
    columns: dict[str, dict[str, Any]] = {}
    numbers: dict[str, Sequence[Any]] = {}
    for name in taken:
        column = frame[name]
        values = _safe_column(column, forms.get(name, ""))
        columns[name] = _column(values)
        if pd.api.types.is_float_dtype(column) and len(columns[name].get("v", ())) > _FEW:
            columns[name] = _beside(values, numbers) or columns[name]
            numbers[name] = values
    return {"rows": len(frame), "columns": columns}


def key_digits(keys: Sequence[str]) -> dict[str, Any]:
    """Return a column of keys: of each the first twelve digits."""
    return {"h": "".join(base64.b64encode(bytes.fromhex(key[:12])).decode() for key in keys)}


def safe(value: Any) -> Any:
    """Return a value as JSON has it: texts harmless, numbers to six digits, no NaN or infinity."""
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
        return _number(value)
    if isinstance(value, Mapping):
        return {plain(str(name)): safe(item) for name, item in value.items()}
    if isinstance(value, Iterable):
        return [safe(item) for item in value]
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


def embedded(value: Any) -> str:
    """Return JSON for the content of a script element: no text in it can end the element or begin another."""
    text = orjson.dumps(value).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


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


def _column(values: Sequence[Any]) -> dict[str, Any]:
    """Return the shortest form of a column by itself."""
    plain_kinds = {type(value) for value in values} <= _SCALARS
    spelled = values if plain_kinds else [orjson.dumps(value) for value in values]
    distinct = dict(zip(spelled, values, strict=True))
    if len(distinct) <= 1:
        return {"k": values[0] if values else None}
    forms: list[dict[str, Any]] = [{"v": list(values)}]
    texts = all(isinstance(value, str) for value in values)
    if len(distinct) <= len(values) // 2:
        places = {text: number for number, text in enumerate(distinct)}
        codes = [places[text] for text in spelled]
        known: list[Any] = [list(distinct.values())]
        known += [{"f": _front(list(distinct.values()))}] if texts else []
        shortest = min(known, key=lambda each: len(orjson.dumps(each)))
        forms += [{"t": shortest, "c": codes}, {"t": shortest, "r": _runs(codes)}]
        forms.append({"r": _runs(values, spelled)})
    if texts:
        forms.append({"f": _front(values)})
    if all(type(value) is int for value in values):
        forms.append({"u": _counting(values)})
    return min(forms, key=lambda form: len(orjson.dumps(form)))


_SCALARS = {str, int, float, type(None)}
"""Kinds of values that are equal where JSON spells them alike."""


def _beside(values: Sequence[Any], others: Mapping[str, Sequence[Any]]) -> dict[str, Any] | None:
    """Return a column of numbers as another one, or as 100 less another one, where most rows are so."""
    for name, other in others.items():
        for form, wanted in (("s", other), ("m", [_complement(value) for value in other])):
            rows = enumerate(zip(values, wanted, strict=True))
            exceptions = [(row, mine) for row, (mine, its) in rows if mine != its]
            if 4 * len(exceptions) < len(values):
                return {form: name, "x": [part for pair in exceptions for part in pair]}
    return None


def _complement(value: Any) -> float | int | None:
    return None if value is None else _whole(float(f"{100 - value:.{DIGITS}g}"))


def _runs(values: Sequence[Any], spelled: Sequence[Any] | None = None) -> list[Any]:
    runs: list[Any] = []
    pairs = zip(values if spelled is None else spelled, values, strict=True)
    for _, group in groupby(pairs, key=lambda pair: pair[0]):
        members = list(group)
        runs += [members[0][1], len(members)]
    return runs


def _counting(values: Sequence[int]) -> list[int]:
    """Return runs that count up by one: the first number, how many, the first number, how many."""
    runs: list[int] = []
    for value in values:
        if runs and value == runs[-2] + runs[-1]:
            runs[-1] += 1
        else:
            runs += [value, 1]
    return runs


def _front(texts: Sequence[str]) -> list[Any]:
    coded: list[Any] = []
    before = ""
    for text in texts:
        shared = next(
            (i for i, (a, b) in enumerate(zip(before, text, strict=False)) if a != b),
            min(len(before), len(text)),
        )
        coded += [shared, text[shared:]]
        before = text
    return coded
