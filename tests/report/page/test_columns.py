"""Packed tables come back as they were, and in few bytes; what is embedded ends no element."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import hypothesis.strategies as st
import pandas as pd
import pytest
from hostile import NAMES
from hypothesis import given, settings

from prunebench.report.page.columns import embedded, packed, safe


def unpacked(column: dict[str, Any], rows: int) -> list[Any]:
    """Read a column as data.js does, written anew from the description in columns.py."""
    if "k" in column:
        return [column["k"]] * rows
    if "f" in column:
        texts: list[str] = []
        for shared, rest in zip(column["f"][::2], column["f"][1::2], strict=True):
            texts.append((texts[-1] if texts else "")[:shared] + rest)
        return texts
    values = column.get("v") or column.get("c")
    if values is None:
        runs = column["r"]
        values = [value for value, n in zip(runs[::2], runs[1::2], strict=True) for _ in range(n)]
    return [column["t"][value] for value in values] if "t" in column else list(values)


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
    found = unpacked(through["columns"]["x"], len(values))
    assert [(type(v), v) for v in found] == [(type(v), v) for v in values]


@pytest.mark.parametrize(
    ("values", "form"),
    [
        (["a"] * 50, {"k"}),
        ([1] * 25 + [2] * 25, {"r"}),
        (list(range(50)), {"v"}),
        (["one", "two"] * 25, {"t", "c"}),
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
