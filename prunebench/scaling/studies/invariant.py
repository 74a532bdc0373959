"""The invariant: networks of equal depth^phi · width^psi · density have equal errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from prunebench.errors import FitError
from prunebench.scaling.fit import Fit
from prunebench.scaling.points import Bools, Floats, Points

__all__ = ["Invariance", "in_power_law", "invariance", "invariant"]

_THERE = 0.5
"""The share of the power law's slope from which on a point is in the power-law region."""

_FEW = 3
"""Points that a network has there at least, and networks."""


@dataclass(frozen=True)
class Invariance:
    """How far networks of equal m are from equal errors, in the power-law region of one law."""

    sd: float
    """The standard deviation between networks of `offsets`: a share of the error."""
    offsets: Mapping[int, float]
    """By network: the mean of log(measured / law) over its points there."""
    points: int
    """How many points are in the region."""


def invariant(made: Fit, points: Points) -> Floats:
    """Return m = depth^phi · width^psi · density of each point, by the exponents that a law has."""
    m = points.density.copy()
    for name, exponent in (("depth", "phi"), ("width", "psi")):
        value = made.parameters.get(exponent, 0.0)
        m *= points.column(name) ** value if value else 1.0
    return m


def in_power_law(made: Fit, points: Points) -> Bools:
    """Return which points are in the power-law region, p « m « p · R: the error is a function of m alone.

    Raises: FitError for a law that is not of Rosenfeld et al.'s form.
    """
    values = made.parameters
    if not made.rosenfeld:
        raise FitError(f"the form {made.form.name!r} has no power-law region between two plateaus")
    above = 2 * np.log(values["p"] / invariant(made, points))
    below = above + 2 / values["gamma"] * np.log(values["error_up"] / points.error_unpruned)
    return np.asarray(1 / (1 + np.exp(-below)) - 1 / (1 + np.exp(-above)) > _THERE)


def invariance(made: Fit, points: Points) -> Invariance:
    """Return how much the errors of networks differ that have equal m, in the power-law region of their law.

    There the law is a function of m alone, so what a network's errors are off it by on average is what it
    differs from others at the same m by; single points' noise averages out.

    Raises: FitError where fewer than three networks have three points each there.
    """
    there = in_power_law(made, points)
    logs = np.log(points.error / made.predict(points)[0])
    offsets = {
        int(network): float(logs[mine].mean())
        for network in np.unique(points.network)
        if (mine := there & (points.network == network)).sum() >= _FEW
    }
    if len(offsets) < _FEW:
        raise FitError(
            f"{len(offsets)} networks have {_FEW} points in the power-law region; {_FEW} are needed"
        )
    return Invariance(float(np.std(list(offsets.values()), ddof=1)), offsets, int(there.sum()))
