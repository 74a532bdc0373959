"""Where a range ends, and what a bootstrap over seeds makes of it: against plain loops and scipy."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from prunebench.analysis import find_ranges, seeds_needed
from prunebench.analysis.borders import Baseline, border, resamples

Cells = Callable[..., pd.DataFrame]
GRID = (0.2, 0.4, 0.6, 0.8)


def plainly(dense: Sequence[float], points: np.ndarray, diverged: np.ndarray, margin: float) -> float:
    """The first lost sparsity, step by step; `points` are sparsities × seeds."""
    below = []
    for values, gone in zip(points, diverged, strict=True):
        half = 2 * sum(gone) >= len(gone)
        below.append(half or np.mean(values) < np.mean(dense) - margin)
    for i in range(len(below)):
        if 2 * sum(diverged[i]) >= len(dense) or (i + 1 < len(below) and below[i] and below[i + 1]):
            return GRID[i]
    if not below[-1]:
        return math.inf
    drop = np.array(dense) - points[-1]
    if len(drop) < 2:
        return math.inf
    if np.ptp(drop) < 1e-9:
        return GRID[-1]
    return GRID[-1] if stats.ttest_1samp(drop, 0).pvalue < 0.05 else math.inf


@pytest.mark.parametrize("seed", range(40))
def test_each_sample_of_the_seeds_is_judged_as_a_loop_would(seed: int) -> None:
    """All ways to draw n of n seeds with replacement: each gives the border that these seeds alone would."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 5))
    dense = rng.normal(95, 0.3, n)
    points = rng.normal(95 - rng.uniform(0, 3, 4).cumsum()[:, None] * rng.choice([0.1, 0.5]), 0.6, (4, n))
    diverged = rng.random((4, n)) < rng.choice([0, 0.3])
    points = np.where(diverged, 10.0, points)
    given = Baseline("b", GRID, points, diverged, np.ones((4, n), dtype=bool))
    for drawn in product(range(n), repeat=n):
        chosen = list(drawn)
        expected = plainly(dense[chosen], points[:, chosen], diverged[:, chosen], 0.5)
        weights = np.bincount(chosen, minlength=n)[None].astype(float)
        found = border(dense, given, 0.5, weights)
        assert found is not None
        assert (found.low, found.high) == (expected, expected)
    found = border(dense, given, 0.5, None)
    assert found is not None
    assert found.lost_from == plainly(dense, points, diverged, 0.5)
    assert (found.low, found.high) == (None, None)


def test_the_border_lies_between_the_outer_twentieths_of_all_samples() -> None:
    """Three seeds have 27 samples: the drawn ones show the same 90 % as all of them."""
    dense = np.array([95.0, 95.2, 94.9])
    points = np.array([[95.0, 95.1, 95.0], [94.7, 94.2, 94.9], [94.0, 94.0, 94.6], [80.0, 81.0, 79.0]])
    none = np.zeros((4, 3), dtype=bool)
    counts = Counter(
        plainly(dense[list(d)], points[:, list(d)], none[:, list(d)], 0.5)
        for d in product(range(3), repeat=3)
    )
    expected = {s for s in counts if sum(c for t, c in counts.items() if t <= s) / 27 > 0.05}
    expected &= {s for s in counts if sum(c for t, c in counts.items() if t >= s) / 27 > 0.05}
    found = border(dense, Baseline("b", GRID, points, none, ~none), 0.5, resamples(3))
    assert found is not None
    assert len(expected) > 1
    assert (found.low, found.high) == (min(expected), max(expected))
    assert found.low <= found.lost_from <= found.high


def test_the_samples_are_always_the_same() -> None:
    """Every row draws as many seeds as there are, all seeds equally often, and again the same."""
    drawn = resamples(5)
    assert (drawn.sum(axis=1) == 5).all()
    assert drawn.mean(axis=0) == pytest.approx(1, abs=0.08)
    assert drawn.var(axis=0) == pytest.approx(0.8, abs=0.1)
    assert drawn[:2].tolist() == resamples.__wrapped__(5)[:2].tolist()


def frame_of(cells: Cells, last: list[Any]) -> Any:
    methods = {
        "none": {0.0: [98.0, 98.2, 98.4]},
        "magnitude-after-training": {**dict.fromkeys(GRID[:3], (98.0, 98.1, 98.3)), GRID[3]: last},
        "random": {sparsity: [90.0, 91.0, 92.0] for sparsity in GRID},
    }
    (found,) = find_ranges(cells(methods), margins=0.5).values()
    return found


def test_the_last_point_alone_is_lost_only_where_its_drop_is_significant(cells: Cells) -> None:
    """A mean 1 point below: by steady seeds it is lost, by one bad seed of three it is not."""
    assert stats.ttest_rel([98.0, 98.2, 98.4], [97.0, 97.3, 97.3]).pvalue < 0.05
    assert frame_of(cells, [97.0, 97.3, 97.3]).extreme == (0.8,)
    assert stats.ttest_rel([98.0, 98.2, 98.4], [98.0, 98.2, 95.3]).pvalue > 0.05
    assert frame_of(cells, [98.0, 98.2, 95.3]).extreme == ()


def test_a_drop_without_spread_is_decided_by_its_value(cells: Cells) -> None:
    """All seeds fall by the same: that is no luck. One seed alone is never significant."""
    assert frame_of(cells, [97.0, 97.2, 97.4]).extreme == (0.8,)
    assert frame_of(cells, [90.0, "failed", "failed"]).extreme == ()


def test_borders_stand_with_their_ranges(cells: Cells) -> None:
    """Random's border ends the trivial range, the trained baseline's the matching one; nothing the others."""
    found = frame_of(cells, [97.0, 97.3, 97.3])
    assert [b.baseline for b in found.borders] == ["random", "magnitude-after-training"]
    assert found.border_of("trivial").lost_from == 0.2
    assert found.border_of("matching").lost_from == 0.8
    assert found.border_of("extreme") is found.border_of("all") is None
    assert (found.border_of("matching").low, found.border_of("matching").high) == (0.8, 0.8)


def test_one_seed_has_borders_without_a_bootstrap(cells: Cells) -> None:
    """There is nothing to draw from."""
    methods = {name: {0.5: [90.0], 0.9: [80.0]} for name in ("magnitude-after-training", "random")}
    (found,) = find_ranges(cells({**methods, "none": {0.0: [98.0]}})).values()
    assert [(b.lost_from, b.low, b.high) for b in found.borders] == [(0.5, None, None)] * 2


def test_samples_that_miss_what_decides_are_left_out(cells: Cells) -> None:
    """A baseline that only one of three seeds has: the samples that draw it agree."""
    methods = {
        "none": {0.0: [98.0, 98.1, 98.2]},
        "magnitude-after-training": {0.5: [90.0, None, None], 0.9: [80.0, None, None]},
        "random": {0.5: [80.0, 81.0, 82.0], 0.9: [50.0, 60.0, 70.0]},
    }
    (found,) = find_ranges(cells(methods)).values()
    assert [(b.low, b.high) for b in found.borders] == [(0.5, 0.5)] * 2


@pytest.mark.parametrize(("difference", "sd"), [(0.5, 0.5), (0.5, 2.0), (1.0, 0.2), (3.0, 1.0), (-0.5, 1.0)])
def test_seeds_needed_are_the_first_with_the_power(difference: float, sd: float) -> None:
    """By scipy's non-central t: at n the power is 80 %, at n − 1 it is not."""

    def power(n: int) -> float:
        effect = abs(difference) / sd * math.sqrt(n)
        return float(stats.nct.sf(stats.t.ppf(0.975, n - 1), n - 1, effect))

    n = seeds_needed(difference, sd)
    assert n is not None
    assert power(n) >= 0.8
    assert n == 2 or power(n - 1) < 0.8


def test_seeds_needed_where_there_is_nothing_to_find() -> None:
    """No difference is never found; one without spread at once."""
    assert seeds_needed(0.0, 1.0) is None
    assert seeds_needed(0.5, float("nan")) is None
    assert seeds_needed(0.5, 0.0) == 2
