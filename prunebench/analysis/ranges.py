"""Ranges of sparsity that mean the same in every setting: trivial, matching, extreme.

A sparsity is *lost* to a baseline when the baseline's mean accuracy is more than a margin δ below the
unpruned network's mean, there and at the next grid point (the last grid point: alone), so that one unlucky
point ends nothing. The matching range ends before the first sparsity lost to magnitude after training, the
trivial one before the first lost to random pruning; trivial sparsities are not matching ones too, and the
rest is extreme.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from prunebench.analysis.statistics import summarize
from prunebench.analysis.table import SETTING, VARIANT, distinct
from prunebench.errors import SuiteError, nearest

__all__ = ["AT_RANGE", "RANGES", "Baselines", "Ranges", "find_ranges", "margin_of", "over_ranges"]

RANGES = ("trivial", "matching", "extreme", "all")
AT_RANGE = ("range",)

_MARGINS = MappingProxyType({"mnist": 0.2, "fashionmnist": 0.2, "tinyimagenet": 1.0, "imagenet": 1.0})
_DEFAULT_MARGIN = 0.5
_ROUNDING = 1e-9  # of the difference of two means, so that "exactly δ below" is not "more than δ below"


@dataclass(frozen=True, slots=True)
class Baselines:
    """Which methods stand for magnitude after training, random pruning, and no pruning."""

    after_training: str = "magnitude-after-training"
    random: str = "random"
    none: str = "none"

    @classmethod
    def of(cls, names: Mapping[str, str] | None) -> Baselines:
        """Return the baselines of a suite: a mapping with any of after-training, random, none.

        "magnitude-after-training" (or with underscores) is another spelling of the first key.

        Raises: SuiteError for another key.
        """
        spellings = {
            "after-training": "after_training",
            "magnitude-after-training": "after_training",
            "random": "random",
            "none": "none",
        }
        found: dict[str, str] = {}
        for key, method in (names or {}).items():
            role = spellings.get(key.replace("_", "-"))
            if role is None:
                raise SuiteError(f"baselines has no {key!r}{nearest(key, spellings)}")
            found[role] = method
        return cls(**found)


@dataclass(frozen=True, slots=True)
class Ranges:
    """The ranges of one setting: sparsities in rising order, of the setting's whole grid.

    `unknown` says why trivial, matching and extreme are not known (yet); they are empty then.
    """

    setting: tuple[str, ...]
    margin: float
    grid: tuple[float, ...]
    trivial: tuple[float, ...] = ()
    matching: tuple[float, ...] = ()
    extreme: tuple[float, ...] = ()
    unknown: str | None = None

    def points(self, name: str) -> tuple[float, ...]:
        """Return the sparsities of a range of RANGES; "all" is the whole grid."""
        return self.grid if name == "all" else tuple(getattr(self, name))


def margin_of(dataset: str, margins: float | Mapping[str, float] | None = None) -> float:
    """Return the margin δ in points of accuracy: differences below it do not matter to a user.

    The caller's own `margins` (one for all, or by data set) come first; else 0.2 on MNIST and Fashion-MNIST,
    1.0 on TinyImageNet and ImageNet, 0.5 elsewhere.

    >>> margin_of("cifar10"), margin_of("mnist"), margin_of("mnist", {"mnist": 0.1}), margin_of("mnist", 2)
    (0.5, 0.2, 0.1, 2.0)
    """
    if isinstance(margins, Mapping):
        if dataset in margins:
            return float(margins[dataset])
    elif margins is not None:
        return float(margins)
    plain = "".join(c for c in dataset.lower() if c.isalnum())
    return _MARGINS.get(plain, _DEFAULT_MARGIN)


def find_ranges(
    frame: pd.DataFrame,
    *,
    baselines: Baselines | None = None,
    margins: float | Mapping[str, float] | None = None,
) -> dict[tuple[str, ...], Ranges]:
    """Return the ranges of each setting, by its values of SETTING, in order of first appearance.

    The grid of a setting is every sparsity above 0 that any of its cells has; a baseline is judged at those
    it is planned at, by what is finished. Where all its seeds diverged, the sparsity is lost to it.
    """
    baselines = baselines or Baselines()
    summary = summarize(frame)
    found = {}
    for setting, rows in summary.groupby(list(SETTING), sort=False, dropna=False):
        names = tuple(str(name) for name in setting)
        margin = margin_of(names[SETTING.index("dataset")], margins)
        grid = tuple(sorted({float(s) for s in rows["sparsity"] if s > 0}))
        found[names] = _ranges(names, rows, grid, margin, baselines)
    return found


def _ranges(
    setting: tuple[str, ...], rows: pd.DataFrame, grid: tuple[float, ...], margin: float, names: Baselines
) -> Ranges:
    rows = rows[rows["ablations"] == ""]
    dense = rows[(rows["method"] == names.none) & (rows["sparsity"] == 0) & (rows["n"] > 0)]
    if dense.empty:
        return Ranges(setting, margin, grid, unknown=f"no finished cell of {names.none} at sparsity 0")
    limit = float(dense["mean"].iloc[0]) - margin
    ends = []
    for name in (names.random, names.after_training):
        own = rows[(rows["method"] == name) & (rows["sparsity"] > 0)].sort_values("sparsity")
        if own.empty:
            return Ranges(setting, margin, grid, unknown=f"{name} is not part of this setting")
        below = [_below(row, limit) for row in own[["n", "mean", "diverged", "planned"]].to_dict("records")]
        position = _first_lost(below)
        if position is None:
            return Ranges(setting, margin, grid, unknown=f"{name} is not finished where its range ends")
        sparsities = [float(s) for s in own["sparsity"]]
        ends.append(sparsities[position] if position < len(sparsities) else float("inf"))
    trivial = tuple(s for s in grid if s < ends[0])
    matching = tuple(s for s in grid if ends[0] <= s < ends[1])
    extreme = tuple(s for s in grid if s >= max(ends))
    return Ranges(setting, margin, grid, trivial, matching, extreme)


def _below(row: Mapping[Any, Any], limit: float) -> bool | None:
    """Say whether a baseline lies below the limit at one sparsity; None where that is not known yet."""
    if row["n"] > 0:
        return bool(row["mean"] < limit - _ROUNDING)
    return True if row["diverged"] == row["planned"] else None


def _first_lost(below: Sequence[bool | None]) -> int | None:
    """Return the position of the first lost point (len(below): none is), or None where it is not known."""
    for position, here in enumerate(below):
        following = below[position + 1] if position + 1 < len(below) else here
        if here is False or following is False:
            continue
        return position if here and following else None
    return len(below)


def over_ranges(frame: pd.DataFrame, ranges: Mapping[tuple[str, ...], Ranges]) -> pd.DataFrame:
    """Return a table with a row for each setting, range, method with ablations, and seed.

    `accuracy` is the seed's mean over all the range's grid points; columns: SETTING, `range`, VARIANT,
    `seed`, `status`, `accuracy`. A seed that lacks a point (or was never planned there) has no accuracy and
    takes the status of what it lacks: diverged before failed before missing
    before unselected. Goes into `summarize` and
    `compare` with `at=AT_RANGE`. Empty ranges have no rows, nor has the unpruned network.
    """
    frame = distinct(frame)
    keys = [*SETTING, "range", *VARIANT, "seed"]
    members = [
        (*setting, name, sparsity, len(found.points(name)))
        for setting, found in ranges.items()
        for name in RANGES
        for sparsity in found.points(name)
    ]
    member = pd.DataFrame(members, columns=[*SETTING, "range", "sparsity", "points"])
    for name in (*SETTING, "range"):
        member[name] = member[name].astype(object)
    member["sparsity"] = member["sparsity"].astype("float64")
    rows = frame[[*SETTING, *VARIANT, "sparsity", "seed", "status", "accuracy"]]
    rows = rows.assign(order=np.arange(len(rows))).merge(member, on=[*SETTING, "sparsity"])
    rows["rank"] = rows["range"].map({name: i for i, name in enumerate(RANGES)})
    rows = rows.sort_values(["rank", "order"], kind="stable")
    for status in ("finished", "diverged", "failed", "unselected"):
        rows[status] = rows["status"] == status
    grouped = rows.groupby(keys, sort=False, dropna=False)
    result = grouped.agg(
        points=("points", "first"),
        finished=("finished", "sum"),
        diverged=("diverged", "any"),
        failed=("failed", "any"),
        unselected=("unselected", "sum"),
        accuracy=("accuracy", "mean"),
    ).reset_index()
    whole = result["finished"] == result["points"]
    left_out = result["finished"] + result["unselected"] == result["points"]
    lacking = np.select(
        [result["diverged"], result["failed"], left_out],
        ["diverged", "failed", "unselected"],
        default="missing",
    )
    result["status"] = np.where(whole, "finished", lacking)
    result["accuracy"] = result["accuracy"].where(whole)
    return result[[*keys, "status", "accuracy"]]
