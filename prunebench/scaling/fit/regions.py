"""How far measurements scatter around a law, by their density."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from prunebench.scaling.points import Floats

__all__ = ["spread_at", "spreads"]

_EACH = 40
"""Points that a region has at least."""
_MOST = 12
"""Regions at most."""


def spreads(density: Floats, residuals: Floats) -> tuple[tuple[float, float], ...]:
    """Return densities, rising, and the root mean square of the residuals of the region around each.

    Regions hold whole densities and about equally many points, at least 40. One region where there are fewer
    than twice as many, or a single density.
    """
    order = np.argsort(density, kind="stable")
    number = int(min(_MOST, len(density) // _EACH))
    ends = [density[order][len(order) * i // number] for i in range(1, number)] if number > 1 else []
    region = np.searchsorted(np.unique(ends), density * (1 + 1e-12), side="right")
    rows = []
    for own in (region == one for one in np.unique(region)):
        square = np.mean(residuals[own] ** 2)
        rows.append((float(np.exp(np.log(density[own]).mean())), float(np.sqrt(square))))
    return tuple(rows)


def spread_at(told: Sequence[tuple[float, float]], density: Floats) -> Floats:
    """Return the spread at densities: between regions by a straight line of the logs, beyond them theirs."""
    places, values = np.array(told).T
    return np.asarray(np.exp(np.interp(np.log(density), np.log(places), np.log(np.maximum(values, 1e-12)))))
