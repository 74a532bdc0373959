"""Where accuracy is lost to a baseline, and how sure the seeds are of it.

One rule for the seeds as they are and for every bootstrap sample of them: a table of weights, a row each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import special

from prunebench.analysis.multiple import Floats

__all__ = ["ALPHA", "RESAMPLES", "SHARE", "Baseline", "Border", "border", "first_lost", "resamples"]

Bools = npt.NDArray[np.bool_]

RESAMPLES = 2000
SHARE = 0.9
ALPHA = 0.05
_ROUNDING = 1e-9  # of the difference of two means, so that "exactly δ below" is not "more than δ below"


@dataclass(frozen=True, slots=True)
class Border:
    """The first sparsity that is lost to a baseline; math.inf where none of the grid is.

    In SHARE of the bootstrap samples of the seeds it lies from `low` to `high`, sparsities of the grid or
    math.inf; None where the seeds leave nothing to draw from.
    """

    baseline: str
    lost_from: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Baseline:
    """A baseline's results at its sparsities (rising) and a setting's seeds."""

    name: str
    sparsities: Sequence[float]
    values: Floats
    """Accuracies as they count, sparsities × seeds; NaN where there is none."""
    diverged: Bools
    planned: Bools


@cache
def resamples(seeds: int, count: int = RESAMPLES) -> Floats:
    """Return how often each of `seeds` is drawn in each of `count` bootstrap samples: count × seeds.

    The same on every machine: raw bits of a fixed Philox stream, which numpy keeps over its versions.
    """
    raw = np.random.Philox(key=20260).random_raw(count * seeds).reshape(count, seeds)
    drawn = ((raw >> np.uint64(11)).astype(np.float64) * 2.0**-53 * seeds).astype(np.intp)
    weights = np.zeros((count, seeds))
    np.add.at(weights, (np.arange(count)[:, None], drawn), 1)
    return weights


def border(dense: Floats, baseline: Baseline, margin: float, weights: Floats | None) -> Border | None:
    """Return where accuracy is lost to a baseline, or None where what is missing decides.

    `dense` are the unpruned network's accuracies at the setting's seeds (NaN where there is none), `weights`
    the bootstrap samples, None for no bootstrap.
    """
    position = first_lost(dense, baseline, margin, np.ones((1, len(dense))))[0]
    if math.isnan(position):
        return None
    ends = np.array([*baseline.sparsities, math.inf])
    lost_from = float(ends[int(position)])
    if weights is None:
        return Border(baseline.name, lost_from)
    positions = first_lost(dense, baseline, margin, weights)
    positions = np.sort(positions[~np.isnan(positions)])
    if not len(positions):
        return Border(baseline.name, lost_from)
    outside = (1 - SHARE) / 2
    low, high = (
        float(ends[int(positions[round(share * (len(positions) - 1))])]) for share in (outside, 1 - outside)
    )
    return Border(baseline.name, lost_from, low, high)


def first_lost(dense: Floats, baseline: Baseline, margin: float, weights: Floats) -> Floats:
    """Return for each sample the position of the first lost sparsity (their number: none is lost).

    NaN where that depends on what is missing.
    """
    there = ~np.isnan(baseline.values)
    n = weights @ there.T.astype(np.float64)
    dense_there = ~np.isnan(dense)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = weights @ np.where(there, baseline.values, 0.0).T / n
        whole = weights @ np.where(dense_there, dense, 0.0) / (weights @ dense_there.astype(np.float64))
        low = means < (whole - margin)[:, None] - _ROUNDING
    planned = weights @ baseline.planned.T.astype(np.float64)
    gone = (2 * (weights @ baseline.diverged.T.astype(np.float64)) >= planned) & (planned > 0)
    known = gone | ((n > 0) & ~np.isnan(whole)[:, None])
    below = gone | (low & known)
    final = below[:, -1] & _significant(dense, baseline.values[-1], weights)
    position = _position(below, final, gone)
    return np.where(position == _position(below | ~known, final | ~known[:, -1], gone), position, np.nan)


def _position(below: Bools, final: Bools, gone: Bools) -> Floats:
    """Return the first position that is gone, or below with the next one (the last one: by `final`)."""
    lost = np.column_stack([below[:, :-1] & below[:, 1:], final])
    lost = np.column_stack([lost | gone, np.ones(len(below), dtype=bool)])
    return np.asarray(lost.argmax(axis=1), dtype=np.float64)


def _significant(dense: Floats, values: Floats, weights: Floats) -> Bools:
    """Say for each sample whether the drop from `dense` to `values`, paired by seed, is significant.

    By the two-sided t test; several seeds with one and the same drop have no spread and are decided by it.
    A sample whose weights are no counts draws a mean alone: its spread is that of the seeds as they are.
    """
    drop = dense - values
    there = ~np.isnan(drop)
    drop = np.where(there, drop, 0.0)
    n = weights @ there.astype(np.float64)
    are_counts = ((weights >= 0) & (weights == np.round(weights))).all(axis=1, keepdims=True)
    counts = np.where(are_counts, weights, 1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = weights @ drop / n
        centre = counts @ drop / (counts @ there.astype(np.float64))
        squares = (counts * there * (drop - centre[:, None]) ** 2).sum(axis=1)
        variance = squares / (n - 1)
        spread = np.sqrt(variance / n)
        p = 2 * special.stdtr(np.where(n > 1, n - 1, np.nan), -np.abs(mean) / spread)
    by_value = (spread <= _ROUNDING) & (np.abs(mean) > _ROUNDING)
    return np.asarray((n > 1) & ((p < ALPHA) | by_value), dtype=np.bool_)
