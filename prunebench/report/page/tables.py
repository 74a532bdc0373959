"""Which tables stand in the page, and what their columns are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from prunebench.analysis import SETTING, variant_name
from prunebench.report.page.listed import Column, Listed
from prunebench.report.results import COSTS, Results

__all__ = ["Names", "listed"]

Names = Mapping[tuple[str, ...], str]
"""What settings are called in the page, by their labels."""

_METHOD = Column("name", "method")
_SETTING = Column("setting", "setting")
_SPARSITY = Column("percent", "sparsity, %", "share of the prunable weights that is removed", "number")


def listed(results: Results, names: Names) -> list[Listed]:
    """Return the tables of the page that have rows, in its order."""
    tables = [
        _summary(results, names),
        _comparisons(results, names),
        _reported(results, names),
        _costs(results, names),
        _cells(results, names),
    ]
    return [table for table in tables if len(table.frame)]


def _placed(frame: pd.DataFrame, names: Names) -> pd.DataFrame:
    """Return the table with its setting's name, its method's name, and its sparsity in percent."""
    settings = frame[list(SETTING)].itertuples(index=False, name=None)
    extra: dict[str, Any] = {"setting": [names.get(labels, "") for labels in settings]}
    if "method" in frame:
        extra["name"] = _variants(frame, "")
    if "sparsity" in frame:
        extra["percent"] = (100 * frame["sparsity"].astype("float64")).round(6)
    return frame.assign(**extra)


def _variants(frame: pd.DataFrame, prefix: str) -> list[str]:
    pairs = zip(frame[f"{prefix}method"], frame[f"{prefix}ablations"], strict=True)
    known: dict[tuple[str, str], str] = {}
    return [known.setdefault(pair, variant_name(*pair)) for pair in pairs]


def _number(
    name: str,
    title: str,
    about: str = "",
    digits: int | None = None,
    *,
    signed: bool = False,
    main: bool = True,
) -> Column:
    return Column(name, title, about, "number", digits, signed, main)


def _summary(results: Results, names: Names) -> Listed:
    frame = _placed(results.summary, names)
    layers = [", ".join(layer.layer for layer in each) for each in frame["empty_layers"]]
    after = results.baselines.after_training
    columns = [
        _SETTING,
        _METHOD,
        _SPARSITY,
        Column("range", "range", "the sparsities over which each seed's mean is taken"),
        _number("mean", "accuracy, %", "mean over the seeds that finished", 2),
        _number("sd", "sd", "standard deviation over seeds (n − 1): the spread of single runs", 2),
        _number("low", "low", "95 % t interval of the mean, lower end", 2, main=False),
        _number("high", "high", "95 % t interval of the mean, upper end", 2, main=False),
        _number("n", "seeds"),
        _number("best", "place from", "1 + how many methods are significantly better", main=False),
        _number(
            "worst", "place to", "how many methods there are, less those significantly worse", main=False
        ),
        _number("of", "of", "how many methods are compared", main=False),
        _number("difference_mean", "difference", f"less {after}, paired by seed", 2, signed=True),
        _number("difference_low", "from", "95 % interval of the difference, lower end", 2, signed=True),
        _number("difference_high", "to", "95 % interval of the difference, upper end", 2, signed=True),
        Column("difference_p_holm", "p (Holm)", "of no difference, two-sided, over all pairs", "p"),
        _number("diverged", "diverged", "runs that ended with a loss that is not finite"),
        _number("missing", "not there", "runs that are planned and have no result"),
        _number("failed", "failed"),
        _number("mean_with_diverged", "mean with diverged", "diverged runs count as a guess", 2, main=False),
        Column("empty", "layers without a weight", main=False),
        Column("also", "other names", "of the same cells", main=False),
    ]
    about = "Each method at each sparsity, and over each range: what its seeds say together."
    frame = frame.assign(empty=layers, also=[", ".join(map(str, each or ())) for each in frame["also"]])
    return Listed("summary", "Accuracies", about, columns, frame)


def _comparisons(results: Results, names: Names) -> Listed:
    pairs = results.comparisons
    frame = _placed(pairs[pairs["at"] == "range"], names)
    frame = frame.assign(of=_variants(frame, "of_"), against=_variants(frame, "against_"))
    columns = [
        _SETTING,
        Column("range", "range"),
        Column("of", "method"),
        Column("against", "less"),
        _number("mean", "difference", "mean difference of accuracy, paired by seed", 2, signed=True),
        _number("low", "from", "95 % interval, lower end", 2, signed=True),
        _number("high", "to", "95 % interval, upper end", 2, signed=True),
        Column("p", "p", "of no difference, two-sided", "p"),
        Column("p_holm", "p (Holm)", "after Holm over all pairs of the setting and range", "p"),
        _number("n", "seeds"),
    ]
    about = "Every pair of methods over each range of sparsities: differences paired by seed."
    return Listed("comparisons", "Comparisons", about, columns, frame)


def _reported(results: Results, names: Names) -> Listed:
    frame = _placed(results.reported, names)
    columns = [
        _SETTING,
        _METHOD,
        _SPARSITY,
        _number("reported", "reported, %", "", 2),
        _number("mean", "ours, %", "mean over seeds", 2),
        _number("sd", "sd", "", 2),
        _number("difference", "difference", "ours less reported", 2, signed=True),
        Column("source", "source"),
        _number("runs", "their runs"),
        _number("n", "our seeds"),
    ]
    if "verdict" in frame:
        columns.append(Column("verdict", "verdict"))
    about = "Numbers that others report, beside ours."
    return Listed("reported", "Replication", about, columns, frame)


def _costs(results: Results, names: Names) -> Listed:
    """Return what methods cost: the mean over the seeds of each setting, method and sparsity."""
    costs = results.costs
    present = [name for name in COSTS if costs[name].notna().any()]
    keys = [*SETTING, "method", "ablations", "density", "sparsity"]
    means = costs.groupby(keys, sort=False, dropna=False)[present].mean().reset_index()
    frame = _placed(means[means[present].notna().any(axis=1)] if present else means.iloc[:0], names)
    first = (
        "scoring_seconds",
        "scoring_passes",
        "kept",
        "effective_density",
        "relative_dense",
        "relative_sparse",
    )
    columns = [_SETTING, _METHOD, _SPARSITY]
    columns += [_number(name, name.replace("_", " "), COSTS[name], main=name in first) for name in present]
    about = "What each method takes, on average over its seeds: as if it were run alone, with nothing kept."
    return Listed("costs", "Costs", about, columns, frame)


def _cells(results: Results, names: Names) -> Listed:
    frame = _placed(results.cells, names)
    columns = [
        _SETTING,
        _METHOD,
        _SPARSITY,
        _number("seed", "seed"),
        _number("accuracy", "accuracy, %", "correct answers of all examples of the split", 2),
        Column("status", "status", "what became of the cell"),
        Column("cell", "cell", "as `prunebench run -k` takes it"),
        Column("key", "key", "the first digits of the key of its record"),
        Column("diverged_run", "diverged run", "of the run that diverged: which it was", main=False),
        _number("diverged_step", "diverged at step", main=False),
        Column("numerics", "numerics", "bits repeat within one class", main=False),
    ]
    keys = frame["key"].str.slice(0, 12)
    about = "Each run: one network, trained once. Open a row for the command that runs it again."
    return Listed("cells", "Records", about, columns, frame.assign(key=keys))
