"""What masks look like: sparsities of layers and neurons, weights that lie on no path."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from prunebench.report.figures.accuracy import SIZE
from prunebench.report.figures.captions import caption
from prunebench.report.figures.figure import Figure
from prunebench.report.figures.marks import Upright, density_axis, layered, lines, percent, tooltips
from prunebench.report.figures.mask_tables import effective_ratios, measured, of_telling
from prunebench.report.figures.words import by_setting, shares_in_words

if TYPE_CHECKING:
    import pandas as pd

    from prunebench.report.figures.source import Source

__all__ = ["collapsed", "effective", "effective_share", "layers", "neurons"]

_MEAN = ("mean", "lower", "upper")
_SHARE = (
    ("mean", "mean", ".2~%"),
    ("low", "95 % interval from", ".2~%"),
    ("high", "to", ".2~%"),
)


def layers(source: Source) -> Figure | None:
    """Return the sparsity of each layer at the highest matching sparsity."""
    import altair as alt

    shares = of_telling(
        measured(source.results, "layer-sparsity", ["layers.*.sparsity"], at_telling=True), source.results
    )
    if shares.empty:
        return None
    names = (
        shares["field"].str.removeprefix("layers.").str.removesuffix(".sparsity").str.removesuffix(".weight")
    )
    shares = shares.assign(layer=names).drop(columns="field")
    base = alt.Chart(alt.NamedData("layers"))
    axis = alt.Axis(
        title="layer, from input to output", labelAngle=-45, labelLimit=130, labelOverlap="greedy"
    )
    x = alt.X("layer:N", sort=None, axis=axis)
    y = percent(*_MEAN, "sparsity of the layer (%)", domain=[0, 1])
    told = [alt.Tooltip("layer:N", title="layer"), *tooltips(*_SHARE)]
    drawn = lines(base, source.look(shares["name"]), x, y, told, order="order:Q")
    gone = base.transform_filter("datum.mean >= 1").mark_point(size=110, strokeWidth=1.2, color="#3a7bd5")
    rings = gone.encode(x=x, y=y.channel("mean"), tooltip=told)
    return Figure(
        "layers",
        "Sparsity of each layer",
        caption("layers"),
        by_setting(
            shares, partial(shares_in_words, what="sparsity of layers from input to output", along="order")
        ),
        layered([*drawn, rings], *SIZE),
        {"layers": shares},
        _settings(source, shares),
    )


def neurons(source: Source) -> Figure | None:
    """Return the share of neurons with at least a sparsity, at the highest matching sparsity."""
    import altair as alt

    fields = [f"at_least.{percent}" for percent in range(0, 101, 5)]
    shares = of_telling(measured(source.results, "neuron-sparsity", fields, at_telling=True), source.results)
    if shares.empty:
        return None
    shares = shares.assign(least=shares["field"].str.removeprefix("at_least.").astype(float)).drop(
        columns="field"
    )
    base = alt.Chart(alt.NamedData("neurons"))
    x = alt.X("least:Q", axis=alt.Axis(title="sparsity of a neuron at least (%)", grid=False))
    y = percent(*_MEAN, "share of neurons (%)", domain=[0, 1])
    told = [alt.Tooltip("least:Q", title="sparsity at least (%)"), *tooltips(*_SHARE)]
    return Figure(
        "neurons",
        "Sparsity of neurons",
        caption("neurons"),
        by_setting(
            shares,
            partial(
                shares_in_words,
                what="shares of neurons with at least 0 to 100 % of inputs gone",
                along="least",
            ),
        ),
        layered(lines(base, source.look(shares["name"]), x, y, told), *SIZE),
        {"neurons": shares},
        _settings(source, shares),
    )


def collapsed(source: Source) -> Figure | None:
    """Return the share of neurons without any input, against density."""
    shares = measured(source.results, "neuron-sparsity", ["collapsed"])
    return _by_density(
        source,
        shares,
        ("neurons-collapsed", "Neurons without any input", "share of neurons (%)"),
        "shares of neurons that have lost all their inputs, from the densest to the sparsest network",
    )


def effective_share(source: Source) -> Figure | None:
    """Return the share of kept weights that lie on a path, against density."""
    shares = measured(source.results, "effective-density", ["share"])
    return _by_density(
        source,
        shares,
        ("effective-share", "Kept weights on a path", "share of kept weights (%)"),
        "shares of kept weights on a path from input to output, from the densest to the sparsest network",
    )


def effective(source: Source) -> Figure | None:
    """Return effective parameters of the shuffled network over those of the unmodified one."""
    import altair as alt

    rows = effective_ratios(source.results)
    if rows is None or rows["mean"].isna().all():
        return None
    base = alt.Chart(alt.NamedData("effective"))
    scale = {"zero": False, "nice": True, "padding": 10}
    y = Upright(*_MEAN, "effective parameters, shuffled / unmodified", scale, {"format": ".4~f"}, ".5~f")
    one = base.mark_rule(strokeDash=[4, 3]).encode(y=alt.datum(1))
    told = tooltips(("mean", "ratio", ".4f"), ("low", "95 % interval from", ".4f"), ("high", "to", ".4f"))
    drawn = lines(base, source.look(rows["name"]), density_axis(), y, told)
    what = (
        "effective parameters of the shuffled over the unmodified network, from the densest to the sparsest"
    )
    return Figure(
        "effective",
        "Effective parameters under shuffling",
        caption("effective"),
        by_setting(rows, partial(shares_in_words, what=what, along="sparsity")),
        layered([one, *drawn], *SIZE),
        {"effective": rows},
        _settings(source, rows),
    )


def _by_density(
    source: Source, shares: pd.DataFrame, names: tuple[str, str, str], words: str
) -> Figure | None:
    import altair as alt

    shares = shares[(shares["sparsity"] > 0) & (shares["n"] + shares["absent"] > 0)].drop(columns="field")
    if shares["mean"].isna().all():
        return None
    name, title, axis = names
    base = alt.Chart(alt.NamedData(name))
    y = percent(*_MEAN, axis, zero=False)
    drawn: list[Any] = lines(base, source.look(shares["name"]), density_axis(), y, tooltips(*_SHARE))
    return Figure(
        name,
        title,
        caption(name),
        by_setting(shares, partial(shares_in_words, what=words, along="sparsity")),
        layered(drawn, *SIZE),
        {name: shares},
        _settings(source, shares),
    )


def _settings(source: Source, rows: pd.DataFrame) -> tuple[str, ...]:
    having = set(rows["setting"])
    return tuple(setting for setting in source.titles.values() if setting in having)
