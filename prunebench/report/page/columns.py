"""Tables packed column by column, each column in the shortest of a few forms: 20,000 rows fit into a page.

A packed table is `{"rows": n, "columns": {name: column}}`. A column is one of

- `{"k": value}`: the same value in every row;
- `{"v": [values]}`: a value a row;
- `{"r": [value, count, value, count, …]}`: runs of equal values;
- `{"t": [texts], "c": [numbers]}` or `{"t": [texts], "r": [number, count, …]}`: numbers of texts;
- `{"f": [shared, rest, shared, rest, …]}`: each text is what it shares with the one before, and its rest.

`unpack` in data.js reads them. Absent values are null.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import orjson
import pandas as pd

from prunebench.report.escapes import plain

__all__ = ["embedded", "packed", "safe"]

DIGITS = 6
"""So many significant digits of a number are in the page; the files beside it have all."""


def packed(frame: pd.DataFrame, names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return a table packed; `names`: the columns to take, and what they are called in the page."""
    taken = {name: name for name in frame} if names is None else names
    return {
        "rows": len(frame),
        "columns": {called: _column(safe(frame[name].tolist())) for name, called in taken.items()},
    }


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


def embedded(value: Any) -> str:
    """Return JSON for the content of a script element: no text in it can end the element or begin another."""
    text = orjson.dumps(value).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _number(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short.is_integer() and abs(short) < 2**53 else short


def _column(values: Sequence[Any]) -> dict[str, Any]:
    """Return the shortest form of a column."""
    spelled = [value if value is None or isinstance(value, str) else orjson.dumps(value) for value in values]
    distinct = dict(zip(spelled, values, strict=True))
    if len(distinct) <= 1:
        return {"k": values[0] if values else None}
    forms: list[dict[str, Any]] = [{"v": list(values)}]
    if len(distinct) <= len(values) // 2:
        forms.append({"r": _runs(values, spelled)})
    if all(isinstance(value, str) for value in values):
        places = {text: number for number, text in enumerate(distinct)}
        codes = [places[text] for text in spelled]
        if len(distinct) <= len(values) // 2:
            forms += [{"t": list(distinct), "c": codes}, {"t": list(distinct), "r": _runs(codes, codes)}]
        forms.append({"f": _front(values)})
    return min(forms, key=lambda form: len(orjson.dumps(form)))


def _runs(values: Sequence[Any], spelled: Sequence[Any]) -> list[Any]:
    runs: list[Any] = []
    for _, group in groupby(zip(spelled, values, strict=True), key=lambda pair: pair[0]):
        members = list(group)
        runs += [members[0][1], len(members)]
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
