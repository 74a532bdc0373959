"""Packed tables come back as they were, and in few bytes; what is deflated ends no element."""

from __future__ import annotations

import base64
import json
import math
import re
import zlib
from typing import Any

import hypothesis.strategies as st
import pandas as pd
import pytest
from hostile import NAMES
from hypothesis import given, settings

from prunebench.report.page.columns import deflated, packed, safe


def inflated(text: str) -> Any:
    """Read deflated data as a browser does (RFC 1950)."""
    return json.loads(zlib.decompress(base64.b64decode(text, validate=True)))


def unpacked(columns: dict[str, Any], name: str, rows: int) -> list[Any]:
    """Read a column as 1-data.js does, written anew from the description in columns.py."""
    column = columns[name]
    return column if isinstance(column, list) else [column["k"]] * rows


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.sampled_from(["snip", "snip + shuffle", "grasp", "", "é", "👩 x"]),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(VALUES, max_size=30) | st.lists(st.sampled_from(["aaa", "aab", "b"]), max_size=30))
def test_every_column_comes_back(values: list[Any]) -> None:
    whole = packed(pd.DataFrame({"x": pd.Series(values, dtype=object)}))
    through = inflated(deflated(whole))
    assert through["rows"] == len(values)
    found = unpacked(through["columns"], "x", len(values))
    assert [(type(v), v) for v in found] == [(type(v), v) for v in values]


def test_what_repeats_costs_next_to_nothing() -> None:
    """A column of one value is that value; one of few values or of names that resemble each other is small."""
    names = [f"lenet-mnist-snip-d0.{i // 5}-s{i % 5}" for i in range(5000)]
    frame = pd.DataFrame({"one": 1, "few": ["snip", "grasp"] * 2500, "names": names})
    whole = packed(frame)
    assert whole["columns"]["one"] == {"k": 1}
    assert len(deflated(whole)) < 20_000 < len(json.dumps(whole)) / 8


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
def test_what_is_deflated_ends_no_element_and_begins_none(name: str) -> None:
    """Only letters, digits and three signs are left; the text comes back as the page shows it."""
    text = deflated(safe({"x": NAMES[name], "names": {NAMES[name]: 1}}))
    assert re.fullmatch("[A-Za-z0-9+/]+=*", text)
    assert inflated(text)["x"] == safe(NAMES[name])
