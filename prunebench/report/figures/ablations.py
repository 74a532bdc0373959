"""Ablations and variants of a method: a panel a method, and the best variant of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prunebench.report.figures import reader
from prunebench.report.figures.accuracy import curves
from prunebench.report.figures.axes import ACCURACY_SHORT, DENSITY_SHORT, accuracy_axis, density_axis
from prunebench.report.figures.captions import caption
from prunebench.report.figures.figure import Figure
from prunebench.report.figures.labels import Ends, end_labels
from prunebench.report.figures.marks import MEANS, chart, headed, lines, odd_marks, panels, tooltips
from prunebench.report.figures.words import by_setting, curves_in_words, losses_in_words

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

    from prunebench.report.figures.source import Source

__all__ = ["PANEL", "ablations", "best_variants", "keyed", "variants"]

PANEL = (270, 215)


def keyed(base: alt.Chart) -> alt.Chart:
    """Return rows with `key`, what is written in a method's own panel: the method, or its ablation."""
    return base.transform_calculate(key="datum.variant == 'unmodified' ? datum.method : datum.variant")


def ablations(source: Source) -> Figure | None:
    """Return a panel for each method that has ablations: unmodified and ablated."""
    rows = _pruned(source, source.accuracies["ablated"])
    if rows.empty:
        return None
    return Figure(
        "ablations",
        "Ablations",
        caption("ablations"),
        by_setting(rows, losses_in_words),
        _panels(source, rows, "method", text="key"),
        {"accuracy": source.accuracies},
        source.having(rows, source.curved),
        reader.accuracies(),
        {"ablated": [True]},
    )


def variants(source: Source) -> Figure | None:
    """Return a panel for each family of methods whose names share a method's: GraSP and its variants."""
    rows = _pruned(source, source.accuracies["family"] != "")
    if rows.empty:
        return None
    return Figure(
        "ablations-variants",
        "Variants of one method",
        caption("ablations-variants"),
        by_setting(rows, curves_in_words),
        _panels(source, rows, "family"),
        {"accuracy": source.accuracies},
        source.having(rows, source.curved),
        reader.accuracies(),
        {"family": list(dict.fromkeys(rows["family"]))},
    )


def _pruned(source: Source, chosen: pd.Series) -> pd.DataFrame:
    """Return the chosen rows of pruned networks, in settings of several sparsities."""
    rows = source.accuracies
    return rows[chosen & rows["setting"].isin(source.curved) & (rows["sparsity"] > 0)]


def _panels(source: Source, rows: pd.DataFrame, field: str, text: str = "name") -> Any:
    base = keyed(chart("accuracy"))
    x, y, look = (
        density_axis(DENSITY_SHORT),
        accuracy_axis(ACCURACY_SHORT, PANEL[1]),
        source.look(rows["name"]),
    )
    ends = Ends("density", "min", PANEL[1], text, field, place="place")
    layers = [
        *lines(base, look, x, y, tooltips(*MEANS)),
        *odd_marks(base, x, y.channel("place")),
        *end_labels(base, look, x, y, ends),
    ]
    order = list(dict.fromkeys(rows[field]))
    where = "datum.sparsity > 0"
    return headed(panels(layers, field, PANEL, sort=order, where=where, named=(y, ends)))


def best_variants(source: Source) -> Figure | None:
    """Return the best variant of each family in each setting, by its mean over all sparsities."""
    best = source.accuracies["best_variant"]
    settings = source.having(_pruned(source, best), source.curved)
    called = ("ablations-best", "The best variant of each method")
    return curves(source, called, {"best_variant": [True]}, settings)
