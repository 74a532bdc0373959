"""How sure the seeds are of a share of runs, or of the difference of two, by the binomial distribution.

Runs of one seed are not independent (they share initial weights and data order), so the seed is what is
counted: over several sparsities its number is the share of its runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy import special

from prunebench.checks.curves import Floats

__all__ = ["Share", "ShareDifference"]

_ROUNDING = 1e-9


def _whole(total: float, up: bool) -> int:
    """Return a total as a whole number of seeds, rounded to the side that claims less."""
    return math.ceil(total - _ROUNDING) if up else math.floor(total + _ROUNDING)


@dataclass(frozen=True, eq=False)
class Share:
    """D as a share of the seeds less a number: Clopper and Pearson (1934)."""

    shares: Floats
    less: float

    without_spread = False
    """Not even where all seeds agree: none of five diverged, and every tenth may."""
    p_other = 1.0

    @property
    def effect(self) -> float:
        """The share less the number."""
        return float(self.shares.mean()) - self.less

    @property
    def sd(self) -> float:
        """The standard deviation over seeds."""
        return float(self.shares.std(ddof=1))

    def seeds_to_decide(self, decided: Callable[[Share], bool]) -> int | None:
        """Return how many seeds like these, which all agree, are enough for `decided`."""
        return _enough(lambda n: decided(Share(np.full(n, self.shares[0]), self.less)), len(self.shares))

    def p_at_most(self, x: float) -> float:
        """Return the p value of D ≤ x."""
        return _p_share_at_most(self.shares, x + self.less)

    def p_at_least(self, x: float) -> float:
        """Return the p value of D ≥ x."""
        return _p_share_at_most(1 - self.shares, 1 - (x + self.less))

    def lower(self, alpha: float) -> float:
        """Return the bound below."""
        return _share_above(self.shares, alpha) - self.less

    def upper(self, alpha: float) -> float:
        """Return the bound above."""
        return 1 - _share_above(1 - self.shares, alpha) - self.less


def _p_share_at_most(shares: Floats, x: float) -> float:
    """Return the p value of a true share of at most x: that of so many seeds, or more, at the share x."""
    n, total = len(shares), float(shares.sum())
    if x >= 1 or x < 0:
        return float(x >= 1)
    if x == 0:
        return float(total <= _ROUNDING)
    k = _whole(total, up=False)
    return float(special.bdtrc(k - 1, n, x)) if k > 0 else 1.0


def _share_above(shares: Floats, alpha: float) -> float:
    """Return the bound that the true share is above of."""
    n, k = len(shares), _whole(float(shares.sum()), up=False)
    return float(special.betaincinv(k, n - k + 1, alpha)) if k > 0 else 0.0


@dataclass(frozen=True, eq=False)
class ShareDifference:
    """D as the difference of two shares that are paired by seed, less `by`.

    A seed counts one for, one against, or not at all. How many do not count is not known, and the p value is
    the largest over all shares of these.
    """

    differences: Floats
    by: float

    without_spread = False
    p_other = 1.0

    @property
    def effect(self) -> float:
        """The difference of the shares less `by`."""
        return float(self.differences.mean()) - self.by

    @property
    def sd(self) -> float:
        """The standard deviation over seeds."""
        return float(self.differences.std(ddof=1))

    def seeds_to_decide(self, decided: Callable[[ShareDifference], bool]) -> int | None:
        """Return how many seeds like these, which all agree, are enough for `decided`."""
        alike = float(self.differences[0])

        def enough(n: int) -> bool:
            return decided(ShareDifference(np.full(n, alike), self.by))

        return _enough(enough, len(self.differences), most=40)

    @cached_property
    def _total(self) -> float:
        return float(self.differences.sum())

    def p_at_most(self, x: float) -> float:
        """Return the p value of D ≤ x."""
        return _p_difference_at_most(self._total, len(self.differences), x + self.by)

    def p_at_least(self, x: float) -> float:
        """Return the p value of D ≥ x."""
        return _p_difference_at_most(-self._total, len(self.differences), -(x + self.by))

    def lower(self, alpha: float) -> float:
        """Return the bound below."""
        return _where(lambda x: _p_difference_at_most(self._total, len(self.differences), x), alpha) - self.by

    def upper(self, alpha: float) -> float:
        """Return the bound above."""
        return (
            -_where(lambda x: _p_difference_at_most(-self._total, len(self.differences), x), alpha) - self.by
        )


@lru_cache(maxsize=4096)
def _p_difference_at_most(total: float, n: int, x: float) -> float:
    """Return the p value of a true difference of at most x: of such a total, or more, at the difference x."""
    if x >= 1 or x < -1:
        return float(x >= 1)
    counting = np.linspace(abs(x), 1.0, 201)
    steps = np.stack([(counting - x) / 2, 1 - counting, (counting + x) / 2])
    totals = np.ones((1, len(counting)))
    for _ in range(n):
        wider = np.zeros((len(totals) + 2, len(counting)))
        for i, chance in enumerate(steps):
            wider[i : i + len(totals)] += totals * chance
        totals = wider
    return float(min(1.0, totals[n + _whole(total, up=False) :].sum(axis=0).max()))


def _where(p: Callable[[float], float], alpha: float) -> float:
    """Return where a rising p reaches alpha, between −1 and 1."""
    low, high = -1.0, 1.0
    while high - low > 1e-7:
        middle = (low + high) / 2
        low, high = (middle, high) if p(middle) < alpha else (low, middle)
    return low


def _enough(decided: Callable[[int], bool], seeds: int, most: int = 200) -> int | None:
    """Return the fewest seeds, more than there are, that decide; None where `most` do not."""
    return next((n for n in range(seeds + 1, most + 1) if decided(n)), None)
