"""Interpolation between measured points on logarithmic scales: what a law has to beat."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.interpolate import RBFInterpolator

from prunebench.scaling.points import Floats, Points

__all__ = ["interpolated"]

_COLUMNS = ("density", "depth", "width", "examples", "error_unpruned")
_NEIGHBOURS = 64


def interpolated(points: Points, at: Points, reads: Iterable[str] = ()) -> Floats:
    """Return errors at other places, interpolated linearly between measured ones on logarithmic scales.

    The places are density, depth, width, examples and unpruned error, those of them that are known. Along one
    of them it is a straight line from point to point in a log-log plot; over several the nearest 64
    points count, each by its distance (radial functions of degree one). Seeds at one place are averaged.

    reads: further columns that are places: those that the law reads
    """
    every = dict.fromkeys([*_COLUMNS, *reads])
    names = [name for name in every if not np.isnan(points.column(name)).any()]
    names = [name for name in names if not np.isnan(at.column(name)).any()]
    places, place = np.unique(_logs(points, names), axis=0, return_inverse=True)
    place = place.reshape(-1)
    logs = np.bincount(place, np.log(points.error)) / np.bincount(place)
    if len(places) == 1:
        return np.full(len(at), float(np.exp(logs[0])))
    neighbours = min(_NEIGHBOURS, len(places))
    between = RBFInterpolator(places, logs, neighbors=neighbours, kernel="linear", degree=0)
    return np.asarray(np.exp(between(_logs(at, names))))


def _logs(points: Points, names: list[str]) -> Floats:
    return np.log(np.stack([points.column(name) for name in names], axis=1))
