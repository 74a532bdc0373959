"""How sure the seeds are of a number D: one-sided bounds, and p values of D being at most, or at least, x.

`p_at_most(x)` is small where the seeds speak against D ≤ x, and `p_at_least(x)` where they speak against
D ≥ x. docs/checks.md gives formulas and reasons.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy import special

from prunebench.analysis.student import t_quantile
from prunebench.checks.curves import Bools, Floats

__all__ = ["ALPHA", "POWER", "ROUNDING", "Draws", "Evidence", "Extreme", "Paired", "Ratio"]

ALPHA = 0.05

POWER = 0.8
"""How often the seeds decide that are said to be enough."""

ROUNDING = 1e-11
"""Relative to the numbers that are compared: what is smaller is rounding of floats, no difference."""


class Evidence(Protocol):
    """What is known of D."""

    @property
    def effect(self) -> float:
        """The estimate of D."""

    @property
    def sd(self) -> float:
        """The spread over seeds: that of a mean over n of them is sd / √n."""

    @property
    def without_spread(self) -> bool:
        """True if every seed says the same: D is decided by its value."""

    @property
    def p_other(self) -> float:
        """Where D is without spread, the p value of its having another value."""

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

    p_other = 0.0

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
    return float(t_quantile(n - 1, 1 - alpha))


@dataclass(frozen=True, eq=False)
class Ratio:
    """D as the ratio of two means, less `by`, of numbers paired by seed: Fieller's theorem (1954).

    D ≤ d where the mean of x − (by + d) · y is at most 0: a paired t test again, and exact where x and y are
    normal. It needs a y whose mean is not 0 for sure; as long as that is open there are no bounds.
    """

    x: Floats
    y: Floats
    by: float

    @cached_property
    def _upright(self) -> tuple[Floats, Floats]:
        """The numbers with a y that is positive on average."""
        return (self.x, self.y) if self.y.mean() > 0 else (-self.x, -self.y)

    @cached_property
    def effect(self) -> float:
        """The ratio of the means, less `by`."""
        mean = float(self.y.mean())
        ratio = float(self.x.mean()) / mean if mean else math.nan
        return 0.0 if abs(ratio - self.by) <= ROUNDING * max(abs(ratio), abs(self.by)) else ratio - self.by

    @cached_property
    def sd(self) -> float:
        """The standard deviation of x − (by + D) · y, in units of the mean of y."""
        mean = abs(float(self.y.mean()))
        return self._rest(self.effect).sd / mean if mean else math.nan

    @property
    def without_spread(self) -> bool:
        """True if every seed has the same ratio."""
        return self.sd == 0

    p_other = 0.0

    def _rest(self, d: float) -> Paired:
        x, y = self._upright
        return Paired(x - (self.by + d) * y, scale=float(np.abs([x, (self.by + d) * y]).max()))

    @cached_property
    def _p_no_ratio(self) -> float:
        """The p value of a y that is 0 on average, or of the other sign."""
        return Paired(self._upright[1]).p_at_most(0.0)

    def p_at_most(self, x: float) -> float:
        """Return the p value of D ≤ x."""
        if self.without_spread:
            return float(self.effect <= x)
        return max(self._rest(x).p_at_most(0.0), self._p_no_ratio)

    def p_at_least(self, x: float) -> float:
        """Return the p value of D ≥ x."""
        if self.without_spread:
            return float(self.effect >= x)
        return max(self._rest(x).p_at_least(0.0), self._p_no_ratio)

    def lower(self, alpha: float) -> float:
        """Return the bound below; −∞ as long as y may be 0."""
        return self._bound(alpha, -1.0)

    def upper(self, alpha: float) -> float:
        """Return the bound above; ∞ as long as y may be 0."""
        return self._bound(alpha, 1.0)

    def _bound(self, alpha: float, side: float) -> float:
        """Return where (x̄ − ρȳ)² = t² · var(x − ρy) / n, the root on one side of the ratio."""
        if self.without_spread:
            return self.effect
        if self._p_no_ratio >= alpha:
            return side * math.inf
        x, y = self._upright
        factor = _t(alpha, len(x)) ** 2 / len(x)
        (xx, xy), (_, yy) = np.cov(x, y) * factor
        mx, my = float(x.mean()), float(y.mean())
        a, b, c = my**2 - yy, mx * my - xy, mx**2 - xx
        return float((b + side * math.sqrt(max(b * b - a * c, 0.0))) / a) - self.by


@dataclass(frozen=True, eq=False)
class Draws:
    """D as a property of mean curves: its value, and what it is in resamples of these (`resampling.draws`).

    A resample in which D is not known (both curves never get there) speaks for neither side.
    """

    value: float
    resampled: Floats
    seeds: int

    @property
    def effect(self) -> float:
        """The value of the mean curves as they are."""
        return self.value

    @property
    def sd(self) -> float:
        """That of seeds with which a mean has bounds as far apart as these."""
        apart = self.upper(0.05) - self.lower(0.05)
        return apart / (2 * _t(0.05, self.seeds)) * math.sqrt(self.seeds)

    @cached_property
    def p_other(self) -> float:
        """The p value of another value."""
        near = ROUNDING * max(abs(self.value), 1.0) if math.isfinite(self.value) else 0.0
        with np.errstate(invalid="ignore"):  # infinite less infinite
            apart = np.abs(self.resampled - self.value)
        same = (self.resampled == self.value) | (apart <= near)
        return float((~same).sum() + 1) / (len(self.resampled) + 1)

    @property
    def without_spread(self) -> bool:
        """True if 95 % of the resamples say the same: a border, where it moves in whole steps."""
        return self.p_other < ALPHA

    @cached_property
    def _bias(self) -> float:
        """Twice the normal quantile of the share of resamples below the value (Efron, 1981).

        0 where it is their median. What is the first of several places, as a crossing is, lies too early in
        the mean curve of few seeds, and in resamples of it once more.
        """
        count = len(self.resampled)
        less, more = (self.resampled < self.value).sum(), (self.resampled > self.value).sum()
        share = (less + (count - less - more) / 2) / count
        return 2 * float(special.ndtri(np.clip(share, 1 / count, 1 - 1 / count)))

    def p_at_most(self, x: float) -> float:
        """Return the p value of D ≤ x."""
        return _moved(self._share(~(self.resampled > x)), -self._bias)

    def p_at_least(self, x: float) -> float:
        """Return the p value of D ≥ x."""
        return _moved(self._share(~(self.resampled < x)), self._bias)

    def _share(self, resamples: Bools) -> float:
        return float(resamples.sum() + 1) / (len(self.resampled) + 1)

    def lower(self, alpha: float) -> float:
        """Return the bound below: the alpha quantile of the resamples, moved by their bias."""
        values = np.where(np.isnan(self.resampled), -np.inf, self.resampled)
        return _quantile(values, _moved(alpha, self._bias))

    def upper(self, alpha: float) -> float:
        """Return the bound above."""
        values = np.where(np.isnan(self.resampled), -np.inf, -self.resampled)
        return -_quantile(values, _moved(alpha, -self._bias))


def _moved(share: float, by: float) -> float:
    """Return the share of a normal distribution that lies below its own quantile moved by so much."""
    return share if by == 0 else float(special.ndtr(special.ndtri(share) + by))


def _quantile(values: Floats, alpha: float) -> float:
    place = math.floor(alpha * (len(values) + 1) + 1e-9) - 1
    return float(np.sort(values)[place]) if place >= 0 else -math.inf


@dataclass(frozen=True, eq=False)
class Extreme:
    """D as the least, or the greatest, of several: of differences from the best of several methods, say.

    The least of them is above x where all are, so that no p needs adjusting; it is below x where one is,
    and which one is not known beforehand: its p is adjusted by how many there are. So no method is judged by
    the luck that made it the best. Of the greatest the same mirrored.
    """

    of: Sequence[Evidence]
    least: bool

    @cached_property
    def decides(self) -> Evidence:
        """The one that is the least, or the greatest, as the seeds are."""
        return (min if self.least else max)(self.of, key=lambda one: one.effect)

    @property
    def effect(self) -> float:
        """The least, or the greatest, estimate."""
        return self.decides.effect

    @property
    def sd(self) -> float:
        """That of the one that decides."""
        return self.decides.sd

    @property
    def without_spread(self) -> bool:
        """True if none has a spread."""
        return all(one.without_spread for one in self.of)

    @property
    def p_other(self) -> float:
        """The p value of another value of any of them."""
        return min(1.0, sum(one.p_other for one in self.of))

    def p_at_most(self, x: float) -> float:
        """Return the p value of D ≤ x."""
        return self._p([one.p_at_most(x) for one in self.of], every=self.least)

    def p_at_least(self, x: float) -> float:
        """Return the p value of D ≥ x."""
        return self._p([one.p_at_least(x) for one in self.of], every=not self.least)

    def _p(self, each: Sequence[float], *, every: bool) -> float:
        return max(each) if every else min(1.0, len(each) * min(each))

    def lower(self, alpha: float) -> float:
        """Return the bound below."""
        if self.least:
            return min(one.lower(alpha) for one in self.of)
        return max(one.lower(alpha / len(self.of)) for one in self.of)

    def upper(self, alpha: float) -> float:
        """Return the bound above."""
        if self.least:
            return min(one.upper(alpha / len(self.of)) for one in self.of)
        return max(one.upper(alpha) for one in self.of)
