"""From a table of cells to verdicts: which numbers are compared, and what is said of them."""

from __future__ import annotations

from typing import Any

import pytest
from prunebench_plugins.quantities import prunebench_quantities
from reference.cells import cell, cells, frame, suite_of
from scipy import stats

from prunebench.checks.evaluate import evaluate
from prunebench.checks.outcomes import Outcome

QUANTITIES = {quantity.name: quantity for quantity in prunebench_quantities()}

SNIP, MAGNITUDE = [97.0, 97.4, 96.9, 97.2, 97.3], [96.0, 96.6, 95.8, 96.1, 96.4]


def one(rows: list[dict[str, Any]], *checks: dict[str, Any], **more: Any) -> Outcome:
    """Return the outcome of the first check."""
    return evaluate(suite_of(*checks, **more), frame(rows), None, QUANTITIES).outcomes[0]


def test_a_difference_is_judged_by_the_paired_t_test() -> None:
    """Effect, bounds and p as scipy has them."""
    check = {"name": "better", "of": {"method": "snip"}, "against": {"method": "magnitude"}}
    found = one(cells({"snip": SNIP, "magnitude": MAGNITUDE}), check)
    greater = stats.ttest_rel(SNIP, MAGNITUDE, alternative="greater")
    assert found.verdict == "holds"
    assert found.p_holds == pytest.approx(greater.pvalue)
    assert found.lower == pytest.approx(greater.confidence_interval(0.95).low)
    less = stats.ttest_rel(SNIP, MAGNITUDE, alternative="less")
    assert found.upper == pytest.approx(less.confidence_interval(0.95).high)
    assert found.effect == pytest.approx(0.98)
    assert (found.n, found.seeds, found.margin) == (5, (1, 2, 3, 4, 5), 0.5)
    assert found.differences == pytest.approx([1.0, 0.8, 1.1, 1.1, 0.9])
    assert (found.of, found.against, found.cells, len(found.keys)) == ("snip", "magnitude", 10, 10)


def test_a_missing_cell_is_no_result() -> None:
    """The check has not run, whatever the other cells say."""
    rows = cells({"snip": SNIP, "magnitude": MAGNITUDE})
    rows[3] |= {"status": "missing"}
    found = one(rows, {"name": "better", "of": {"method": "snip"}, "against": {"method": "magnitude"}})
    assert (found.verdict, found.missing, found.cells) == ("not run", 1, 10)
    assert found.n == 4
    assert "1 of 10 cells" in found.reason


def test_a_number_is_compared_with_every_seed() -> None:
    rows = cells({"snip": SNIP})
    found = one(rows, {"name": "at-97", "of": {"method": "snip"}, "against": 97.0, "expect": "same"})
    assert (found.verdict, found.against) == ("holds", "97")
    assert found.effect == pytest.approx(0.16)


def test_one_seed_decides_nothing() -> None:
    rows = [cell("snip", "0.2", 1, 99.0), cell("magnitude", "0.2", 1, 10.0)]
    found = one(rows, {"name": "better", "of": {"method": "snip"}, "against": {"method": "magnitude"}})
    assert (found.verdict, found.n, found.lower) == ("undecided", 1, None)


def test_a_check_that_another_one_is_about_is_no_claim_of_its_own() -> None:
    """It counts in that one, which stands for itself, or for a sentence; asked for alone it does."""
    rows = cells({"snip": SNIP, "magnitude": MAGNITUDE})
    better = {"name": "better", "of": {"method": "snip"}, "against": {"method": "magnitude"}}
    worse = {"name": "worse", "of": {"method": "magnitude"}, "against": {"method": "snip"}}
    suite = suite_of(better, worse, {"name": "either", "any": ["better", "worse"]})
    verdicts = evaluate(suite, frame(rows), None, QUANTITIES)
    assert [outcome.check for outcome in verdicts.outcomes] == ["better", "worse", "either"]
    assert [(claim.id, claim.verdict) for claim in verdicts.claims] == [("either", "holds")]
    alone = evaluate(suite, frame(rows), None, QUANTITIES, only=["better"])
    assert [claim.id for claim in alone.claims] == ["better"]


def test_the_best_of_some_is_compared_with_the_worst_of_them() -> None:
    """Both sides mean the same cells, and yet not the same method."""
    rows = cells({"snip": SNIP, "magnitude": MAGNITUDE})
    both = ["snip", "magnitude"]
    check = {"name": "apart", "of": {"best": both}, "against": {"worst": both}, "by": 0.5}
    found = one(rows, check)
    assert found.verdict == "holds"
    assert found.effect == pytest.approx(0.98)
