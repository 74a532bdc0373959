"""How surely coefficients are known: standard errors, intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from prunebench.analysis.student import t_quantile
from prunebench.scaling.fit import directions as along
from prunebench.scaling.fit.losses import HUBER
from prunebench.scaling.fit.problem import Problem
from prunebench.scaling.fit.regions import spreads
from prunebench.scaling.points import Bools, Floats, Points

__all__ = ["NORMAL", "Known", "known", "quantile"]

LEVEL = 0.95
NORMAL = 1.959963984540054
"""Standard deviations on each side of the mean that hold 95 % of normal values."""


@dataclass(frozen=True)
class Known:
    """What the points say of the coefficients that were searched for."""

    errors: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    factor: Floats
    """Its product with itself is the covariance, k × r; nothing of the undetermined directions is in it."""
    spread: float
    spreads: tuple[tuple[float, float], ...]
    """Densities, and the spread around each."""
    bound: Bools
    """The coefficients that ended at a bound."""
    undetermined: Floats
    """Directions in which the residuals do not change, one a row, by the vector of the free coefficients."""
    together: float
    """The correlation of neighbours within networks."""
    correlated: bool
    """True if that is no chance."""
    clusters: int
    """Networks, where these err as a whole; 0 where points are taken as independent."""
    shift: Floats
    """By how much, in the first order, the ends of intervals lie further out on one side."""


def known(problem: Problem, vector: Floats, loss: str) -> Known:
    """Return standard errors, 95 % intervals and what is undetermined, at the end of a search.

    The covariance is s² (JᵀJ)⁻¹ with J the derivatives of the log of the predictions, or, where residuals
    within networks go together, that of networks left out; intervals use Student's t, of points less
    coefficients or of networks less one. They are longer on one side where an end is known to be off:
    squares of relative errors pull a law down by 2 s² in the first order, because a point that is low by
    chance weighs more; and at a bound the least of the squares lies beyond it.
    """
    predicted = problem.predicted(vector)
    slopes = problem.slopes(vector) / predicted[:, None]
    relative = predicted / problem.points.error
    freedom = len(predicted) - len(problem.free)
    residuals, spread = _scatter(relative, freedom, loss)
    margin = 1e-6 * np.minimum(problem.high - problem.low, 1.0)
    bound = (vector - problem.low < margin) | (problem.high - vector < margin)
    made = along.directions(slopes)
    correlation, correlated = along.together(problem.points, residuals)
    clusters = problem.points.networks() if correlated and freedom > 0 else 0
    clusters = clusters if clusters > 1 else 0
    networks = problem.points.network
    factor = along.clustered(made, networks, residuals, spread) if clusters else spread * made.back
    shift = np.zeros(len(vector))
    if loss == "relative-squares":
        beyond = 1 - relative if bound.any() else 0 * relative
        shift = made.back @ (made.basis.T @ (beyond + 2 * spread**2))
    largest = np.abs(made.undetermined).max(axis=1, initial=0, keepdims=True)
    told = (np.abs(made.undetermined) > 1e-3 * largest).any(axis=0)
    shift = np.where(told, 0, shift)
    t = quantile(clusters, freedom)
    named = _by_name(problem, vector, factor, shift, t, told if freedom > 0 else np.ones_like(told))
    units = networks if clusters else np.arange(len(networks))
    apart = along.left_out(made, units, np.log(relative)) if loss == "relative-squares" else None
    regions = _regions(problem.points, apart, spread)
    return Known(
        *named, factor, spread, regions, bound, made.undetermined, correlation, correlated, clusters, shift
    )


def quantile(clusters: int, freedom: int) -> float:
    """Return Student's t of a 95 % interval: of networks less one, or of points less coefficients."""
    return float(t_quantile(clusters - 1 if clusters else max(freedom, 1), (1 + LEVEL) / 2))


def _regions(points: Points, residuals: Floats | None, spread: float) -> tuple[tuple[float, float], ...]:
    """Return the spread by density; one where Huber's loss has made light of wild points, on purpose."""
    if residuals is None or np.isnan(points.density).any():
        return ((1.0, spread),)
    return spreads(points.density, residuals)


def _scatter(relative: Floats, freedom: int, loss: str) -> tuple[Floats, float]:
    """Return what each point pulls at the coefficients with, and the standard deviation of that."""
    if loss == "relative-squares":
        residuals = relative * (relative - 1)
        size = float(np.sum((relative - 1) ** 2))
    else:
        logs = np.log(relative)
        residuals = np.clip(logs, -HUBER, HUBER) / max(_share_within(logs), 1e-12)
        size = float(np.sum(residuals**2))
    # with as many coefficients as points nothing shows how far these scatter
    return residuals, float(np.sqrt(size / freedom)) if freedom > 0 else 0.0


def _share_within(residuals: Floats) -> float:
    """Return the share of residuals in Huber's square part, by a density smoothed with a normal kernel."""
    spread = min(float(residuals.std()), float(np.subtract(*np.percentile(residuals, [75, 25]))) / 1.349)
    width = max(0.9 * spread * len(residuals) ** -0.2, 1e-12)
    return float(np.mean(ndtr((HUBER - residuals) / width) - ndtr((-HUBER - residuals) / width)))


def _by_name(
    problem: Problem, vector: Floats, factor: Floats, shift: Floats, t: float, told: Bools
) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    errors, intervals = {}, {}
    values = problem.values(vector)
    for i, one in enumerate(problem.free):
        error = float(np.linalg.norm(factor[i])) if not told[i] else np.inf
        errors[one.name] = error * (values[one.name] if one.log else 1)
        ends = vector[i] - t * error + min(shift[i], 0), vector[i] + t * error + max(shift[i], 0)
        low, high = (max(ends[0], problem.low[i]), min(ends[1], problem.high[i]))
        intervals[one.name] = (
            (float(np.exp(low)), float(np.exp(high))) if one.log else (float(low), float(high))
        )
    return errors, intervals
