"""How sure the seeds are of a number D: one-sided bounds, and p values of D being at most, or at least, x.

`p_at_most(x)` is small where the seeds speak against D ≤ x, and `p_at_least(x)` where they speak against
D ≥ x. docs/checks.md gives formulas and reasons.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from scipy import special

from prunebench.checks.curves import Floats

__all__ = ["ROUNDING", "Evidence", "Paired"]

ROUNDING = 1e-11
"""Relative to the numbers that are compared: what is smaller is rounding of floats, no difference."""


class Evidence(Protocol):
    """What is known of D."""

    @property
    def effect(self) -> float:
        """The estimate of D."""

    @property
    def without_spread(self) -> bool:
        """True if every seed says the same: D is decided by its value."""

    def p_at_most(self, x: float) -> float:
        """Return the p value of D ≤ x."""

    def p_at_least(self, x: float) -> float:
        """Return the p value of D ≥ x."""

    def lower(self, alpha: float) -> float:
        """Return the bound that D is above of but in a share alpha of cases."""

    def upper(self, alpha: float) -> float:
        """Return the bound that D is below of but in a share alpha of cases."""


@dataclass(frozen=True, eq=False)
class Paired:
    """D as the mean of one number a seed (two seeds or more): the paired t test.

    `scale` is how large the numbers are of which these are differences.
    """

    differences: Floats
    scale: float = 1.0

    @cached_property
    def effect(self) -> float:
        """The mean; 0 where it is nothing but rounding."""
        mean = float(self.differences.mean())
        return 0.0 if abs(mean) <= ROUNDING * self.scale else mean

    @cached_property
    def sd(self) -> float:
        """The standard deviation over seeds (n − 1)."""
        sd = float(self.differences.std(ddof=1))
        return 0.0 if sd <= ROUNDING * self.scale else sd

    @property
    def without_spread(self) -> bool:
        """True if every seed has the same number."""
        return self.sd == 0

    @property
    def _error(self) -> float:
        return self.sd / math.sqrt(len(self.differences))

    def p_at_most(self, x: float) -> float:
        """Return the p value of D ≤ x."""
        if self.without_spread:
            return float(self.effect <= x)
        return float(special.stdtr(len(self.differences) - 1, (x - self.effect) / self._error))

    def p_at_least(self, x: float) -> float:
        """Return the p value of D ≥ x."""
        if self.without_spread:
            return float(self.effect >= x)
        return float(special.stdtr(len(self.differences) - 1, (self.effect - x) / self._error))

    def lower(self, alpha: float) -> float:
        """Return the bound below."""
        return self.effect - _t(alpha, len(self.differences)) * self._error

    def upper(self, alpha: float) -> float:
        """Return the bound above."""
        return self.effect + _t(alpha, len(self.differences)) * self._error


def _t(alpha: float, n: int) -> float:
    return float(special.stdtrit(n - 1, 1 - alpha))
