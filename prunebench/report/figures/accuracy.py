"""The answer: accuracy against density, and how far each method is from pruning after training."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from prunebench.report.figures.captions import caption
from prunebench.report.figures.figure import Figure
from prunebench.report.figures.marks import (
    Upright,
    accuracy_lines,
    density_axis,
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

    from prunebench.report.figures.source import Source

__all__ = ["SIZE", "accuracy", "differences"]

SIZE = (620, 460)


def accuracy(source: Source, methods: Collection[str] | None = None) -> Figure | None:
    """Return accuracy against density, for settings of more than one sparsity.

    Methods without ablations are shown; or those that are named ("snip + shuffle"), in all settings in which
    one of them has a result.
    """
    accuracies = source.accuracies
    if methods is None:
        settings, chosen = source.curved, accuracies["variant"] == "unmodified"
    else:
        chosen = accuracies["name"].isin(methods)
        there = accuracies[
            chosen & (accuracies["sparsity"] > 0) & (accuracies["n"] + accuracies["diverged"] > 0)
        ]
        settings = tuple(s for s in source.titles.values() if s in set(there["setting"]))
    if not settings:
        return None
    rows = accuracies[chosen & accuracies["setting"].isin(settings)]
    where = "datum.variant == 'unmodified'" if methods is None else ""
    layers = [*matching_range(), *accuracy_lines(source.look(rows["name"]), where)]
    return Figure(
        "accuracy",
        "Accuracy against density",
        caption("accuracy"),
        by_setting(rows, curves_in_words),
        headed(layered(layers, *SIZE)),
        {"accuracy": accuracies if methods is None else rows, "ranges": source.spans},
        settings,
    )


def differences(source: Source) -> Figure | None:
    """Return each method's difference to magnitude pruning after training, paired by seed."""
    import altair as alt

    rows = source.differences
    settings = tuple(s for s in source.curved if s in set(rows["setting"]))
    if not settings:
        return None
    after = source.results.baselines.after_training
    y = Upright(
        *("difference", "difference_low", "difference_high"),
        title=f"accuracy less that of {after} (points)",
        scale={"nice": False, "padding": 10},
        axis={"labelExpr": "datum.value ? format(datum.value, '+~g') : '0'"},
    )
    told = tooltips(
        ("difference", "difference (points)", "+.2f"),
        ("low", "95 % interval from", "+.2f"),
        ("high", "to", "+.2f"),
    )
    base, x = alt.Chart(alt.NamedData("differences")), density_axis()
    zero = base.mark_rule(strokeDash=[4, 3]).encode(y=alt.datum(0))
    layers = [zero, *lines(base, source.look(rows["name"]), x, y, told)]
    layers += odd_marks(base, x, y.channel("difference"), place="difference")
    return Figure(
        "differences",
        f"Difference to {after}",
        caption("differences", after=after),
        by_setting(rows, partial(differences_in_words, after=after)),
        headed(layered(layers, *SIZE)),
        {"differences": rows},
        settings,
    )
