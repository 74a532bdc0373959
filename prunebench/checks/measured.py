"""The numbers of measures, in the arrays of curves: one pass over a table that may have a million rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

import numpy as np
import pandas as pd

from prunebench.checks.curves import Bools, Floats
from prunebench.checks.layout import Codes, Layout, Line, codes

__all__ = ["Measured", "measured"]

_CELL = (*Line._fields, "density", "score_at", "seed")


class Measured(NamedTuple):
    """What is known of each line, by its number."""

    numbers: list[dict[str, Floats]]
    """By field, places × seeds; NaN where there is none."""
    there: list[dict[str, Bools]]
    """By measure, places × seeds: True where it was measured, or its run diverged."""


def measured(layout: Layout, measures: pd.DataFrame | None, fields: Collection[str]) -> Measured:
    """Return the numbers of the fields that are asked for, such as "layer-sparsity.layers.*.sparsity"."""
    arrays = Measured([{} for _ in layout.lines], [{} for _ in layout.lines])
    if measures is None or not fields or not len(measures):
        return arrays
    wanted = {field.partition(".")[0] for field in fields}
    mine = measures[measures["measure"].isin(wanted)]
    if not len(mine):
        return arrays
    run, first = _runs(mine)
    at = _rows_of(layout, mine.iloc[first])
    if (at < 0).any():
        known = (at >= 0)[run]
        return measured(layout, mine[known], fields)
    there = mine["status"].iloc[first].isin(("finished", "diverged")).to_numpy(np.bool_)
    for name, line, members in _groups(mine["measure"].iloc[first], layout.line[at]):
        mask = np.zeros(layout.shape(line), dtype=np.bool_)
        mask[layout.place[at[members]], layout.column[at[members]]] = there[members]
        arrays.there[line][name] = mask
    number, names = _names(mine)
    asked = np.array([any(fnmatchcase(name, each) for each in fields) for name in names], dtype=np.bool_)
    rows = np.flatnonzero(asked[number])
    cell = at[run[rows]]
    values = mine["value"].to_numpy(np.float64)[rows]
    labels = pd.Series(np.array(names, dtype=object)[number[rows]])
    for name, line, members in _groups(labels, layout.line[cell]):
        numbers = np.full(layout.shape(line), np.nan)
        numbers[layout.place[cell[members]], layout.column[cell[members]]] = values[members]
        arrays.numbers[line][name] = numbers
    return arrays


def _runs(mine: pd.DataFrame) -> tuple[Codes, Codes]:
    """Return which cell and measure each row is of, rows that follow each other together; and their first."""
    changes = np.zeros(len(mine), dtype=np.bool_)
    changes[0] = True
    for name in (*_CELL, "measure"):
        values = mine[name].to_numpy()
        changes[1:] |= values[1:] != values[:-1]
    return np.cumsum(changes) - 1, np.flatnonzero(changes)


def _rows_of(layout: Layout, mine: pd.DataFrame) -> Codes:
    """Return for each row of measures the row of its cell in the table of cells; −1 where there is none."""
    both = pd.concat([layout.frame[list(_CELL)], mine[list(_CELL)]], ignore_index=True)
    number = codes(both, _CELL)
    cells = len(layout.frame)
    row = np.full(int(number.max()) + 1, -1, dtype=np.intp)
    row[number[:cells]] = np.arange(cells)
    return row[number[cells:]]


def _names(mine: pd.DataFrame) -> tuple[Codes, list[str]]:
    """Return the number of each row's field, and what fields are called: the measure's name before it."""
    measure, measures = pd.factorize(mine["measure"])
    field, fields = pd.factorize(mine["field"])
    number, unique = pd.factorize(measure * len(fields) + field)
    spelled = [int(one) for one in np.asarray(unique)]
    pairs = ((str(measures[one // len(fields)]), str(fields[one % len(fields)])) for one in spelled)
    return number.astype(np.intp), [".".join(filter(None, pair)) for pair in pairs]


def _groups(names: pd.Series, line: Codes) -> Iterable[tuple[str, int, Codes]]:
    """Yield each name and line with their rows."""
    number, unique = pd.factorize(names)
    whole = number.astype(np.intp) * (int(line.max(initial=0)) + 1) + line
    order = np.argsort(whole, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(whole[order])) + 1):
        if len(members):
            yield str(unique[number[members[0]]]), int(line[members[0]]), members
