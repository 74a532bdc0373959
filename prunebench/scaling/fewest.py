"""Which member of a family, pruned how far, has the fewest weights at an error of at most so much.

The question of Rosenfeld et al. 2021, section 7. Its analytic solution counts depth · width² · density in
place of weights; beside it stands the answer by exact counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from prunebench.scaling.law import Law
from prunebench.scaling.members import Member, predicted
from prunebench.scaling.points import Floats

__all__ = [
    "Choice",
    "Measurement",
    "analytic",
    "analytic_density",
    "fewest",
    "fewest_measured",
    "is_rosenfeld",
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
    """How many measured networks were as good."""


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
        return None
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


def is_rosenfeld(law: Law) -> bool:
    """True if the law is of the form that section 7 solves."""
    return {"error_up", "gamma", "p"} <= set(law.fit.parameters)


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


def fewest_measured(law: Law, most: float, examples: float) -> Measurement | None:
    """Return the measured network of the fewest weights whose mean error over seeds is at most `most`.

    None where the points have no counts, or none is as good.
    """
    points = law.points
    if "prunable" not in points.extra:
        return None
    of_data = np.isclose(points.examples, examples) | np.isnan(points.examples)
    best: Measurement | None = None
    among = 0
    kinds = np.stack([points.network.astype(np.float64), points.density], axis=1)
    for kind in np.unique(kinds[of_data], axis=0):
        rows = np.flatnonzero((kinds == kind).all(axis=1))
        error, first = float(points.error[rows].mean()), int(rows[0])
        if error > most:
            continue
        among += 1
        kept = round(float(points.extra.get("nonzero", points.density * points.extra["prunable"])[first]))
        if best is None or kept < best.kept:
            best = Measurement(
                depth=float(points.depth[first]),
                width=float(points.width[first]),
                examples=float(points.examples[first]),
                density=float(points.density[first]),
                error=error,
                kept=kept,
                among=0,
            )
    return None if best is None else replace(best, among=among)
