"""What a method's masks are like and what it costs, beside the answers of its portrait."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from prunebench.analysis import SETTING
from prunebench.report.portrait import Portrait

__all__ = ["cost_rows", "mask_rows"]


def _means(frame: pd.DataFrame, keys: Sequence[str], name: str) -> pd.DataFrame:
    """Return the mean over seeds of `value`."""
    return frame.groupby(list(keys), sort=False, dropna=False)["value"].mean().rename(name).reset_index()


_MASK_FIELDS = {
    ("effective-density", "density"): "effective_density",
    ("disconnected", "weights"): "disconnected",
    ("disconnected", "share"): "disconnected_share",
    ("neuron-sparsity", "collapsed"): "neurons_collapsed",
    ("layer-sparsity", "output"): "output_sparsity",
}


def mask_rows(portrait: Portrait) -> pd.DataFrame:
    """Return a row a setting, method and sparsity of what masks are like: the method's, and baselines'.

    Columns: SETTING, method, density, sparsity; means over seeds of `effective_density`, `disconnected`
    (weights), `disconnected_share` (of the kept ones), `neurons_collapsed` (share of all), `output_sparsity`;
    `empty_layers` (name and in how many seeds).
    """
    results, own = portrait.results, portrait.method
    wanted = [own, results.baselines.random, results.baselines.after_training]
    keys = [*SETTING, "method", "density", "sparsity"]
    rows = results.summary
    rows = rows[(rows["at"] == "sparsity") & (rows["ablations"] == "") & rows["method"].isin(wanted)]
    rows = rows[(rows["sparsity"] > 0) & (rows["find"] == "") & (rows["score_at"] == "")]
    frame = rows[[*keys, "n", "diverged", "empty_layers"]].reset_index(drop=True)
    values = results.measures
    values = values[(values["ablations"] == "") & values["method"].isin(wanted)]
    for (measure, field), name in _MASK_FIELDS.items():
        mine = values[(values["measure"] == measure) & (values["field"] == field)]
        frame = frame.merge(_means(mine, keys, name), on=keys, how="left")
    order = {name: i for i, name in enumerate(wanted)}
    frame["_order"] = frame["method"].map(order)
    return frame.sort_values("_order", kind="stable").drop(columns="_order").reset_index(drop=True)


def cost_rows(portrait: Portrait) -> pd.DataFrame:
    """Return the method's costs, a row a setting and sparsity: means over seeds of the columns of costs."""
    costs = portrait.results.costs
    mine = costs[(costs["method"] == portrait.method) & (costs["ablations"] == "")]
    names = [
        "scoring_rounds",
        "scoring_passes",
        "scoring_seconds",
        "train_seconds",
        "relative_dense",
        "relative_sparse",
    ]
    keys = [*SETTING, "density", "sparsity"]
    means: pd.DataFrame = mine.groupby(keys, sort=False, dropna=False)[names].mean().reset_index()
    return means
