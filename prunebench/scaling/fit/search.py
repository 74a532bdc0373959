"""The search for the least loss: from one start, and from many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.optimize import Bounds, least_squares, minimize
from scipy.stats import qmc

from prunebench.errors import FitError
from prunebench.scaling.fit.losses import HUBER, huber
from prunebench.scaling.fit.problem import Problem
from prunebench.scaling.fit.projection import projected
from prunebench.scaling.points import Bools, Floats

__all__ = ["End", "best", "ends", "least", "same", "starts"]

_EVALUATIONS = 300
_TOLERANCE = 1e-12
_STATIONARY = 1e-4
"""The share of the residuals' length that a step may still explain where a search has converged."""
_STATIONARY_HUBER = 1e-2
"""The same for Huber's loss, which has bends near its least point."""
_STEPS = 100
"""Steps of Gauss and Newton at most to where a search would have ended in exact arithmetic."""
_SAME = 1e-6
"""Two ends are one optimum where their losses differ by less than this share."""


@dataclass(frozen=True)
class End:
    """Where a search ended."""

    vector: Floats
    loss: float
    converged: bool


def ends(problem: Problem, loss: str, number: int, seed: int) -> list[End]:
    """Return where searches from many starts ended."""
    if loss == "relative-squares" or not problem.free:
        return [_squares(problem, start, _EVALUATIONS) for start in starts(problem, number, seed)]
    logs, polished, made = replace(problem, logs=True), {}, []
    for i, start in enumerate(starts(problem, number, seed)):
        # half of them by way of the least squares, half by Huber's loss alone: wild points may part the two
        vector = _robust(logs, start) if i % 2 else _squares(problem, start, _EVALUATIONS).vector
        place = tuple(np.round(vector, 6))
        if place not in polished:  # of those that met in one place, one goes on
            polished[place] = _huber(logs, vector, _EVALUATIONS)
        made.append(polished[place])
    return made


def best(problem: Problem, loss: str, made: Sequence[End]) -> End:
    """Return the least end. Raises: FitError where it has not converged, however long it goes on."""
    lowest = min(made, key=lambda end: end.loss)
    if not lowest.converged:
        lowest = least(problem, loss, lowest.vector, 20 * _EVALUATIONS)
    if not lowest.converged or not np.isfinite(lowest.loss):
        raise FitError(
            f"the fit of form {problem.form.name!r} did not converge: of {len(made)} starts "
            f"{sum(end.converged for end in made)} did, and the least loss is not among theirs; "
            "more starts, or a coefficient fixed at a known value, may help"
        )
    return _settled(problem, lowest) if loss == "relative-squares" and problem.free else lowest


def same(best: End, end: End) -> bool:
    """True if two ends are the same optimum, by their losses."""
    return bool(end.converged and end.loss <= best.loss * (1 + _SAME) + 1e-16)


def starts(problem: Problem, number: int, seed: int) -> Floats:
    """Return vectors spread evenly over where the coefficients say that the search starts, number × k."""
    free = problem.free
    if not free:
        return np.zeros((1, 0))
    low = problem.vector({one.name: one.start[0] for one in free})
    high = problem.vector({one.name: one.start[1] for one in free})
    shares = qmc.LatinHypercube(len(free), seed=np.random.default_rng(seed)).random(number)
    return np.asarray(low + shares * (high - low))


def least(problem: Problem, loss: str, start: Floats, evaluations: int = _EVALUATIONS) -> End:
    """Return where the search from a start ended."""
    end = _squares(problem, start, evaluations)
    if loss == "relative-squares" or not problem.free:
        return end
    return _huber(replace(problem, logs=True), end.vector, evaluations)


def _settled(problem: Problem, end: End) -> End:
    """Return an end of least squares moved to where no step is left to take.

    A search ends where the loss falls no further, which tells its coefficients to half of a float's digits:
    the other half is chance, and another on processors whose products of matrices are rounded otherwise. The
    steps of Gauss and Newton go on by the slopes alone, while each is smaller than the one before; where they
    lead to a greater loss the end stays what it was.
    """
    vector, longest = end.vector.copy(), np.inf
    for _ in range(_STEPS):
        residuals, jacobian = problem.residuals(vector), problem.jacobian(vector)
        low, high = _at_bounds(problem, vector, jacobian.T @ residuals)
        vector[low], vector[high] = problem.low[low], problem.high[high]
        free = ~(low | high)
        lengths = np.maximum(np.linalg.norm(jacobian[:, free], axis=0), 1e-300)
        step = np.linalg.lstsq(jacobian[:, free] / lengths, -residuals, rcond=1e-9)[0] / lengths
        length = float(np.linalg.norm(step * lengths))  # of the residuals' change: of one unit for all
        if not length < longest:
            break
        vector[free] = np.clip(vector[free] + step, problem.low[free], problem.high[free])
        longest = length
    loss = float(np.sum(problem.residuals(vector) ** 2))
    return End(vector, loss, True) if loss <= end.loss * (1 + _TOLERANCE) else end


def _at_bounds(problem: Problem, vector: Floats, gradient: Floats) -> tuple[Bools, Bools]:
    """Return which coefficients lie at their least, and at their greatest, with the loss falling outwards."""
    margin = 1e-6 * np.minimum(problem.high - problem.low, 1.0)
    at_low, at_high = vector - problem.low < margin, problem.high - vector < margin
    return at_low & (gradient > 0), at_high & (gradient < 0)


def _squares(problem: Problem, start: Floats, evaluations: int) -> End:
    """Search for the least squares by a trust region within the bounds."""
    if not problem.free:
        return End(start, float(np.sum(problem.residuals(start) ** 2)), True)
    answer = least_squares(
        problem.residuals,
        problem.inside(projected(problem, start)),
        problem.jacobian,
        bounds=(problem.low, problem.high),
        x_scale="jac",
        ftol=_TOLERANCE,
        xtol=_TOLERANCE,
        gtol=_TOLERANCE,
        max_nfev=evaluations,
    )
    converged = answer.status > 0 and _stationary(problem, answer.x, answer.fun)
    return End(answer.x, float(2 * answer.cost), converged)


_WIDE = 0.03
"""Where a first search for Huber's loss ends its squares: wider than the loss itself, whose bends stop it."""


def _robust(problem: Problem, start: Floats) -> Floats:
    """Return where a search for a wide Huber loss of logs ends, by a trust region within the bounds."""
    answer = least_squares(
        problem.residuals,
        problem.inside(start),
        problem.jacobian,
        bounds=(problem.low, problem.high),
        x_scale="jac",
        loss="huber",
        f_scale=_WIDE,
        max_nfev=_EVALUATIONS,
    )
    return np.asarray(answer.x)


def _stationary(problem: Problem, vector: Floats, residuals: Floats, share: float = _STATIONARY) -> bool:
    """True if no step within the bounds would lessen the residuals noticeably."""
    jacobian = problem.jacobian(vector)
    gradient = jacobian.T @ residuals
    low, high = _at_bounds(problem, vector, gradient)
    free = ~(low | high)
    lengths = np.maximum(np.linalg.norm(jacobian[:, free], axis=0), 1e-300)
    return bool(np.all(np.abs(gradient[free]) / lengths <= share * np.linalg.norm(residuals) + 1e-9))


def _huber(problem: Problem, start: Floats, evaluations: int) -> End:
    """Search for the least Huber loss of logs from an end of least squares."""
    answer = minimize(
        partial(huber, problem),
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=Bounds(problem.low, problem.high),
        options={"maxiter": 10 * evaluations, "maxfun": 20 * evaluations, "ftol": 1e-13, "gtol": 1e-6},
    )
    slopes = np.clip(problem.residuals(answer.x) / problem.roots / HUBER, -1, 1)
    return End(
        answer.x, float(answer.fun), _stationary(problem, answer.x, slopes * problem.roots, _STATIONARY_HUBER)
    )
