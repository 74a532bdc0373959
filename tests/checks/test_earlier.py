"""Spellings of checks that are no longer any: whoever follows what is said of them has a check that is read."""

from __future__ import annotations

import re
import tomllib
from itertools import product
from typing import Any

import pytest

from prunebench.checks.earlier import earlier_spellings
from prunebench.checks.read import read_checks
from prunebench.reading.cursor import Cursor, Problems

ABSENT = object()
KEYS: dict[str, list[Any]] = {
    "claim": [ABSENT, "above", "same", "C1"],
    "not": [ABSENT, True, False],
    "expect": [ABSENT, "above", "not-same", "abov"],
}
CURVES: dict[str, list[Any]] = {
    "quantity": [
        *(ABSENT, "accuracy", "crossing", "slope", "distance:layer-sparsity.*", "spread", {"name": "slope"}),
        *({"name": "crossing", "along": "score_at"}, {"name": "distance", "of": "layer-sparsity.*"}),
        {"name": "crossing", "reaches": {"method": "after"}},
    ],
    "along": [ABSENT, "sparsity", "score_at"],
    "reaches": [ABSENT, {"method": "random"}],
    "reference": [ABSENT, {"method": "random", "ablations": ["shuffle"]}],
    "of": [{"method": "snip"}, {"from": {"method": "snip"}, "to": {"ablations": ["shuffle"]}}],
    "margin": [ABSENT, 1.0],
}
CHECK = {"name": "c", "against": {"method": "random"}, "range": "all"}
FILLED = {
    "along = …": "along = 'sparsity'",
    "{…}": "{ablations = ['shuffle']}",
    "{method = …}": "{method = 'after'}",
    ":…": ":layer-sparsity.*",
}

OR = "leave it out, or give "


def tables(keys: dict[str, list[Any]], **rest: Any) -> list[dict[str, Any]]:
    """Return a check for each combination of these keys' values."""
    return [
        {**rest, **{key: value for key, value in zip(keys, values, strict=True) if value is not ABSENT}}
        for values in product(*keys.values())
    ]


def advised(table: dict[str, Any], messages: list[tuple[Any, str]], way: str) -> dict[str, Any]:
    """Return a table after all that is said of it was done: of two ways the first, or the "other"."""
    new = dict(table)
    for place, message in messages:
        for key in place or re.findall(r"(claim|not) = ", message):
            new.pop(key)
        if place == ("of",):
            new["of"] = {"method": "snip"}
    told = [message for _, message in messages]
    others = [message.partition(OR)[2] for message in told if OR in message] if way == "other" else []
    for message in [*(message for message in told if "leave it out" not in message), *others[:1]]:
        advice, margin, _ = message.partition(", and a margin")
        for text in re.findall(r"((?:quantity|expect) = .*)", advice):
            for blank, value in FILLED.items():
                text = text.replace(blank, value)
            new |= tomllib.loads(text) | ({"margin": 1.0} if margin else {})
    return new


def problems(table: dict[str, Any], host: Any) -> set[str]:
    """Return what is wrong with a check by itself."""
    found = Problems("", {"check": [table]})
    read_checks({"check": [table]}, Cursor(found), host)
    return set(found.lines)


@pytest.mark.parametrize("way", ["first", "other"])
@pytest.mark.parametrize(
    "given",
    [
        *(tables(KEYS, **CHECK, of={"method": "snip"}, margin=1.0),),
        *(tables(CURVES, **CHECK, expect="above"),),
        *(tables({**KEYS, **CURVES, "quantity": [ABSENT], "of": [ABSENT]}, name="g", all=["c"]),),
    ],
    ids=["expect", "quantity", "group"],
)
def test_who_follows_what_is_said_has_a_check_that_is_read(
    given: list[dict[str, Any]], way: str, host: Any
) -> None:
    """Nothing new is wrong with it then: nothing but what was wrong without the keys that are no more."""
    followed = 0
    for table in given:
        if messages := list(earlier_spellings(table)):
            new = advised(table, messages, way)
            gone = {key for place, _ in messages for key in place} - {"of"}
            without = {key: value for key, value in table.items() if key not in {*gone, "claim", "not"}}
            without |= {"of": {"method": "snip"}} if "of" in table else {}
            if "all" not in table:
                without["expect"] = "above"
            known = problems(without, host)
            if "margin" not in table and table.get("quantity", "accuracy") != "accuracy":
                known |= {
                    line for line in problems(new, host) if line.startswith("check[0].margin: is missing")
                }
            assert problems(new, host) <= known, (table, messages, new)
            followed += 1
    assert followed > 10
