"""The unpruned error of each network: given, or that of its rows at density 1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from prunebench.errors import FitError
from prunebench.scaling.points.arrays import Bools, Floats
from prunebench.scaling.points.points import Points

__all__ = ["unpruned_rows", "with_unpruned"]


def with_unpruned(
    points: Points, *, needed: bool = True, where: Callable[[int], str] = lambda _: "the points"
) -> Points:
    """Return the points with the unpruned error of each, where it is not given.

    It is the mean error at density 1 of the same network and seed; of a seed without such a row the mean over
    the network's other seeds. A network without any has what is given of its other rows, likewise.

    needed: False where networks without such a row are to be left as they are (NaN)
    where: of a row, where it stands

    Raises: FitError naming a network that has none.
    """
    error = points.error_unpruned
    for other in (_measured(points), _of_network(points, error, ~np.isnan(error))):
        error = np.where(np.isnan(error), other, error)
    lacking = np.flatnonzero(np.isnan(error))
    if needed and len(lacking):
        row = int(lacking[0])
        raise FitError(
            f"{where(row)}: the network of {points.said(row)} has no unpruned error; allowed: a "
            f"column 'error_unpruned', or a row of it at density 1"
        )
    return points.changed(error_unpruned=error)


def unpruned_rows(points: Points) -> Points:
    """Return one row a network: its mean error at density 1, or the unpruned error that its rows have."""
    first = np.unique(points.network, return_index=True)[1]
    mean = [points.error_unpruned[points.network == network].mean() for network in points.network[first]]
    rows = points.rows(first)
    ones = np.ones(len(first))
    nonzero = {"nonzero": rows.extra["prunable"]} if {"nonzero", "prunable"} <= set(rows.extra) else {}
    return rows.changed(density=ones, error=np.array(mean), error_unpruned=np.array(mean), **nonzero)


def _measured(points: Points) -> Floats:
    """Return for each row the error at density 1 of its network and seed, NaN where there is none."""
    return _of_network(points, points.error, points.density == 1)


def _of_network(points: Points, values: Floats, there: Bools) -> Floats:
    """Return for each row the mean over the rows that are there of its network and seed, else its network."""
    means = np.full(len(points), np.nan)
    for network in np.unique(points.network[there]):
        mine = points.network == network
        means[mine] = values[mine & there].mean()
        for seed in np.unique(points.seed[mine & there]):
            own = mine & (points.seed == seed)
            means[own] = values[own & there].mean()
    return means
