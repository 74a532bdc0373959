"""The intervals and tests of `compare`, on simulated tables in which no method is better than another.

Here 200 tables a scenario, with windows as wide as that needs; tests/slow/test_coverage.py has 2,000.
"""

from __future__ import annotations

import pytest
from simulations import DIVERGING, SCENARIOS, SEEDS, make_tables, simulate

from prunebench.analysis import compare, places, summarize

TABLES = 200
WITHOUT_SPREAD = {"collapsed": 10 * TABLES}


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_intervals_cover_and_false_pairs_are_rare(name: str, seeds: int) -> None:
    """Whatever the others' spreads: each pair covers in about 95 %, 5 % of tables have a false pair."""
    found = simulate(SCENARIOS[name], seeds, TABLES)
    methods = len(SCENARIOS[name].spreads)
    assert found.pairs == methods * (methods - 1) // 2  # a cell under two names is no pair
    assert 0.93 <= found.coverage <= 0.97
    assert found.lowest >= 0.87
    assert found.false <= 0.10
    assert found.without_spread == WITHOUT_SPREAD.get(name, 0)
    assert (found.alone > 0) == (name == "missing")


@pytest.mark.parametrize("name", DIVERGING)
def test_diverged_runs_make_no_false_pairs(name: str) -> None:
    """How far the intervals cover mixtures is stated in the documentation; false pairs stay rare."""
    assert simulate(DIVERGING[name], 5, TABLES).false <= 0.10


def test_two_names_leave_the_table_as_it_was() -> None:
    """Every interval, p, adjusted p and place is that of the table without the second names."""
    twice = make_tables(SCENARIOS["two-names"], 4, 20)
    once = twice[~twice["method"].str.contains("again")]
    ours, plain = compare(twice), compare(once)
    columns = [c for c in plain if not c.endswith("also")]
    assert ours[columns].equals(plain[columns])
    assert set(ours["of_also"]) == {(f"m{i}-again1",) for i in range(9)}
    placed = places(summarize(twice), ours)
    assert placed[["best", "worst", "of"]].equals(places(summarize(once), plain)[["best", "worst", "of"]])
