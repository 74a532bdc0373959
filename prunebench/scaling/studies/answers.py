"""Is the law's smallest network that is good enough the smallest by brute force?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prunebench.errors import FitError
from prunebench.scaling.law import Law
from prunebench.scaling.law.fewest import fewest
from prunebench.scaling.law.members import Member, member
from prunebench.scaling.points import Floats, Points

__all__ = ["Answer", "answers", "errors_between", "fewest_between"]


@dataclass(frozen=True)
class Answer:
    """The fewest weights for a largest error, by the law and by brute force."""

    most: float
    kept: int | None
    """By the law, of all networks that were measured; None where it says that none is as good."""
    measured: float
    """By brute force: each network's curve, straight between its densities on logarithmic scales."""

    @property
    def off(self) -> float:
        """By which share the law's count is off; −1 where it has no answer."""
        return -1.0 if self.kept is None else self.kept / self.measured - 1


def errors_between(points: Points, count: int = 7) -> list[float]:
    """Return largest errors to ask for: from 1.1 times the least unpruned one to half of the greatest.

    They are even on a logarithmic scale. Raises: FitError where there is nothing between.
    """
    low, high = 1.1 * float(points.error_unpruned.min()), float(points.error.max()) / 2
    if not low < high:
        raise FitError("the errors do not span enough to ask for the smallest network at several of them")
    return [float(one) for one in np.geomspace(low, high, count)]


def answers(law: Law, errors: Sequence[float]) -> list[Answer]:
    """Return the law's answer and brute force's for each largest error that a measured network reaches.

    Both choose among the networks that were measured with the most examples.

    Raises: FitError where prunable weights are not known, or no error is reached.
    """
    points = law.networks
    if "prunable" not in points.extra:
        raise FitError("weights are not counted: the points have no column 'prunable'")
    of_data = law.points.rows(_most_data(law.points))
    mine = points.rows(_most_data(points))
    members = [_measured(law, mine, row) for row in range(len(mine))]
    rows = []
    for most in errors:
        measured = fewest_between(of_data, most)
        if measured is not None:
            choices = fewest(law, members, most)
            rows.append(Answer(most, choices[0].kept if choices else None, measured))
    if not rows:
        listed = ", ".join(f"{one:g}" for one in errors)
        raise FitError(f"no measured network has an error of at most {listed}")
    return rows


def _measured(law: Law, points: Points, row: int) -> Member:
    depth, width, examples = (float(points.column(name)[row]) for name in ("depth", "width", "examples"))
    size = round(float(points.extra["prunable"][row]))
    return member(law, depth, width, examples, lambda *_: size)


def _most_data(points: Points) -> np.ndarray:
    if np.isnan(points.examples).all():
        return np.ones(len(points), dtype=np.bool_)
    return np.asarray(points.examples >= np.nanmax(points.examples) * (1 - 1e-9))


def fewest_between(points: Points, most: float) -> float | None:
    """Return the fewest weights of a measured network with an error of at most `most`; None where none has.

    Each network is pruned to where its curve, the mean over seeds and straight between two densities on
    logarithmic scales, last rises above it.
    """
    best = None
    for network in np.unique(points.network):
        mine = points.rows(points.network == network)
        density = _last_below(mine, most)
        if density is not None:
            kept = density * float(mine.extra["prunable"][0])
            best = kept if best is None else min(best, kept)
    return best


def _last_below(points: Points, most: float) -> float | None:
    """Return the least density from which on a network's error stays at most `most`."""
    densities, place = np.unique(points.density, return_inverse=True)
    errors: Floats = np.bincount(place, points.error) / np.bincount(place)
    above = np.flatnonzero(errors > most)
    if not len(above):
        return float(densities[0])
    i = int(above[-1])
    if i == len(densities) - 1:
        return None
    x, y = np.log(densities[i : i + 2]), np.log(errors[i : i + 2])
    return float(np.exp(x[0] + (np.log(most) - y[0]) * (x[1] - x[0]) / (y[1] - y[0])))
