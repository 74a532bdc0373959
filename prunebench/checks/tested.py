"""How sure the seeds are of a number that is found by testing each value that it could have.

The end of a range, or a crossing, hangs on a mean curve at many places, and where the curve is flat luck at
any of them moves it far. But each single value v says something of the curve at one place ("if the range
ends at 80 %, accuracy is not lost at 80 %, and is lost at the next sparsity"), and a t test of that is a
test of v. The values that are not refused are between the bounds: a bound is wrong only where the true
value is refused, which happens in at most 5 %, whatever the rest of the curve looks like. No adjustment for
the number of values is needed, since only one of them is true (Neyman, 1937). docs/checks.md has the
argument in full.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import special

from prunebench.analysis.student import t_quantile
from prunebench.checks.curves import Floats
from prunebench.checks.evidence import ALPHA, POWER, ROUNDING

__all__ = ["ValueTests", "p_not_above", "p_not_below"]

_MOST = 1 << 20


def p_not_below(numbers: Floats) -> Floats:
    """Return for each row (values × seeds) the p value of its mean's being at least 0, by the t test.

    It is small where the mean is surely below 0; a row without spread is decided by its value, and of one
    that is not known, or of a single seed, nothing is sure (p = 1).
    """
    numbers = np.asarray(numbers, dtype=np.float64)
    seeds = numbers.shape[-1]
    if seeds < 2:
        return np.ones(numbers.shape[:-1])
    mean, error = numbers.mean(axis=-1), numbers.std(axis=-1, ddof=1) / math.sqrt(seeds)
    scale = ROUNDING * np.maximum(np.abs(numbers).max(axis=-1), 1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = special.stdtr(seeds - 1, mean / error)
    p = np.where(error <= scale, (mean >= -scale).astype(np.float64), p)
    return np.where(np.isnan(mean), 1.0, p)


def p_not_above(numbers: Floats) -> Floats:
    """Return the p value of each row's mean being at most 0: small where it is surely above."""
    return p_not_below(-np.asarray(numbers, dtype=np.float64))


@dataclass(frozen=True, eq=False)
class ValueTests:
    """D by the values that it could have: how sure it is that D is above, or below, each of them."""

    value: float
    lows: Floats
    """Rising: what D may be the least, `at_most` being the p value of D ≤ it."""
    at_most: Floats
    highs: Floats
    """Rising: what D may be the most, `at_least` being the p value of D ≥ it."""
    at_least: Floats
    seeds: int
    shared: int = 1
    """Into how many equal parts the 5 % are divided, where D is made of several numbers."""

    @classmethod
    def of(cls, value: float, values: Floats, more: Floats, less: Floats, seeds: int) -> ValueTests:
        """Return the evidence of a number from tests of its values.

        `more` holds for each of the rising `values` a p value that is small where the number is surely more,
        and `less` one that is small where it is surely less. A number that is not known may be anything.
        """
        if math.isnan(value) or not len(values):
            edges, unsure = np.array([-math.inf, math.inf]), np.ones(2)
            return cls(math.nan, edges, unsure, edges, unsure, seeds)
        near = _near(value)
        if not ((values == value) | ((values >= value - near) & (values <= value + near))).any():
            place = int(np.searchsorted(values, value))
            values = np.insert(values, place, value)
            more, less = np.insert(more, place, 1.0), np.insert(less, place, 1.0)
        at_most = np.maximum.accumulate(np.where(values >= value - near, 1.0, more))
        at_least = np.maximum.accumulate(np.where(values <= value + near, 1.0, less)[::-1])[::-1]
        return cls(value, values, at_most, values, at_least, seeds)

    @classmethod
    def of_lines(cls, value: float, lines: Sequence[tuple[Floats, Floats, Floats]], seeds: int) -> ValueTests:
        """Return the evidence of the mean of several numbers, each with its tests and its part of the 5 %."""
        if math.isnan(value) or len(lines) == 1:
            values, more, less = lines[0] if lines else np.empty((3, 0))
            return cls.of(value, values, more, less, seeds)
        likely = [float(values[np.argmax(np.minimum(more, less))]) for values, more, less in lines]
        each = [cls.of(one, *line, seeds) for one, line in zip(likely, lines, strict=True)]
        return replace(_together(each, lambda bounds, _: sum(bounds) / len(bounds)), value=value)

    @property
    def effect(self) -> float:
        """The value of the mean curves as they are."""
        return self.value

    @property
    def sd(self) -> float:
        """That of seeds with which a mean has bounds as far apart as these."""
        if self.upper(ALPHA) == self.lower(ALPHA):
            return 0.0
        apart = self.upper(ALPHA) - self.lower(ALPHA)
        return apart / (2 * float(t_quantile(self.seeds - 1, 1 - ALPHA))) * math.sqrt(self.seeds)

    @cached_property
    def p_other(self) -> float:
        """The p value of another value: a smaller or a greater one."""
        if math.isnan(self.value):
            return 1.0
        below, above = self.lows < self.value - _near(self.value), self.highs > self.value + _near(self.value)
        smaller = float(self.at_most[below].max(initial=0.0))
        return min(1.0, smaller + float(self.at_least[above].max(initial=0.0)))

    @property
    def without_spread(self) -> bool:
        """True if all other values are refused at 5 % together: D is decided by its value."""
        return self.p_other < ALPHA

    def p_at_most(self, x: float) -> float:
        """Return the p value of D ≤ x."""
        place = int(np.searchsorted(self.lows, x + _near(x), side="right")) - 1
        return float(self.at_most[place]) if place >= 0 else 0.0

    def p_at_least(self, x: float) -> float:
        """Return the p value of D ≥ x."""
        place = int(np.searchsorted(self.highs, x - _near(x), side="left"))
        return float(self.at_least[place]) if place < len(self.highs) else 0.0

    def lower(self, alpha: float) -> float:
        """Return the bound below: the least value that is not refused."""
        return float(self.lows[np.argmax(self.at_most >= alpha)])

    def upper(self, alpha: float) -> float:
        """Return the bound above: the greatest value that is not refused."""
        return float(self.highs[len(self.highs) - 1 - np.argmax(self.at_least[::-1] >= alpha)])

    def shifted(self, by: float) -> ValueTests:
        """Return the evidence of D + by."""
        lows, highs = (_snapped(each + by) for each in (self.lows, self.highs))
        return replace(self, value=float(_snapped(self.value + by)), lows=lows, highs=highs)

    def against(self, other: ValueTests, *, ratio: bool) -> ValueTests:
        """Return the evidence of the difference from another number, or of the ratio to it.

        Both may be wrong, so each has half of the 5 %: what they have in common is not used.
        """
        return _together([self, other], _ratio if ratio else _difference)

    def __sub__(self, other: ValueTests) -> ValueTests:
        """Return the evidence of the difference: nothing but 0 from itself."""
        if other is self:
            return ValueTests.of(0.0, np.zeros(1), np.ones(1), np.ones(1), self.seeds)
        return self.against(other, ratio=False)

    def divided(self, number: float) -> ValueTests:
        """Return the evidence of the ratio to a number that is known."""
        if number == 0:
            return ValueTests.of(math.nan, self.lows, self.lows, self.lows, self.seeds)
        return _together([self], lambda these, those: (these if number > 0 else those)[0] / number)

    def with_seeds(self, seeds: int) -> ValueTests:
        """Return what so many seeds say at least, in four cases of five, if means and spreads are these."""
        at_most, at_least = (self._with_seeds(p, seeds) for p in (self.at_most, self.at_least))
        return replace(self, at_most=at_most, at_least=at_least, seeds=seeds)

    def _with_seeds(self, p: Floats, seeds: int) -> Floats:
        own = np.clip(p / self.shared, 1e-300, 1.0)
        centre = -t_quantile(self.seeds - 1, own) * math.sqrt(seeds / self.seeds)
        t = _at_least(centre, seeds - 1)
        more = np.minimum(1.0, self.shared * special.stdtr(seeds - 1, -t))
        return np.where(p <= 0, 0.0, np.where(own >= 0.5, 1.0, more))

    def seeds_until(self, decided: Callable[[ValueTests], bool]) -> int | None:
        """Return about how many seeds, more than there are, are enough; None where no number is."""
        low, high = self.seeds, self.seeds + 1
        while not decided(self.with_seeds(high)):
            low, high = high, 2 * high
            if high > _MOST:
                return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if decided(self.with_seeds(middle)) else (middle, high)
        return high


def _at_least(centre: Floats, freedom: int) -> Floats:
    """Return what non-central t is exceeded in four cases of five, nearly (Johnson and Welch, 1940)."""
    z, k = float(special.ndtri(POWER)), 1 - 1 / (4 * freedom)
    root = np.sqrt(np.maximum(0.0, k**2 + (centre**2 - z**2) / (2 * freedom)))
    return np.asarray((k * centre - z * root) / (k**2 - z**2 / (2 * freedom)))


_Combining = Callable[[list[float], list[float]], float]
"""Bounds on one side of several numbers, and those on the other side: the bound of what they make."""


def _difference(these: list[float], those: list[float]) -> float:
    return these[0] - those[1]


def _ratio(these: list[float], those: list[float]) -> float:
    """Return the bound of a ratio of numbers; without one as long as what it is divided by may be 0."""
    least = min(these[1], those[1])
    if not least > 0:
        return math.nan
    return these[0] / (those[1] if these[0] >= 0 else these[1])


def _together(each: Sequence[ValueTests], make: _Combining) -> ValueTests:
    count = len(each)
    levels = _levels([p for one in each for p in (one.at_most, one.at_least)], count)

    def bound(level: float, side: int) -> float:
        bounds = [one.lower(level / count) for one in each], [one.upper(level / count) for one in each]
        made = make(bounds[side], bounds[1 - side])
        return (-math.inf, math.inf)[side] if math.isnan(made) else made

    lows = np.array([bound(level, 0) for level in levels])
    highs = np.array([bound(level, 1) for level in levels])
    values = [one.value for one in each]
    value = make(values, values)
    if math.isnan(value):
        return ValueTests.of(value, lows, lows, lows, each[0].seeds)
    shared = count * max(one.shared for one in each)
    return ValueTests(
        float(_snapped(value)),
        _snapped(lows),
        levels,
        _snapped(highs[::-1]),
        levels[::-1],
        each[0].seeds,
        shared,
    )


def _levels(each: Sequence[Floats], count: int) -> Floats:
    """Return the levels at which a bound of several numbers moves, rising to 1."""
    return np.unique(np.minimum(1.0, np.concatenate([*(count * p for p in each), [1.0]])))


def _near(x: float) -> float:
    return ROUNDING * max(abs(x), 1.0) if math.isfinite(x) else 0.0


def _snapped(values: float | Floats) -> Floats:
    """Return numbers of which those that are nothing but rounding are 0."""
    return np.where(np.abs(values) <= ROUNDING * 10, 0.0, values)
