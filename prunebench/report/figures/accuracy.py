"""Accuracy against density, and the same less what pruning after training reaches."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from prunebench.report.figures import reader
from prunebench.report.figures.axes import SIGNED, Upright, density_axis
from prunebench.report.figures.captions import caption
from prunebench.report.figures.figure import Figure
from prunebench.report.figures.labels import Ends, end_labels
from prunebench.report.figures.marks import (
    chart,
    density_layers,
    headed,
    layered,
    lines,
    matching_range,
    odd_marks,
    tooltips,
)
from prunebench.report.figures.words import by_setting, curves_in_words, differences_in_words

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

    from prunebench.report.figures.source import Source

__all__ = ["SIZE", "accuracy", "curves", "differences"]

SIZE = (620, 460)

_ROW = 11
"""Pixels that a row needs for its name: figures of many rows are higher."""


def accuracy(source: Source, methods: Collection[str] | None = None) -> Figure | None:
    """Return accuracy against density, for settings of more than one sparsity.

    Methods without ablations are shown; or those that are named ("snip + shuffle"), in all settings in which
    one of them has a result.
    """
    rows = source.accuracies
    if methods is None:
        keep, settings = {"variant": ["unmodified"]}, source.curved
    else:
        keep = {"name": list(methods)}
        pruned = rows[rows["name"].isin(methods) & (rows["sparsity"] > 0)]
        there = set(pruned.loc[pruned["n"] + pruned["diverged"] > 0, "setting"])
        settings = tuple(title for title in dict.fromkeys(source.titles.values()) if title in there)
    return curves(source, ("accuracy", "Accuracy against density"), keep, settings, matching=True)


def curves(
    source: Source,
    called: tuple[str, str],
    keep: dict[str, list[Any]],
    settings: tuple[str, ...],
    *,
    matching: bool = False,
) -> Figure | None:
    """Return a figure (its id and title) of accuracy against density, of the rows that `keep` keeps.

    `matching`: the matching range is the ground.
    """
    rows = source.accuracies
    rows = rows[rows["setting"].isin(settings)]
    for column, values in keep.items():
        rows = rows[rows[column].isin(values)]
    if rows.empty:
        return None
    height = max(SIZE[1], _ROW * rows["name"].nunique())
    layers = [*(matching_range() if matching else [])]
    layers += density_layers(chart("accuracy"), source.look(rows["name"]), height)
    return Figure(
        *called,
        caption(called[0]),
        by_setting(rows, curves_in_words),
        headed(layered(layers, SIZE[0], height)),
        {"accuracy": source.accuracies, **({"ranges": source.spans} if matching else {})},
        settings,
        reader.accuracies(),
        keep,
    )


def differences(source: Source) -> Figure | None:
    """Return each method's difference to magnitude pruning after training, paired by seed."""
    rows = source.differences
    settings = source.having(rows, source.curved)
    if not settings:
        return None
    after = source.results.baselines.after_training
    return Figure(
        "differences",
        f"Difference to {after}",
        caption("differences", after=after),
        by_setting(rows, partial(differences_in_words, after=after)),
        headed(layered(_difference_layers(source, rows, after), *SIZE), ("diverged",)),
        {"differences": rows},
        settings,
        reader.differences(after),
    )


def _difference_layers(source: Source, rows: pd.DataFrame, after: str) -> list[Any]:
    import altair as alt

    y = Upright(
        *("difference", "difference_low", "difference_high"),
        title=f"accuracy less that of {after} (points)",
        scale={"nice": False, "padding": 10},
        axis={"labelExpr": SIGNED, "tickCount": 8},
    )
    told = tooltips(
        ("difference", "difference (points)", "+.2f"),
        ("low", "95 % interval from", "+.2f"),
        ("high", "to", "+.2f"),
    )
    base, x, look = chart("differences"), density_axis(), source.look(rows["name"])
    zero = base.mark_rule(strokeDash=[4, 3]).encode(y=alt.datum(0))
    layers = [zero, *lines(base, look, x, y, told)]
    layers += odd_marks(base, x, y.channel("difference"), place="difference", kinds=("diverged",))
    return [*layers, *end_labels(base, look, x, y, Ends("density", "min", SIZE[1]))]
