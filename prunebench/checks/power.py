"""How many seeds would decide a check, if the effect and its spread are what these seeds show."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from prunebench.analysis.student import t_quantile
from prunebench.checks.curves import Bools, Floats
from prunebench.checks.evidence import ALPHA, POWER

__all__ = ["POWER", "Counts", "Decided", "Way", "chances", "seeds_to_decide"]

Counts = npt.NDArray[np.int64]

Way = Literal["holds", "fails", "either"]

_EACH = 64
"""Up to here every number of seeds is looked at, and from there steps of a twentieth."""
_MOST = 10_000_000
_FEW = 200
"""From more degrees of freedom on the chi distribution is near enough to a power of a normal one."""


def _gauss(count: int) -> tuple[Floats, Floats]:
    nodes, shares = np.polynomial.legendre.leggauss(count)
    return (nodes + 1) / 2, shares / 2


_FEW_SEEDS, _MANY_SEEDS = _gauss(64), _gauss(16)
"""Points between 0 and 1, and their shares of an average: of many seeds the spread hardly varies."""


class Decided(NamedTuple):
    """The chances that so many seeds show that a claim holds, and that it fails."""

    holds: Floats
    fails: Floats


def seeds_to_decide(
    effect: float,
    sd: float,
    expect: str,
    margin: float,
    *,
    more_than: int = 1,
    way: Way = "either",
    alpha: float = ALPHA,
    parts: tuple[int, int] = (1, 1),
) -> int | None:
    """Return the smallest number of seeds that decides a check in 80 % of experiments.

    `effect` is D, `sd` its spread over seeds: differences are taken as normal, with these as the truth.
    Numbers of at most `more_than` are not looked at. `way` asks for one verdict alone, and then at the
    level `alpha`, as where it has to survive an adjustment. `parts` says by how many the bound below and
    the one above are adjusted, as those of the best of several are. None where no number would do: D is on
    a border.

    >>> seeds_to_decide(0.5, 0.5, "above", 0.5), seeds_to_decide(0.0, 0.5, "not-above", 0.5)
    (8, 8)
    """
    if not (math.isfinite(effect) and math.isfinite(sd)):
        return None
    claim = expect.removeprefix("not-")
    if claim != expect:
        way = {"holds": "fails", "fails": "holds", "either": "either"}[way]  # type: ignore[assignment]

    def enough(seeds: Counts) -> Bools:
        holds, fails = chances(effect, sd, claim, margin, seeds, alpha, parts)
        chance = {"holds": holds, "fails": fails, "either": holds + fails}[way]
        return np.asarray((chance >= POWER) & (seeds > more_than))

    return _first(enough, max(2, more_than + 1))


def _first(enough: Callable[[Counts], Bools], least: int) -> int | None:
    """Return the first number of seeds that is enough."""
    for numbers in _blocks(least):
        good = np.flatnonzero(enough(numbers))
        if len(good):
            place = int(good[0])
            high = int(numbers[place])
            low = int(numbers[place - 1]) if place else high - 1
            return _between(enough, low, high)
    return None


def _between(enough: Callable[[Counts], Bools], low: int, high: int) -> int:
    """Return the first number that is enough, where `high` is and `low` is not."""
    while high - low > 1:
        inside = np.unique(np.linspace(low + 1, high, min(high - low, 16)).astype(np.int64))
        place = int(np.argmax(enough(inside)))
        low, high = int(inside[place - 1]) if place else low, int(inside[place])
    return high


@lru_cache
def _blocks(least: int) -> tuple[Counts, ...]:
    """Return the numbers of seeds that are looked at, those that most checks need first."""
    first = np.arange(least, max(_EACH, least + 8) + 1, dtype=np.int64)
    start = float(first[-1])
    most = max(_MOST, 2 * start)
    count = math.ceil(math.log(most / start) / math.log(1.05))
    later = np.unique(np.round(np.geomspace(start, most, count)).astype(np.int64))
    return first, *(later[place : place + 41] for place in range(0, len(later) - 1, 40))


def chances(
    effect: float,
    sd: float,
    claim: str,
    margin: float,
    seeds: Counts,
    alpha: float = ALPHA,
    parts: tuple[int, int] = (1, 1),
) -> Decided:
    """Return how often so many seeds (each of an array) show that a claim holds, and that it fails.

    The mean of n normal differences is normal, and their standard deviation is independent of it, a chi
    distribution. Given that, both verdicts are intervals of the mean (docs/checks.md), so their chances are
    averages of a normal distribution over the standard deviation, by Gauss's rule. `alpha` is the
    level of the test that has to be passed; the rest of the rule is at 5 %.
    """
    error = sd / np.sqrt(seeds.astype(np.float64))[:, None]

    def below(x: Floats) -> Floats:
        """Return the chance of a mean below x."""
        with np.errstate(invalid="ignore", divide="ignore"):
            z = (x - effect) / error
        return np.asarray(special.ndtr(np.where(np.isnan(z), -np.inf, z)))

    def lower(level: float) -> Floats:
        """Return how far the bound below is from the mean at this level."""
        return np.asarray(error * _factors(seeds.tobytes(), level / parts[0]))

    def upper(level: float) -> Floats:
        """Return how far the bound above is from the mean at this level."""
        return np.asarray(error * _factors(seeds.tobytes(), level / parts[1]))

    rule = _above if claim == "above" else _same
    holds, fails = rule(below, lower, upper, margin, alpha)
    _, shares = _points(int(seeds.min()))
    return Decided(np.asarray(holds @ shares), np.asarray(fails @ shares))


def _points(least: int) -> tuple[Floats, Floats]:
    return _FEW_SEEDS if least < _EACH else _MANY_SEEDS


_Below = Callable[[Floats], Floats]
_Apart = Callable[[float], Floats]


def _above(below: _Below, lower: _Apart, upper: _Apart, margin: float, alpha: float) -> tuple[Floats, Floats]:
    holds = 1 - below(np.maximum(lower(alpha), margin - upper(ALPHA)))
    return holds, below(margin - upper(alpha))


def _same(below: _Below, lower: _Apart, upper: _Apart, margin: float, alpha: float) -> tuple[Floats, Floats]:
    """It fails where D is shown to be above 0, or below, and does not hold."""
    holds = np.maximum(0.0, below(margin - upper(alpha)) - below(lower(alpha) - margin))
    low, high = lower(ALPHA) - margin, margin - upper(ALPHA)
    up = np.maximum(lower(alpha / 2), margin - upper(ALPHA / 2))
    down = np.minimum(-upper(alpha / 2), lower(ALPHA / 2) - margin)
    both = np.maximum(0.0, below(np.minimum(high, down)) - below(low))  # holds at 5 % as well
    both += np.maximum(0.0, below(high) - below(np.maximum(low, up)))
    return holds, below(down) + 1 - below(up) - np.where(low < high, both, 0.0)


@lru_cache(maxsize=4096)
def _factors(seeds: bytes, level: float) -> Floats:
    """Return how far bounds are from the mean in true standard errors: seeds × nodes of the spread."""
    freedom = np.frombuffer(seeds, dtype=np.int64).astype(np.float64)[:, None] - 1
    nodes, _ = _points(int(freedom.min()) + 1)
    few = np.minimum(freedom, _FEW)
    spread = np.sqrt(2 * special.gammaincinv(few / 2, nodes) / few)
    part = 2 / (9 * freedom)
    cube = np.maximum(0.0, 1 - part + special.ndtri(nodes) * np.sqrt(part))
    nearly = cube**1.5  # Wilson and Hilferty (1931)
    spread = np.where(freedom > _FEW, nearly, spread)
    return np.asarray(t_quantile(freedom, 1 - level) * spread)
