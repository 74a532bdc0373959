"""Across settings: closed forms, brute force over all bootstrap samples, simulated coverage."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from prunebench.analysis import SETTING, find_ranges, over_ranges
from prunebench.analysis.across import ACROSS, PROFILE, across, improvement, interval, profile

Cells = Callable[..., pd.DataFrame]
AFTER = ("magnitude-after-training", "")


def over(settings: dict[str, dict[str, list[Any]]], **labels: Any) -> Any:
    """The table over ranges of settings with these accuracies by method, and every setting's margin of 0.5."""
    rows = [
        {
            "architecture": name,
            "dataset": "d",
            "recipe": "",
            "split": "",
            "find": "",
            "score_at": "",
            **labels,
        }
        | {"range": "all", "method": method, "ablations": "", "also": (), "seed": seed, "counted": value}
        for name, methods in settings.items()
        for method, values in methods.items()
        for seed, value in enumerate(values)
    ]
    frame = pd.DataFrame(rows).astype({"counted": "float64"})
    return frame, {tuple(setting): 0.5 for setting in frame[list(SETTING)].itertuples(index=False, name=None)}


SETTINGS = {
    "a": {AFTER[0]: [90.0, 92.0], "snip": [91.0, 95.0], "random": [89.0, 91.0]},
    "b": {AFTER[0]: [80.0, 80.0], "snip": [79.0, 80.0], "random": [70.0, 70.0]},
    "c": {AFTER[0]: [50.0, 50.0], "snip": [49.8, 49.8], "random": [50.0, 50.0]},
}


def test_the_difference_is_the_mean_of_the_settings_differences() -> None:
    """Not of accuracies: each setting counts once, with its own mean over common seeds."""
    frame, margins = over(SETTINGS)
    found = across(frame, baseline=AFTER, margins=margins).set_index("method")
    assert found.loc["snip", "difference"] == pytest.approx((2.0 - 0.5 - 0.2) / 3)
    assert found.loc["random", "difference"] == pytest.approx((-1 - 10 + 0) / 3)
    assert found.loc["snip", ["settings", "of"]].tolist() == [3, 3]
    assert AFTER[0] not in found.index


def test_the_interval_of_three_settings_goes_from_the_smallest_to_the_largest() -> None:
    """Which is all that three settings can say."""
    frame, margins = over(SETTINGS)
    found = across(frame, baseline=AFTER, margins=margins).set_index("method").loc["snip"]
    assert (found["low"], found["high"]) == (pytest.approx(-0.5), pytest.approx(2.0))


def test_the_share_within_a_margin_of_the_best_counts_settings() -> None:
    """snip is the best of a, half a point below in b (a margin exactly), 0.2 below in c."""
    frame, margins = over(SETTINGS)
    found = across(frame, baseline=AFTER, margins=margins).set_index("method")
    assert found["within"].to_dict() == {"snip": 1.0, "random": pytest.approx(1 / 3)}


def test_a_profile_steps_where_a_setting_comes_in_and_ends_at_one() -> None:
    """Gaps in margins: of snip 0, 1 and 0.4; of random 6, 20 and 0."""
    frame, margins = over(SETTINGS)
    found = profile(frame, margins=margins)
    assert list(found.columns) == list(PROFILE)
    steps = {
        name: list(zip(rows["margins"].round(9), rows["share"].round(9), strict=True))
        for name, rows in found.groupby("method")
    }
    third = round(1 / 3, 9)
    assert steps["snip"] == [(0.0, third), (0.4, round(2 / 3, 9)), (1.0, 1.0)]
    assert steps["random"] == [(0.0, third), (6.0, round(2 / 3, 9)), (20.0, 1.0)]


def test_with_a_margin_of_zero_only_the_best_are_within_it() -> None:
    """No difference is too small to matter: others are infinitely many margins below, and in no step."""
    frame, margins = over(SETTINGS)
    nothing = dict.fromkeys(margins, 0.0)
    found = across(frame, baseline=AFTER, margins=nothing).set_index("method")
    assert found["within"].to_dict() == {"snip": pytest.approx(1 / 3), "random": pytest.approx(1 / 3)}
    assert found.loc["snip", "difference"] == pytest.approx((2.0 - 0.5 - 0.2) / 3)
    steps = profile(frame, margins=nothing)
    assert np.isfinite(steps["margins"]).all()
    assert set(zip(steps["method"], steps["margins"], steps["share"].round(6), strict=True)) == {
        ("snip", 0.0, 0.333333), ("random", 0.0, 0.333333), (AFTER[0], 0.0, 0.666667),
    }  # fmt: skip


def test_the_probability_of_improvement_is_the_mann_whitney_statistic() -> None:
    """Over the number of pairs, ties counted half; averaged over settings."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, y = rng.integers(0, 4, 5).astype(float), rng.integers(0, 4, 3).astype(float)
        wanted = stats.mannwhitneyu(x, y).statistic / 15
        assert improvement(dict(enumerate(x)), dict(enumerate(y))) == pytest.approx(wanted)
    frame, margins = over(SETTINGS)
    found = across(frame, baseline=AFTER, margins=margins).set_index("method")
    assert found.loc["snip", "improvement"] == pytest.approx((0.75 + 0.25 + 0.0) / 3)


@pytest.mark.parametrize("n", [4, 5, 6])
def test_the_interval_is_that_of_all_samples_that_can_be_drawn(n: int) -> None:
    """2,000 draws stand for all n ** n: the quantiles lie where those of the whole enumeration do."""
    values = np.random.default_rng(n).normal(size=n)
    means = np.sort([np.mean(drawn) for drawn in product(values, repeat=n)])
    t = stats.t.ppf(0.95, n - 1) * np.sqrt(n / (n - 1))
    low, high = interval(values, 0.9)
    for found, share in ((low, stats.norm.cdf(-t)), (high, stats.norm.cdf(t))):
        at = np.searchsorted(means, found, side="right") / len(means)
        below = np.searchsorted(means, found - 1e-12) / len(means)
        assert below - 0.01 <= share <= at + 0.01


def coverage(n: int, trials: int, draw: Callable[[np.random.Generator, int], Any], mean: float) -> float:
    rng = np.random.default_rng(7)
    inside = 0
    for _ in range(trials):
        low, high = interval(draw(rng, n))
        inside += low <= mean <= high
    return inside / trials


@pytest.mark.parametrize(
    ("n", "least", "most"), [(3, 0.71, 0.79), (4, 0.84, 0.91), (6, 0.91, 0.96), (10, 0.925, 0.975)]
)
def test_how_far_the_interval_covers_is_as_documented(n: int, least: float, most: float) -> None:
    """Of n settings no more than 1 − 2 ** (1 − n) can be covered; from six on it is nearly 95 %."""
    covered = coverage(n, 1000, lambda rng, n: rng.normal(size=n), 0.0)
    assert least <= covered <= most


def test_settings_that_differ_in_their_pruning_step_are_not_taken_together(cells: Cells) -> None:
    """One network pruned at three steps is one network."""
    parts = [over(SETTINGS, score_at=step)[0].assign(architecture="a") for step in ("init", "step 5", "end")]
    frame = pd.concat([part.drop_duplicates(["method", "seed"]) for part in parts])
    margins = {tuple(s): 0.5 for s in frame[list(SETTING)].itertuples(index=False, name=None)}
    assert across(frame, baseline=AFTER, margins=margins).empty
    assert profile(frame, margins=margins).empty


def test_a_method_needs_three_settings_with_the_baseline_and_says_of_how_many() -> None:
    """Of two nothing is said; a missing result (NaN) is no setting."""
    settings = {**SETTINGS, "d": {AFTER[0]: [70.0], "snip": [None]}, "e": {"snip": [70.0]}}
    settings["c"] = {**settings["c"], "random": [float("nan"), float("nan")]}
    frame, margins = over(settings)
    found = across(frame, baseline=AFTER, margins=margins).set_index("method")
    assert list(found.index) == ["snip"]
    assert found.loc["snip", ["settings", "of"]].tolist() == [3, 5]


def test_seeds_without_a_partner_are_left_out_of_the_difference() -> None:
    """Paired by seed, as every difference here is."""
    settings = {name: {**methods, "snip": methods["snip"][:1]} for name, methods in SETTINGS.items()}
    frame, margins = over(settings)
    found = across(frame, baseline=AFTER, margins=margins).set_index("method")
    assert found.loc["snip", "difference"] == pytest.approx((1.0 - 1.0 - 0.2) / 3)


def test_from_cells_to_what_holds_across_settings(cells: Cells) -> None:
    """The table over ranges of real cells goes in; a diverged run counts as a guess."""
    frame = pd.concat(
        cells(
            {
                "none": {0.0: [98.0]},
                "random": {0.9: [97.0 - shift]},
                "magnitude-after-training": {0.9: [97.9]},
                "snip": {0.9: ["diverged"]},
            },
            architecture=name,
            classes=10,
        )
        for shift, name in enumerate(["a", "b", "c"])
    )
    ranges = find_ranges(frame)
    table = over_ranges(frame, ranges)
    found = across(table, baseline=AFTER, margins={names: r.margin for names, r in ranges.items()})
    assert list(found.columns) == list(ACROSS)
    every = found[found["range"] == "all"].set_index("method")
    assert every.loc["snip", "difference"] == pytest.approx(10 - 97.9)
    assert every.loc["random", "difference"] == pytest.approx(-1.9)
