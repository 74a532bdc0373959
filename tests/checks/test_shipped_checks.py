"""What the checks of the shipped suites claim, against what they claimed before an audit of the paper's sentences.

The recording holds every check that families made in early November 2026, before `expect`, before quantities with
parameters and before the audit. It is translated here; what the audit corrected is written down, pattern by
pattern with the keys that changed, so that every other check is seen to claim what it claimed.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable
from fnmatch import fnmatchcase
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


CORRECTED: dict[str, dict[str, set[str]]] = {
    "pai": {
        # ends of ranges are decided at a step of the grid, which is all that they can differ by
        "P2-*-after-training-lasts-longer-than-*": {"margin"},
        "P5-*-no-further-than-random": {"margin"},
        # "at most so many points below", by what matters
        "P4-*-below-the-best": {"margin"},
        "S3-*-early-methods-within-*": {"margin", "of", "against", "by"},
        # over the mean of the sparsities that are meant, not at each or at one of them
        "P4-vgg16-snip-above-synflow-beyond-91.4": {"range", "beside"},
        "P4-resnet18-synflow-as-snip-to-79": {"over"},
        "E1-*-snip-*-loses-less-than-magnitude": {"over"},
        # half a point to one: three seeds do not tell a quarter of a point apart
        "P4-resnet50-*-half-to-one-point-above-grasp": {"margin"},
        # one variance: at the highest matching sparsity, against random pruning that is trained alike
        "A4-*-magnitude-loses": {"range", "beside", "margin"},
        "A4-*-fixed-variance-scores-magnitude-falls-to-random": {"range", "beside"},
        "A4-*-fixed-variance-magnitude-falls-to-random": {"range", "beside", "against"},
        "A4-*-fixed-variance": {"all"},
        "A4-*-fixed-variance-scores": {"all"},
        # effective parameters at the highest sparsity: masks differ by more than the table's last digits
        "S2-*-highest": {"margin"},
        "S2-*-at-least-0.9921-at-the-highest": {"margin"},
        "S2-*-at-most-1.0353-beyond": {"by", "margin"},
        "S3-*-prunes-shortcuts-much-less": {"by"},
    },
    "pai-after-init": {"T1-resnet[15][80]-grasp-improves-little": {"by"}},
    "pai-lenet": {"K2-grasp-*-raises-at-low": {"margin"}},
    "pai-modified-resnet18": {
        # the suite has the unpruned ResNet-18 beside it now
        "L[12456]-*": {"where"},
        "L3-*-loses-nothing": {"where"},
        "L3-*-magnitude-loses": {"where", "margin"},
    },
}
"""By suite, patterns of names and the keys in which these checks are otherwise than they were."""

GONE: dict[str, tuple[str, ...]] = {
    "pai": (
        # sums of a sentence's checks: the sentence itself is a claim now
        *(
            f"{a}-{n}"
            for a in ("P1", "P2", "A1", "A2", "A3")
            for n in ("resnet20", "vgg16", "resnet18", "resnet50")
        ),
        *("P3-each-is-best-somewhere", "P3-no-single-best", "P3-grasp-is-worst"),
        *("P3-grasp-below-every-other-somewhere", "P6-*-grasp-overtakes-*"),
        # not less than every layer: less than the others on average
        "S3-*-prunes-the-output-least",
    ),
    "pai-after-init": (
        *("T1-resnet20", "T1-vgg16", "T1-resnet18", "T1-resnet50"),
        # a crossing of "LTR less what matters" came too early: above LTR just before, not above then
        "T2-*-magnitude-reaches-ltr-at-*",
        # sensitive *after* this step: nothing is lost at the one before
        *("T3-resnet20-*-loses-nothing-at-5000", "T3-vgg16-*-loses-nothing-at-10000"),
        "T3-resnet18-*-loses-nothing-at-4000",
        # they stand in pai
        *("E1-*", "E2-*", "E3-*"),
    ),
    "pai-extreme": ("P7-vgg11", "P7-vgg16"),
    "pai-lenet": ("K1-alike-at-low", "K2-shuffling-hurts-at-the-highest-alone"),
}
"""By suite, patterns of the names that are no more."""


def matching(name: str, patterns: Iterable[str]) -> list[str]:
    """Return the patterns that a name fits."""
    return [pattern for pattern in patterns if fnmatchcase(name, pattern)]


def compared(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a suite's checks by their names: as they were, and as they are."""
    suite = load_suite(name, HOST)
    checks = frozen_checks(suite.checks, suite.claims).get("checks", [])
    kinds = {tuple(cell.labels[key] for key in SETTING): cell.labels for cell in suite.cells}
    was, is_ = ([before(c) for c in RECORDED[name]["checks"]], [now(c) for c in checks])
    assert len({check["name"] for check in is_}) == len(is_)
    return tuple({c["name"]: settled(c, kinds) if "expect" in c else c for c in each} for each in (was, is_))  # type: ignore[return-value]


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_a_suite_claims_what_it_claimed_but_for_what_was_corrected(name: str) -> None:
    """Every check by its name: cells, range, margin, by, over, settings, where, beside, quantity, expectation.

    A correction changes the keys that it says and no other; each one is of some check.
    """
    was, is_ = compared(name)
    corrected, gone = CORRECTED.get(name, {}), GONE.get(name, ())
    used: set[str] = set()
    for check in was:
        patterns = matching(check, gone)
        used |= set(patterns)
        assert (check not in is_) == bool(patterns), check
        if patterns:
            continue
        differing = {key for key in {*was[check], *is_[check]} if was[check].get(key) != is_[check].get(key)}
        allowed = matching(check, corrected)
        used |= {pattern for pattern in allowed if differing}
        assert differing <= {key for pattern in allowed for key in corrected[pattern]}, check
    assert used == {*corrected, *gone}


def test_the_corrections_are_what_was_asked_for() -> None:
    """Margins, ranges and bounds of the checks that the audit found wrong, as they are to be."""
    pai, after, extreme = (compared(name)[1] for name in ("pai", "pai-after-init", "pai-extreme"))
    lenet = compared("pai-lenet")[1]
    everywhere = ("resnet20", "vgg16", "resnet18", "resnet50")
    for n in everywhere:
        for m in ("magnitude", "snip", "grasp", "synflow"):
            above = pai[f"P2-{n}-after-training-above-{m}-at-the-highest"]
            assert (above["expect"], above["against"]["cells"]) == ("above", {"method": m})
            assert pai[f"S2-{n}-{m}-highest"]["margin"] == 0.02
            assert pai[f"S2-{n}-{m}-highest-matching"]["margin"] == 0.001
            beyond = pai[f"S2-{n}-{m}-at-most-1.0353-beyond"]
            assert (beyond["by"], beyond["margin"]) == (1.05, 0.02)
        control = pai[f"A4-{n}-fixed-variance-magnitude-falls-to-random"]["against"]["cells"]
        assert control == {"method": "random", "ablations": ["fixed-variance"]}
        output = pai[f"S3-{n}-magnitude-prunes-the-output-less"]
        assert output["of"]["quantity"] == {"name": "mean", "of": EVERY}
        assert output["against"]["quantity"] == {"name": "mean", "of": "layer-sparsity.output"}
    for n in ("resnet20", "resnet50"):
        assert pai[f"P5-{n}-snip-no-further-than-random"]["margin"] == 0.21
    for check in matching_checks(pai, "P4-*-below-the-best", "S3-*-early-methods-within-*"):
        assert check["margin"] is None
    assert pai["P4-resnet18-synflow-as-snip-to-79"]["over"] == "mean"
    assert pai["P4-vgg16-snip-above-synflow-beyond-91.4"]["range"] == {"from": 0.931}
    assert all(check["margin"] == 0.5 for check in matching_checks(pai, "P4-resnet50-*-above-grasp"))
    assert all(check["by"] == -0.05 for check in matching_checks(pai, "S3-*-shortcuts-much-less"))
    assert all(check["over"] == "mean" for check in matching_checks(pai, "E1-*-less-than-magnitude"))
    assert all(check["margin"] == 0.1 for check in matching_checks(pai, "A4-*-magnitude-loses"))
    steps = {
        "resnet20": (22000, 25000, 3000),
        "vgg16": (23000, 26000, 6000),
        "resnet18": (32000, 36000, 2000),
    }
    for n, (ahead, step, onset) in steps.items():
        assert after[f"T2-{n}-ltr-above-magnitude-at-{ahead}"]["expect"] == "above"
        assert after[f"T2-{n}-ltr-not-above-magnitude-at-{step}"]["expect"] == "not-above"
        assert f"T3-{n}-magnitude-shuffle-loses-nothing-at-{onset}" in after
    little = [after[f"T1-{n}-grasp-improves-little"]["by"] for n in everywhere]
    assert little == [0.5, 0.5, 1.0, 1.0]
    assert len(matching_checks(after, "T1-*-random-does-not-improve-late")) == 4
    assert [
        extreme[f"P7-{n}"]["against"] for n in ("vgg11-random-near-chance", "vgg16-random-falls-to-chance")
    ] == [
        12.3,
        10.0,
    ]
    assert [lenet[f"K2-grasp-{a}-raises-at-low"]["margin"] for a in ("shuffle", "reinit")] == [0.05, 0.05]


EVERY = "layer-sparsity.layers.*.sparsity"


def matching_checks(checks: dict[str, Any], *patterns: str) -> list[dict[str, Any]]:
    """Return the checks of names that fit one of the patterns: some at least."""
    chosen = [check for name, check in checks.items() if matching(name, patterns)]
    assert chosen
    return chosen


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_a_suite_reports_what_it_reported(name: str) -> None:
    """Every accuracy that was recorded, at its method, setting and sparsity; a source says its table now."""
    from prunebench.checks.reported import reported_rows
    from prunebench.suite.references import kinds_of

    suite = load_suite(name, HOST)
    rows = [dict(row) for row in reported_rows(suite.reported, kinds_of(suite.cells))]

    columns = set(RECORDED[name]["reported"][0]) - {"matrix"} if RECORDED[name]["reported"] else set()

    def spelled(rows: Any) -> set[str]:
        plain = ({**row, "source": row["source"].partition(", Table")[0]} for row in rows)
        return {json.dumps({key: row[key] for key in columns}, sort_keys=True) for row in plain}

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
