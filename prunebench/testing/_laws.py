"""Checks of functional forms: on points made by hand, at many sets of coefficients."""

from __future__ import annotations

import numpy as np

from prunebench.host.functional import FunctionalForm, faults
from prunebench.scaling.fit.problem import Problem
from prunebench.scaling.fit.search import starts
from prunebench.scaling.points import Points, points_of
from prunebench.testing._common import at_last_documented, ensure, ensure_common, said

__all__ = ["check_form"]

_PLACES = 20
_STEP = 1e-5
_CLOSE = 1e-4
"""Of a derivative and a central difference, as a share of the largest derivative of that coefficient."""


@at_last_documented
def check_form(form: FunctionalForm) -> None:
    """Check a functional form at twenty sets of coefficients between their starts.

    It must take (points) and its coefficients by keyword; each starts within its bounds, above 0 where it is
    searched for by its logarithm. It returns an error for every point, above 0, the same when asked
    again, whatever the order of the points. Its gradient, where it has one, must be that of its function.

    Raises: AssertionError.
    """
    who = ensure_common(form)
    for fault in faults(form):
        raise AssertionError(f"{who}: {fault}")
    problem = Problem(form, _points(form), {}, np.ones(_LENGTH))
    for vector in starts(problem, _PLACES, seed=0):
        _check_values(who, problem, vector)
        _check_gradient(who, problem, vector)


_LENGTH = 12


def _points(form: FunctionalForm) -> Points:
    rng = np.random.default_rng(0)
    columns = {name: rng.uniform(1, 50, _LENGTH) for name in (*form.columns, "depth", "width", "examples")}
    columns |= {"density": rng.uniform(1e-3, 1, _LENGTH), "error": np.ones(_LENGTH)}
    return points_of({**columns, "error_unpruned": rng.uniform(0.05, 0.2, _LENGTH)})


def _check_values(who: str, problem: Problem, vector: np.ndarray) -> None:
    with said(who):
        first, again = problem.predicted(vector), problem.predicted(vector)
        turned = Problem(problem.form, problem.points.rows(_TURNED), {}, problem.weights).predicted(vector)
    values = problem.values(vector)
    ensure(np.isfinite(first).all() and (first > 0).all(), f"{who}: at {values} not every error is above 0")
    ensure(np.array_equal(first, again), f"{who} gives other errors when it is asked again")
    ensure(np.allclose(turned, first[_TURNED], rtol=1e-12), f"{who}: a point's error depends on other points")


_TURNED = np.arange(_LENGTH)[::-1]


def _check_gradient(who: str, problem: Problem, vector: np.ndarray) -> None:
    if problem.form.gradient is None:
        return
    with said(who):
        slopes = problem.slopes(vector)
    for i, name in enumerate(problem.names):
        step = np.zeros(len(vector))
        step[i] = _STEP
        difference = (problem.predicted(vector + step) - problem.predicted(vector - step)) / (2 * _STEP)
        off = np.abs(slopes[:, i] - difference).max()
        ensure(
            off <= _CLOSE * max(float(np.abs(difference).max()), 1e-6),
            f"{who}: the derivative by {name} at {problem.values(vector)} is not that of its function",
        )
