"""The unpruned error of each network: given, or that of its rows at density 1."""

from __future__ import annotations

import numpy as np

from prunebench.errors import FitError
from prunebench.scaling.points import Floats, Points

__all__ = ["unpruned_rows", "with_unpruned"]


def with_unpruned(points: Points, *, needed: bool = True, where: str = "the points") -> Points:
    """Return the points with the unpruned error of each, where it is not given.

    It is the mean error at density 1 of the same network and seed; of a seed without such a row the mean over
    the network's other seeds.

    needed: False where networks without such a row are to be left as they are (NaN)

    Raises: FitError naming a network that has none.
    """
    error = np.where(np.isnan(points.error_unpruned), _measured(points), points.error_unpruned)
    lacking = np.flatnonzero(np.isnan(error))
    if needed and len(lacking):
        raise FitError(
            f"{where}: the network of {points.said(int(lacking[0]))} has no unpruned error; allowed: a "
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
    whole = points.density == 1
    error = np.full(len(points), np.nan)
    for network in np.unique(points.network[whole]):
        mine = points.network == network
        error[mine] = points.error[mine & whole].mean()
        for seed in np.unique(points.seed[mine & whole]):
            own = mine & (points.seed == seed)
            error[own] = points.error[own & whole].mean()
    return error
