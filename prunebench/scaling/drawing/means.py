"""Points as they are drawn: means over seeds, and where a curve falls to an error."""

from __future__ import annotations

import numpy as np

from prunebench.scaling.points import Points

__all__ = ["last_below", "means"]


def means(points: Points) -> Points:
    """Return a row a network and density, the sparsest last: means over seeds.

    Extra columns: `low` and `high`, the least and the greatest error of a seed, and `seeds`, how many.
    """
    keys = np.stack([points.network.astype(np.float64), -points.density], axis=1)
    first, place = np.unique(keys, axis=0, return_index=True, return_inverse=True)[1:]
    place = place.reshape(-1)
    counts = np.bincount(place)
    low, high = np.full(len(first), np.inf), np.zeros(len(first))
    np.minimum.at(low, place, points.error)
    np.maximum.at(high, place, points.error)
    mean = {
        name: np.bincount(place, points.column(name)) / counts
        for name in ("error", "error_unpruned", *points.extra)
    }
    return points.rows(first).changed(**mean, low=low, high=high, seeds=counts.astype(np.float64))


def last_below(points: Points, most: float) -> float | None:
    """Return the least density from which on a network's error is at most `most`; None where it never is.

    Between two densities the error is straight on logarithmic scales. points: a row a density (`means`).
    """
    order = np.argsort(points.density)
    densities, errors = points.density[order], points.error[order]
    above = np.flatnonzero(errors > most)
    if not len(above) or above[-1] == len(densities) - 1:
        return None
    low = int(above[-1])
    x, y = np.log(densities[low : low + 2]), np.log(errors[low : low + 2])
    return float(np.exp(x[0] + (np.log(most) - y[0]) * (x[1] - x[0]) / (y[1] - y[0])))
