"""From the table of cells to curves: one pass over it, whatever number of checks asks for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from prunebench.analysis import AT_SPARSITY, SETTING, VARIANT, margin_of
from prunebench.analysis.borders import resamples
from prunebench.analysis.table import counted, distinct
from prunebench.checks.curves import Curves, Floats
from prunebench.checks.frozen import STEP

__all__ = ["FAMILY", "Line", "gather", "step_of", "steps_of"]

FAMILY = tuple(name for name in SETTING if name not in ("find", "score_at"))
"""Cells that agree in these have the same unpruned network, seeds and margin."""


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


class Line(NamedTuple):
    """What one method's curves are of: the setting but for the pruning step, and the method."""

    architecture: str
    dataset: str
    recipe: str
    split: str
    find: str
    method: str
    ablations: str


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
    frame = distinct(frame)
    frame = frame.assign(counted=counted(frame))
    numbers = _wanted(measures, fields)
    gathered: dict[Line, Curves] = {}
    for family, rows in frame.groupby(list(FAMILY), sort=False, dropna=False):
        seeds = sorted(int(seed) for seed in rows["seed"].unique())
        unpruned = rows[(rows["method"] == dense) & (rows["sparsity"] == 0)]
        whole = np.full(len(seeds), np.nan)
        for seed, value in zip(unpruned["seed"], unpruned["counted"], strict=True):
            whole[seeds.index(int(seed))] = value
        shared: dict[str, Any] = {
            "seeds": tuple(seeds),
            "dense": whole,
            "margin": margin_of(str(rows["dataset"].iloc[0]), margins),
            "weights": _weights(len(seeds), count),
        }
        for names, cells in rows.groupby(["find", *VARIANT], sort=False, dropna=False):
            line = Line(*map(str, family), *map(str, names))
            gathered[line] = _curves(cells, numbers.get(line, {}), step, shared)
    return gathered


def _weights(seeds: int, count: int | None) -> Floats:
    as_they_are = np.ones((1, seeds))
    return as_they_are if count is None else np.vstack([as_they_are, resamples(seeds, count)])


_Numbers = dict[str, dict[tuple[str, str, int], float]]
"""By field, then by density, pruning step and seed."""


def _wanted(measures: pd.DataFrame | None, fields: Collection[str]) -> dict[Line, _Numbers]:
    """Return the numbers of the fields that are asked for."""
    by_line: dict[Line, _Numbers] = {}
    if measures is None or not fields:
        return by_line
    names = measures["measure"] + ("." + measures["field"]).where(measures["field"] != "", "")
    wanted = {name for name in names.unique() if any(fnmatchcase(name, each) for each in fields)}
    mine = measures[names.isin(wanted)].assign(name=names)
    columns = [*Line._fields, "name", AT_SPARSITY[0], "score_at", "seed", "value"]
    for *line, name, density, point, seed, value in mine[columns].itertuples(index=False, name=None):
        of_line = by_line.setdefault(Line(*line), {})
        of_line.setdefault(name, {})[density, point, int(seed)] = value
    return by_line


def _curves(
    cells: pd.DataFrame,
    numbers: _Numbers,
    step: Step,
    shared: Mapping[str, Any],
) -> Curves:
    places: dict[tuple[str, str], int] = {}
    for place in zip(cells["density"], cells["score_at"], strict=True):
        places.setdefault(place, len(places))
    seeds: Sequence[int] = shared["seeds"]
    shape = (len(places), len(seeds))
    row = [places[place] for place in zip(cells["density"], cells["score_at"], strict=True)]
    column = [seeds.index(int(seed)) for seed in cells["seed"]]
    accuracy, diverged = np.full(shape, np.nan), np.full(shape, np.nan)
    planned = np.zeros(shape, dtype=bool)
    accuracy[row, column] = cells["counted"]
    outcome = cells["status"].map({"finished": 0.0, "diverged": 1.0})
    diverged[row, column] = outcome.to_numpy(np.float64)
    planned[row, column] = True
    first: list[Any] = cells.drop_duplicates(["density", "score_at"]).to_dict("records")
    measured = {name: np.full(shape, np.nan) for name in numbers}
    for name, values in numbers.items():
        for (density, point, seed), value in values.items():
            measured[name][places[density, point], seeds.index(seed)] = value
    return Curves(
        sparsities=np.array([float(cell["sparsity"]) for cell in first]),
        steps=np.array([step(str(cell["score_at"]), cell) for cell in first]),
        accuracy=accuracy,
        diverged=diverged,
        planned=planned,
        measures=measured,
        **shared,
    )
