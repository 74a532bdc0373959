"""How many seeds would decide a comparison: against simulation, brute force and the non-central t."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from prunebench.checks.evidence import Extreme, Paired
from prunebench.checks.judge import judge
from prunebench.checks.power import chances, seeds_to_decide

CASES = [
    (0.5, 0.5, "above", 0.5),
    (0.25, 0.5, "above", 0.5),
    (0.3, 0.3, "above", 0.1),
    (-0.2, 1.0, "above", 0.5),
    (0.0, 0.4, "same", 0.5),
    (0.4, 0.5, "same", 0.5),
    (0.3, 0.4, "same", 0.5),
    (-0.45, 0.5, "same", 0.5),
    (0.8, 0.7, "same", 0.5),
    (0.3, 0.3, "same", 0.0),
]


def decided(mean: float, sd: float, seeds: int, expect: str, margin: float) -> tuple[float, float]:
    """Return in which shares of experiments so many seeds show that it holds, and that it fails:
    simulated."""
    draws = np.random.default_rng(seeds).normal(mean, sd, (40_000, seeds))
    centre, error = draws.mean(axis=1), draws.std(axis=1, ddof=1) / np.sqrt(seeds)
    half, wide = (stats.t.ppf(level, seeds - 1) * error for level in (0.95, 0.975))
    if expect == "above":
        holds, fails = (centre > half) & (centre + half >= margin), centre + half < margin
    else:
        holds = (centre - half > -margin) & (centre + half < margin)
        up, down = (centre > wide) & (centre + wide >= margin), (centre < -wide) & (centre - wide <= -margin)
        fails = (up | down) & ~holds
    return float(holds.mean()), float(fails.mean())


@pytest.mark.parametrize(("mean", "sd", "expect", "margin"), CASES)
def test_so_many_seeds_decide_with_eighty_percent_and_one_less_does_not(
    mean: float, sd: float, expect: str, margin: float
) -> None:
    """By either verdict: where D lies between 0 and δ both may come."""
    seeds = seeds_to_decide(mean, sd, expect, margin)
    assert seeds is not None
    assert sum(decided(mean, sd, seeds, expect, margin)) > 0.795
    assert sum(decided(mean, sd, seeds - 1, expect, margin)) < 0.805
    assert seeds_to_decide(mean, sd, f"not-{expect}", margin) == seeds
    assert seeds_to_decide(-mean, sd, expect, margin) == seeds or expect == "above"


@pytest.mark.parametrize(("mean", "sd", "expect", "margin"), CASES)
@pytest.mark.parametrize("seeds", [2, 5, 30])
def test_chances_are_those_of_simulated_experiments(
    mean: float, sd: float, expect: str, margin: float, seeds: int
) -> None:
    holds, fails = chances(mean, sd, expect, margin, np.array([seeds]))
    assert (holds[0], fails[0]) == pytest.approx(decided(mean, sd, seeds, expect, margin), abs=0.01)


@pytest.mark.parametrize("seeds", [2, 3, 8, 64, 300, 4000])
def test_without_a_margin_that_matters_it_is_the_power_of_the_t_test(seeds: int) -> None:
    """Above 0, or not, by the non-central t; few seeds and many are integrated differently."""
    effect = 3 / np.sqrt(seeds)
    power = stats.nct.sf(stats.t.ppf(0.95, seeds - 1), seeds - 1, 3.0)
    assert chances(effect, 1.0, "above", 0.0, np.array([seeds])).holds[0] == pytest.approx(power, abs=2e-3)


@pytest.mark.parametrize("effect", [0.3, 0.02, 0.005])
def test_the_smallest_number_is_found_among_few_and_among_many(effect: float) -> None:
    """By the non-central t, of which more seeds always have more."""
    seeds = seeds_to_decide(effect, 1.0, "above", 0.0)
    assert seeds is not None

    def power(n: int) -> float:
        t = stats.t.ppf(0.95, n - 1)
        few, nc = n < 500, effect * np.sqrt(n)
        return float(stats.nct.sf(t, n - 1, nc) if few else stats.norm.sf(t - nc))

    slack = 0 if seeds < 500 else seeds // 2000 + 3  # the normal distribution stands for the non-central t
    assert power(seeds - 1 - slack) < 0.8 <= power(seeds + slack)


def test_one_verdict_alone_takes_more_seeds_at_a_stricter_level() -> None:
    """As where it is one of five: the t test at 1 %."""
    fails = seeds_to_decide(-0.9, 1.0, "above", 0.1, way="fails", alpha=0.05 / 5)
    power = [stats.nct.sf(stats.t.ppf(0.99, n - 1), n - 1, 1.0 * n**0.5) for n in range(2, 40)]
    assert fails == 2 + int(np.argmax(np.array(power) >= 0.8))
    assert seeds_to_decide(-0.9, 1.0, "above", 0.1, way="holds") is None
    assert seeds_to_decide(-0.9, 1.0, "not-above", 0.1, way="holds", alpha=0.01) == fails


def test_bounds_of_the_best_of_several_take_more_seeds_on_their_adjusted_side() -> None:
    """One far method beside it changes nothing but the adjustment: simulated by the rule itself."""
    rng = np.random.default_rng(0)
    seeds = seeds_to_decide(-1.0, 1.0, "above", 0.5, parts=(1, 3))
    assert seeds is not None

    def share(n: int) -> float:
        draws = rng.normal(-1.0, 1.0, (600, n))
        far = Paired(50 + rng.normal(0, 1, n))
        said = [judge(Extreme([Paired(one), far, far], least=True), "above", 0.5).verdict for one in draws]
        return 1 - said.count("undecided") / len(said)

    assert share(seeds) > 0.76
    assert share(seeds - 1) < 0.84


def test_on_a_border_no_number_of_seeds_decides() -> None:
    assert seeds_to_decide(0.0, 1.0, "above", 0.0) is None
    assert seeds_to_decide(float("inf"), 1.0, "above", 0.0) is None
    assert seeds_to_decide(float("nan"), 1.0, "same", 1.0) is None


def test_more_seeds_than_there_are_is_said() -> None:
    """Those that are there did not decide it, however likely it was."""
    assert seeds_to_decide(1.0, 0.1, "above", 0.5) == 2
    assert seeds_to_decide(1.0, 0.1, "above", 0.5, more_than=5) == 6
