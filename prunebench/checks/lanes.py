"""What a table holds of each method in each setting: its curves, and which of their cells are there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from prunebench.analysis.table import distinct
from prunebench.checks.curves import Bools, Curves
from prunebench.checks.gather import FAMILY, Line, Step, gather, step_of

__all__ = ["Lane", "Table"]

Strings = npt.NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class Lane:
    """A method in a setting: its curves at P places and S seeds, and the cells behind them."""

    line: Line
    curves: Curves
    densities: tuple[str, ...]
    """(P)"""
    points: tuple[str, ...]
    """(P): the labels of the pruning steps."""
    keys: Strings
    """(P, S): "" where no cell is planned."""
    there: Bools
    """(P, S): True where the cell has a result."""
    matrices: tuple[frozenset[str], ...]
    """(P): in which matrices the place is."""
    measured: Mapping[str, Bools] = field(default_factory=dict)
    """The same as `there` of each measure, by its name."""

    def places(
        self, densities: Collection[str], point: str | None, matrices: Collection[str] | None
    ) -> dict[str, list[int]]:
        """Return the indices of the places that are meant, by density; `point` None is any pruning step."""
        found: dict[str, list[int]] = {}
        for i, density in enumerate(self.densities):
            if density not in densities or (point is not None and self.points[i] != point):
                continue
            if matrices is None or not self.matrices[i].isdisjoint(matrices):
                found.setdefault(density, []).append(i)
        return found


class Table:
    """The table of cells, gathered once for all checks."""

    def __init__(
        self,
        cells: pd.DataFrame,
        measures: pd.DataFrame | None,
        *,
        fields: Collection[str] = (),
        margins: float | Mapping[str, float] | None = None,
        dense: str = "none",
        step: Step = step_of,
    ) -> None:
        self.dense = dense
        self._cells = distinct(cells)
        gathered = gather(cells, measures=measures, fields=fields, margins=margins, dense=dense, step=step)
        matrices = _matrices(cells)
        measured = _measured(measures, {name.partition(".")[0] for name in fields})
        self.lanes: dict[Line, Lane] = {}
        self.variants: dict[tuple[tuple[str, ...], str, str], dict[str, Lane]] = {}
        """By family, method and ablations, then by find changes."""
        keys = [*FAMILY, "find", "method", "ablations"]
        for names, rows in self._cells.groupby(keys, sort=False, dropna=False):
            line = Line(*map(str, names))
            lane = _lane(line, rows, gathered[line], matrices, measured.get(line, {}))
            self.lanes[line] = lane
            variant = (tuple(line[: len(FAMILY)]), line.method, line.ablations)
            self.variants.setdefault(variant, {})[line.find] = lane


_Place = tuple[Line, str, str]
_Cell = tuple[str, str, int]
"""Density, pruning step and seed."""


def _lane(
    line: Line,
    rows: pd.DataFrame,
    curves: Curves,
    matrices: Mapping[_Place, set[str]],
    measured: Mapping[str, dict[_Cell, bool]],
) -> Lane:
    """Return the cells of a line, in the same order of places as its curves."""
    places: dict[tuple[str, str], int] = {}
    index = [
        places.setdefault(place, len(places)) for place in zip(rows["density"], rows["score_at"], strict=True)
    ]
    seeds = {seed: i for i, seed in enumerate(curves.seeds)}
    column = [seeds[int(seed)] for seed in rows["seed"]]
    keys = np.full(curves.accuracy.shape, "", dtype=object)
    keys[index, column] = rows["key"].to_numpy(object)
    there = np.zeros(keys.shape, dtype=bool)
    there[index, column] = rows["status"].isin(("finished", "diverged"))
    by_measure = {name: np.zeros(keys.shape, dtype=bool) for name in measured}
    for name, found in measured.items():
        for (density, point, seed), is_there in found.items():
            by_measure[name][places[density, point], seeds[seed]] = is_there
    return Lane(
        line,
        curves,
        tuple(density for density, _ in places),
        tuple(point for _, point in places),
        keys,
        there,
        tuple(frozenset(matrices[line, *place]) for place in places),
        by_measure,
    )


def _matrices(cells: pd.DataFrame) -> dict[_Place, set[str]]:
    """Return the matrices of each place; a cell may be in several."""
    names = [*Line._fields, "density", "score_at", "matrix"]
    found: dict[_Place, set[str]] = {}
    for *line, density, point, matrix in cells[names].drop_duplicates().itertuples(index=False, name=None):
        found.setdefault((Line(*line), density, point), set()).add(matrix)
    return found


def _measured(
    measures: pd.DataFrame | None, names: Collection[str]
) -> dict[Line, dict[str, dict[_Cell, bool]]]:
    """Return for each line and measure which cells have it: finished, or diverged so that there is none."""
    found: dict[Line, dict[str, dict[_Cell, bool]]] = {}
    if measures is None or not names:
        return found
    columns = ["measure", *Line._fields, "density", "score_at", "seed", "status"]
    mine = measures[measures["measure"].isin(names)][columns].drop_duplicates()
    for measure, *line, density, point, seed, status in mine.itertuples(index=False, name=None):
        by_measure = found.setdefault(Line(*line), {}).setdefault(measure, {})
        by_measure[density, point, int(seed)] = status in ("finished", "diverged")
    return found
