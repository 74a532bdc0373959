"""How often bounds and verdicts are right where the truth is known: 2,000 trials of each kind."""

from __future__ import annotations

import pytest
from simulations_of_checks import (
    BESTS,
    CLAIMS,
    CURVES,
    FLAT,
    SCENARIOS,
    SEEDS,
    SHARES,
    Found,
    claimed,
    of_the_same,
)

pytestmark = pytest.mark.slow

TRIALS = 2000
EXACT = {**SCENARIOS, "crossing": CURVES["crossing"]}
SAFE = {**BESTS, **SHARES, **FLAT, **{name: one for name, one in CURVES.items() if name not in EXACT}}


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("name", EXACT)
def test_bounds_cover_and_borders_rarely_hold(name: str, seeds: int) -> None:
    """Each one-sided bound is right in 93–97 %; a claim that is just not true holds in at most 6 %."""
    found = Found.of(EXACT[name], seeds, TRIALS)
    assert 0.93 <= found.lower <= 0.97
    assert 0.93 <= found.upper <= 0.97
    assert max(found.held.values()) <= 0.06


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("name", SAFE)
def test_what_cannot_be_exact_errs_to_the_safe_side(name: str, seeds: int) -> None:
    found = Found.of(SAFE[name], seeds, TRIALS)
    assert found.lower >= 0.93
    assert found.upper >= 0.93
    assert max(found.held.values()) <= 0.06


@pytest.mark.parametrize("seeds", SEEDS)
def test_same_fails_in_5_percent_where_nothing_differs_and_holds_in_5_where_it_just_matters(
    seeds: int,
) -> None:
    """Between these it may do either: that D is not 0 is shown there, which is what "fails" says of it."""
    assert of_the_same(0.0, seeds, TRIALS)[1] <= 0.06
    assert of_the_same(1.0, seeds, TRIALS)[0] <= 0.06
    assert of_the_same(0.9, 30, TRIALS)[1] > 0.5


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("name", [name for name in CLAIMS if name != "most-half"])
def test_claims_err_as_their_rule_says(name: str, seeds: int) -> None:
    assert claimed(CLAIMS[name], seeds, TRIALS) <= 0.06
