"""Bounds and p values against scipy, closed forms and brute force."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from prunebench.checks.evidence import Draws, Extreme, Paired, Ratio
from prunebench.checks.judge import judge
from prunebench.checks.resampling import student_weights
from prunebench.checks.shares import Share, ShareDifference

D = np.array([0.31, -0.12, 0.44, 0.05, 0.27])
X = np.array([2.1, 2.6, 1.9, 2.4])
Y = np.array([1.0, 1.2, 0.8, 1.3])
INF = math.inf


@pytest.mark.parametrize("x", [-0.5, 0.0, 0.3])
def test_paired_differences_are_judged_as_scipy_judges_them(x: float) -> None:
    """One-sided p values of any border, and both bounds."""
    found = Paired(D)
    assert found.p_at_most(x) == pytest.approx(stats.ttest_1samp(D, x, alternative="greater").pvalue)
    assert found.p_at_least(x) == pytest.approx(stats.ttest_1samp(D, x, alternative="less").pvalue)
    interval = stats.ttest_1samp(D, 0.0).confidence_interval(0.9)
    assert (found.lower(0.05), found.upper(0.05)) == pytest.approx((interval.low, interval.high))


def test_what_differs_by_rounding_alone_has_no_spread() -> None:
    """0.1 + 0.2 is not 0.3 in floats; a difference of 1e-17 is none."""
    found = Paired(np.array([0.1 + 0.2 - 0.3, 0.0, 0.0]))
    assert found.without_spread
    assert (found.effect, found.p_at_most(0.0), found.p_at_least(0.0), found.lower(0.05)) == (0, 1, 1, 0)
    same = Paired(np.array([0.25, 0.25, 0.25]))
    assert (same.p_at_most(0.0), same.p_at_least(0.0), same.upper(0.05)) == (0.0, 1.0, 0.25)


def test_a_ratio_is_bounded_where_the_paired_test_of_its_border_turns() -> None:
    """At a bound r the numbers x − r·y have a mean that is significant at just 5 %."""
    found = Ratio(X, Y, by=1.0)
    assert found.effect == pytest.approx(X.mean() / Y.mean() - 1)
    for bound, side in ((found.lower(0.05), "greater"), (found.upper(0.05), "less")):
        p = stats.ttest_1samp(X - (1 + bound) * Y, 0.0, alternative=side).pvalue
        assert p == pytest.approx(0.05)
    assert found.p_at_most(0.5) == pytest.approx(
        stats.ttest_1samp(X - 1.5 * Y, 0.0, alternative="greater").pvalue
    )


def test_a_ratio_does_not_depend_on_the_sign_of_its_parts() -> None:
    assert Ratio(-X, -Y, 1.0).lower(0.05) == pytest.approx(Ratio(X, Y, 1.0).lower(0.05))
    assert Ratio(-X, Y, -1.0).upper(0.05) == pytest.approx(-Ratio(X, Y, 1.0).lower(0.05))


def test_a_ratio_to_what_may_be_nothing_has_no_bounds() -> None:
    """A y whose mean is not known to be positive could be 0."""
    found = Ratio(X, np.array([1.0, -0.9, 1.1, -0.8]), 1.0)
    assert (found.lower(0.05), found.upper(0.05)) == (-INF, INF)
    assert found.p_at_most(0.0) > 0.05


def test_the_same_ratio_at_every_seed_has_no_spread() -> None:
    found = Ratio(1.1 * Y, Y, by=1.05)
    assert found.without_spread
    assert found.lower(0.05) == found.upper(0.05) == pytest.approx(0.05)


def test_draws_are_bounded_by_their_quantiles() -> None:
    """Of 1,999 draws the hundredth from either side; a p value counts those beyond, and the value itself."""
    found = Draws(0.0, np.random.default_rng(0).permutation(np.arange(1999) - 999.0), seeds=5)
    assert (found.lower(0.05), found.upper(0.05)) == (-900.0, 900.0)
    assert (found.p_at_most(-900.5), found.p_at_least(900.0)) == (100 / 2000, 101 / 2000)


def test_a_draw_that_is_not_known_speaks_for_neither_side() -> None:
    found = Draws(1.0, np.array([math.nan] * 3 + [1.0] * 16), seeds=5)
    assert (found.lower(0.05), found.upper(0.05)) == (-INF, INF)
    assert found.p_at_most(0.0) == found.p_at_least(2.0) == 4 / 20


def test_draws_that_lie_to_one_side_move_the_bounds_to_the_other() -> None:
    """Efron's correction: with 60 % of the draws below the value, quantiles at Φ(2 z(0.6) ± z(0.95))."""
    draws = np.random.default_rng(0).permutation(np.arange(1.0, 2000.0))
    found = Draws(1200.5, draws, seeds=5)
    z = stats.norm.ppf(1200 / 1999)
    for bound, level in ((found.lower(0.05), -1.645), (found.upper(0.05), 1.645)):
        assert bound == pytest.approx(2000 * stats.norm.cdf(2 * z + level), abs=1.5)
    assert found.p_at_most(found.lower(0.05)) == pytest.approx(0.05, abs=0.001)
    assert found.p_at_least(found.upper(0.05)) == pytest.approx(0.05, abs=0.001)


def test_resampled_means_have_the_distribution_of_the_t_test() -> None:
    """Over the resamples the quantiles of a mean are the bounds of the paired t test."""
    for values in (D, D[:3], np.concatenate([D, 3 * D])):
        means = student_weights(len(values), 200_000)[1:] @ values / len(values)
        for level in (0.05, 0.95):
            t = stats.t.ppf(level, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
            assert np.quantile(means, level) == pytest.approx(values.mean() + t, abs=abs(t) / 30)


def test_the_first_resample_is_the_seeds_as_they_are() -> None:
    weights = student_weights(4, 10)
    assert weights.shape == (11, 4)
    np.testing.assert_allclose(weights[0], 1.0)
    np.testing.assert_allclose(weights.sum(axis=1), 4.0)


@pytest.mark.parametrize(("yes", "seeds"), [(0, 5), (2, 5), (5, 5), (1, 3), (7, 10)])
def test_a_share_has_the_exact_bounds_of_clopper_and_pearson(yes: int, seeds: int) -> None:
    shares = np.array([1.0] * yes + [0.0] * (seeds - yes))
    found = Share(shares, less=0.1)
    exact = stats.binomtest(yes, seeds).proportion_ci(0.9, method="exact")
    assert (found.lower(0.05), found.upper(0.05)) == pytest.approx((exact.low - 0.1, exact.high - 0.1))
    for border in (0.2, 0.6):
        more = stats.binomtest(yes, seeds, border, alternative="greater").pvalue
        assert found.p_at_most(border - 0.1) == pytest.approx(more)
        less = stats.binomtest(yes, seeds, border, alternative="less").pvalue
        assert found.p_at_least(border - 0.1) == pytest.approx(less)


def test_one_that_diverged_refutes_that_none_does() -> None:
    assert Share(np.array([0.0, 0.0, 1.0]), less=0.0).p_at_most(0.0) == 0.0
    assert Share(np.array([0.0, 0.0, 0.0]), less=0.0).p_at_most(0.0) == 1.0
    assert Share(np.array([1.0, 1.0]), less=1.0).p_at_least(0.0) == 1.0


def brute_force(total: int, seeds: int, difference: float) -> float:
    """Return the largest chance of such a total, or more, over all shares of seeds that count for neither."""
    worst = 0.0
    for counting in np.linspace(abs(difference), 1.0, 101):
        chance = {1: (counting + difference) / 2, -1: (counting - difference) / 2, 0: 1 - counting}
        tail = sum(
            math.prod(chance[one] for one in signs)
            for signs in product((-1, 0, 1), repeat=seeds)
            if sum(signs) >= total
        )
        worst = max(worst, tail)
    return worst


@pytest.mark.parametrize(
    ("signs", "border"), [([1, 1, 0, 1], 0.0), ([1, 0, -1], 0.2), ([-1, 0, 0, 1, 1], -0.3)]
)
def test_a_difference_of_shares_is_judged_by_the_worst_case(signs: list[int], border: float) -> None:
    """All outcomes of so few seeds counted out."""
    found = ShareDifference(np.array(signs, dtype=float), by=0.0)
    assert found.p_at_most(border) == pytest.approx(brute_force(sum(signs), len(signs), border), abs=2e-3)
    assert found.p_at_least(border) == pytest.approx(brute_force(-sum(signs), len(signs), -border), abs=2e-3)


def test_bounds_of_a_difference_of_shares_are_where_its_p_turns() -> None:
    found = ShareDifference(np.array([1.0, 1.0, 0.0, 1.0, 1.0]), by=0.1)
    assert found.p_at_most(found.lower(0.05)) == pytest.approx(0.05, abs=1e-4)
    assert found.p_at_least(found.upper(0.05)) == pytest.approx(0.05, abs=1e-4)
    assert found.effect == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("evidence", "expect", "margin"),
    [
        (ShareDifference(np.array([1.0, 1.0, 1.0, 0.0, 0.0]), by=0.0), "above", 0.1),
        (Share(np.array([1.0, 1.0, 1.0, 0.0, 0.0]), less=0.2), "above", 0.1),
    ],
)
def test_so_many_seeds_decide_a_share_in_80_percent(
    evidence: Share | ShareDifference, expect: str, margin: float
) -> None:
    """Seeds drawn from those that are seen: one fewer decides less often."""
    rng = np.random.default_rng(0)

    def share(n: int) -> float:
        def drawn() -> str:
            if isinstance(evidence, Share):
                return judge(Share(rng.choice(evidence.shares, n), evidence.less), expect, margin).verdict
            draws = rng.choice(evidence.differences, n)
            return judge(ShareDifference(draws, evidence.by), expect, margin).verdict

        return 1 - [drawn() for _ in range(800)].count("undecided") / 800

    seeds = evidence.seeds_until(lambda one: judge(one, expect, margin).verdict != "undecided")
    assert seeds is not None
    assert share(seeds) > 0.77
    assert share(seeds - 1) < 0.83


def test_all_five_against_none_is_a_difference() -> None:
    """As the sign test has it: (1/2)^5 = 3 %."""
    assert ShareDifference(np.ones(5), by=0.0).p_at_most(0.0) == pytest.approx(1 / 32)
    assert ShareDifference(np.ones(4), by=0.0).p_at_most(0.0) == pytest.approx(1 / 16)


def test_the_least_of_several_is_above_where_all_are_and_below_where_one_is_after_adjusting() -> None:
    """Three differences: of the least, p against D ≤ x is the largest, p against D ≥ x three times the least."""
    each = [Paired(D), Paired(D + 0.3), Paired(D - 0.1)]
    least, most = Extreme(each, least=True), Extreme(each, least=False)
    assert least.effect == pytest.approx(D.mean() - 0.1)
    assert least.p_at_most(0.0) == each[2].p_at_most(0.0)
    assert least.p_at_least(0.5) == pytest.approx(3 * each[2].p_at_least(0.5))
    assert least.lower(0.05) == each[2].lower(0.05)
    assert least.upper(0.05) == pytest.approx(each[2].upper(0.05 / 3))
    assert most.p_at_most(0.0) == pytest.approx(3 * each[1].p_at_most(0.0))
    assert most.p_at_least(1.0) == each[1].p_at_least(1.0)
    assert (most.lower(0.05), most.upper(0.05)) == (each[1].lower(0.05 / 3), each[1].upper(0.05))
