"""Families of networks: in what they differ, which law that makes theirs, and parts of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from prunebench.errors import FitError, nearest
from prunebench.scaling.points.arrays import Bools
from prunebench.scaling.points.columns import SCALES
from prunebench.scaling.points.points import Points

__all__ = ["Ranges", "larger", "law_of_scales", "partial", "within"]

Ranges = Mapping[str, tuple[float, float]]
"""The least and the greatest value of some scales, both included."""


def _varies(points: Points, name: str) -> bool:
    values = points.column(name)
    return len(np.unique(values[~np.isnan(values)])) > 1


def law_of_scales(points: Points) -> str:
    """Return the name of the form of Rosenfeld et al. 2021 that these networks can determine.

    The joint law, Eq. 2, where depth and width vary, else its partial fit (App. D) of what does.
    """
    deep, wide, data = (_varies(points, name) for name in SCALES)
    if deep and wide:
        return "rosenfeld"
    if deep or wide:
        return "rosenfeld-depth" if deep else "rosenfeld-width"
    return "rosenfeld-data" if data else "rosenfeld-network"


def within(points: Points, ranges: Ranges) -> Bools:
    """Return which points are of networks whose scales lie in some ranges.

    Raises: FitError for what is no scale, or is not known of the points, and where none is or some are empty.
    """
    chosen = np.ones(len(points), dtype=np.bool_)
    for name, (low, high) in ranges.items():
        if name not in SCALES:
            raise FitError(f"networks do not differ in {name!r}{nearest(name, SCALES)}")
        values = points.column(name)
        if np.isnan(values).all():
            raise FitError(f"the points have no {name}")
        chosen &= (values >= low * (1 - 1e-9)) & (values <= high * (1 + 1e-9))
        if not chosen.any():
            there = ", ".join(f"{one:g}" for one in np.unique(values))
            raise FitError(f"no network has {_spelled(name, low, high)}; {name} is: {there}")
    return chosen


def _spelled(name: str, low: float, high: float) -> str:
    return f"{name} {low:g}" if low == high else f"{name} {low:g} to {high:g}"


def larger(points: Points, small: Bools) -> Bools:
    """Return which points are of larger networks than some: in no scale below the least of these.

    App. F of Rosenfeld et al. 2021: "to all larger networks".
    """
    chosen = ~np.isin(points.network, points.network[small])
    for name in SCALES:
        values = points.column(name)
        if not np.isnan(values[small]).any():
            chosen &= values >= values[small].min() * (1 - 1e-9)
    return chosen


def partial(points: Points) -> list[tuple[str, Bools]]:
    """Return the lines of a family along each scale, as App. D fits them: the scale, and which points.

    A line is networks that differ in one scale alone, three of them or more; where no line along a scale has
    three, two will do. Those with the most networks come first.
    """
    parts: list[tuple[str, Bools]] = []
    for name in SCALES:
        lines = sorted(_lines(points, name), key=lambda one: -one[0])
        enough = [line for line in lines if line[0] >= 3] or [line for line in lines if line[0] == 2]
        parts += [(name, chosen) for _, chosen in enough]
    return parts


def _lines(points: Points, name: str) -> list[tuple[int, Bools]]:
    """Return how many values of a scale there are with the other two at one value each, and which points."""
    others = [np.nan_to_num(points.column(other), nan=-1.0) for other in SCALES if other != name]
    columns = np.stack(others, axis=1)
    lines = [(columns == place).all(axis=1) for place in np.unique(columns, axis=0)]
    values = points.column(name)
    return [(len(np.unique(values[line][~np.isnan(values[line])])), line) for line in lines]
