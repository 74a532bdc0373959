"""How many seeds would tell a difference apart."""

from __future__ import annotations

import math

from scipy import special

__all__ = ["seeds_needed"]


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
    while special.nctdtr(n - 1, effect * math.sqrt(n), special.stdtrit(n - 1, 1 - alpha / 2)) > 1 - power:
        n += 1
    return n
