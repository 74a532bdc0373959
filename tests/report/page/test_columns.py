"""Packed tables come back as they were, and in few bytes; what is embedded ends no element."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from typing import Any

import hypothesis.strategies as st
import pandas as pd
import pytest
from hostile import NAMES
from hypothesis import given, settings

from prunebench.report.page.columns import embedded, key_digits, packed, safe


def unpacked(columns: dict[str, Any], name: str, rows: int) -> list[Any]:
    """Read a column as data.js does, written anew from the description in columns.py."""
    column = columns[name]
    if "k" in column:
        return [column["k"]] * rows
    if "f" in column:
        return fronted(column["f"])
    if "x" in column:
        other = unpacked(columns, column.get("s") or column["m"], rows)
        found = other if "s" in column else [None if v is None else float(f"{100 - v:.6g}") for v in other]
        for row, value in zip(column["x"][::2], column["x"][1::2], strict=True):
            found[row] = value
        return found
    runs = column.get("r") or column.get("u") or []
    pairs = (runs[::2], runs[1::2])
    step = int("u" in column)
    values = column.get("v") or column.get("c")
    if values is None:
        values = [
            first + step * i if step else first for first, n in zip(*pairs, strict=True) for i in range(n)
        ]
    if "t" not in column:
        return list(values)
    texts = column["t"] if isinstance(column["t"], list) else fronted(column["t"]["f"])
    return [texts[value] for value in values]


def fronted(coded: list[Any]) -> list[str]:
    texts: list[str] = []
    for shared, rest in zip(coded[::2], coded[1::2], strict=True):
        texts.append((texts[-1] if texts else "")[:shared] + rest)
    return texts


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.sampled_from(["snip", "snip + shuffle", "grasp", "", "é", "👩 x"]),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(VALUES, max_size=30) | st.lists(st.sampled_from(["aaa", "aab", "b"]), max_size=30))
def test_every_column_comes_back(values: list[Any]) -> None:
    """Whatever form is the shortest."""
    whole = packed(pd.DataFrame({"x": pd.Series(values, dtype=object)}))
    through = json.loads(embedded(whole))
    assert through["rows"] == len(values)
    found = unpacked(through["columns"], "x", len(values))
    assert [(type(v), v) for v in found] == [(type(v), v) for v in values]


@pytest.mark.parametrize(
    ("values", "form"),
    [
        (["a"] * 50, {"k"}),
        ([1] * 25 + [2] * 25, {"r"}),
        ([i * i for i in range(50)], {"v"}),
        (["one", "two"] * 25, {"t", "c"}),
        ([0.512, 0.4096] * 25, {"t", "c"}),
        ([0, 1, 2, 3, 4] * 10, {"u"}),
        (["snip"] * 25 + ["grasp"] * 25, {"r"}),
        ([f"lenet-mnist-snip-d0.5-s{i}" for i in range(50)], {"f"}),
        ([], {"k"}),
    ],
)
def test_a_column_takes_the_form_that_fits(values: Sequence[Any], form: set[str]) -> None:
    column = packed(pd.DataFrame({"x": pd.Series(values, dtype=object)}))["columns"]["x"]
    assert set(column) == form


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (math.nan, None),
        (math.inf, None),
        (-math.inf, None),
        (pd.NA, None),
        (93.52112676056338, 93.5211),
        (5.0, 5),
        (1e300, 1e300),
        (10**400, str(10**400)[:1999] + "…" if len(str(10**400)) > 2000 else str(10**400)),
        (("a", 1), ["a", 1]),
        ({"a": math.nan}, {"a": None}),
    ],
)
def test_numbers_are_those_that_json_has(value: Any, plain: Any) -> None:
    assert safe(value) == plain


@pytest.mark.parametrize("name", NAMES)
def test_what_is_embedded_ends_no_element_and_begins_none(name: str) -> None:
    """No <, >, & or line separator of JavaScript is left; the text comes back as the page shows it."""
    text = embedded(safe({"x": NAMES[name], "names": {NAMES[name]: 1}}))
    assert not set(text) & set("<>&\u2028\u2029\u202e\x00")
    assert json.loads(text)["x"] == safe(NAMES[name])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0, 100) | st.none(), min_size=30, max_size=60), st.sampled_from(["s", "m"]))
def test_a_column_that_is_told_by_another_comes_back(values: list[float | None], form: str) -> None:
    """As it was to six digits: the same, or what is left to 100, but for some rows."""
    numbers = pd.Series([safe(value) for value in values], dtype=float)
    other = numbers if form == "s" else 100 - numbers
    other.iloc[3] = 7.25
    whole = json.loads(embedded(packed(pd.DataFrame({"a": numbers, "b": other}))))
    found = unpacked(whole["columns"], "b", len(values))
    assert found == [safe(value) for value in other]
    if "v" in whole["columns"]["a"]:
        assert set(whole["columns"]["b"]) - {"v", "t", "c", "r"} in ({"x", form}, set())


def test_keys_keep_their_first_twelve_digits() -> None:
    keys = [hashlib.sha256(bytes([i])).hexdigest() for i in range(20)]
    text = key_digits(keys)["h"]
    assert [base64.b64decode(text[8 * i : 8 * i + 8]).hex() for i in range(20)] == [key[:12] for key in keys]
