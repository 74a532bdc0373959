"""Checks as the page has them: effect, bounds and threshold are of one quantity."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from simulated import simulate

from prunebench.report.page.verdicts import checks
from prunebench.report.page.words import _verdicts
from prunebench.report.results import Results


@pytest.mark.parametrize("suite", ["pai-lenet", pytest.param("pai", marks=pytest.mark.slow)])
def test_no_effect_lies_outside_its_own_bounds(suite: str) -> None:
    """Of every check of a simulated suite: means of pairs and ratios, shares, borders of mean curves."""
    made = simulate(suite)
    results: Results = made.results
    rows = checks(results.verdicts, results.cells).frame.to_dict("records")
    compared = [row for row in rows if isinstance(row["low"], float) and not math.isnan(row["low"])]
    outside = [
        (row["check"], row["low"], row["effect"], row["high"])
        for row in compared
        if not (
            row["low"] - 1e-9 <= row["effect"] and (row["high"] == "∞" or row["effect"] <= row["high"] + 1e-9)
        )
    ]
    assert len(compared) > 30
    assert outside == []
    assert {row["by"] for row in compared} - {0.0}  # some are set against another threshold


def test_one_claim_that_fails_is_said_in_the_singular_and_checks_of_no_claim_are_no_claims() -> None:
    """As many claims as the suite has."""
    found = [("fails", False), ("holds", False), ("holds", False), ("open", True)]
    claims = [SimpleNamespace(verdict=verdict, own=own) for verdict, own in found]
    said = [" ".join(fact) for fact in _verdicts(SimpleNamespace(claims=claims))]  # type: ignore[arg-type]
    assert said == ["2 claims hold", "1 claim fails", "1 check open"]
