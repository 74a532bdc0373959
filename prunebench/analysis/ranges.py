"""Ranges of sparsity that mean the same in every setting: trivial, matching, extreme.

A sparsity is *lost* to a baseline when the baseline's mean accuracy is more than a margin δ below the
unpruned network's mean, there and at the next grid point, so that one unlucky point ends nothing; the last
grid point alone is lost only where its drop is significant too. Where half of a baseline's seeds or more
diverged a sparsity is lost to it, whatever comes next. The matching range ends before the first sparsity
lost to magnitude after training, the trivial one before the first lost to random pruning; trivial
sparsities are not matching ones too, and the rest is extreme. A bootstrap over seeds says how sure each
border is (`borders`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from prunebench.analysis.borders import Baseline, Border, border, resamples
from prunebench.analysis.multiple import Floats
from prunebench.analysis.names import ALSO, one_name
from prunebench.analysis.table import SETTING, VARIANT, counted, distinct
from prunebench.baselines import Baselines
from prunebench.labels import RANGES

__all__ = ["AT_RANGE", "MARGIN", "RANGES", "Ranges", "find_ranges", "margin_of", "over_ranges"]

AT_RANGE = ("range",)

MARGIN = 0.5
"""Points of accuracy that do not matter, where nobody says another number; a data set declares its own."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """The ranges of one setting: sparsities in rising order, of the setting's whole grid.

    `unknown` says why trivial, matching and extreme are not known (yet); they are empty then. `borders` says
    where accuracy is lost to random pruning and to magnitude after training, in this order.
    """

    setting: tuple[str, ...]
    margin: float
    grid: tuple[float, ...]
    trivial: tuple[float, ...] = ()
    matching: tuple[float, ...] = ()
    extreme: tuple[float, ...] = ()
    unknown: str | None = None
    borders: tuple[Border, ...] = ()

    def border_of(self, name: str) -> Border | None:
        """Return the border that ends a range of RANGES; None where nothing does, or it is not known."""
        return dict(zip(RANGES, self.borders, strict=False)).get(name)

    def points(self, name: str) -> tuple[float, ...]:
        """Return the sparsities of a range of RANGES; "all" is the whole grid."""
        return self.grid if name == "all" else tuple(getattr(self, name))


def margin_of(dataset: str, margins: float | Mapping[str, float] | None = None) -> float:
    """Return the margin δ in points of accuracy: differences below it do not matter to a user.

    `margins` is one number for all data sets, or a number by data set, as a plan's `suite["margins"]` has
    those that the data sets declare. A data set that it does not name, and every one without it, has MARGIN.

    >>> margin_of("mnist"), margin_of("mnist", {"mnist": 0.2}), margin_of("mnist", {}), margin_of("mnist", 2)
    (0.5, 0.2, 0.5, 2.0)
    """
    if isinstance(margins, Mapping):
        return float(margins.get(dataset, MARGIN))
    return MARGIN if margins is None else float(margins)


def find_ranges(
    frame: pd.DataFrame,
    *,
    baselines: Baselines | None = None,
    margins: float | Mapping[str, float] | None = None,
    resampled: bool = True,
) -> dict[tuple[str, ...], Ranges]:
    """Return the ranges of each setting, by its values of SETTING, in order of first appearance.

    `margins` are as of `margin_of`: without them every data set has the margin MARGIN. The grid of a setting
    is every sparsity above 0 that any of its cells has; a baseline is judged at those
    it is planned at, by its results. A diverged run counts with the accuracy of a guess. Without `resampled`
    no bootstrap says how sure the borders are.
    """
    baselines = baselines or Baselines()
    frame = distinct(frame)
    roles = frame["method"].isin([baselines.none, baselines.random, baselines.after_training])
    judged = frame[roles & (frame["ablations"] == "")]
    judged = judged.assign(value=counted(judged))
    by_setting = dict(iter(judged.groupby(list(SETTING), sort=False, dropna=False)))
    by_names = {}
    for setting, sparsities in frame.groupby(list(SETTING), sort=False, dropna=False)["sparsity"]:
        names = tuple(str(name) for name in setting)
        margin = margin_of(names[SETTING.index("dataset")], margins)
        grid = tuple(sorted({float(s) for s in sparsities.unique() if s > 0}))
        rows = by_setting.get(setting, judged.iloc[:0])
        by_names[names] = _ranges(names, rows, grid, margin, baselines, resampled)
    return by_names


def _ranges(
    setting: tuple[str, ...],
    rows: pd.DataFrame,
    grid: tuple[float, ...],
    margin: float,
    names: Baselines,
    resampled: bool,
) -> Ranges:
    def unknown(reason: str) -> Ranges:
        return Ranges(setting, margin, grid, unknown=reason)

    unpruned = rows[(rows["method"] == names.none) & (rows["sparsity"] == 0)]
    if unpruned["value"].isna().all():
        return unknown(f"no finished cell of {names.none} at sparsity 0")
    if 2 * (unpruned["status"] == "diverged").sum() >= len(unpruned):
        return unknown(f"half the seeds of {names.none} diverged")
    parts = {}
    for name in (names.random, names.after_training):
        parts[name] = rows[(rows["method"] == name) & (rows["sparsity"] > 0)]
        if parts[name].empty:
            return unknown(f"{name} is not part of this setting")
    seeds = sorted({int(seed) for part in (unpruned, *parts.values()) for seed in part["seed"]})
    dense = np.full(len(seeds), np.nan)
    dense[[seeds.index(seed) for seed in unpruned["seed"]]] = unpruned["value"]
    weights = resamples(len(seeds)) if resampled and len(seeds) > 1 else None
    borders = []
    for name, part in parts.items():
        edge = border(dense, _baseline(name, part, seeds), margin, weights)
        if edge is None:
            return unknown(f"{name} is not finished where its range ends")
        borders.append(edge)
    ends = [edge.lost_from for edge in borders]
    trivial = tuple(s for s in grid if s < ends[0])
    matching = tuple(s for s in grid if ends[0] <= s < ends[1])
    extreme = tuple(s for s in grid if s >= max(ends))
    return Ranges(setting, margin, grid, trivial, matching, extreme, borders=tuple(borders))


def _baseline(name: str, rows: pd.DataFrame, seeds: Sequence[int]) -> Baseline:
    sparsities = sorted({float(s) for s in rows["sparsity"]})
    row, column = [sparsities.index(s) for s in rows["sparsity"]], [seeds.index(s) for s in rows["seed"]]
    values: Floats = np.full((len(sparsities), len(seeds)), np.nan)
    diverged, planned = np.zeros(values.shape, dtype=bool), np.zeros(values.shape, dtype=bool)
    values[row, column] = rows["value"]
    diverged[row, column] = rows["status"] == "diverged"
    planned[row, column] = True
    return Baseline(name, sparsities, values, diverged, planned)


def over_ranges(frame: pd.DataFrame, ranges: Mapping[tuple[str, ...], Ranges]) -> pd.DataFrame:
    """Return a table with a row for each setting, range, method with ablations, and seed.

    `accuracy` is the seed's mean over all the range's grid points, `counted` the same with diverged runs at
    the accuracy of a guess; columns: SETTING, `range`, VARIANT, `also`, `seed`, `status`, `accuracy`,
    `counted`, `classes`. A seed that lacks a point has no accuracy and takes the status of what it lacks:
    failed before missing before unselected (which one that was never planned there is too); one that has all,
    and diverged at some, is diverged. Goes into `summarize` and `compare` with `at=AT_RANGE`. Empty ranges
    have no rows, nor has the unpruned network.
    """
    frame = distinct(frame)
    keys = [*SETTING, "range", *VARIANT, "seed"]
    members = [
        (*setting, name, sparsity, len(its_ranges.points(name)))
        for setting, its_ranges in ranges.items()
        for name in RANGES
        for sparsity in its_ranges.points(name)
    ]
    member = pd.DataFrame(members, columns=[*SETTING, "range", "sparsity", "points"])
    for name in (*SETTING, "range"):
        member[name] = member[name].astype(object)
    member["sparsity"] = member["sparsity"].astype("float64")
    rows = frame[["key", *SETTING, *VARIANT, "sparsity", "seed", "status", "accuracy", "classes"]]
    rows = rows.assign(order=np.arange(len(rows)), counted=counted(frame))
    rows = rows.merge(member, on=[*SETTING, "sparsity"])
    rows["rank"] = rows["range"].map({name: i for i, name in enumerate(RANGES)})
    rows = rows.sort_values(["rank", "order"], kind="stable").reset_index(drop=True)
    rows = one_name(rows, ("range",), ("sparsity", "seed"))
    for status in ("finished", "diverged", "failed", "unselected"):
        rows[status] = rows["status"] == status
    grouped = rows.groupby(keys, sort=False, dropna=False)
    result = grouped.agg(
        also=(ALSO, "first"),
        points=("points", "first"),
        finished=("finished", "sum"),
        diverged=("diverged", "sum"),
        failed=("failed", "any"),
        unselected=("unselected", "sum"),
        accuracy=("accuracy", "mean"),
        counted=("counted", "mean"),
        counts=("counted", "count"),
        planned=("status", "size"),
        classes=("classes", "first"),
    ).reset_index()
    whole = result["finished"] == result["points"]
    results = result["finished"] + result["diverged"] == result["points"]
    left_out = result["finished"] + result["diverged"] + result["unselected"] == result["planned"]
    lacking = np.select(
        [results, result["failed"], left_out], ["diverged", "failed", "unselected"], default="missing"
    )
    result["status"] = np.where(whole, "finished", lacking)
    result["accuracy"] = result["accuracy"].where(whole)
    result["counted"] = result["counted"].where(result["counts"] == result["points"])
    return result[[*SETTING, "range", *VARIANT, ALSO, "seed", "status", "accuracy", "counted", "classes"]]
