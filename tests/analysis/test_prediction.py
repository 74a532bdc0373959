"""The prediction interval of further runs: by its closed form, and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from prunebench.analysis.prediction import prediction


@pytest.mark.parametrize("runs", [1, 3, 10])
@pytest.mark.parametrize("values", [[92.1, 93.0], [90.0, 91.5, 92.1], [50.0, 70.0, 90.0, 95.0, 96.0]])
def test_the_closed_form(values: list[float], runs: int) -> None:
    """mean ± t(n − 1, 0.975) · s · √(1/n + 1/m), by another library's t and standard deviation."""
    interval = prediction(values, runs)
    n, mean, s = len(values), float(np.mean(values)), float(np.std(values, ddof=1))
    half = stats.t.ppf(0.975, n - 1) * s * math.sqrt(1 / n + 1 / runs)
    assert interval.low == pytest.approx(mean - half, rel=1e-9)
    assert interval.high == pytest.approx(mean + half, rel=1e-9)
    assert (interval.n, interval.runs) == (n, runs)


def test_a_value_of_a_textbook() -> None:
    """Of 1, 2, 3 (mean 2, s 1) one further value is predicted within 2 ± 4.3027 · √(4/3), rounded."""
    interval = prediction([1.0, 2.0, 3.0])
    assert interval.low == pytest.approx(2 - 4.302653 * math.sqrt(4 / 3), abs=1e-5)


@pytest.mark.parametrize(("claimed", "rerun"), [(2, 1), (3, 3), (5, 1), (5, 10), (10, 5)])
def test_it_has_the_mean_of_further_runs_in_95_of_100(claimed: int, rerun: int) -> None:
    """20,000 rows whose claim and rerun are of one distribution; ± 4 standard errors of the share."""
    rng = np.random.default_rng(1000 * claimed + rerun)
    trials = 20_000
    first = rng.normal(93.0, 0.4, (trials, claimed))
    again = rng.normal(93.0, 0.4, (trials, rerun)).mean(axis=1)
    hits = sum(
        prediction(row, rerun).has(mean) for row, mean in zip(first.tolist(), again.tolist(), strict=True)
    )
    assert abs(hits / trials - 0.95) < 4 * math.sqrt(0.95 * 0.05 / trials)


def test_a_claim_that_is_two_points_too_good_is_found() -> None:
    """With five seeds each and a spread of 0.4 points nearly every such claim differs."""
    rng = np.random.default_rng(1)
    rows = zip(
        rng.normal(95.0, 0.4, (2000, 5)).tolist(), rng.normal(93.0, 0.4, (2000, 5)).mean(axis=1), strict=True
    )
    assert sum(not prediction(row, 5).has(float(mean)) for row, mean in rows) > 1980


def test_values_without_spread() -> None:
    """Their interval is that one value, up to the rounding of floats."""
    interval = prediction([97.46478873239437] * 3, 2)
    assert (interval.low, interval.high) == (interval.mean, interval.mean)
    assert interval.has(97.46478873239437 * (1 + 1e-14))
    assert not interval.has(97.5)


@pytest.mark.parametrize(("values", "runs"), [([], 1), ([92.0], 1), ([92.0, 93.0], 0)])
def test_what_has_no_interval(values: list[float], runs: int) -> None:
    """One seed has no spread; no further run has no mean."""
    with pytest.raises(ValueError, match="two and one are needed"):
        prediction(values, runs)
