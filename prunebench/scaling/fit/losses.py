"""Huber's loss of the log of predicted over measured: squares near zero, absolute values beyond."""

from __future__ import annotations

import numpy as np

from prunebench.scaling.fit.problem import Problem
from prunebench.scaling.points import Floats

__all__ = ["HUBER", "huber"]

HUBER = 1e-3
"""Where the squares end. Of errors that scatter by percents it makes nearly the absolute values."""


def huber(problem: Problem, vector: Floats) -> tuple[float, Floats]:
    """Return Huber's loss over all points, in units of HUBER, and its derivatives by the vector, k."""
    residuals = problem.residuals(vector) / problem.roots / HUBER
    slope = np.clip(residuals, -1, 1)
    loss = np.where(np.abs(residuals) <= 1, residuals**2 / 2, np.abs(residuals) - 0.5)
    columns = problem.jacobian(vector) / problem.roots[:, None] / HUBER
    return float(problem.weights @ loss), columns.T @ (problem.weights * slope)
