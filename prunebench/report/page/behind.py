"""The table behind a figure: the columns that a reader has of it, without those that only drawing needs."""

from __future__ import annotations

from collections.abc import Mapping

from prunebench.report.figures import Figure
from prunebench.report.page.listed import NUMBER, Column
from prunebench.report.page.tables import sparsity_column

__all__ = ["behind"]

_TEXTS = (
    Column("setting", "setting"),
    Column("panel", "panel"),
    Column("source", "source", "ours, or who reports it"),
    Column("name", "method"),
    Column("layer", "layer"),
    Column("kind", "cost", "how it is counted"),
    Column("range", "range", "which the sparsity is in, or over which is averaged"),
)
_NUMBERS = (
    Column("step", "step", "of training", "count"),
    Column("share", "weights there", "share of the prunable weights", "share"),
    Column("cost", "cost", "in multiples of training the unpruned network", "factor"),
    Column("best", "place from", "1 + how many methods are significantly better", "count"),
    Column("worst", "place to", "how many there are, less those significantly worse", "count"),
    Column("margins", "margins below the best", "", NUMBER),
    Column("difference", "difference", "in points of accuracy, paired by seed", "difference"),
)
_ENDS = (
    Column("improvement", "improvement", "probability that a run is better", "share"),
    Column("p", "p", "of no difference, two-sided", "p"),
    Column("p_holm", "p (Holm)", "after Holm over all pairs", "p"),
    Column("settings", "settings", "", "count"),
    Column("n", "seeds", "runs in the mean", "count"),
    Column("diverged", "diverged", "runs that ended with a loss that is not finite", "count"),
    Column("absent", "not there", "runs that are missing, failed or not selected", "count"),
    Column("empty", "layers without a weight"),
    Column("also", "other names", "of the same cells"),
)

_MEANS: Mapping[str, tuple[str, str]] = {
    "layers": ("sparsity of the layer", "share"),
    "neurons": ("sparsity of the neurons' inputs", "share"),
    "neurons-collapsed": ("neurons without input", "share"),
    "effective": ("effective parameters, ratio", "ratio"),
    "effective-share": ("effective share of the kept weights", "share"),
}
"""What the mean of a figure is of, where not of accuracies, and how it is written."""


def behind(figure: Figure) -> list[Column]:
    """Return the columns of the table behind a figure, those that it has."""
    table = figure.table
    title, form = _MEANS.get(figure.id, ("accuracy, %", "points"))
    ends = "difference" if "difference" in table else form
    columns = [
        *_TEXTS,
        *([sparsity_column(table["sparsity"])] if "sparsity" in table else []),
        *(column for column in _NUMBERS if not (column.id == "share" and figure.id == "profiles")),
        *([Column("share", "share of settings", "", "share")] if figure.id == "profiles" else []),
        Column("mean", title, "mean over seeds", form),
        Column("sd", "sd", "standard deviation over seeds (n − 1)", form),
        Column("low", "from", "95 % interval, lower end", ends),
        Column("high", "to", "95 % interval, upper end", ends),
        *_ENDS,
    ]
    return [column for column in columns if column.id in table or column.id == "percent"]
