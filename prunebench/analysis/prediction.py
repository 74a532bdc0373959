"""Where further runs of a row are expected, going by the runs that there are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prunebench.analysis.statistics import ROUNDING
from prunebench.analysis.student import t_quantile

__all__ = ["Prediction", "prediction"]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the mean of further runs is predicted to be."""

    n: int
    """Runs that it goes by."""
    runs: int
    """Further runs, whose mean is predicted."""
    mean: float
    sd: float
    low: float
    high: float

    def has(self, value: float) -> bool:
        """True if a mean of further runs lies in the interval, up to the rounding of floats."""
        slack = ROUNDING * max(abs(self.mean), 1)
        return self.low - slack <= value <= self.high + slack


def prediction(values: Sequence[float], runs: int = 1, level: float = 0.95) -> Prediction:
    """Return the prediction interval for the mean of `runs` further values.

    mean ± t(n − 1, (1 + level) / 2) · sd · sqrt(1 / n + 1 / runs), sd with n − 1: for independent values of
    one normal distribution the mean of the further ones lies in it with probability `level` (Hahn and
    Meeker, Statistical Intervals, §4.7). Values that are all one have an interval of that one value.

    Raises: ValueError for fewer than two values, which have no spread, or for no further run.
    """
    n = len(values)
    if n < 2 or runs < 1:
        raise ValueError(f"{n} values and {runs} further ones: two and one are needed at least")
    numbers = np.asarray(values, dtype=np.float64)
    mean, sd = float(numbers.mean()), float(numbers.std(ddof=1))
    if sd < ROUNDING * max(abs(mean), 1):
        sd = 0.0
    half = float(t_quantile(n - 1, (1 + level) / 2)) * sd * math.sqrt(1 / n + 1 / runs)
    return Prediction(n, runs, mean, sd, mean - half, mean + half)
