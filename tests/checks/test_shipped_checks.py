"""The checks and reported numbers of the shipped suites, as they were recorded in their former spelling.

The recording holds every check that families made in November 2026, before `expect` and quantities with
parameters; here it is translated, so that a suite which is written otherwise is seen to claim the same.
"""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from prunebench.checks.frozen import frozen_checks
from prunebench.host import Host
from prunebench.suite import load_suite

HOST = Host.load(third_party=False)
FILE = Path(__file__).parents[1] / "recorded" / "checks.json.xz"
RECORDED: dict[str, Any] = json.loads(lzma.decompress(FILE.read_bytes()))

DEFAULTS = {"compare": "difference", "over": "mean", "settings": "each", "where": {}, "beside": []}
PLAIN = ("by", "range", "margin", *DEFAULTS)


def cells(selection: dict[str, Any]) -> dict[str, Any]:
    """Return a selection without its quantity and without what says nothing."""
    return {key: value for key, value in selection.items() if key != "quantity" and value not in (None, [])}


def shared(check: dict[str, Any]) -> dict[str, Any]:
    """Return what both spellings say alike."""
    found = {key: check.get(key, DEFAULTS.get(key)) for key in PLAIN}
    found |= {key: sorted(check[key]) for key in ("all", "any") if key in check}
    return {**found, "name": check["name"]}


def called(quantity: str) -> dict[str, Any]:
    """Return a quantity that is named, a field behind a colon as its parameter."""
    name, _, field = quantity.partition(":")
    return {"name": name, "of": field} if field else {"name": name}


def before(check: dict[str, Any]) -> dict[str, Any]:
    """Translate a recorded check: `claim`, `not`, `along`, `reaches`, `reference`, sides from and to."""
    found = shared(check)
    if "claim" not in check:
        return found
    found["expect"] = ("not-" if check.get("not") else "") + check["claim"]
    quantity = called(check["quantity"])
    quantity |= {key: check[key] for key in ("along",) if key in check}
    quantity |= {key: cells(check[key]) for key in ("reaches", "reference") if key in check}

    def side(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        if "from" in value:
            assert quantity == {"name": "accuracy"}
            return {"cells": cells(value["from"]), "quantity": {"name": "drop", "to": cells(value["to"])}}
        if "method" in value:
            own = called(value["quantity"]) if "quantity" in value else quantity
            return {"cells": cells(value), "quantity": own}
        return {key: [side(one) for one in each] for key, each in value.items()}

    return {**found, "of": side(check["of"]), "against": side(check["against"])}


def now(check: dict[str, Any]) -> dict[str, Any]:
    """Return a frozen check in the same form; a parameter without a method is the side's own with changes."""
    found = shared(check)
    if "expect" not in check:
        return found
    found["expect"] = check["expect"]

    def asked(quantity: Any, own: dict[str, Any]) -> dict[str, Any]:
        table = {"name": quantity} if isinstance(quantity, str) else dict(quantity)
        table |= called(table["name"])
        for key in ("to", "reaches", "reference"):
            if key in table:
                table[key] = cells(table[key] if "method" in table[key] else {**own, **table[key]})
        return table

    def side(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        if "method" in value:
            return {
                "cells": cells(value),
                "quantity": asked(value.get("quantity", check["quantity"]), cells(value)),
            }
        return {key: [side(one) for one in each] for key, each in value.items()}

    return {**found, "of": side(check["of"]), "against": side(check["against"])}


SETTING = ("architecture", "dataset", "recipe", "split")


def settled(check: dict[str, Any], kinds: dict[tuple[str, ...], Any]) -> dict[str, Any]:
    """Return a check with the suite's settings that its `where` selects: a network with one data set names it."""
    wanted = check["where"]
    chosen = [
        setting
        for setting, labels in kinds.items()
        if all(labels[key] in wanted[key] for key in SETTING if wanted.get(key) is not None)
    ]
    others = {key: value for key, value in wanted.items() if key not in SETTING and value is not None}
    assert chosen
    return {**check, "where": [sorted(chosen), others]}


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_a_suite_claims_what_it_claimed(name: str) -> None:
    """Every check by its name: cells, range, margin, by, over, settings, where, beside, quantity, expectation."""
    suite = load_suite(name, HOST)
    checks = frozen_checks(suite.checks, suite.claims).get("checks", [])
    found, wanted = ([now(c) for c in checks], [before(c) for c in RECORDED[name]["checks"]])
    by_name = {check["name"]: check for check in found}
    assert len(by_name) == len(found)
    assert by_name.keys() == {check["name"] for check in wanted}
    kinds = {tuple(cell.labels[key] for key in SETTING): cell.labels for cell in suite.cells}
    for check in wanted:
        assert settled(by_name[check["name"]], kinds) == settled(check, kinds)


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_a_suite_reports_what_it_reported(name: str) -> None:
    """Every accuracy of every source, at its method, setting and sparsity."""
    from prunebench.checks.reported import reported_rows
    from prunebench.suite.references import kinds_of

    suite = load_suite(name, HOST)
    rows = [dict(row) for row in reported_rows(suite.reported, kinds_of(suite.cells))]

    def spelled(rows: Any) -> set[str]:
        return {json.dumps({**row, "matrix": None}, sort_keys=True) for row in rows}

    assert spelled(rows) >= spelled(RECORDED[name]["reported"])


CHANGES: dict[str, Any] = {
    "not": lambda value: not value,
    "claim": lambda value: {"same": "above", "above": "same"}[value],
    "margin": lambda value: (value or 0) + 0.1,
    "by": lambda value: (value or 0) + 0.1,
    "over": lambda value: "somewhere" if value == "everywhere" else "everywhere",
    "settings": lambda value: "some",
    "range": lambda value: "extreme",
    "beside": lambda value: [*(value or []), "trivial"],
    "where": lambda value: {**(value or {}), "split": ["val"]},
    "compare": lambda value: "ratio",
    "against": lambda value: 12.5,
    "of": lambda value: {"method": "another"},
}


@pytest.mark.parametrize("key", CHANGES)
def test_the_comparison_sees_every_key(key: str) -> None:
    """A check that is recorded otherwise, in any key, is another one: of every shipped suite's."""
    single = [check for each in RECORDED.values() for check in each["checks"] if "claim" in check]
    assert len(single) == 730
    changed = [check for check in single if check.get(key) != CHANGES[key](check.get(key))]
    assert len(changed) > 600
    assert all(before({**check, key: CHANGES[key](check.get(key))}) != before(check) for check in changed)


def test_the_comparison_sees_quantities_and_their_parameters() -> None:
    """The name, a field, the axis, what is reached, a reference, and both ends of a fall."""
    single = [check for each in RECORDED.values() for check in each["checks"] if "claim" in check]
    other = {"method": "another"}
    for key, value in (
        ("along", "training"),
        ("reaches", other),
        ("reference", other),
        ("quantity", "spread"),
    ):
        mine = [check for check in single if key in check and not isinstance(check["of"].get("from"), dict)]
        assert len(mine) > 2
        assert all(before({**check, key: value}) != before(check) for check in mine if check[key] != value)
    falls = [check for check in single if "from" in check["of"]]
    assert len(falls) == 12
    for check in falls:
        for side in ("of", "against"):
            for end in ("from", "to"):
                assert before({**check, side: {**check[side], end: other}}) != before(check)
