"""Variable projection: linear coefficients are solved for, the others searched.

Golub and Pereyra 1973, with the simplified Jacobian of Kaufman 1975.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares, lsq_linear

from prunebench.scaling.fit.problem import Problem
from prunebench.scaling.points import Bools, Floats

__all__ = ["projected"]


def projected(problem: Problem, start: Floats) -> Floats:
    """Return a vector with its linear coefficients solved for and the others searched for from a start.

    The vector as it is where no free coefficient is linear.
    """
    linear = np.array([one.linear for one in problem.free])
    if not linear.any() or problem.logs:
        return start
    search = _Projection(problem, linear, start)
    if linear.all():
        return search.whole(start[~linear])
    answer = least_squares(
        search.residuals,
        problem.inside(start)[~linear],
        search.jacobian,
        bounds=(problem.low[~linear], problem.high[~linear]),
        x_scale="jac",
        max_nfev=100,
    )
    return search.whole(answer.x)


class _Projection:
    """Residuals as a function of the coefficients that are not linear."""

    def __init__(self, problem: Problem, linear: Bools, start: Floats) -> None:
        self.problem, self.linear, self.start = problem, linear, start

    def whole(self, rest: Floats) -> Floats:
        """Return the whole vector: the linear coefficients are those of least squares within their bounds."""
        problem, vector = self.problem, self.start.copy()
        vector[~self.linear] = rest
        vector[self.linear] = 0.0
        basis = problem.jacobian(vector)[:, self.linear]
        goal = -problem.residuals(vector)
        low, high = problem.low[self.linear], problem.high[self.linear]
        solved = np.linalg.lstsq(basis, goal, rcond=None)[0]
        if ((solved < low) | (solved > high)).any():
            solved = lsq_linear(basis, goal, (low, high), method="bvls").x
        vector[self.linear] = np.clip(solved, low, high)
        return vector

    def residuals(self, rest: Floats) -> Floats:
        return self.problem.residuals(self.whole(rest))

    def jacobian(self, rest: Floats) -> Floats:
        vector = self.whole(rest)
        columns = self.problem.jacobian(vector)
        own = (vector > self.problem.low) & (vector < self.problem.high) & self.linear
        basis = np.linalg.qr(columns[:, own])[0]
        others = columns[:, ~self.linear]
        return np.asarray(others - basis @ (basis.T @ others))
