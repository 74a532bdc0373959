"""Estimated against measured error: of the law, and of laws that each left a network out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prunebench.report.figures.figure import Figure
from prunebench.report.figures.law.captions import caption
from prunebench.report.figures.law.scales import lone, span
from prunebench.report.figures.law.source import SAID, Source, columns, frame_of, percent
from prunebench.report.figures.marks import chart
from prunebench.report.figures.reader import Column
from prunebench.report.figures.style import COLOURS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["actual", "diagonal", "left_out"]

_SIZE = 270
ESTIMATED, MEASURED = "estimated error", "measured error"

_COLUMNS = columns(
    Column("predicted", "of the law", "error, a share", "number"),
    Column("relative", "off by", "(law − measured) / measured, a share", "number"),
)


def actual(source: Source) -> Figure | None:
    """Return the law's error against the measured one."""
    if not source.values:
        return None
    fit = source.study.law.fit
    mean, spread = source.quality
    lines = [
        f"µ {percent(mean, sign=True)}, σ {percent(spread)}",
        f"each seed: µ {percent(fit.mu, sign=True)}, σ {percent(fit.sigma)}",
    ]
    said = f"of every seed apart µ {percent(fit.mu, sign=True)}, σ {percent(fit.sigma)}"
    return _figure(source, "actual", "Estimated against measured error", source.points, lines, said)


def left_out(source: Source) -> Figure | None:
    """Return each network's error by a law fitted to the others, against the measured one."""
    held = source.study.left_out
    if held is None or not source.values:
        return None
    points = source.study.points
    relative = held.predicted / points.error - 1
    rows = frame_of(
        points, error=points.error, seeds=points.extra["seeds"], predicted=held.predicted, relative=relative
    )
    lines = [
        f"µ {percent(held.mu, sign=True)}, σ {percent(held.sigma)}",
        f"interpolation: µ {percent(held.baseline_mu, sign=True)}, σ {percent(held.baseline_sigma)}",
    ]
    said = (
        f"of interpolation between the others µ {percent(held.baseline_mu, sign=True)}, "
        f"σ {percent(held.baseline_sigma)}"
    )
    return _figure(source, "left-out", "Each network by a law of the others", rows, lines, said)


def _figure(source: Source, id: str, title: str, rows: pd.DataFrame, lines: list[str], said: str) -> Figure:
    mean, spread = float(rows["relative"].mean()), float(rows["relative"].std(ddof=0))
    off = int((rows["relative"].abs() > 0.1).sum())
    words = (
        f"{title} of {_networks(rows)} at {len(rows):,} places, from "
        f"{source.said(rows['error'].min())} to {source.said(rows['error'].max())}: "
        f"µ {percent(mean, sign=True)}, σ {percent(spread)} of (law − measured) / measured; {said}; "
        f"{off:,} places are off by more than 10 %."
    )
    return Figure(
        source.name(id),
        title,
        caption(id),
        {"": words},
        _chart(source, source.name(id), rows, lines),
        {source.name(id): rows},
        (),
        _COLUMNS,
    )


def _networks(rows: pd.DataFrame) -> str:
    count = rows["network"].nunique()
    return "one network" if count == 1 else f"{count} networks"


def _chart(source: Source, table: str, rows: pd.DataFrame, lines: list[str]) -> Any:
    import altair as alt

    ends = span(rows["error"], rows["predicted"])
    parts = []
    for number, values in enumerate(source.values.values()):
        marks = chart(table).mark_point(filled=True, size=16, opacity=0.75)
        marks = marks.encode(
            x=source.error(alt.X, "error", ends, MEASURED),
            y=source.error(alt.Y, "predicted", ends, ESTIMATED),
            color=values.colour(),
            shape=values.shape(),
            tooltip=[
                *(alt.Tooltip(f"{each}_text:N", title=SAID[each]) for each in source.values),
                alt.Tooltip("density:Q", format=".3~g"),
                source.told("error", "measured"),
                source.told("predicted", "estimated"),
            ],
        )
        said = corner(table, lines) if number == 0 else []
        layers = alt.layer(*diagonal(source, table, ends), marks, *said)
        parts.append(layers.properties(width=_SIZE, height=_SIZE))
    whole = alt.concat(*parts, columns=3, spacing=28)
    return whole.resolve_scale(color="independent", shape="independent")


def diagonal(source: Source, table: str, ends: tuple[float, float]) -> list[Any]:
    """Return the diagonal of two logarithmic axes with the same ends, and lines that are 10 % off."""
    import altair as alt

    layers = []
    for factor, dash in ((1.0, [1, 0]), (1.1, [2, 3]), (1 / 1.1, [2, 3])):
        low, high = max(ends[0], ends[0] / factor), min(ends[1], ends[1] / factor)
        base = lone(table).transform_calculate(
            line_x=repr(low), line_to=repr(high), line_y=repr(low * factor), line_top=repr(high * factor)
        )
        rule = base.mark_rule(color=COLOURS["grey"], strokeDash=dash, strokeWidth=1.2 if factor == 1 else 1)
        layers.append(
            rule.encode(
                x=source.error(alt.X, "line_x", ends, MEASURED),
                y=source.error(alt.Y, "line_y", ends, ESTIMATED),
                x2="line_to:Q",
                y2="line_top:Q",
            )
        )
    return layers


def corner(table: str, lines: list[str], *, colours: list[str] | None = None) -> list[Any]:
    """Return lines of text in the upper left corner."""
    import altair as alt

    layers = []
    for number, text in enumerate(lines):
        style: dict[str, Any] = {"color": colours[number]} if colours else {}
        mark = lone(table).mark_text(
            align="left", baseline="top", dx=8, dy=8 + 15 * number, fontSize=11, **style
        )
        layers.append(mark.encode(x=alt.value(0), y=alt.value(0), text=alt.value(text)))
    return layers
