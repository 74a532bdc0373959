"""Where in its file a cell comes from: key paths for messages about cells."""

from __future__ import annotations

from typing import Any

from prunebench.canonical import decimal12
from prunebench.suite.axes import method_label
from prunebench.suite.cell import Cell
from prunebench.suite.labels import call_label, point_label
from prunebench.suite.problems import Location
from prunebench.suite.schema import Call, Matrix, Powers
from prunebench.suite.suite import Suite

__all__ = ["place_of"]


def place_of(suite: Suite, cell: Cell, axis: str, key: str = "") -> Location:
    """Return where a cell's value on an axis stands in the suite's file.

    `axis` is "architecture", "dataset", "recipe", "methods" or "sparsities"; `key` is a key of the method or
    of the recipe there, such as "score_at" or "rewind": where it is spelled, in the entry itself, on an axis
    of its own or among the overrides, its own place is returned.
    """
    index = next(i for i, matrix in enumerate(suite.matrices) if matrix.name == cell.matrix)
    matrix, here = suite.matrices[index], ("matrix", index)
    if axis == "sparsities":
        return (*here, *_density(matrix, cell.density))
    if axis == "methods" and key == "score_at" and cell.labels["score_at"]:
        points = [point_label(point) for point in matrix.score_at or []]
        if cell.labels["score_at"] in points:
            return (*here, "score_at", points.index(cell.labels["score_at"]))
    items: list[Any] = getattr(matrix, axis)
    wanted = cell.labels["method" if axis == "methods" else axis]
    labels = [method_label(item) if axis == "methods" else _label(item) for item in items]
    if wanted not in labels:  # added outside the file
        return (*here, axis)
    item = items[labels.index(wanted)]
    spelled = {} if isinstance(item, str) else item.changes
    if key and key not in spelled and axis == "recipe" and key in matrix.overrides.recipe:
        return (*here, "overrides", "recipe", key)
    return (*here, axis, labels.index(wanted), *((key,) if key in spelled else ()))


def _label(item: str | Call) -> str:
    return item if isinstance(item, str) else item.as_ or call_label(item.name, item.changes)


def _density(matrix: Matrix, density: str) -> Location:
    if matrix.densities is not None:
        return ("densities", [decimal12(d) for d in matrix.densities].index(density))
    if isinstance(matrix.sparsities, Powers) or matrix.sparsities is None:
        return ("sparsities",)
    return ("sparsities", [decimal12(1 - s) for s in matrix.sparsities].index(density))
