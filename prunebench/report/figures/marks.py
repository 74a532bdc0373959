"""What charts are put together from: axes, colours by method, lines with intervals, marks of what is odd.

altair is imported when a chart is made: the command line starts without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prunebench.report.figures.style import COLOURS, Style

if TYPE_CHECKING:
    import altair as alt

__all__ = [
    *("ACCURACY", "ACCURACY_SHORT", "DENSITY", "DENSITY_SHORT", "MEANS", "ODD", "Look", "Upright"),
    *("accuracy_axis", "accuracy_lines", "density_axis", "headed", "layered", "lines", "matching_range"),
    *("odd_marks", "panels", "percent", "tooltips"),
]

DENSITY = "weights kept (%, logarithmic: sparser to the right)"
ACCURACY = "test accuracy (%, spaced by the logarithm of the error)"
DENSITY_SHORT = "weights kept (%)"
ACCURACY_SHORT = "test accuracy (%)"
"""For panels, which have less room; their captions say how the axes are spaced."""

_DENSITIES = [m * 10**e for e in range(-6, 0) for m in (1, 2, 5)] + [1.0]
_ERRORS = [m * 10**e for e in (-2, -1, 0) for m in (1, 2, 3, 5)] + [
    *(4, 6, 7, 8, 10, 12, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 70, 80, 90, 99),
]


@dataclass(frozen=True)
class Look:
    """Channels that give each method its colour, mark and dash, and all of them one legend."""

    styles: Mapping[str, Style]
    title: str = "method"
    legend: bool = True
    field: str = "name"

    @property
    def _told(self) -> tuple[str, ...]:
        """What the legend tells: methods by colour and mark, ablations by colour and dash."""
        return ("colour", "mark") if self.field == "name" else ("colour", "dash")

    def _scale(self, part: str) -> dict[str, Any]:
        import altair as alt

        names = list(self.styles)
        parts = [getattr(style, part) for style in self.styles.values()]
        values = [list(each) if isinstance(each, tuple) else each for each in parts]
        columns = -(-len(names) // 25)
        drawn: dict[str, Any] = {} if self.field == "name" else {"symbolType": "stroke", "symbolSize": 260}
        legend = alt.Legend(title=self.title, columns=columns, symbolOpacity=1, **drawn)
        told = self.legend and part in self._told
        return {
            "scale": alt.Scale(domain=names, range=values),
            "legend": legend if told else None,
        }

    @property
    def colour(self) -> alt.Color:
        """The colour of a line or mark."""
        import altair as alt

        return alt.Color(f"{self.field}:N", **self._scale("colour"))

    @property
    def shape(self) -> alt.Shape:
        """The mark of a point."""
        import altair as alt

        return alt.Shape(f"{self.field}:N", **self._scale("mark"))

    @property
    def dash(self) -> alt.StrokeDash:
        """The dash of a line."""
        import altair as alt

        return alt.StrokeDash(f"{self.field}:N", **self._scale("dash"))


def density_axis(field: str = "density", **more: Any) -> alt.X:
    """Return the axis of densities: logarithmic, dense networks to the left."""
    import altair as alt

    return alt.X(
        f"{field}:Q",
        scale=alt.Scale(type="log", reverse=True, nice=False, padding=10),
        axis=alt.Axis(
            title=more.pop("title", DENSITY),
            values=_DENSITIES,
            labelExpr="format(100 * datum.value, '.3~g')",
            grid=False,
        ),
        **more,
    )


@dataclass(frozen=True)
class Upright:
    """A vertical axis: the columns of the mean and its interval, and how they are scaled and said."""

    mean: str
    low: str
    high: str
    title: str
    scale: Mapping[str, Any]
    axis: Mapping[str, Any]
    format: str = ".2f"

    def channel(self, column: str) -> alt.Y:
        """Return the channel of one of the columns."""
        import altair as alt

        return alt.Y(
            f"{column}:Q", scale=alt.Scale(**self.scale), axis=alt.Axis(title=self.title, **self.axis)
        )


def accuracy_axis(title: str = ACCURACY) -> Upright:
    """Return the axis of accuracies, spaced by the error: half a point at 93 % is seen beside 10 %."""
    return Upright(
        "error",
        "error_low",
        "error_high",
        title,
        {"type": "log", "reverse": True, "nice": False, "padding": 10},
        {"values": _ERRORS, "labelExpr": "format(100 - datum.value, '.4~g')", "labelOverlap": "greedy"},
    )


def percent(mean: str, low: str, high: str, title: str, **scale: Any) -> Upright:
    """Return an axis of shares, which are shown in percent."""
    return Upright(
        mean,
        low,
        high,
        title,
        {"nice": True, **scale},
        {"labelExpr": "format(100 * datum.value, '~g')"},
        ".4~g",
    )


def tooltips(*more: tuple[str, str, str]) -> list[Any]:
    """Return what is said of a row: method, sparsity, `more` (field, title, format), runs."""
    import altair as alt

    return [
        alt.Tooltip("name:N", title="method"),
        alt.Tooltip("sparsity:Q", title="sparsity", format=".4~p"),
        *(
            alt.Tooltip(f"{field}:Q", title=title, format=form)
            if form
            else alt.Tooltip(f"{field}:N", title=title)
            for field, title, form in more
        ),
        alt.Tooltip("n:Q", title="runs in the mean"),
    ]


MEANS = (
    ("mean", "accuracy (%)", ".2f"),
    ("low", "95 % interval from", ".2f"),
    ("high", "to", ".2f"),
)


def lines(
    base: alt.Chart,
    look: Look,
    x: alt.X,
    y: Upright,
    told: Sequence[Any],
    *,
    where: str = "",
    marks: Look | None = None,
    order: str | None = None,
) -> list[alt.Chart]:
    """Return layers of lines, intervals of means and marks; a point without a mean breaks its line.

    `marks`: the look that points have their shape of, where not `look`; `order`: the column along which
    points are joined, where not that of the horizontal axis.
    """
    rows = base.transform_filter(where) if where else base
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
        .encode(x=x, y=y.channel(y.mean), color=look.colour, shape=(marks or look).shape, tooltip=told)
    )
    return [bars, line, points]


ODD: Mapping[str, tuple[str, str, str]] = {
    "datum.diverged > 0": (
        "datum.diverged + ' of ' + datum.planned + ' runs diverged'",
        "M-0.8,-1L0,-0.2L0.8,-1L1,-0.8L0.2,0L1,0.8L0.8,1L0,0.2L-0.8,1L-1,0.8L-0.2,0L-1,-0.8Z",
        COLOURS["red"],
    ),
    "datum.empty != ''": (
        "'no weight is left in ' + datum.empty",
        "M0,-1A1,1,0,1,1,0,1A1,1,0,1,1,0,-1Z",
        COLOURS["blue"],
    ),
    "datum.absent > 0": (
        "datum.absent + ' of ' + datum.planned + ' runs are missing'",
        "M-1,-1L1,-1L1,1L-1,1Z",
        COLOURS["grey"],
    ),
}
"""What is marked beside means that do not say it: when, in which words, by which mark and colour."""

_ODD: Mapping[str, Any] = {"filled": False, "size": 75, "strokeWidth": 1.1, "opacity": 0.9}

ODD_LEGEND = "× some runs diverged · ○ a layer has no weight left · □ runs are missing"


def odd_marks(
    base: alt.Chart, x: alt.X, y: alt.Y, *, where: str = "", place: str = "place"
) -> list[alt.Chart]:
    """Return layers that mark what means do not say: diverged runs, empty layers, missing runs.

    A row without any run has no height: it is marked on the lower edge.
    """
    import altair as alt

    told = [
        alt.Tooltip("name:N", title="method"),
        alt.Tooltip("sparsity:Q", title="sparsity", format=".4~p"),
        alt.Tooltip("note:N", title="note"),
    ]
    layers = []
    for when, (note, mark, colour) in ODD.items():
        rows = base.transform_filter(_both(where, when)).transform_calculate(note=note)
        style: dict[str, Any] = {**_ODD, "shape": mark, "stroke": colour}
        for bare, at in ((f"isValid(datum.{place})", y), (f"!isValid(datum.{place})", alt.value("height"))):
            mine = rows.transform_filter(bare).mark_point(**style)
            layers.append(mine.encode(x=x, y=at, tooltip=told))
    return layers


def layered(layers: Sequence[Any], width: int, height: int) -> Any:
    """Return layers as one chart, what its marks of oddities mean above it."""
    import altair as alt

    return alt.layer(*layers).properties(width=width, height=height)


def headed(chart: Any, text: str = ODD_LEGEND) -> Any:
    """Return a chart with a line above it that says what its marks of oddities mean."""
    import altair as alt

    return chart.properties(title=alt.Title(text, fontSize=11, fontWeight="normal", offset=8))


def _both(*conditions: str) -> str:
    return " && ".join(f"({each})" for each in conditions if each) or "true"


def accuracy_lines(look: Look, where: str = "") -> list[Any]:
    """Return layers of accuracies by density, the unpruned network as a line across, oddities marked."""
    import altair as alt

    x, y = density_axis(), accuracy_axis()
    base = alt.Chart(alt.NamedData("accuracy"))
    unpruned = base.transform_filter(_both("datum.sparsity == 0", where))
    across = unpruned.mark_rule(strokeDash=[4, 3], strokeWidth=1.3).encode(
        y=y.channel(y.mean), color=look.colour, tooltip=tooltips(*MEANS)
    )
    pruned = _both("datum.sparsity > 0", where)
    return [across, *lines(base, look, x, y, tooltips(*MEANS), where=pruned),
            *odd_marks(base, x, y.channel("place"), where=pruned)]  # fmt: skip


def matching_range() -> list[Any]:
    """Return the ground of the matching range: faint, named at its upper edge."""
    import altair as alt

    base = alt.Chart(alt.NamedData("ranges")).transform_filter("datum.range == 'matching'")
    scale = alt.Scale(type="log", reverse=True, nice=False, padding=10)
    ground = base.mark_rect(opacity=0.07, color=COLOURS["grey"]).encode(
        x=alt.X("from:Q", scale=scale), x2="to:Q"
    )
    label = base.transform_calculate(middle="sqrt(datum.from * datum.to)").mark_text(
        baseline="top", dy=3, opacity=0.75, fontSize=10, text="matching range"
    ).encode(x=alt.X("middle:Q", scale=scale), y=alt.value(0))  # fmt: skip
    return [ground, label]


def panels(
    layers: Sequence[Any],
    field: str,
    size: tuple[int, int],
    *,
    where: str = "true",
    columns: int = 3,
    sort: Sequence[str] | None = None,
    apart: bool = False,
) -> Any:
    """Return layers over one table as panels, one for each value of `field` in the rows of `where`.

    `apart`: each panel's axes span its own rows.
    """
    import altair as alt

    header = alt.Header(title=None, labelPadding=4, labelFontSize=11, labelLimit=size[0] + 60)
    facet = alt.Facet(f"{field}:N", header=header, sort=sort)
    chart = layered(layers, *size).facet(facet=facet, columns=columns)
    if apart:
        chart = chart.resolve_scale(x="independent", y="independent")
    return headed(chart.transform_filter(where))
