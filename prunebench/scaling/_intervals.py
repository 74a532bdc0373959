"""How surely coefficients and predictions are known: covariance, standard errors, intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from prunebench.analysis.student import t_quantile
from prunebench.scaling._losses import HUBER
from prunebench.scaling._problem import Problem
from prunebench.scaling.points import Bools, Floats, Points

if TYPE_CHECKING:
    from prunebench.scaling.fit import Fit

__all__ = ["Known", "known", "predicted"]

LEVEL = 0.95
_SINGULAR = 1e-7
"""A direction of the scaled Jacobian with a smaller singular value is undetermined."""


@dataclass(frozen=True)
class Known:
    """What the points say of the coefficients that were searched for."""

    errors: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    covariance: Floats
    spread: float
    bound: Bools
    """The coefficients that ended at a bound."""
    undetermined: Floats
    """Directions in which the residuals do not change, one a row, by the vector of the free coefficients."""


def known(problem: Problem, vector: Floats, loss: str) -> Known:
    """Return standard errors, 95 % intervals and what is undetermined, at the end of a search.

    The covariance is s² (JᵀJ)⁻¹ with J the derivatives of the log of the predictions; intervals use
    Student's t. They are longer on one side where an end is known to be off: squares of relative errors
    pull a law down by 2 s² in the first order, because a point that is low by chance weighs more; and at a
    bound the least of the squares lies beyond it.
    """
    predicted = problem.predicted(vector)
    slopes = problem.slopes(vector) / predicted[:, None]
    relative = predicted / problem.points.error
    freedom = len(predicted) - len(problem.free)
    spread = _spread(relative, freedom, loss)
    margin = 1e-6 * np.minimum(problem.high - problem.low, 1.0)
    bound = (vector - problem.low < margin) | (problem.high - vector < margin)
    inverse, undetermined = _inverse(slopes)
    shift = np.zeros(len(vector))
    if loss == "relative-squares":
        beyond = 1 - relative if bound.any() else 0 * relative
        shift = inverse @ (slopes.T @ (beyond + 2 * spread**2))
    largest = np.abs(undetermined).max(axis=1, initial=0, keepdims=True)
    told = (np.abs(undetermined) > 1e-3 * largest).any(axis=0)
    covariance = spread**2 * inverse
    named = _by_name(problem, vector, covariance, np.where(told, 0, shift), freedom, told)
    return Known(*named, covariance, spread, bound, undetermined)


def _spread(relative: Floats, freedom: int, loss: str) -> float:
    """Return the standard deviation of the relative errors that the covariance is scaled with."""
    if freedom < 1:  # as many coefficients as points: nothing shows how far these scatter
        return 0.0
    if loss == "relative-squares":
        return float(np.sqrt(np.sum((relative - 1) ** 2) / freedom))
    residuals = np.log(relative)
    slope = np.clip(residuals, -HUBER, HUBER)
    curved = _share_within(residuals)
    return float(np.sqrt(np.sum(slope**2) / freedom) / max(curved, 1e-12))


def _share_within(residuals: Floats) -> float:
    """Return the share of residuals in Huber's square part, by a density smoothed with a normal kernel."""
    spread = min(float(residuals.std()), float(np.subtract(*np.percentile(residuals, [75, 25]))) / 1.349)
    width = max(0.9 * spread * len(residuals) ** -0.2, 1e-12)
    return float(np.mean(ndtr((HUBER - residuals) / width) - ndtr((-HUBER - residuals) / width)))


def _inverse(slopes: Floats) -> tuple[Floats, Floats]:
    """Return (JᵀJ)⁻¹, k × k, and the directions that it does not determine, one a row.

    An undetermined direction has a variance that is very large, and finite: a prediction that does not
    depend on it keeps its interval.
    """
    if not slopes.shape[1]:
        return np.zeros((0, 0)), np.zeros((0, 0))
    lengths = np.maximum(np.linalg.norm(slopes, axis=0), 1e-12)
    _, sizes, rows = np.linalg.svd(slopes / lengths, full_matrices=False)
    inverse = (rows.T / np.maximum(sizes, 1e-10) ** 2) @ rows / np.outer(lengths, lengths)
    return inverse, rows[sizes <= _SINGULAR] / lengths


def _by_name(
    problem: Problem, vector: Floats, covariance: Floats, shift: Floats, freedom: int, told: Bools
) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    errors, intervals = {}, {}
    values = problem.values(vector)
    t = float(t_quantile(max(freedom, 1), (1 + LEVEL) / 2))
    for i, one in enumerate(problem.free):
        error = float(np.sqrt(covariance[i, i])) if freedom > 0 and not told[i] else np.inf
        errors[one.name] = error * (values[one.name] if one.log else 1)
        ends = vector[i] - t * error + min(shift[i], 0), vector[i] + t * error + max(shift[i], 0)
        low, high = (max(ends[0], problem.low[i]), min(ends[1], problem.high[i]))
        intervals[one.name] = (
            (float(np.exp(low)), float(np.exp(high))) if one.log else (float(low), float(high))
        )
    return errors, intervals


def predicted(fit: Fit, points: Points) -> tuple[Floats, Floats, Floats]:
    """Return predictions with 95 % intervals for a measurement, on the logarithm of the error."""
    blank = points.changed(error=np.ones(len(points)))
    problem = Problem(fit.form, blank, fit.fixed, np.ones(len(points)))
    vector = problem.vector(fit.parameters)
    error = problem.predicted(vector)
    covariance = np.array(fit.covariance).reshape(len(vector), len(vector))
    slopes = problem.slopes(vector) / error[:, None]
    variance = np.einsum("ni,ij,nj->n", slopes, covariance, slopes)
    half = t_quantile(max(fit.freedom, 1), (1 + LEVEL) / 2) * np.sqrt(np.maximum(variance, 0) + fit.spread**2)
    unknown = 500.0  # of the logarithm: any error that there can be
    half = np.minimum(half, unknown) if fit.freedom > 0 else np.full(len(points), unknown)
    return error, error * np.exp(-half), np.minimum(error * np.exp(half), fit.form.most)
