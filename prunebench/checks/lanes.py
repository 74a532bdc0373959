"""What a table holds of each method in each setting: its curves, and which of their cells are there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from prunebench.analysis.table import distinct
from prunebench.checks.curves import Bools, Curves
from prunebench.checks.gather import Step, curves_of, step_of
from prunebench.checks.kin import Scales, kin_of, with_kin
from prunebench.checks.layout import Layout, Line, codes
from prunebench.checks.measured import Measured, measured

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
    _at: dict[tuple[int, ...], Curves] = field(default_factory=dict)

    def at(self, places: tuple[int, ...]) -> Curves:
        """Return the curves at these places (indices); many checks ask for the same."""
        if places not in self._at:
            self._at[places] = self.curves.at(places)
        return self._at[places]

    def places(
        self, densities: Collection[str], point: str | None, matrices: Collection[str] | None
    ) -> dict[str, list[int]]:
        """Return the indices of the places that are meant, by density; `point` None is any pruning step."""
        by_density: dict[str, list[int]] = {}
        for i, density in enumerate(self.densities):
            if density not in densities or (point is not None and self.points[i] != point):
                continue
            if matrices is None or not self.matrices[i].isdisjoint(matrices):
                by_density.setdefault(density, []).append(i)
        return by_density


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
        scales: Scales | None = None,
    ) -> None:
        self.dense = dense
        cells = cells.reset_index(drop=True)
        layout = Layout(distinct(cells))
        numbers = measured(layout, measures, fields)
        plain = curves_of(layout, numbers, margins=margins, dense=dense, step=step)
        kin = kin_of(plain, scales or {})
        curves = with_kin(plain, kin, scales or {})
        self.lanes = _lanes(layout, numbers, curves, _matrices(layout, cells))
        self.kin = {line: tuple(self.lanes[other] for other in others) for line, others in kin.items()}
        """The lanes of the rest of the family, in the order of `Curves.relatives`."""
        self.variants: dict[tuple[tuple[str, ...], str, str], dict[str, Lane]] = {}
        """By family, method and ablations, then by find changes."""
        self.named: dict[tuple[str, str], dict[tuple[str, ...], dict[str, Lane]]] = {}
        """By method and ablations, then by family, then by find changes."""
        self.unpruned: dict[tuple[str, ...], tuple[Lane, int]] = {}
        """By family, the lane of the unpruned network and its place."""
        for line, lane in self.lanes.items():
            by_find = self.named.setdefault((line.method, line.ablations), {}).setdefault(line.family, {})
            by_find[line.find] = lane
            self.variants[line.family, line.method, line.ablations] = by_find
            if line.method == dense and "1" in lane.densities:
                self.unpruned.setdefault(line.family, (lane, lane.densities.index("1")))


def _lanes(
    layout: Layout,
    numbers: Measured,
    curves: Mapping[Line, Curves],
    matrices: Mapping[tuple[int, int], frozenset[str]],
) -> dict[Line, Lane]:
    """Return the lanes of a table that is laid out."""
    frame = layout.frame
    density, point = (frame[name].to_numpy(object) for name in ("density", "score_at"))
    key = frame["key"].to_numpy(object)
    result = frame["status"].isin(("finished", "diverged")).to_numpy(np.bool_)
    lanes = {}
    for i, line in enumerate(layout.lines):
        rows, first = layout.rows[i], layout.first[i]
        at = layout.place[rows], layout.column[rows]
        keys = np.full(layout.shape(i), "", dtype=object)
        keys[at] = key[rows]
        there = np.zeros(keys.shape, dtype=np.bool_)
        there[at] = result[rows]
        lanes[line] = Lane(
            line=line,
            curves=curves[line],
            densities=tuple(map(str, density[first])),
            points=tuple(map(str, point[first])),
            keys=keys,
            there=there,
            matrices=tuple(matrices[i, place] for place in range(len(first))),
            measured=numbers.there[i],
        )
    return lanes


def _matrices(layout: Layout, cells: pd.DataFrame) -> dict[tuple[int, int], frozenset[str]]:
    """Return the matrices of each line's places: a cell may be in several."""
    place = ["density", "score_at"]
    number = codes(cells, [*Line._fields, *place])
    where = dict(zip(cells.index, number, strict=True))
    by_number: dict[int, set[str]] = {}
    for one, matrix in zip(number, cells["matrix"], strict=True):
        by_number.setdefault(int(one), set()).add(str(matrix))
    return {
        (i, j): frozenset(by_number[int(where[layout.frame.index[row]])])
        for i, first in enumerate(layout.first)
        for j, row in enumerate(first)
    }
