"""The table of coverage in docs/statistics.md: 2,000 simulated tables for each scenario and number of seeds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from simulations import DIVERGING, SCENARIOS, SEEDS, simulate

pytestmark = pytest.mark.slow

TABLES = 2000
WITHOUT_SPREAD = {"collapsed": 10 * TABLES}


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_pair_covers_in_93_to_97_percent(name: str, seeds: int) -> None:
    """Every pair with a spread and two common seeds; some false pair after Holm in at most 6 % of tables."""
    found = simulate(SCENARIOS[name], seeds, TABLES)
    methods = len(SCENARIOS[name].spreads)
    assert found.pairs == methods * (methods - 1) // 2
    assert 0.93 <= found.lowest <= found.highest <= 0.97
    assert found.false <= 0.06
    assert found.without_spread == WITHOUT_SPREAD.get(name, 0)


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("name", DIVERGING)
def test_the_coverage_with_diverged_runs_is_stated(
    name: str, seeds: int, record_property: Callable[[str, object], None]
) -> None:
    """An interval does not describe a mixture: what it covers is written down, and has no window."""
    found = simulate(DIVERGING[name], seeds, TABLES)
    record_property("coverage", found.coverage)
    print(
        f"{DIVERGING[name].says}, {seeds} seeds: {100 * found.coverage:.1f} % covered, the single pair from "
        f"{100 * found.lowest:.1f} to {100 * found.highest:.1f} %, a false pair in {100 * found.false:.1f} % of tables"
    )
    assert found.pairs == 45
    assert found.false <= 0.06
