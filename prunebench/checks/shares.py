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
from prunebench.checks.evidence import POWER

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
    most = 100
    """Up to so many seeds it is counted out how many would decide."""

    @property
    def effect(self) -> float:
        """The share less the number."""
        return float(self.shares.mean()) - self.less

    @property
    def sd(self) -> float:
        """The standard deviation over seeds."""
        return float(self.shares.std(ddof=1))

    def seeds_until(self, decided: Callable[[Share], bool]) -> int | None:
        """Return how many seeds are enough for `decided` in 80 %, if the share is the one that is seen."""
        share = float(np.clip(self.shares.mean(), 0.0, 1.0))

        def chance(n: int) -> float:
            totals = np.arange(n + 1)
            chances = special.bdtr(totals, n, share)
            each = np.diff(chances, prepend=0.0) if share < 1 else (totals == n).astype(np.float64)
            return _chance(
                np.asarray(each, dtype=np.float64),
                lambda total: decided(Share(np.full(n, total / n), self.less)),
            )

        return _enough(chance, len(self.shares), self.most)

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
    most = 40
    """Up to so many seeds it is counted out how many would decide."""

    @property
    def effect(self) -> float:
        """The difference of the shares less `by`."""
        return float(self.differences.mean()) - self.by

    @property
    def sd(self) -> float:
        """The standard deviation over seeds."""
        return float(self.differences.std(ddof=1))

    def seeds_until(self, decided: Callable[[ShareDifference], bool]) -> int | None:
        """Return how many seeds are enough for `decided` in 80 %, if the shares are those that are seen."""
        for_one = float(np.maximum(self.differences, 0.0).mean())
        against = float(np.maximum(-self.differences, 0.0).mean())
        one_seed = np.array([against, 1 - for_one - against, for_one])

        def chance(n: int) -> float:
            chances = np.ones(1)
            for _ in range(n):
                chances = np.convolve(chances, one_seed)
            return _chance(
                chances, lambda total: decided(ShareDifference(np.full(n, (total - n) / n), self.by))
            )

        return _enough(chance, len(self.differences), self.most)

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


def _p_difference_at_most(total: float, n: int, x: float) -> float:
    """Return the p value of a true difference of at most x: of such a total, or more, at the difference x."""
    if x >= 1 or x < -1:
        return float(x >= 1)
    return float(min(1.0, _tails(n, x)[n + _whole(total, up=False)]))


@lru_cache(maxsize=4096)
def _tails(n: int, x: float) -> Floats:
    """Return for each total from −n to n the largest chance of it, or more, at the true difference x."""
    counting = np.linspace(abs(x), 1.0, 201)
    steps = np.stack([(counting - x) / 2, 1 - counting, (counting + x) / 2])
    totals = np.ones((1, len(counting)))
    for _ in range(n):
        wider = np.zeros((len(totals) + 2, len(counting)))
        for i, chance in enumerate(steps):
            wider[i : i + len(totals)] += totals * chance
        totals = wider
    return np.asarray(totals[::-1].cumsum(axis=0)[::-1].max(axis=1))


def _where(p: Callable[[float], float], alpha: float) -> float:
    """Return where a rising p reaches alpha, between −1 and 1."""
    low, high = -1.0, 1.0
    while high - low > 1e-7:
        middle = (low + high) / 2
        low, high = (middle, high) if p(middle) < alpha else (low, middle)
    return low


def _chance(chances: Floats, decided: Callable[[int], bool]) -> float:
    """Return the chance of a total, by its place, that is decided."""
    likely = np.flatnonzero(chances > 1e-6)
    return float(sum(chances[total] for total in likely if decided(int(total))))


def _enough(chance: Callable[[int], float], seeds: int, most: int) -> int | None:
    """Return the fewest seeds, more than there are, that decide in 80 %; None where `most` do not."""
    return next((n for n in range(seeds + 1, most + 1) if chance(n) >= POWER - _ROUNDING), None)
