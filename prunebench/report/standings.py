"""What a leaderboard shows, computed once for every format: a row per method and sparsity or range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from prunebench.analysis import (
    AT_RANGE,
    AT_SPARSITY,
    SETTING,
    VARIANT,
    Baselines,
    Ranges,
    against,
    compare,
    find_ranges,
    lend_baselines,
    over_ranges,
    places,
    summarize,
)

__all__ = ["LONG", "Standing", "standings"]

_DIFFERENCE = ("n", "mean", "sd", "own_sd", "df", "pooled", "low", "high", "p", "p_holm")

LONG = (
    *SETTING,
    *VARIANT,
    "at",
    *AT_SPARSITY,
    "range",
    "planned",
    "n",
    "mean",
    "sd",
    "low",
    "high",
    "diverged",
    "missing",
    "failed",
    "unselected",
    "best",
    "worst",
    "of",
    *(f"difference_{name}" for name in _DIFFERENCE),
)
"""The columns of the long format: `at` is "sparsity" or "range", differences are to the trained baseline."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One setting: its labels, the long rows, its ranges, and what a reader must be told of it."""

    labels: Mapping[str, str]
    rows: pd.DataFrame
    ranges: Ranges
    numerics: tuple[str, ...]
    lent: tuple[str, ...]
    """Baselines taken from a sibling setting."""
    pooled_df: tuple[float, ...]
    """Degrees of freedom of the pooled spreads, rising; empty where nothing is pooled."""
    baselines: Baselines

    def reported(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return those of others' numbers (`suite.reported.reported_rows`) that are of this setting's cells.

        Each with method, ablations, sparsity, value (None: diverged), source and runs.
        """
        by_density = {
            row["density"]: row["sparsity"] for row in self.rows.to_dict("records") if row["density"]
        }
        return [
            {
                "method": row["method"],
                "ablations": row["ablations"],
                "sparsity": by_density[row["density"]],
                "value": row["value"],
                "source": row["source"],
                "runs": row["runs"],
            }
            for row in rows
            if row["density"] in by_density and all(row.get(k, v) == v for k, v in self.labels.items())
        ]


def standings(frame: pd.DataFrame, suite: Mapping[str, Any]) -> list[Standing]:
    """Return each setting's standing, in the table's order.

    A setting of nothing but an unpruned network is left out where others are there: it was planned for them.
    """
    baselines = Baselines.of(suite.get("baselines"))
    margins = suite.get("margin", suite.get("margins"))
    full = lend_baselines(
        frame, (baselines.none, baselines.after_training, baselines.random), dense=baselines.none
    )
    ranges = find_ranges(full, baselines=baselines, margins=margins)
    at_sparsity, pooled = _long(full, AT_SPARSITY, baselines)
    at_range, pooled_too = _long(over_ranges(full, ranges), AT_RANGE, baselines)
    long = pd.concat([part[list(LONG)] for part in (at_sparsity, at_range) if len(part)] or [at_sparsity])
    keys = list(SETTING)
    freedom = pd.concat([pooled, pooled_too]).groupby(keys, sort=False)["df"].unique()
    pooled_df = {_names(names): tuple(sorted(float(df) for df in dfs)) for names, dfs in freedom.items()}
    by_setting = {_names(names): rows for names, rows in long.groupby(keys, sort=False, dropna=False)}
    cells = {_names(names): rows for names, rows in full.groupby(keys, sort=False, dropna=False)}
    pruned = [names for names in ranges if ranges[names].grid]
    return [
        Standing(
            labels=dict(zip(SETTING, names, strict=True)),
            rows=by_setting[names],
            ranges=ranges[names],
            numerics=tuple(sorted(set(cells[names]["numerics"]) - {""})),
            lent=tuple(cells[names].loc[cells[names]["lent"], "method"].unique()),
            pooled_df=pooled_df.get(names, ()),
            baselines=baselines,
        )
        for names in (pruned or ranges)
    ]


def _names(names: Any) -> tuple[str, ...]:
    return tuple(str(name) for name in names)


def _long(
    frame: pd.DataFrame, at: tuple[str, ...], baselines: Baselines
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the long rows, and the settings and degrees of freedom of what is pooled."""
    summary = summarize(frame, at=at)
    comparisons = compare(frame, at=at)
    placed = places(summary, comparisons, at=at)
    differences = against(comparisons, baselines.after_training).rename(
        columns={
            **{f"of_{name}": name for name in VARIANT},
            **{name: f"difference_{name}" for name in _DIFFERENCE},
        }
    )
    keys = [*SETTING, *at, *VARIANT]
    wanted = differences[[*keys, *(f"difference_{name}" for name in _DIFFERENCE)]]
    long = placed.merge(wanted, on=keys, how="left").assign(at="range" if at == AT_RANGE else "sparsity")
    long["difference_n"] = long["difference_n"].astype("Int64")
    long["difference_pooled"] = long["difference_pooled"].astype("boolean")
    pooled = comparisons.loc[comparisons["pooled"], [*SETTING, "df"]]
    if at == AT_RANGE:
        return long.assign(density="", sparsity=float("nan")), pooled
    return long.assign(range="").sort_values("sparsity", kind="stable"), pooled
