"""How often bounds and verdicts are right where the truth is known: a few hundred trials of each kind.

Each kind has one number of seeds here, in turn; the slow tests have 2,000 trials of each number
(tests/slow/test_error_rates.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle

import pytest
from simulations_of_checks import (
    BESTS,
    CLAIMS,
    CURVES,
    DIVERGING,
    FLAT,
    SCENARIOS,
    SEEDS,
    SHARES,
    SKEWED,
    Found,
    Scenario,
    Shifted,
    claimed,
    of_the_same,
)

from prunebench.checks.judge import judge

TRIALS = 400
SOME = 0.04  # nearly four standard errors of a share of 5 % in so many trials
MORE = 0.055  # and in half of them

SIMPLE = {**SCENARIOS, **CURVES}


def with_seeds(names: Iterable[str]) -> list[tuple[str, int]]:
    """Return each name with a number of seeds: the first with three, the next with five, and so on."""
    return list(zip(names, cycle(SEEDS), strict=False))


@pytest.mark.parametrize(
    ("name", "seeds"), with_seeds(name for name in SIMPLE if not name.startswith("range-end"))
)
def test_bounds_are_right_in_95_percent_and_no_border_holds_more_often_than_5(name: str, seeds: int) -> None:
    found = Found.of(SIMPLE[name], seeds, TRIALS)
    assert 0.95 - SOME < found.lower < 0.95 + SOME
    assert 0.95 - SOME < found.upper < 0.95 + SOME
    assert max(found.held.values()) < 0.05 + SOME
    assert found.bounded > TRIALS / 4


@pytest.mark.parametrize(("name", "seeds"), with_seeds([*BESTS, *SHARES, "range-end", "range-end-close"]))
def test_what_cannot_be_exact_errs_to_the_safe_side(name: str, seeds: int) -> None:
    """The best of several, shares of few seeds, borders that move in whole steps."""
    found = Found.of({**BESTS, **SHARES, **CURVES}[name], seeds, TRIALS // 2)
    assert found.lower > 0.95 - MORE
    assert found.upper > 0.95 - MORE
    assert max(found.held.values()) < 0.05 + MORE


@pytest.mark.parametrize(
    "name", ["end-just-lost", "end-unequal", "ends", "crossing-slow", "crossing-unequal"]
)
def test_curves_that_are_flat_at_a_border_mislead_no_bound(name: str) -> None:
    """With three seeds, which a bootstrap's bounds are right for in 80 %."""
    found = Found.of(FLAT[name], 3, TRIALS // 2)
    assert found.lower > 0.95 - MORE
    assert found.upper > 0.95 - MORE
    assert max(found.held.values()) < 0.05 + MORE


def test_same_fails_rarely_where_nothing_differs_and_often_just_below_its_border() -> None:
    """What its failing refutes is D = 0: of 0.9 δ it may say that, as it may say that this does not matter."""
    assert of_the_same(0.0, 5, TRIALS)[1] < 0.05 + SOME
    assert of_the_same(1.0, 5, TRIALS)[0] < 0.05 + SOME
    holds, fails = of_the_same(0.9, 10, TRIALS)
    assert holds < 0.15
    assert 0.6 < fails < 0.8


def test_what_lacks_a_cell_never_holds() -> None:
    found = Found.of(SCENARIOS["missing"], 5, TRIALS)
    assert found.whole < found.bounded
    assert max(found.held.values()) < 0.05 * found.whole / TRIALS + SOME


@pytest.mark.parametrize("name", SKEWED)
def test_skewed_numbers_are_bounded_nearly(name: str) -> None:
    """Distances from a median, the first crossing of a noisy curve: 5 % may be 8 %."""
    found = Found.of(SKEWED[name], 10, TRIALS)
    assert min(found.lower, found.upper) > 0.92 - SOME
    assert max(found.held.values()) < 0.08 + SOME


def test_of_runs_that_diverge_bounds_are_too_narrow() -> None:
    """Runs of one method in five: no t test describes the mixture, and notes say so."""
    found = Found.of(DIVERGING["diverging"], 3, TRIALS)
    assert found.lower + found.upper < 1.6


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_err_as_their_rule_says(name: str) -> None:
    """Every and some in 5 %; most promises nothing where half of its checks are true."""
    rate = claimed(CLAIMS[name], 5, TRIALS)
    if name == "most-half":
        assert rate > 0.1
    else:
        assert rate < 0.05 + SOME


SAME = [("above", 0.0), ("not-same", 0.0), ("not-above", 1.0), ("same", -1.0)]


@pytest.mark.parametrize(
    "scenario", [SCENARIOS["equal"], SCENARIOS["ratio"], BESTS["gap"], CURVES["crossing"]]
)
@pytest.mark.parametrize(("expect", "truth"), SAME)
def test_evaluation_says_what_the_simulated_evidence_says(
    scenario: Scenario, expect: str, truth: float
) -> None:
    """From the table to the outcome, by way of `by`, against the evidence that the other tests shift."""
    border = truth * scenario.margin
    said = scenario.outcomes(expect, 5, 20, border)
    for outcome, comparison in zip(said, scenario.comparisons(5, 20), strict=True):
        assert comparison.evidence is not None
        shifted = judge(Shifted(comparison.evidence, -border), expect, scenario.margin)
        assert outcome.verdict == shifted.verdict
        assert outcome.p_holds == pytest.approx(shifted.p_holds, abs=1e-9)
