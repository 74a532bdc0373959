"""From the table of cells to curves: one pass over it, whatever number of checks asks for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from prunebench.analysis import margin_of
from prunebench.analysis.borders import resamples
from prunebench.analysis.table import counted, distinct
from prunebench.checks.curves import Curves, Floats
from prunebench.checks.layout import Layout, Line
from prunebench.checks.measured import Measured, measured
from prunebench.labels import STEP

__all__ = ["Line", "curves_of", "gather", "step_of", "steps_of"]

Step = Callable[[str, Mapping[str, Any]], float]


def steps_of(suite: Mapping[str, Any]) -> Step:
    """Return the steps of a plan's suite: those looked up when it was planned, else those that labels say.

    Plans look them up where the suite has checks.
    """
    known = {tuple(labels): float(step) for *labels, step in suite.get("steps", ())}

    def step(label: str, cell: Mapping[str, Any]) -> float:
        looked_up = known.get(tuple(cell[name] for name in STEP))
        return step_of(label) if looked_up is None else looked_up

    return step


def step_of(label: str, cell: Mapping[str, Any] | None = None) -> float:
    """Return the step that a label of a pruning step says by itself; NaN for a method's own point.

    >>> step_of("step 1000"), step_of("init")
    (1000.0, 0.0)

    Raises: ValueError for a point whose step only the recipe knows ("end", "epoch 2").
    """
    if label == "":
        return float("nan")
    if label == "init":
        return 0.0
    kind, _, number = label.partition(" ")
    if kind != "step":
        raise ValueError(f"the step of the point '{label}' is not known: it depends on the recipe")
    return float(number)


def gather(
    frame: pd.DataFrame,
    *,
    measures: pd.DataFrame | None = None,
    fields: Collection[str] = (),
    margins: float | Mapping[str, float] | None = None,
    dense: str = "none",
    step: Step = step_of,
    count: int | None = None,
) -> dict[Line, Curves]:
    """Return the curves of every method in every setting of a table, in the order of first appearance.

    Args:
        frame: the table of cells (`analysis.table`).
        measures: the table of their measures (`analysis.measures`).
        fields: the fields that are wanted of those, such as "layer-sparsity.layers.*.sparsity".
        margins: as `analysis.margin_of` takes them.
        dense: the method that is no pruning.
        step: the step of a pruning point, from its label and the row of a cell that has it (`steps_of`).
        count: how many bootstrap samples of the seeds there are beside the seeds as they are; None for none.

    Raises: UsageError where two different cells stand in one place; ValueError where a step is not known.
    """
    layout = Layout(distinct(frame))
    numbers = measured(layout, measures, fields)
    return curves_of(layout, numbers, margins=margins, dense=dense, step=step, count=count)


def curves_of(
    layout: Layout,
    numbers: Measured,
    *,
    margins: float | Mapping[str, float] | None,
    dense: str,
    step: Step,
    count: int | None = None,
) -> dict[Line, Curves]:
    """Return the curves of a table that is laid out; arguments as of `gather`."""
    frame = layout.frame
    values = counted(frame).to_numpy(np.float64)
    diverged = frame["status"].map({"finished": 0.0, "diverged": 1.0}).to_numpy(np.float64)
    sparsity = frame["sparsity"].to_numpy(np.float64)
    whole = _unpruned(layout, values, dense)
    by_line: dict[Line, Curves] = {}
    for i, line in enumerate(layout.lines):
        rows, shape, seeds = layout.rows[i], layout.shape(i), layout.seeds(i)
        at = layout.place[rows], layout.column[rows]
        first = layout.first[i]
        planned = np.zeros(shape, dtype=np.bool_)
        planned[at] = True
        by_line[line] = Curves(
            sparsities=sparsity[first],
            steps=_steps(frame, first, step),
            seeds=seeds,
            accuracy=_filled(shape, at, values[rows]),
            diverged=_filled(shape, at, diverged[rows]),
            planned=planned,
            dense=whole.get(line.family, np.full(len(seeds), np.nan)),
            margin=margin_of(line.dataset, margins),
            weights=_weights(len(seeds), count),
            measures=numbers.numbers[i],
        )
    return by_line


def _filled(shape: tuple[int, int], at: Any, values: Any) -> Floats:
    filled = np.full(shape, np.nan)
    filled[at] = values
    return filled


def _unpruned(layout: Layout, values: Floats, dense: str) -> dict[tuple[str, ...], Floats]:
    """Return each family's unpruned accuracies, by seed."""
    frame = layout.frame
    whole: dict[tuple[str, ...], Floats] = {}
    rows = np.flatnonzero(((frame["method"] == dense) & (frame["sparsity"] == 0)).to_numpy(np.bool_))
    for row in rows:
        line = int(layout.line[row])
        seeds = len(layout.seeds(line))
        whole.setdefault(layout.lines[line].family, np.full(seeds, np.nan))[layout.column[row]] = values[row]
    return whole


def _steps(frame: pd.DataFrame, first: Any, step: Step) -> Floats:
    """Return the pruning step of each place."""
    points = frame["score_at"].to_numpy(object)[first]
    if not any(points):
        return np.full(len(first), np.nan)
    cells: list[Any] = frame.iloc[first].to_dict("records")
    return np.array([step(str(cell["score_at"]), cell) for cell in cells])


def _weights(seeds: int, count: int | None) -> Floats:
    as_they_are = np.ones((1, seeds))
    return as_they_are if count is None else np.vstack([as_they_are, resamples(seeds, count)])
