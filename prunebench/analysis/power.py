"""How many seeds would tell a difference apart, or show that there is none that matters."""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy import special

from prunebench.analysis.student import t_quantile

__all__ = ["MANY", "seeds_needed", "seeds_to_decide"]

MANY = 10_000
"""Where `seeds_to_decide` stops: nobody runs that many."""


def seeds_needed(difference: float, sd: float, *, power: float = 0.8, alpha: float = 0.05) -> int | None:
    """Return the number of seeds with which a paired t test finds a true difference with the given power.

    `sd` is the spread of the paired differences, in the units of `difference`; the test is two-sided, before
    any adjustment. By the non-central t distribution: the smallest n ≥ 2 with
    P(t(n − 1, |difference| · √n / sd) > critical) ≥ power. None where there is no difference to find.

    >>> seeds_needed(0.5, 0.5), seeds_needed(0.5, 2.0)
    (10, 128)
    """
    if not difference or not sd or math.isnan(difference) or math.isnan(sd):
        return 2 if difference and sd == 0 else None
    effect = abs(difference) / sd
    normal = special.ndtri(1 - alpha / 2) + special.ndtri(power)
    n = max(2, math.ceil((normal / effect) ** 2))
    while special.nctdtr(n - 1, effect * math.sqrt(n), t_quantile(n - 1, 1 - alpha / 2)) > 1 - power:
        n += 1
    return n


def seeds_to_decide(
    difference: float, sd: float, margin: float, *, pairs: int = 1, power: float = 0.8
) -> int | None:
    """Return with how many seeds a pair would be decided, if difference and spread are as observed.

    A pair is decided when its two-sided p is below 5 % / `pairs` (one is better; Holm's first step over so
    many pairs), or its 95 % t interval lies between −margin and margin (they are the same as far as it
    matters): the smallest n ≥ 2 with which one of the two is found with the given power. `MANY` stands for
    that and more; None where the spread is not known, or is 0.

    >>> seeds_to_decide(0.5, 0.5, 0.2), seeds_to_decide(0.0, 0.5, 0.5), seeds_to_decide(0.1, 2.0, 0.2)
    (10, 13, 3142)
    """
    if math.isnan(difference) or math.isnan(sd) or not sd:
        return None

    def decided(n: int) -> float:
        differs = _beyond(abs(difference), sd, n, 0.05 / pairs)
        ends = (_beyond(margin - difference, sd, n, 0.05), _beyond(margin + difference, sd, n, 0.05))
        return max(differs, sum(ends) - 1)  # both ends inside: at least so often

    return _smallest(lambda n: decided(n) >= power)


def _beyond(distance: float, sd: float, n: int, alpha: float) -> float:
    """Return the chance that one end of the interval stays within a distance of the mean."""
    if distance <= 0:
        return 0.0
    critical = float(t_quantile(n - 1, 1 - alpha / 2))
    return 1 - float(special.nctdtr(n - 1, distance / sd * math.sqrt(n), critical))


def _smallest(enough: Callable[[int], bool]) -> int:
    """Return the smallest n from 2 to MANY that is enough: more seeds never are less."""
    low, high = 1, 2
    while not enough(high):
        if high >= MANY:
            return MANY
        low, high = high, min(2 * high, MANY)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
