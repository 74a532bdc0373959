"""Where each row of a table stands in the arrays of curves: its line, its place and its seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from prunebench.labels import FAMILY

__all__ = ["Codes", "Layout", "Line", "codes"]

Codes = npt.NDArray[np.intp]


class Line(NamedTuple):
    """What one method's curves are of: the setting but for the pruning step, and the method."""

    architecture: str
    dataset: str
    recipe: str
    split: str
    find: str
    method: str
    ablations: str

    @property
    def family(self) -> tuple[str, ...]:
        """Architecture, data set, recipe and split."""
        return tuple(self[: len(FAMILY)])


def codes(frame: pd.DataFrame, columns: Sequence[str]) -> Codes:
    """Return a number for each row, the same where these columns are, in the order of first appearance."""
    whole: Codes = np.zeros(len(frame), dtype=np.intp)
    for name in columns:
        own, values = pd.factorize(frame[name])
        whole = pd.factorize(whole * (len(values) + 1) + own)[0].astype(np.intp)
    return whole


@dataclass(frozen=True, eq=False)
class Layout:
    """Of each row of a table with every cell once: its line, and its place and seed there."""

    frame: pd.DataFrame

    @cached_property
    def _family(self) -> Codes:
        return codes(self.frame, FAMILY)

    @cached_property
    def line(self) -> Codes:
        """(rows): the number of the row's line; lines of a family follow each other."""
        plain = codes(self.frame, Line._fields)
        first = self._first(plain)
        order = np.argsort(self._family[first], kind="stable")
        renumbered = np.empty(len(first), dtype=np.intp)
        renumbered[order] = np.arange(len(first))
        return renumbered[plain]

    @staticmethod
    def _first(numbers: Codes) -> Codes:
        """Return the first row of each number."""
        return np.unique(numbers, return_index=True)[1].astype(np.intp)

    @cached_property
    def lines(self) -> list[Line]:
        """The lines by their numbers."""
        rows = self.frame[list(Line._fields)].iloc[self._first(self.line)]
        return [Line(*map(str, names)) for names in rows.itertuples(index=False, name=None)]

    @cached_property
    def rows(self) -> list[Codes]:
        """The rows of each line."""
        order = np.argsort(self.line, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(self.line[order])) + 1) if len(order) else []

    @cached_property
    def _places(self) -> tuple[Codes, list[Codes]]:
        """Each row's place within its line, and the first row of every place of each line."""
        at = codes(self.frame, ["density", "score_at"])
        place: Codes = np.zeros(len(self.frame), dtype=np.intp)
        firsts = []
        for rows in self.rows:
            mine = pd.factorize(at[rows])[0].astype(np.intp)
            place[rows] = mine
            firsts.append(rows[self._first(mine)])
        return place, firsts

    @property
    def place(self) -> Codes:
        """(rows): the number of the row's density and pruning step within its line."""
        return self._places[0]

    @property
    def first(self) -> list[Codes]:
        """The first row of every place of each line."""
        return self._places[1]

    @cached_property
    def _seeds(self) -> tuple[Codes, list[tuple[int, ...]]]:
        """Each row's seed within its family, and the seeds of each family, rising."""
        seeds = self.frame["seed"].to_numpy(np.int64)
        column: Codes = np.zeros(len(self.frame), dtype=np.intp)
        of_family = []
        for family in range(int(self._family.max(initial=-1)) + 1):
            rows = np.flatnonzero(self._family == family)
            unique, mine = np.unique(seeds[rows], return_inverse=True)
            column[rows] = mine
            of_family.append(tuple(map(int, unique)))
        return column, of_family

    @property
    def column(self) -> Codes:
        """(rows): the number of the row's seed among those of its family."""
        return self._seeds[0]

    def seeds(self, line: int) -> tuple[int, ...]:
        """Return the seeds of a line's family."""
        return self._seeds[1][int(self._family[self.rows[line][0]])]

    def shape(self, line: int) -> tuple[int, int]:
        """Return how many places and seeds a line has."""
        return len(self.first[line]), len(self.seeds(line))
