"""What masks look like: sparsities of layers and neurons, weights that lie on no path."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from prunebench.report.figures import reader
from prunebench.report.figures.accuracy import SIZE
from prunebench.report.figures.axes import Upright, density_axis, percent
from prunebench.report.figures.captions import caption
from prunebench.report.figures.figure import Figure
from prunebench.report.figures.labels import Ends, end_labels
from prunebench.report.figures.marks import chart, headed, layered, lines, odd_marks, shares, tooltips
from prunebench.report.figures.mask_tables import effective_ratios, measured, of_telling
from prunebench.report.figures.style import COLOURS
from prunebench.report.figures.words import by_setting, shares_in_words

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

    from prunebench.report.figures.source import Source

__all__ = ["collapsed", "effective", "effective_share", "layers", "neurons"]

_MEAN = ("mean", "lower", "upper")
_ODD = ("diverged", "absent")
"""What is marked of means of measures: layers without a weight are what such figures show themselves."""
_LAYER = reader.Column("layer", "layer")
_LEAST = reader.Column("least", "sparsity at least, %", "of the weights that lead to a neuron", "number")


def layers(source: Source) -> Figure | None:
    """Return the sparsity of each layer at the highest matching sparsity."""
    wanted = measured(source.results, "layer-sparsity", ["layers.*.sparsity"], at_telling=True)
    rows = of_telling(wanted, source.results)
    if rows.empty:
        return None
    names = rows["field"].str.removeprefix("layers.").str.removesuffix(".sparsity")
    rows = rows.assign(layer=names.str.removesuffix(".weight")).drop(columns="field")
    words = partial(shares_in_words, what="sparsity of layers from input to output", along="order")
    return Figure(
        "layers",
        "Sparsity of each layer",
        caption("layers"),
        by_setting(rows, words),
        layered(_layer_layers(source, rows), *SIZE),
        {"layers": rows},
        source.having(rows),
        reader.measured("sparsity of the layer", "share", _LAYER),
    )


def _layer_layers(source: Source, rows: pd.DataFrame) -> list[Any]:
    import altair as alt

    base, told = shares(chart("layers"), "sparsity of the layer (%)")
    told.insert(0, alt.Tooltip("layer:N", title="layer"))
    x = alt.X("layer:N", sort=None, axis=_layer_axis(rows))
    y, look = percent(*_MEAN, "sparsity of the layer (%)", domain=[0, 1]), source.look(rows["name"])
    gone = base.transform_filter("datum.mean >= 1").mark_point(
        size=110, strokeWidth=1.2, color=COLOURS["blue"]
    )
    return [
        *lines(base, look, x, y, told, order="order:Q"),
        gone.encode(x=x, y=y.channel("mean"), tooltip=told),
        *end_labels(base, look, x, y, Ends("order", "max", SIZE[1])),
    ]


def _layer_axis(rows: pd.DataFrame) -> alt.Axis:
    """Return an axis on which every layer is named: turned where names have no room side by side."""
    import altair as alt

    longest = rows.groupby("setting")["layer"].agg(lambda names: names.nunique() * names.str.len().max())
    turned = 6 * int(longest.max()) > SIZE[0]
    step = "width / max(1, length(domain('x')))"
    return alt.Axis(
        title="layer, from input to output",
        labelAngle=-90 if turned else 0,
        labelLimit=200,
        labelOverlap=False,
        labelFontSize={"expr": f"clamp(0.85 * {step}, 4, 11)"} if turned else 11,
    )


def neurons(source: Source) -> Figure | None:
    """Return the share of neurons with at least a sparsity, at the highest matching sparsity."""
    fields = [f"at_least.{percent}" for percent in range(0, 101, 5)]
    rows = of_telling(measured(source.results, "neuron-sparsity", fields, at_telling=True), source.results)
    if rows.empty:
        return None
    rows = rows.assign(least=rows["field"].str.removeprefix("at_least.").astype(float)).drop(columns="field")
    what = "shares of neurons with at least 0 to 100 % of inputs gone"
    return Figure(
        "neurons",
        "Sparsity of neurons",
        caption("neurons"),
        by_setting(rows, partial(shares_in_words, what=what, along="least")),
        headed(layered(_neuron_layers(source, rows), *SIZE), _ODD),
        {"neurons": rows},
        source.having(rows),
        reader.measured("share of neurons", "share", _LEAST),
    )


def _neuron_layers(source: Source, rows: pd.DataFrame) -> list[Any]:
    import altair as alt

    base, told = shares(chart("neurons"), "share of neurons (%)")
    told.insert(0, alt.Tooltip("least:Q", title="sparsity at least (%)"))
    x = alt.X("least:Q", axis=alt.Axis(title="sparsity of a neuron at least (%)", grid=False))
    y, look = percent(*_MEAN, "share of neurons (%)", domain=[0, 1]), source.look(rows["name"])
    ends = base.transform_filter("datum.least === 100")  # runs are the same along a line: marked at its end
    return [
        *lines(base, look, x, y, told),
        *odd_marks(ends, x, y.channel("mean"), place="mean", kinds=_ODD),
        *end_labels(base, look, x, y, Ends("least", "max", SIZE[1])),
    ]


def collapsed(source: Source) -> Figure | None:
    """Return the share of neurons without any input, against density."""
    rows = measured(source.results, "neuron-sparsity", ["collapsed"])
    what = "shares of neurons that have lost all their inputs, from the densest to the sparsest network"
    return _by_density(source, rows, ("neurons-collapsed", "Neurons without any input"), "neurons", what)


def effective_share(source: Source) -> Figure | None:
    """Return the share of kept weights that lie on a path, against density."""
    rows = measured(source.results, "effective-density", ["share"])
    what = "shares of kept weights on a path from input to output, from the densest to the sparsest network"
    return _by_density(source, rows, ("effective-share", "Kept weights on a path"), "kept weights", what)


def effective(source: Source) -> Figure | None:
    """Return effective parameters of the shuffled network over those of the unmodified one."""
    rows = effective_ratios(source.results)
    if rows is None or rows["mean"].isna().all():
        return None
    what = (
        "effective parameters of the shuffled over the unmodified network, from the densest to the sparsest"
    )
    return Figure(
        "effective",
        "Effective parameters under shuffling",
        caption("effective"),
        by_setting(rows, partial(shares_in_words, what=what, along="sparsity", unit="")),
        headed(layered(_effective_layers(source, rows), *SIZE), _ODD),
        {"effective": rows},
        _with_means(source, rows),
        reader.measured("effective parameters, ratio", "ratio"),
    )


def _effective_layers(source: Source, rows: pd.DataFrame) -> list[Any]:
    import altair as alt

    base, x, look = chart("effective"), density_axis(), source.look(rows["name"])
    scale = {"zero": False, "nice": True, "padding": 10}
    axis = {"format": ".4~f", "tickCount": 6}
    y = Upright(*_MEAN, "effective parameters, shuffled / unmodified", scale, axis)
    told = tooltips(("mean", "ratio", ".4f"), ("low", "95 % interval from", ".4f"), ("high", "to", ".4f"))
    return [
        base.mark_rule(strokeDash=[4, 3]).encode(y=alt.datum(1)),
        *lines(base, look, x, y, told),
        *odd_marks(base, x, y.channel("mean"), place="mean", kinds=_ODD),
        *end_labels(base, look, x, y, Ends("density", "min", SIZE[1])),
    ]


def _by_density(
    source: Source, rows: pd.DataFrame, called: tuple[str, str], of: str, words: str
) -> Figure | None:
    """Return a figure (its id and title) of a share `of` something against density."""
    rows = rows[(rows["sparsity"] > 0) & (rows["n"] + rows["absent"] > 0)].drop(columns="field")
    if rows["mean"].isna().all():
        return None
    base, told = shares(chart(called[0]), f"share of {of} (%)")
    x, y, look = density_axis(), percent(*_MEAN, f"share of {of} (%)", zero=False), source.look(rows["name"])
    layers = [
        *lines(base, look, x, y, told),
        *odd_marks(base, x, y.channel("mean"), place="mean", kinds=_ODD),
        *end_labels(base, look, x, y, Ends("density", "min", SIZE[1])),
    ]
    return Figure(
        *called,
        caption(called[0]),
        by_setting(rows, partial(shares_in_words, what=words, along="sparsity")),
        headed(layered(layers, *SIZE), _ODD),
        {called[0]: rows},
        _with_means(source, rows),
        reader.measured(f"share of {of}", "share"),
    )


def _with_means(source: Source, rows: pd.DataFrame) -> tuple[str, ...]:
    """Return the settings of which there is something to show."""
    return source.having(rows[rows["mean"].notna()])
