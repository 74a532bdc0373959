"""How many seeds would decide a check, if the effect and its spread are what these seeds show."""

from __future__ import annotations

import math
from collections.abc import Iterator

from scipy import special

from prunebench.analysis import seeds_needed
from prunebench.checks.judge import ALPHA

__all__ = ["POWER", "seeds_to_decide"]

POWER = 0.8

_MANY = 1000
"""From here on the normal distribution is near enough."""


def seeds_to_decide(effect: float, sd: float, expect: str, margin: float) -> int | None:
    """Return the number of seeds with which the check is decided, one way or the other, with 80 % power.

    `effect` is D, `sd` its spread over seeds. By the non-central t distribution, each bound by itself: the
    fewest with which the seeds show D > 0 or D < δ, and for "same" that it lies within ±δ or is not 0. None
    where no number would do, as D is on a border.

    >>> seeds_to_decide(0.5, 0.5, "above", 0.5), seeds_to_decide(0.0, 0.5, "not-above", 0.5)
    (8, 8)
    """
    if not (math.isfinite(effect) and math.isfinite(sd)):
        return None
    claim = expect.removeprefix("not-")
    return min(_ways(effect, sd, claim, margin), default=None)


def _ways(effect: float, sd: float, claim: str, margin: float) -> Iterator[int]:
    if claim == "above":
        if effect > 0:
            yield from _one(effect, sd, ALPHA)
        if effect < margin:
            yield from _one(margin - effect, sd, ALPHA)
    elif abs(effect) < margin:
        yield _within(abs(effect), sd, margin)
    else:
        yield from _one(abs(effect), sd, ALPHA / 2)


def _one(difference: float, sd: float, alpha: float) -> Iterator[int]:
    """Yield the seeds that find a difference by a one-sided test, if any do."""
    seeds = seeds_needed(difference, sd, power=POWER, alpha=2 * alpha)
    if seeds is not None:
        yield seeds


def _within(effect: float, sd: float, margin: float) -> int:
    """Return the seeds that show D to lie within ±margin, by both one-sided tests."""
    near, far = (margin - effect) / sd if sd else math.inf, (margin + effect) / sd if sd else math.inf
    if math.isinf(near):
        return 2
    z = float(special.ndtri(1 - ALPHA))
    n = max(2, math.ceil(((z + float(special.ndtri(POWER))) / near) ** 2))
    while True:
        if n > _MANY:
            t, miss = z, [float(special.ndtr(z - side * math.sqrt(n))) for side in (near, far)]
        else:
            t = float(special.stdtrit(n - 1, 1 - ALPHA))
            miss = [float(special.nctdtr(n - 1, side * math.sqrt(n), t)) for side in (near, far)]
        if sum(miss) <= 1 - POWER:
            return n
        n += max(1, n // 500)
