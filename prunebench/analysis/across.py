"""Across settings: what holds in many networks and data sets, not in one.

A mean of accuracies over data sets says nothing (a point on MNIST is another thing than a point on ImageNet),
and a rating (Elo) depends on who else takes part. What is averaged here are differences to one baseline, each
within its own setting. The settings are the sample: how far the average depends on which ones a suite has is
what its interval says, from a bootstrap over settings.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from prunebench.analysis.borders import resamples
from prunebench.analysis.multiple import Floats
from prunebench.analysis.names import ALSO
from prunebench.analysis.student import t_quantile
from prunebench.analysis.table import SETTING, VARIANT, variant_name

__all__ = ["ACROSS", "LEAST", "PROFILE", "Setting", "across", "improvement", "interval", "profile"]

LEAST = 3
"""Settings that there must be: of fewer nothing is said."""

SAME = ("find", "score_at")
"""What settings that are taken together agree in: one network pruned at five steps is no five networks."""

_GROUP = ("range", *SAME)

ACROSS = (
    *_GROUP,
    *VARIANT,
    "also",
    "against",
    "settings",
    "of",
    "difference",
    "low",
    "high",
    "improvement",
    "improvement_low",
    "improvement_high",
    "within",
)
"""Columns of `across`: docs/results.md says what each one holds."""

PROFILE = (*_GROUP, *VARIANT, "settings", "margins", "share")
"""Columns of `profile`."""

Variant = tuple[str, str]
_ROUNDING = 1e-9


class Setting(NamedTuple):
    """One setting and range: every method's results, seed by seed, and how far each is from the best."""

    margin: float
    results: Mapping[Variant, Mapping[int, float]]
    """By method and seed, accuracies as they count."""
    gaps: Mapping[Variant, float]
    """The best method's mean less the method's own, in margins of the setting; infinite where the margin is 0
    and it is not the best."""


def across(
    over: pd.DataFrame, *, baseline: Variant, margins: Mapping[tuple[str, ...], float], level: float = 0.95
) -> pd.DataFrame:
    """Return for each method what it is across settings against a baseline, range by range.

    `over` is what `over_ranges` returns, `margins` has every setting's margin by its values of SETTING.
    Settings are taken together that have the same find changes and pruning step, where there are at least
    LEAST in which method and baseline both have a result. Columns: ACROSS.

    `difference` is the mean over settings of method − baseline (in each the mean over common seeds),
    `improvement` the probability that a run of the method is better than one of the baseline in the same
    setting (`improvement`), `within` the share of settings in which the method is at most a margin below the
    best.
    """
    rows = []
    for names, settings in _groups(over, margins):
        for variant, also in _methods(over, names).items():
            if variant == baseline:
                continue
            both = [s for s in settings if variant in s.results and baseline in s.results]
            pairs = [(s.results[variant], s.results[baseline]) for s in both]
            differences = np.array([_difference(*pair) for pair in pairs], dtype=np.float64)
            known = ~np.isnan(differences)
            if known.sum() < LEAST:
                continue
            better = np.array([improvement(*pair) for pair in pairs], dtype=np.float64)[known]
            gaps = np.array([s.gaps[variant] for s in both], dtype=np.float64)[known]
            low, high = interval(differences[known], level)
            worse, best = interval(better, level)
            rows.append(
                (
                    *names,
                    *variant,
                    also,
                    variant_name(*baseline),
                    int(known.sum()),
                    len(settings),
                    float(differences[known].mean()),
                    low,
                    high,
                    float(better.mean()),
                    worse,
                    best,
                    float((gaps <= 1 + _ROUNDING).mean()),
                )
            )
    return pd.DataFrame(rows, columns=list(ACROSS))


def profile(over: pd.DataFrame, *, margins: Mapping[tuple[str, ...], float]) -> pd.DataFrame:
    """Return every method's performance profile over settings, range by range (columns: PROFILE).

    A row says in which `share` of the settings the method is at most so many `margins` below the best one
    there: a step function that rises at these rows (Dolan and Moré, 2002, with differences for ratios). At 0
    it is how often the method is the best itself, at 1 the share `within` of `across`. Methods with a result
    in fewer than LEAST settings have none. A setting whose margin is 0 counts for its best methods alone:
    every other one is infinitely many margins below, and no row of the profile reaches that far.
    """
    rows = []
    for names, settings in _groups(over, margins):
        for variant in _methods(over, names):
            gaps = np.sort([s.gaps[variant] for s in settings if variant in s.gaps])
            if len(gaps) < LEAST:
                continue
            for gap in dict.fromkeys([0.0, *gaps[np.isfinite(gaps)].tolist()]):
                share = float((gaps <= gap + _ROUNDING).mean())
                rows.append((*names, *variant, len(gaps), gap, share))
    return pd.DataFrame(rows, columns=list(PROFILE))


def improvement(of: Mapping[int, float], against: Mapping[int, float]) -> float:
    """Return the probability that one run of a method is better than one of another: ties count half.

    Over all pairs of their runs: the Mann–Whitney statistic over the number of pairs, as Agarwal et al.
    (2021, "Deep reinforcement learning at the edge of the statistical precipice") average it over tasks.

    >>> improvement({0: 3.0, 1: 1.0}, {0: 2.0, 1: 1.0})
    0.625
    """
    ours, theirs = (np.array(list(values.values()), dtype=np.float64) for values in (of, against))
    difference = ours[:, None] - theirs[None, :]
    return float(np.where(np.abs(difference) <= _ROUNDING, 0.5, difference > 0).mean())


def interval(values: Floats, level: float = 0.95) -> tuple[float, float]:
    """Return the bootstrap interval of the mean of a few values, one a setting.

    The expanded percentile interval (Hesterberg, 2015): quantiles at Φ(∓√(n/(n − 1)) · t) where the plain
    one, which is too narrow for few values, has ±z. No bootstrap leaves the range of what was seen, so that
    of three settings it is from the smallest value to the largest and covers three times in four;
    docs/statistics.md has the coverage.

    >>> interval(np.array([1.0, 2.0, 6.0]))
    (1.0, 6.0)
    """
    n = len(values)
    if n < 2:
        return math.nan, math.nan
    means = np.sort(resamples(n) @ values / n)
    outside = float(special.ndtr(-math.sqrt(n / (n - 1)) * t_quantile(n - 1, (1 + level) / 2)))
    low, high = (float(means[round(share * (len(means) - 1))]) for share in (outside, 1 - outside))
    return low, high


def _groups(
    over: pd.DataFrame, margins: Mapping[tuple[str, ...], float]
) -> Iterator[tuple[tuple[str, ...], list[Setting]]]:
    """Yield what settings that are taken together agree in, and those in which somebody has a result."""
    for names, rows in over.groupby(list(_GROUP), sort=False, dropna=False):
        settings = []
        for labels, part in rows.groupby(list(SETTING), sort=False, dropna=False):
            setting = _setting(part, margins[tuple(map(str, labels))])
            if setting.results:
                settings.append(setting)
        if len(settings) >= LEAST:
            yield tuple(map(str, names)), settings


def _setting(rows: pd.DataFrame, margin: float) -> Setting:
    results: dict[Variant, dict[int, float]] = {}
    there = rows[rows["counted"].notna()]
    for method, ablations, seed, value in there[[*VARIANT, "seed", "counted"]].itertuples(
        index=False, name=None
    ):
        results.setdefault((method, ablations), {})[int(seed)] = float(value)
    means = {variant: float(np.mean([*values.values()])) for variant, values in results.items()}
    best = max(means.values(), default=math.nan)
    return Setting(margin, results, {variant: _gap(best - mean, margin) for variant, mean in means.items()})


def _gap(behind: float, margin: float) -> float:
    """Return how many margins a method is behind the best: infinitely many of a margin of 0."""
    if behind <= _ROUNDING:
        return 0.0
    return behind / margin if margin else math.inf


def _methods(over: pd.DataFrame, names: tuple[str, ...]) -> dict[Variant, tuple[str, ...]]:
    """Return the methods of a group in the order of first appearance, with their other names."""
    mine = over[(over[list(_GROUP)] == list(names)).all(axis=1)]
    methods: dict[Variant, tuple[str, ...]] = {}
    for method, ablations, also in mine[[*VARIANT, ALSO]].itertuples(index=False, name=None):
        known = methods.get((method, ablations), ())
        methods[method, ablations] = tuple(dict.fromkeys([*known, *also]))
    return methods


def _difference(of: Mapping[int, float], against: Mapping[int, float]) -> float:
    """Return the mean of of − against over the seeds that both have."""
    common: Any = [of[seed] - against[seed] for seed in of if seed in against]
    return float(np.mean(common)) if common else math.nan
