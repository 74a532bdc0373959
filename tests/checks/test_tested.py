"""Numbers that are found by testing each of their values: bounds and p values against brute force."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from prunebench_plugins.quantities.lines import crossing_tests, range_end_tests
from scipy import stats

from prunebench import Curves
from prunebench.checks.judge import judge
from prunebench.checks.tested import ValueTests, p_not_above, p_not_below

VALUES = np.array([0.0, 0.2, 0.4, 0.6])
MORE = np.array([0.001, 0.03, 0.4, 1.0])
LESS = np.array([1.0, 0.9, 0.2, 0.01])
END = ValueTests.of(0.2, VALUES, MORE, LESS, 5)
INF = math.inf


def curves(accuracy: np.ndarray, dense: np.ndarray, steps: np.ndarray | None = None) -> Curves:
    places, seeds = accuracy.shape
    return Curves(
        sparsities=1 - 0.8 ** np.arange(1.0, places + 1) if steps is None else np.full(places, 0.5),
        steps=np.full(places, np.nan) if steps is None else steps,
        seeds=tuple(range(seeds)),
        accuracy=accuracy,
        diverged=np.zeros(accuracy.shape),
        planned=np.ones(accuracy.shape, dtype=bool),
        dense=dense,
        margin=0.5,
        weights=np.ones((1, seeds)),
    )


def test_rows_are_tested_as_scipy_tests_them() -> None:
    rows = np.random.default_rng(0).normal(0.3, 1.0, (4, 5))
    assert p_not_below(rows) == pytest.approx(stats.ttest_1samp(rows, 0.0, axis=1, alternative="less").pvalue)
    assert p_not_above(rows) == pytest.approx(
        stats.ttest_1samp(rows, 0.0, axis=1, alternative="greater").pvalue
    )


def test_a_row_without_spread_is_decided_and_one_that_is_not_known_is_not() -> None:
    rows = np.array([[-0.2] * 3, [0.0] * 3, [0.2] * 3, [np.nan, -1.0, -1.0]])
    assert p_not_below(rows).tolist() == [0.0, 1.0, 1.0, 1.0]
    assert p_not_above(rows).tolist() == [1.0, 1.0, 0.0, 1.0]
    assert p_not_below(np.array([[-5.0]])).tolist() == [1.0]


def test_bounds_are_where_values_begin_that_are_not_refused() -> None:
    """At 5 % the two values below 0.4 would be refused, but one of them is that of the seeds as they are."""
    assert (END.lower(0.05), END.upper(0.05)) == (0.2, 0.4)
    assert ValueTests.of(0.4, VALUES, MORE, LESS, 5).lower(0.05) == 0.4
    assert (END.p_at_most(0.1), END.p_at_least(0.5), END.p_at_least(0.4)) == (0.001, 0.01, 0.2)
    assert (END.p_at_most(-0.1), END.p_at_least(0.7)) == (0.0, 0.0)


def test_a_value_below_one_that_may_be_is_not_refused() -> None:
    """The bound is the first that may be: what lies above it is no matter, however surely it is refused."""
    one = ValueTests.of(0.4, VALUES, np.array([0.2, 0.001, 0.9, 1.0]), LESS, 5)
    assert one.lower(0.05) == 0.0
    assert one.p_at_most(0.3) == 0.2


def test_what_every_other_value_is_refused_of_is_decided_by_its_value() -> None:
    sure = ValueTests.of(0.4, VALUES, np.array([0.0, 0.01, 0.9, 1.0]), np.array([1.0, 1.0, 0.9, 0.03]), 5)
    assert sure.p_other == pytest.approx(0.04)
    assert sure.without_spread
    assert judge(sure.shifted(-0.4), "same", 0.1).verdict == "holds"
    assert not END.without_spread


def test_what_is_not_known_may_be_anything() -> None:
    one = ValueTests.of(math.nan, VALUES, MORE, LESS, 5)
    assert (one.lower(0.05), one.upper(0.05), one.p_at_most(3.0)) == (-INF, INF, 1.0)
    assert math.isnan(one.effect)
    assert judge(one, "above", 0.1).verdict == "undecided"


def brute(
    one: ValueTests, other: ValueTests, make: Callable[[float, float], float], x: float, side: int
) -> float:
    """Return the p value of a number that two make: the least level at which a bound with half of it passes
    x."""
    for level in np.arange(0.0005, 1.0, 0.001):
        low = make(one.lower(level / 2), other.upper(level / 2))
        high = make(one.upper(level / 2), other.lower(level / 2))
        if (low > x + 1e-9, high < x - 1e-9)[side]:
            return float(level)
    return 1.0


@pytest.mark.parametrize("ratio", [False, True])
def test_of_two_numbers_each_has_half_of_the_five_percent(ratio: bool) -> None:
    other = ValueTests.of(0.4, VALUES, np.array([0.0, 0.002, 0.2, 1.0]), np.array([1.0, 1.0, 0.8, 0.02]), 5)
    make = (lambda a, b: a / b if b > 0 else math.nan) if ratio else (lambda a, b: a - b)
    both = END.against(other, ratio=ratio)
    assert both.effect == pytest.approx(make(0.2, 0.4))
    low = make(END.lower(0.025), other.upper(0.025))
    high = make(END.upper(0.025), other.lower(0.025))
    assert (both.lower(0.05), both.upper(0.05)) == pytest.approx((low, high))
    for x in (-0.3, 0.0, 0.1, 0.4, 1.2):
        assert both.p_at_most(x) == pytest.approx(brute(END, other, make, x, 0), abs=2e-3)
        assert both.p_at_least(x) == pytest.approx(brute(END, other, make, x, 1), abs=2e-3)


def test_a_ratio_to_what_may_be_0_has_no_bounds() -> None:
    """The difference from itself is 0 for sure, though; and so is no ratio to a number that is 0."""
    both = END.against(ValueTests.of(0.0, VALUES, MORE * 0 + 0.5, LESS, 5), ratio=True)
    assert (both.lower(0.05), both.upper(0.05)) == (-INF, INF)
    assert math.isnan(END.divided(0.0).effect)
    assert (END - END).upper(0.05) == 0.0
    assert END.divided(0.5).lower(0.05) == pytest.approx(0.4)
    assert END.divided(-0.5).lower(0.05) == pytest.approx(-0.8)


def test_of_the_mean_of_several_each_has_its_part() -> None:
    line = (VALUES, MORE, LESS)
    together = ValueTests.of_lines(0.3, [line, line], 5)
    halves = [ValueTests.of(0.4, *line, 5).lower(0.025), ValueTests.of(0.4, *line, 5).upper(0.025)]
    assert [together.lower(0.05), together.upper(0.05)] == pytest.approx(halves)


def test_ends_are_tested_by_the_place_itself_and_by_the_next() -> None:
    """With drops of about 0.1, 0.6 and 3 points: at each place a t test of the drop being δ."""
    rng = np.random.default_rng(1)
    dense = rng.normal(90.0, 0.2, 5)
    accuracy = dense - np.array([[0.1], [0.6], [3.0]]) + rng.normal(0, 0.2, (3, 5))
    ((values, more, less),) = range_end_tests(curves(accuracy, dense))
    np.testing.assert_allclose(values, [0.0, 0.2, 0.36, 0.488])
    lost = [stats.ttest_1samp(dense - row, 0.5, alternative="greater").pvalue for row in accuracy]
    kept = [stats.ttest_1samp(dense - row, 0.5, alternative="less").pvalue for row in accuracy]
    assert more == pytest.approx([*kept, 1.0])
    assert less == pytest.approx([1.0, *lost])


def test_a_drop_of_just_delta_at_every_seed_is_not_lost() -> None:
    accuracy = np.array([[89.5] * 3, [89.4] * 3])
    ((_, more, less),) = range_end_tests(curves(accuracy, np.full(3, 90.0)))
    assert more.tolist() == [0.0, 1.0, 1.0]
    assert less.tolist() == [1.0, 1.0, 0.0]


def test_crossings_are_tested_by_the_heights_of_both_curves_there() -> None:
    """At every position p is that of the t test of straight lines between the places, or its neighbour's."""
    rng = np.random.default_rng(2)
    steps = np.array([0.0, 100.0, 200.0])
    mine = np.array([[88.0], [89.0], [91.0]]) + rng.normal(0, 0.4, (3, 4))
    other = np.full((1, 4), 90.0) + rng.normal(0, 0.4, (1, 4))
    reaches = replace(curves(other, np.full(4, 95.0)), sparsities=np.array([0.5]))
    ((values, more, less),) = crossing_tests(
        curves(mine, np.full(4, 95.0), steps), along="score_at", reaches=reaches
    )
    assert values[-1] == INF
    for x in (30.0, 100.0, 130.0, 200.0):
        heights = [np.interp(x, steps, mine[:, seed]) - other[0, seed] + 0.5 for seed in range(4)]
        place = int(np.argmin(np.abs(values[:-1] - x)))
        below = stats.ttest_1samp(heights, 0.0, alternative="less").pvalue
        assert more[place] == pytest.approx(below, rel=0.1)
        assert more[place] >= below - 1e-9
        assert less[place] >= stats.ttest_1samp(heights, 0.0, alternative="greater").pvalue - 1e-9
    assert (more[-1], less[-1]) == (1.0, less[-2])


@pytest.mark.parametrize("seeds", [6, 20])
def test_more_seeds_say_what_their_t_tests_would_say_in_four_cases_of_five(seeds: int) -> None:
    """A single value, and the non-central t: its 20 % quantile."""
    t = 2.0
    one = ValueTests.of(0.6, np.array([0.2, 0.6]), np.array([stats.t.sf(t, 4), 1.0]), np.array([1.0, 0.9]), 5)
    quantile = stats.nct.ppf(0.2, seeds - 1, t * math.sqrt(seeds / 5))
    assert one.with_seeds(seeds).p_at_most(0.2) == pytest.approx(stats.t.sf(quantile, seeds - 1), rel=0.15)
    enough = one.seeds_until(lambda more: more.p_at_most(0.2) < 0.05)
    power = [stats.nct.sf(stats.t.ppf(0.95, n - 1), n - 1, t * math.sqrt(n / 5)) for n in range(6, 40)]
    assert enough == pytest.approx(6 + int(np.argmax(np.array(power) >= 0.8)), abs=1)
    assert one.seeds_until(lambda more: more.p_at_most(0.7) < 0.05) is None
