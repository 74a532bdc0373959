"""Names at the ends of lines: each row of a figure is found where its line ends, however many there are.

Places are made in the chart itself, from the rows that are drawn: a page shows and hides methods. Labels keep
the order in which lines end and a least distance from each other: each is first pushed below the one above,
then above the one below; halfway between these two places neither order nor distance is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prunebench.report.figures.axes import PADDING, Upright
from prunebench.report.figures.look import Look

if TYPE_CHECKING:
    import altair as alt

__all__ = ["Ends", "end_labels", "spanned"]

_APART = 12
"""Pixels from one label to the next, where there is room."""
_MARK, _TEXT = 20, 28
"""Pixels to the right of the panel at which marks and texts stand."""


@dataclass(frozen=True)
class Ends:
    """Where lines end, and what is written there."""

    along: str
    """The column along which lines run."""
    last: str
    """"min" or "max": which of its values is the last."""
    height: int
    """Of a panel, in pixels."""
    text: str = "name"
    """The column that is written."""
    panel: str = ""
    """The column by which there are panels; "" where there is one."""
    apart: bool = False
    """Each panel's vertical axis spans its own rows."""
    place: str = ""
    """The column of the places of rows of which no run finished: they have a mark alone."""
    faint: bool = False
    """Leaders are faint, where lines may end far from the edge."""
    flat: str = ""
    """A condition: rows that are lines across, which end at the edge."""


def end_labels(
    rows: alt.Chart, look: Look, x: alt.X, y: Upright, ends: Ends, dash: alt.StrokeDash | None = None
) -> list[Any]:
    """Return a layer of leaders, marks and names right of the panels, of the lines that `rows` draw.

    `dash`: of lines that are dashed by something else than the look. Of panels with one axis rows have the
    columns of `spanned` already, all of them together.
    """
    import altair as alt

    width, opacity = (0.7, 0.4) if ends.faint else (1.1, 0.8)
    right, at = alt.value("width"), y.channel("label_at")
    leader = alt.Chart().mark_rule(strokeWidth=width, opacity=opacity, x2Offset=_MARK - 5)
    leader = leader.encode(
        *(y.channel("line_value"), alt.Y2("label_at:Q"), alt.X2(value="width")),
        *(look.colour, dash or look.dash),
    )
    leaders = [(leader.transform_filter(f"!({ends.flat})") if ends.flat else leader).encode(x=x)]
    if ends.flat:
        leaders.append(leader.transform_filter(ends.flat).encode(x=right))
    mark = alt.Chart().mark_point(filled=True, size=38, opacity=1, xOffset=_MARK)
    text = alt.Chart().mark_text(align="left", baseline="middle", xOffset=_TEXT, fontSize=10)
    layer = alt.layer(
        *leaders,
        mark.encode(x=right, y=at, color=look.colour, shape=look.shape),
        text.encode(x=right, y=at, text=f"{ends.text}:N"),
        data=rows.data,
    )
    own = [] if rows.transform is alt.Undefined else list(rows.transform)
    return [layer.properties(transform=[*own, *_steps(y, ends)])]


def _steps(y: Upright, ends: Ends) -> Steps:
    """Return all that is done to rows, by keys of lines and panels that are no name of JavaScript's own.

    Vega looks groups up among the properties of an object: a method may be called "constructor".
    """
    line = f"'=' + datum.name + '=' + datum.{ends.text}"
    keys = {"line_of": line, "panel_of": f"'=' + datum.{ends.panel}" if ends.panel else "'='"}
    together = [] if ends.panel and not ends.apart else spanned(y, ends)
    return [*_calculate(**keys), *together, *_last(y, ends), *_placed(y, ends)]


Steps = list[dict[str, Any]]
"""Transformations of Vega-Lite, one after the other."""


def _calculate(**columns: str) -> Steps:
    return [{"calculate": expression, "as": name} for name, expression in columns.items()]


def _aggregate(op: str, column: str, name: str, by: Sequence[str]) -> Steps:
    """Return an aggregate of rows that have the same values of `by`, beside each of them."""
    counted = {} if op == "count" else {"field": column}
    return [{"joinaggregate": [{"op": op, **counted, "as": name}], **({"groupby": [*by]} if by else {})}]


def spanned(y: Upright, ends: Ends) -> Steps:
    """Return what gives rows `span_from` and `span_to`, the ends of the vertical axis."""
    domain = y.scale.get("domain")
    if domain is not None:
        return _calculate(span_from=str(-domain[1]), span_to=str(-domain[0]))
    kinds = [y.mean, *([ends.place] if ends.place else [])]
    columns = {
        name: " : ".join([*(f"isValid(datum.{each}) ? {y.down(each)}" for each in (end, *kinds)), "null"])
        for name, end in (("end_low", y.low), ("end_high", y.high))
    }
    by = ["panel_of"] if ends.apart else []
    return [
        *_calculate(
            **columns,
            end_from="isValid(datum.end_low) ? min(datum.end_low, datum.end_high) : null",
            end_to="isValid(datum.end_low) ? max(datum.end_low, datum.end_high) : null",
        ),
        *_aggregate("min", "end_from", "span_from", by),
        *_aggregate("max", "end_to", "span_to", by),
    ]


def _last(y: Upright, ends: Ends) -> Steps:
    """Return what leaves of each line the last row that has a mean, with its value, `line_value`.

    A line of which no run finished ends where it is marked.
    """
    by = ["line_of", "panel_of"]
    mean = f"datum.{y.mean}"
    value, rank = mean, "1"
    if ends.place:
        value = f"isValid({mean}) ? {mean} : datum.{ends.place}"
        rank = f"isValid({mean}) ? 1 : 0"
    is_last = f"datum.{ends.along} === datum.line_end"
    return [
        *_calculate(line_value=value, rank=rank),
        {"filter": "isValid(datum.line_value)"},
        *_aggregate("max", "rank", "first_rank", by),
        {"filter": "datum.rank === datum.first_rank"},
        *_aggregate(ends.last, ends.along, "line_end", by),
        {"filter": f"{is_last} || ({ends.flat})" if ends.flat else is_last},
    ]


def _placed(y: Upright, ends: Ends) -> Steps:
    """Return what gives rows `label_at`, the value of the vertical axis beside which the name stands."""
    room, by = ends.height - 2 * PADDING, ["panel_of"]
    span = "(datum.span_to - datum.span_from)"
    at = f"{room} * ({y.down('line_value')} - datum.span_from) / {span}"
    halfway = "(datum.pushed_down + datum.pushed_up) / 2 + datum.number * datum.apart"
    ends_at = f"(datum.number - 1) * datum.apart, {room} - (datum.lines - datum.number) * datum.apart"
    pushed = {"ignorePeers": True, **_sorted(ends)}
    return [
        *_calculate(line_at=f"{span} > 0 ? {at} : {room / 2}"),
        *_aggregate("count", "", "lines", by),
        {"window": [{"op": "row_number", "as": "number"}], "frame": [None, None], **_sorted(ends)},
        *_calculate(apart=f"min({_APART}, {room} / max(1, datum.lines - 1))"),
        *_calculate(less="datum.line_at - datum.number * datum.apart"),
        {"window": [{"op": "max", "field": "less", "as": "pushed_down"}], "frame": [None, 0], **pushed},
        {"window": [{"op": "min", "field": "less", "as": "pushed_up"}], "frame": [0, None], **pushed},
        *_calculate(label=f"clamp({halfway}, {ends_at})"),
        *_calculate(label_at=y.back(f"(datum.span_from + datum.label / {room} * {span})")),
    ]


def _sorted(ends: Ends) -> dict[str, Any]:
    """Return the order of a panel's lines: by where they end, from the top."""
    order = [{"field": "line_at", "order": "ascending"}, {"field": ends.text, "order": "ascending"}]
    return {"sort": order, "groupby": ["panel_of"]}
