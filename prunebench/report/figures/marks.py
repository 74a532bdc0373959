"""What charts are put together from: lines with intervals, marks of what is odd, panels.

altair is imported when a chart is made: the command line starts without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from prunebench.report.figures.axes import ACCURACY, Upright, accuracy_axis, density_axis
from prunebench.report.figures.labels import Ends, end_labels, spanned
from prunebench.report.figures.look import Look
from prunebench.report.figures.style import COLOURS

if TYPE_CHECKING:
    import altair as alt

__all__ = [
    *("MEANS", "accuracy_layers", "chart", "headed", "layered", "lines", "matching_range", "odd_marks"),
    *("panels", "shares", "tooltips"),
]


def chart(name: str) -> alt.Chart:
    """Return a chart of the table of this name, which has `percent`, the sparsity, for tooltips."""
    import altair as alt

    return alt.Chart(alt.NamedData(name))


MEANS = (
    ("mean", "accuracy (%)", ".2f"),
    ("low", "95 % interval from", ".2f"),
    ("high", "to", ".2f"),
)
"""Tooltips of accuracies: column, title, format."""


def tooltips(*more: tuple[str, str, str], runs: bool = True) -> list[Any]:
    """Return what is said of a row: method, sparsity, `more` (column, title, format), runs."""
    import altair as alt

    return [
        alt.Tooltip("name:N", title="method"),
        alt.Tooltip("percent:Q", title="sparsity (%)", format=".4~r"),
        *(alt.Tooltip(f"{column}:Q", title=title, format=form) for column, title, form in more),
        *([alt.Tooltip("n:Q", title="runs in the mean")] if runs else []),
    ]


def shares(rows: alt.Chart, title: str) -> tuple[alt.Chart, list[Any]]:
    """Return rows with shares in percent beside, and tooltips of these; `title` with its unit."""
    rows = rows.transform_calculate(
        **{f"{end}_percent": f"isValid(datum.{end}) ? 100 * datum.{end} : null" for end in _ENDS}
    )
    titles = (title, "95 % interval from", "to")
    columns = (f"{end}_percent" for end in _ENDS)
    return rows, tooltips(*zip(columns, titles, [".4~r"] * 3, strict=True))


_ENDS = ("mean", "low", "high")


def lines(
    rows: alt.Chart, look: Look, x: alt.X, y: Upright, told: Sequence[Any], *, order: str | None = None
) -> list[alt.Chart]:
    """Return layers of lines, intervals of means and marks; a point without a mean breaks its line.

    `order`: the column along which points are joined, where not that of the horizontal axis.
    """
    line = rows.mark_line(strokeWidth=1.7, invalid="break-paths-show-domains").encode(
        x=x, y=y.channel(y.mean), color=look.colour, strokeDash=look.dash, detail="name:N"
    )
    if order is not None:
        line = line.encode(order=order)
    interval = rows.transform_filter(f"isValid(datum.{y.low}) && isValid(datum.{y.high})")
    bars = interval.mark_rule(opacity=0.55, strokeWidth=1.1).encode(
        x=x, y=y.channel(y.low), y2=f"{y.high}:Q", color=look.colour
    )
    points = (
        rows.transform_filter(f"isValid(datum.{y.mean})")
        .mark_point(filled=True, size=42, opacity=1)
        .encode(x=x, y=y.channel(y.mean), color=look.colour, shape=look.shape, tooltip=list(told))
    )
    return [bars, line, points]


_KINDS: Mapping[str, tuple[str, str, str, str]] = {
    "diverged": (
        "datum.diverged > 0",
        "datum.diverged + ' of ' + datum.planned + ' runs diverged'",
        "M-0.8,-1L0,-0.2L0.8,-1L1,-0.8L0.2,0L1,0.8L0.8,1L0,0.2L-0.8,1L-1,0.8L-0.2,0L-1,-0.8Z",
        COLOURS["red"],
    ),
    "empty": (
        "datum.empty != ''",
        "'no weight is left in ' + datum.empty",
        "M0,-1A1,1,0,1,1,0,1A1,1,0,1,1,0,-1Z",
        COLOURS["blue"],
    ),
    "absent": (
        "datum.absent > 0",
        "datum.absent + ' of ' + datum.planned + ' runs are missing'",
        "M-1,-1L1,-1L1,1L-1,1Z",
        COLOURS["grey"],
    ),
}
"""What is marked beside means that do not say it: when, in which words, by which mark and colour."""

_ODD: Mapping[str, Any] = {"filled": False, "size": 75, "strokeWidth": 1.1, "opacity": 0.9}

_SAID = {
    "diverged": "× some runs diverged",
    "empty": "○ a layer has no weight left",
    "absent": "□ runs are missing",
}


def odd_marks(
    rows: alt.Chart, x: alt.X, y: alt.Y, *, place: str = "place", kinds: Sequence[str] = tuple(_KINDS)
) -> list[alt.Chart]:
    """Return layers that mark what means do not say: diverged runs, empty layers, missing runs.

    A row without any run has no height: it is marked on the lower edge.
    """
    import altair as alt

    told = [*tooltips(runs=False), alt.Tooltip("note:N", title="note")]
    layers = []
    for when, note, mark, colour in map(_KINDS.__getitem__, kinds):
        odd = rows.transform_filter(when).transform_calculate(note=note)
        style: dict[str, Any] = {**_ODD, "shape": mark, "stroke": colour}
        for bare, at in ((f"isValid(datum.{place})", y), (f"!isValid(datum.{place})", alt.value("height"))):
            mine = odd.transform_filter(bare).mark_point(**style)
            layers.append(mine.encode(x=x, y=at, tooltip=told))
    return layers


def layered(layers: Sequence[Any], width: int, height: Any) -> Any:
    """Return layers as one chart."""
    import altair as alt

    return alt.layer(*layers).properties(width=width, height=height)


def headed(chart: Any, kinds: Sequence[str] = tuple(_KINDS)) -> Any:
    """Return a chart with a line above it that says what its marks of oddities mean."""
    import altair as alt

    said = " · ".join(_SAID[kind] for kind in kinds)
    return chart.properties(title=alt.Title(said, fontSize=11, fontWeight="normal", offset=20))


def accuracy_layers(base: alt.Chart, look: Look, x: alt.X, y: Upright, ends: Ends) -> list[Any]:
    """Return layers of accuracies: lines, what never prunes as a line across, oddities, names at the ends.

    `ends.flat` says which rows are lines across.
    """
    across = base.transform_filter(ends.flat).mark_rule(strokeDash=[4, 3], strokeWidth=1.3)
    flat = across.encode(y=y.channel(y.mean), color=look.colour, tooltip=tooltips(*MEANS))
    rows = base.transform_filter(f"!({ends.flat})")
    return [
        flat,
        *lines(rows, look, x, y, tooltips(*MEANS)),
        *odd_marks(rows, x, y.channel("place")),
        *end_labels(base, look, x, y, replace(ends, place="place")),
    ]


def density_layers(base: alt.Chart, look: Look, height: int) -> list[Any]:
    """Return `accuracy_layers` by density, the unpruned network as a line across."""
    ends = Ends("density", "min", height, flat="datum.sparsity == 0")
    return accuracy_layers(base, look, density_axis(), accuracy_axis(ACCURACY, height), ends)


def matching_range() -> list[Any]:
    """Return the ground of the matching range: faint, named above its upper edge."""
    import altair as alt

    base = chart("ranges").transform_filter("datum.range == 'matching'")
    scale = alt.Scale(type="log", reverse=True, nice=False, padding=10)
    ground = base.mark_rect(opacity=0.07, color=COLOURS["grey"]).encode(
        x=alt.X("from:Q", scale=scale), x2="to:Q"
    )
    label = base.transform_calculate(middle="sqrt(datum.from * datum.to)").mark_text(
        baseline="bottom", dy=-3, opacity=0.8, fontSize=10, text="matching range"
    ).encode(x=alt.X("middle:Q", scale=scale), y=alt.value(0))  # fmt: skip
    return [ground, label]


def panels(
    layers: Sequence[Any],
    field: str,
    size: tuple[int, Any],
    *,
    columns: int = 3,
    sort: Sequence[str] | None = None,
    apart: bool = False,
    where: str = "",
    named: tuple[Upright, Ends] | None = None,
) -> Any:
    """Return layers over one table as panels, one for each value of `field`; each has its horizontal axis.

    `apart`: each panel's axes span its own rows; `where`: of which rows;
    `named`: the axis and ends of lines that have their names at their ends, in panels of one axis.
    """
    import altair as alt

    heading = alt.Header(
        title=None,
        labelPadding=4,
        labelFontSize=11,
        labelLimit=size[0] + 60,
        labelExpr="split(datum.label, '\\n')",
    )
    facet = alt.Facet(f"{field}:N", header=heading, sort=sort)
    spacing: dict[str, float] = {"column": 20, "row": 24}
    whole = layered(layers, *size).facet(facet=facet, columns=columns, spacing=spacing)
    steps = [*([{"filter": where}] if where else []), *(spanned(*named) if named else [])]
    whole = whole.properties(transform=steps) if steps else whole
    if apart:
        return whole.resolve_scale(x="independent", y="independent")
    return whole.resolve_axis(x="independent")
