"""How many weights there are at each step of what a method trains (Frankle et al. 2021, Fig. 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from prunebench.analysis.table import SETTING, VARIANT

__all__ = ["COURSES", "courses"]

_CELL = (*SETTING, *VARIANT, "density", "sparsity", "seed", "key")
COURSES = (*_CELL, "part", "step", "share")
"""Columns of `courses`."""

_MEASURE = "weights-remaining"


def courses(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the curves of the measure "weights-remaining", a row a point; columns: COURSES.

    `rows` is what `measures` takes. From a point's `step` on, counted through all trainings, the network has
    this `share` of its prunable weights; the last point is the end. `part` is "all", or "retroactive" for
    what leads to the evaluated network alone, as if its mask had been known beforehand. Values that hold no
    such curve are passed over.
    """
    points = []
    for row in rows:
        value = row.get("measured")
        if row["measure"] != _MEASURE or row["status"] != "finished" or not isinstance(value, Mapping):
            continue
        labels = [row.get(name, "") for name in _CELL]
        for part, own in (("all", value), ("retroactive", value.get("retroactive"))):
            points += [[*labels, part, step, share] for step, share in _points(own)]
    frame = pd.DataFrame(points, columns=list(COURSES))
    return frame.astype({"sparsity": "float64", "step": "float64", "share": "float64"})


def _points(value: Any) -> list[tuple[float, float]]:
    """Return the points of a curve that is one: pairs of numbers."""
    curve = value.get("curve") if isinstance(value, Mapping) else None
    points = curve if isinstance(curve, list) else []
    return [
        (float(point[0]), float(point[1]))
        for point in points
        if isinstance(point, list | tuple) and len(point) == 2 and all(map(_is_number, point))
    ]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
