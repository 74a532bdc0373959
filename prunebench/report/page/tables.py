"""Which tables stand in the page, and what their columns are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from prunebench.analysis import SETTING, variant_name
from prunebench.percent import percent_labels
from prunebench.report.page.listed import NUMBER, Column, Listed
from prunebench.report.replication import forms, what
from prunebench.report.results import COST_FORMS, COSTS, SHRUNK, Results

__all__ = ["Names", "listed", "sparsity_column", "there"]

Names = Mapping[tuple[str, ...], str]
"""What settings are called in the page, by their labels."""

_METHOD = Column("name", "method")
_SETTING = Column("setting", "setting")


def listed(results: Results, names: Names, drawn: Mapping[str, pd.DataFrame] | None = None) -> list[Listed]:
    """Return the tables of the page that have rows, in its order; `drawn` are those that figures read."""
    accuracies = (drawn or {}).get("accuracy")
    tables = [
        *([] if accuracies is None else [_drawn(accuracies)]),
        _summary(results, names, ranges_alone=accuracies is not None),
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


def sparsity_column(sparsities: pd.Series) -> Column:
    """Return the column of sparsities in percent, with as many decimals as tables for people have."""
    labels = percent_labels(sparsities.dropna())
    digits = max((len(label.partition(".")[2]) for label in labels.values()), default=0)
    about = "share of the prunable weights that is removed"
    return Column("percent", "sparsity, %", about, NUMBER, digits=digits)


def _number(name: str, title: str, about: str = "", form: str = NUMBER, *, main: bool = True) -> Column:
    return Column(name, title, about, form, main=main)


def _drawn(accuracies: pd.DataFrame) -> Listed:
    """Return accuracies at sparsities, as figures read them: they stand in the page once."""
    columns = [
        _SETTING,
        _METHOD,
        sparsity_column(accuracies["sparsity"]),
        Column("range", "range", "which the sparsity is in"),
        _number("mean", "accuracy, %", "mean over the seeds that finished", "points"),
        _number("sd", "sd", "standard deviation over seeds (n − 1): the spread of single runs", "points"),
        _number("low", "from", "95 % t interval of the mean, lower end; not below 0", "points"),
        _number("high", "to", "95 % t interval of the mean, upper end; not above 100", "points"),
        _number("n", "seeds"),
        _number("diverged", "diverged", "runs that ended with a loss that is not finite"),
        _number("absent", "not there", "runs that are missing, failed or not selected"),
        Column("empty", "layers without a weight"),
        Column("also", "other names", "of the same cells", main=False),
    ]
    present = [column for column in columns if column.id in accuracies or column.id == "percent"]
    about = "Each method at each sparsity: what its seeds say together."
    return Listed("accuracies", "Accuracies", about, present, accuracies, dataset="accuracy")


def _summary(results: Results, names: Names, *, ranges_alone: bool) -> Listed:
    rows = results.summary
    frame = _placed(rows[rows["at"] == "range"] if ranges_alone else rows, names)
    layers = [", ".join(layer.layer for layer in each) for each in frame["empty_layers"]]
    after = results.baselines.after_training
    columns = [
        _SETTING,
        _METHOD,
        sparsity_column(frame["sparsity"]),
        Column("range", "range", "the sparsities over which each seed's mean is taken"),
        _number("mean", "accuracy, %", "mean over the seeds that finished", "points"),
        _number("sd", "sd", "standard deviation over seeds (n − 1): the spread of single runs", "points"),
        _number("low", "low", "95 % t interval of the mean, lower end; not below 0", "points", main=False),
        _number(
            "high", "high", "95 % t interval of the mean, upper end; not above 100", "points", main=False
        ),
        _number("n", "seeds"),
        _number("best", "place from", "1 + how many methods are significantly better", main=False),
        _number(
            "worst", "place to", "how many methods there are, less those significantly worse", main=False
        ),
        _number("of", "of", "how many methods are compared", main=False),
        _number("difference_mean", "difference", f"less {after}, paired by seed", "difference"),
        _number("difference_low", "from", "95 % interval of the difference, lower end", "difference"),
        _number("difference_high", "to", "95 % interval of the difference, upper end", "difference"),
        Column("difference_p_holm", "p (Holm)", "of no difference, two-sided, over all pairs", "p"),
        _number("diverged", "diverged", "runs that ended with a loss that is not finite"),
        _number("missing", "not there", "runs that are planned and have no result"),
        _number("failed", "failed"),
        _number(
            "mean_with_diverged", "mean with diverged", "diverged runs count as a guess", "points", main=False
        ),
        Column("empty", "layers without a weight", main=False),
        Column("also", "other names", "of the same cells", main=False),
    ]
    if ranges_alone:
        columns = [column for column in columns if column.id != "percent"]
    about = f"Each method over each range{'' if ranges_alone else ' and at each sparsity'}, with its place."
    frame[["low", "high"]] = frame[["low", "high"]].astype("float64").clip(0, 100)  # no accuracy lies beyond
    frame = frame.assign(empty=layers, also=[", ".join(map(str, each or ())) for each in frame["also"]])
    return Listed("summary", "Ranges", about, columns, frame)


def _comparisons(results: Results, names: Names) -> Listed:
    pairs = results.comparisons
    plain = (pairs["of_ablations"] == "") & (pairs["against_ablations"] == "")
    own = pairs["of_method"] == pairs["against_method"]
    there = pairs["mean"].notna()
    frame = _placed(pairs[(pairs["at"] == "range") & (plain | own) & there], names)
    frame = frame.assign(of=_variants(frame, "of_"), against=_variants(frame, "against_"))
    columns = [
        _SETTING,
        Column("range", "range"),
        Column("of", "method"),
        Column("against", "less"),
        _number("mean", "difference", "mean difference of accuracy, paired by seed", "difference"),
        _number("low", "from", "95 % interval, lower end", "difference"),
        _number("high", "to", "95 % interval, upper end", "difference"),
        Column("p", "p", "of no difference, two-sided", "p"),
        Column("p_holm", "p (Holm)", "after Holm over all pairs of the setting and range", "p"),
        _number("n", "seeds"),
    ]
    about = (
        "Pairs over each range of sparsities, by differences paired by seed: methods with each other, and "
        "each with its own ablations. “prunebench compare” has all pairs, and each sparsity."
    )
    return Listed("comparisons", "Comparisons", about, columns, frame)


def _reported(results: Results, names: Names) -> Listed:
    rows: Sequence[Mapping[Any, Any]] = results.reported.to_dict("records")
    written = [forms(row) for row in rows]
    frame = _placed(results.reported, names).assign(
        what=[what(row) for row in rows],
        our_form=[ours for ours, _ in written],
        form=[difference for _, difference in written],
    )
    columns = [
        _SETTING,
        _METHOD,
        sparsity_column(frame["sparsity"]),
        Column("what", "of what", "accuracies in percent; other quantities as checks have them", main=False),
        _number("reported", "reported", "as it stands there", "given"),
        Column("mean", "ours", "mean over seeds", NUMBER, by="our_form"),
        Column("sd", "sd", "standard deviation over seeds (n − 1)", NUMBER, by="our_form"),
        Column("difference", "difference", "ours less reported", NUMBER, by="form"),
        Column("low", "from", "95 % interval of the difference, lower end", NUMBER, by="form"),
        Column("high", "to", "95 % interval of the difference, upper end", NUMBER, by="form"),
        _number("margin", "margin", "the difference that does not matter", "exact"),
        Column("verdict", "verdict", "whether ours is the same within the margin"),
        Column("source", "source"),
        _number("runs", "their runs"),
        _number("n", "our seeds"),
        Column("check", "check", "that asks it", main=False),
    ]
    about = "Numbers that others report, beside ours."
    return Listed("reported", "Replication", about, columns, frame, hidden=("form", "our_form"))


_LONG = ("training_flops", "scoring_flops")
"""Costs that the page leaves to `prunebench leaderboard`: relative ones say the same."""


def _costs(results: Results, names: Names) -> Listed:
    """Return what methods cost: the mean over the seeds of each setting, method and sparsity."""
    costs = results.costs
    present = [
        name
        for name in (*COSTS, *SHRUNK)
        if name in costs and costs[name].notna().any() and not name.startswith(_LONG)
    ]
    keys = [*SETTING, "method", "ablations", "density", "sparsity"]
    means = costs.groupby(keys, sort=False, dropna=False)[present].mean().reset_index()
    shown = means[means[present].notna().any(axis=1)] if present else means.iloc[:0]
    frame = _placed(shown, names)
    first = (
        "scoring_seconds",
        "scoring_passes",
        "kept",
        "effective_density",
        "relative_dense",
        "relative_sparse",
    )
    columns = [_SETTING, _METHOD, sparsity_column(frame["sparsity"])]
    columns += [
        _number(name, name.replace("_", " "), {**COSTS, **SHRUNK}[name], COST_FORMS[name], main=name in first)
        for name in present
    ]
    about = "What each method takes, on average over its seeds: as if it were run alone, with nothing kept."
    return Listed("costs", "Costs", about, columns, frame)


def there(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of which something came: those that nobody has run have no row in the page."""
    return cells[cells["status"].isin(("finished", "diverged", "failed"))]


def _cells(results: Results, names: Names) -> Listed:
    frame = _placed(there(results.cells), names)
    columns = [
        _SETTING,
        _METHOD,
        sparsity_column(frame["sparsity"]),
        _number("seed", "seed", "", "exact"),
        _number("accuracy", "accuracy, %", "correct answers of all examples of the split", "points"),
        *(
            [_number("reached", "density reached", "by whole filters, where another was asked for", "share")]
            if frame["reached"].notna().any()
            else []
        ),
        Column("status", "status", "what became of the cell"),
        Column("cell", "cell", "as `prunebench run -k` takes it"),
        Column("key", "key", "the first digits of the key of its record"),
        Column("diverged_run", "diverged run", "of the run that diverged: which it was", main=False),
        _number("diverged_step", "diverged at step", main=False),
        Column("numerics", "numerics", "bits repeat within one class", main=False),
    ]
    about = "Each run: one network, trained once. Open a row for the command that runs it again."
    frame = frame.assign(key=frame["key"].str[:KEY])
    return Listed("cells", "Records", about, columns, frame, hidden=("matrix",))


KEY = 12
"""So many digits of a key stand in the page: `prunebench` takes the beginning of one."""
