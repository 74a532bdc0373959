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
    """Return layers of leaders, marks and names right of the panels, of the lines that `rows` draw.

    `dash`: of lines that are dashed by something else than the look. Of panels with one axis `rows` are
    `spanned` already, all of them together.
    """
    import altair as alt

    reach = rows if ends.panel and not ends.apart else spanned(rows, y, ends)
    placed = _placed(_last(reach, y, ends), y, ends)
    at = y.channel("label_at")
    width, opacity = (0.7, 0.4) if ends.faint else (1.1, 0.8)
    leader = placed.mark_rule(strokeWidth=width, opacity=opacity, x2Offset=_MARK - 5)
    drawn = leader.encode(
        *(y.channel("line_value"), alt.Y2("label_at:Q"), alt.X2(value="width")),
        *(look.colour, dash or look.dash),
    )
    leaders = [(drawn.transform_filter(f"!({ends.flat})") if ends.flat else drawn).encode(x=x)]
    if ends.flat:
        leaders.append(drawn.transform_filter(ends.flat).encode(x=alt.value("width")))
    mark = placed.mark_point(filled=True, size=38, opacity=1, xOffset=_MARK)
    text = placed.mark_text(align="left", baseline="middle", xOffset=_TEXT, fontSize=10)
    right = alt.value("width")
    return [
        *leaders,
        mark.encode(x=right, y=at, color=look.colour, shape=look.shape),
        text.encode(x=right, y=at, text=f"{ends.text}:N"),
    ]


def spanned(rows: Any, y: Upright, ends: Ends) -> Any:
    """Return a chart whose rows have `span_from` and `span_to`, the ends of the vertical axis."""

    domain = y.scale.get("domain")
    if domain is not None:
        return rows.transform_calculate(span_from=str(-domain[1]), span_to=str(-domain[0]))
    kinds = [y.mean, *([ends.place] if ends.place else [])]
    columns = {
        name: " : ".join([*(f"isValid(datum.{each}) ? {y.down(each)}" for each in (end, *kinds)), "null"])
        for name, end in (("end_low", y.low), ("end_high", y.high))
    }
    both = rows.transform_calculate(
        **columns,
        end_from="isValid(datum.end_low) ? min(datum.end_low, datum.end_high) : null",
        end_to="isValid(datum.end_low) ? max(datum.end_low, datum.end_high) : null",
    )
    by = _by([ends.panel] if ends.apart else [])
    return both.transform_joinaggregate(span_from="min(end_from)", span_to="max(end_to)", **by)


def _last(rows: Any, y: Upright, ends: Ends) -> Any:
    """Return of each line the last row that has a mean, with its value, `line_value`.

    A line of which no run finished ends where it is marked.
    """
    by = ["name", ends.text, ends.panel]
    ended = {"line_value": f"datum.{y.mean}", "rank": "1"}
    if ends.place:
        valid = f"isValid(datum.{y.mean})"
        ended = {"line_value": f"{valid} ? datum.{y.mean} : datum.{ends.place}", "rank": f"{valid} ? 1 : 0"}
    shown = rows.transform_calculate(**ended).transform_filter("isValid(datum.line_value)")
    if ends.place:
        shown = shown.transform_joinaggregate(first_rank="max(rank)", **_by(by))
        shown = shown.transform_filter("datum.rank === datum.first_rank")
    shown = shown.transform_joinaggregate(line_end=f"{ends.last}({ends.along})", **_by(by))
    is_last = f"datum.{ends.along} === datum.line_end"
    return shown.transform_filter(f"{is_last} || ({ends.flat})" if ends.flat else is_last)


def _placed(rows: Any, y: Upright, ends: Ends) -> Any:
    """Return rows with `label_at`, the value of the vertical axis beside which the name stands."""
    import altair as alt

    room = ends.height - 2 * PADDING
    by = _by([ends.panel])
    order = [alt.SortField("line_at"), alt.SortField(ends.text)]
    rows = rows.transform_calculate(
        line_at=f"datum.span_to > datum.span_from ? {room} * ({y.down('line_value')} - datum.span_from)"
        f" / (datum.span_to - datum.span_from) : {room / 2}"
    ).transform_joinaggregate(lines="count()", **by)
    rows = rows.transform_window(number="row_number()", sort=order, frame=[None, None], **by)
    rows = rows.transform_calculate(apart=f"min({_APART}, {room} / max(1, datum.lines - 1))")
    rows = rows.transform_calculate(less="datum.line_at - datum.number * datum.apart")
    pushed = {"sort": order, "ignorePeers": True, **by}
    rows = rows.transform_window(pushed_down="max(less)", frame=[None, 0], **pushed)
    rows = rows.transform_window(pushed_up="min(less)", frame=[0, None], **pushed)
    label = (
        "clamp((datum.pushed_down + datum.pushed_up) / 2 + datum.number * datum.apart, "
        f"(datum.number - 1) * datum.apart, {room} - (datum.lines - datum.number) * datum.apart)"
    )
    return rows.transform_calculate(label=label).transform_calculate(
        label_at=y.back(f"(datum.span_from + datum.label / {room} * (datum.span_to - datum.span_from))")
    )


def _by(columns: Sequence[str]) -> dict[str, Any]:
    grouped = [name for name in columns if name]
    return {"groupby": grouped} if grouped else {}
