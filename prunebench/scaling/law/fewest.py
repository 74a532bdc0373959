"""Which member of a family, pruned how far, has the fewest weights at an error of at most so much.

The question of Rosenfeld et al. 2021, section 7. Its analytic solution counts depth · width² · density in
place of weights; beside it stands the answer by exact counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from prunebench.scaling.fit.intervals import NORMAL
from prunebench.scaling.law.law import Law
from prunebench.scaling.law.members import Member, predicted, row_of
from prunebench.scaling.points import Floats

__all__ = [
    "Choice",
    "Measurement",
    "analytic",
    "analytic_density",
    "fewest",
    "fewest_measured",
]


@dataclass(frozen=True)
class Choice:
    """A member pruned as far as a largest error allows."""

    member: Member
    density: float
    kept: int | None
    """The weights that are left; None where the member's cannot be counted."""
    kept_low: int | None
    """The fewest weights at which it may be as good, at the lower end of the predictions' intervals."""
    kept_high: int | None
    """The fewest at which it surely is; None where it is not even unpruned."""
    size: float
    """depth · width² · density."""
    error: float
    low: float
    high: float
    outside: dict[str, tuple[float, float]]
    """Columns in which it lies outside what was fitted, with the range that was."""
    unpruned: bool = False
    """True if it is good enough unpruned alone: the law, which has no dips, says more at density 1."""


@dataclass(frozen=True)
class Measurement:
    """The smallest of the measured networks with an error of at most so much."""

    depth: float
    width: float
    examples: float
    density: float
    error: float
    kept: int
    among: int
    """How many measured networks were as good at some density."""
    next_density: float
    """The next density below at which it was measured; NaN where there is none."""
    next_error: float


def fewest(law: Law, members: Sequence[Member], most: float) -> list[Choice]:
    """Return for each member that can reach an error of at most `most` the fewest weights that do.

    Weights are whole; the first has the fewest. Where some member's are not counted, all are ordered by
    depth · width² · density. Of a law whose error does not fall with the density it is the least count of
    those from which on the error stays below.
    """
    choices = [choice for one in members if (choice := _choice(law, one, most)) is not None]
    counted = all(choice.kept is not None for choice in choices)
    return sorted(choices, key=lambda choice: (choice.kept or 0) if counted else choice.size)


def _choice(law: Law, one: Member, most: float) -> Choice | None:
    def reaches(which: str) -> Callable[[Floats], np.ndarray]:
        return lambda density: getattr(predicted(law, one, density), which) <= most

    density, kept = _least(reaches("error"), one.prunable)
    if density is None:
        return _unpruned(law, one, most, _least(reaches("low"), one.prunable)[1])
    at = predicted(law, one, np.array([density]))
    return Choice(
        member=one,
        density=density,
        kept=kept,
        kept_low=_least(reaches("low"), one.prunable)[1],
        kept_high=_least(reaches("high"), one.prunable)[1],
        size=_size(one, density),
        error=float(at.error[0]),
        low=float(at.low[0]),
        high=float(at.high[0]),
        outside=law.fit.outside(one.points(np.array([density]))),
    )


def _unpruned(law: Law, one: Member, most: float, kept_low: int | None) -> Choice | None:
    """Return a member without pruning, if its unpruned error is at most `most`."""
    if not one.error_unpruned <= most:
        return None
    low, high = (one.error_unpruned * math.exp(sign * NORMAL * one.spread) for sign in (-1, 1))
    return Choice(
        member=one,
        density=1.0,
        kept=one.prunable,
        kept_low=one.prunable if kept_low is None else kept_low,
        kept_high=one.prunable if high <= most else None,
        size=_size(one, 1.0),
        error=one.error_unpruned,
        low=low,
        high=high,
        outside=law.fit.outside(one.points(np.ones(1))),
        unpruned=True,
    )


def _least(reaches: Callable[[Floats], np.ndarray], prunable: int | None) -> tuple[float | None, int | None]:
    """Return the least density at which something is so that stays so, and the count of weights there."""
    if not reaches(np.ones(1))[0]:
        return None, None
    if prunable is None:
        low, high = math.log(1e-12), 0.0
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (low, middle) if reaches(np.array([math.exp(middle)]))[0] else (middle, high)
        return math.exp(high), None
    less, enough = 0, prunable
    while enough - less > 1:
        step = max((enough - less) // 64, 1)
        tried = np.arange(less + step, enough, step)
        good = reaches(tried / prunable)
        bad = np.flatnonzero(~good)
        first = bad[-1] + 1 if len(bad) else 0
        enough = int(tried[first]) if first < len(tried) else enough
        less = int(tried[first - 1]) if first else less
    return enough / prunable, enough


def analytic_density(law: Law, one: Member, most: float) -> float | None:
    """Return the density at which a member's error is `most`, solved from Rosenfeld's Eq. 2.

    density = p · sqrt((error_up^(2/γ) − most^(2/γ)) / (most^(2/γ) − error_unpruned^(2/γ))) / (l^φ w^ψ).
    None where the member does not reach it: not (error_unpruned < most < error_up), or a density above 1.
    """
    values = law.fit.parameters
    if not one.error_unpruned < most < values["error_up"]:
        return None
    power = 2 / values["gamma"]
    above = math.expm1(power * math.log(values["error_up"] / most))
    below = -math.expm1(power * math.log(one.error_unpruned / most))
    density = values["p"] * math.sqrt(above / below)
    for name, exponent in (("depth", values.get("phi", 0.0)), ("width", values.get("psi", 0.0))):
        density /= getattr(one, name) ** exponent if exponent else 1.0
    return density if density <= 1 else None


def analytic(law: Law, members: Sequence[Member], most: float) -> tuple[Member, float, float] | None:
    """Return the member with the least depth · width² · density, that density and that product."""
    solved = [(one, d) for one in members if (d := analytic_density(law, one, most)) is not None]
    if not solved:
        return None
    one, density = min(solved, key=lambda pair: _size(*pair))
    return one, density, _size(one, density)


def _size(one: Member, density: float) -> float:
    depth = 1.0 if math.isnan(one.depth) else one.depth
    width = 1.0 if math.isnan(one.width) else one.width
    return depth * width**2 * density


def fewest_measured(law: Law, most: float, members: Sequence[Member]) -> Measurement | None:
    """Return the measured member of the fewest weights whose mean error over seeds is at most `most`.

    None where no member was measured to be as good, or its weights are not counted.
    """
    good = [made for one in members if (made := _measured(law, one, most)) is not None]
    if not good:
        return None
    return replace(min(good, key=lambda made: made.kept), among=len(good))


def _measured(law: Law, one: Member, most: float) -> Measurement | None:
    """Return where a member was measured to have the fewest weights with an error of at most `most`."""
    row = row_of(law, one.depth, one.width, one.examples)
    if row is None or one.prunable is None:
        return None
    points = law.points.rows(law.points.network == law.networks.network[row])
    densities, place = np.unique(points.density, return_inverse=True)
    counts = np.bincount(place.reshape(-1))
    errors = np.bincount(place.reshape(-1), points.error) / counts
    good = np.flatnonzero(errors <= most)
    if not len(good):
        return None
    least = int(good[0])
    kept = points.extra.get("nonzero", points.density * one.prunable)
    below = (densities[least - 1], errors[least - 1]) if least else (np.nan, np.nan)
    return Measurement(
        depth=one.depth,
        width=one.width,
        examples=one.examples,
        density=float(densities[least]),
        error=float(errors[least]),
        kept=round(float(kept[points.density == densities[least]][0])),
        among=1,
        next_density=float(below[0]),
        next_error=float(below[1]),
    )
