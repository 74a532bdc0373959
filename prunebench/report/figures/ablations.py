"""Ablations and variants of a method: a panel a method, and the best variant of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prunebench.report.figures.accuracy import SIZE
from prunebench.report.figures.captions import caption
from prunebench.report.figures.figure import Figure
from prunebench.report.figures.marks import (
    ACCURACY_SHORT,
    DENSITY_SHORT,
    MEANS,
    Look,
    accuracy_axis,
    accuracy_lines,
    density_axis,
    headed,
    layered,
    lines,
    odd_marks,
    panels,
    tooltips,
)
from prunebench.report.figures.style import styles
from prunebench.report.figures.words import by_setting, curves_in_words, losses_in_words

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

    from prunebench.report.figures.source import Source

__all__ = ["PANEL", "ablations", "best_variants", "key_look", "variants"]

PANEL = (270, 215)


def ablations(source: Source) -> Figure | None:
    """Return a panel for each method that has ablations: unmodified and ablated."""
    accuracies = source.accuracies
    rows = accuracies[
        accuracies["ablated"] & accuracies["setting"].isin(source.curved) & (accuracies["sparsity"] > 0)
    ]
    if rows.empty:
        return None
    base, look = key_look(rows, "accuracy")
    x, y = density_axis(title=DENSITY_SHORT), accuracy_axis(ACCURACY_SHORT)
    marks = source.look(rows["name"], legend=False)
    drawn = lines(base, look, x, y, tooltips(*MEANS), marks=marks)
    layers: list[Any] = [*drawn, *odd_marks(base, x, y.channel("place"))]
    order = list(dict.fromkeys(rows["method"]))
    return Figure(
        "ablations",
        "Ablations",
        caption("ablations"),
        by_setting(rows, losses_in_words),
        panels(layers, "method", PANEL, where="datum.ablated && datum.sparsity > 0", sort=order),
        {"accuracy": accuracies},
        _settings(source, rows),
    )


def key_look(rows: pd.DataFrame, data: str) -> tuple[alt.Chart, Look]:
    """Return a chart of rows with a `key`, the method or its ablation, and how keys look."""
    import altair as alt

    own = dict.fromkeys(rows.loc[rows["variant"] == "unmodified", "name"])
    ablated = dict.fromkeys(rows.loc[rows["variant"] != "unmodified", "variant"])
    looks = styles([*own, *(f"any + {variant}" for variant in ablated)])
    shown = {name: looks[name] for name in own} | {v: looks[f"any + {v}"] for v in ablated}
    key = "datum.variant == 'unmodified' ? datum.name : datum.variant"
    base = alt.Chart(alt.NamedData(data)).transform_calculate(key=key)
    return base, Look(shown, "method or ablation", field="key")


def variants(source: Source) -> Figure | None:
    """Return a panel for each family of methods whose names share a method's: GraSP and its variants."""
    import altair as alt

    accuracies = source.accuracies
    rows = accuracies[
        (accuracies["family"] != "")
        & accuracies["setting"].isin(source.curved)
        & (accuracies["sparsity"] > 0)
    ]
    if rows.empty:
        return None
    x, y = density_axis(title=DENSITY_SHORT), accuracy_axis(ACCURACY_SHORT)
    base = alt.Chart(alt.NamedData("accuracy"))
    drawn = lines(base, source.look(rows["name"]), x, y, tooltips(*MEANS))
    layers: list[Any] = [*drawn, *odd_marks(base, x, y.channel("place"))]
    return Figure(
        "ablations-variants",
        "Variants of one method",
        caption("ablations-variants"),
        by_setting(rows, curves_in_words),
        panels(layers, "family", PANEL, where="datum.family != '' && datum.sparsity > 0"),
        {"accuracy": accuracies},
        _settings(source, rows),
    )


def best_variants(source: Source) -> Figure | None:
    """Return the best variant of each family in each setting, by its mean over all sparsities."""
    accuracies = source.accuracies
    rows = accuracies[accuracies["best_variant"] & accuracies["setting"].isin(source.curved)]
    if rows.empty:
        return None
    layers = accuracy_lines(source.look(rows["name"]), "datum.best_variant")
    return Figure(
        "ablations-best",
        "The best variant of each method",
        caption("ablations-best"),
        by_setting(rows, curves_in_words),
        headed(layered(layers, *SIZE)),
        {"accuracy": accuracies},
        _settings(source, rows),
    )


def _settings(source: Source, rows: pd.DataFrame) -> tuple[str, ...]:
    having = set(rows["setting"])
    return tuple(setting for setting in source.curved if setting in having)
