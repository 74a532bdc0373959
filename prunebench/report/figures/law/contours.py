"""Networks of equal error: against the invariant, and as lines over density and width or depth."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from prunebench.report.figures.figure import Figure
from prunebench.report.figures.law.captions import caption
from prunebench.report.figures.law.curves import lines_of
from prunebench.report.figures.law.scales import DENSITY, ERROR, log_axis, lone, span, ticks, titled
from prunebench.report.figures.law.source import (
    SAID,
    Source,
    amount,
    columns,
    percent,
    place,
    value_axis,
)
from prunebench.report.figures.marks import chart
from prunebench.report.figures.palette import palette
from prunebench.report.figures.reader import Column
from prunebench.report.figures.style import INK
from prunebench.report.figures.words import listed
from prunebench.scaling.drawing import SCALES, last_below
from prunebench.scaling.law.fewest import analytic_density
from prunebench.scaling.law.members import Member
from prunebench.scaling.points import Points

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["contours", "invariant"]

_MOST = 6
_WIDTH, _HEIGHT = 200, 180
_GRID = 48


def invariant(source: Source) -> Figure | None:
    """Return error against l^φ w^ψ d, where networks of different sizes lie on one line."""
    scales: list[str] = [name for name in ("width", "depth") if name in source.values]
    if not source.study.rosenfeld or not scales:
        return None
    rows = source.points
    data = sorted(map(float, rows["examples"].dropna().unique()))[-_MOST:]
    rows = rows[rows["examples"].isin(data)] if data else rows
    return Figure(
        source.name("invariant"),
        "What counts of a network",
        caption(
            "invariant", invariant=f"m = {_product(source)}", varied=" and ".join(f"{s}s" for s in scales)
        ),
        {"": _invariant_words(source, rows, scales)},
        _invariant_chart(source, rows, scales, data),
        {source.name("invariant"): rows},
        (),
        columns(
            Column("invariant", "m", _product(source), "number"),
            Column("predicted", "of the law", "error, a share", "number"),
        ),
    )


def _product(source: Source) -> str:
    values = source.study.law.fit.parameters
    powers = {"depth": values.get("phi"), "width": values.get("psi")}
    return " · ".join([*(f"{name}^{value:.2f}" for name, value in powers.items() if value), "density"])


def _invariant_chart(source: Source, rows: pd.DataFrame, scales: list[str], data: list[float]) -> Any:
    import altair as alt

    table = source.name("invariant")
    ends, reach = span(rows["error"]), span(rows["invariant"])
    x = _axis(source, "invariant", reach)
    y = log_axis(alt.Y, "error", ERROR, ends)
    colour = source.values[scales[0]].colour()
    shape = source.values[scales[-1]].shape(alone=len(scales) > 1)
    told = [
        *(alt.Tooltip(f"{each}_text:N", title=SAID[each]) for each in scales),
        alt.Tooltip("density:Q", format=".3~g"),
        alt.Tooltip("error:Q", title="error", format=".3~%"),
    ]
    marks = chart(table).mark_point(filled=True, size=22, opacity=0.85)
    marks = marks.encode(x=x, y=y, color=colour, shape=shape, tooltip=told)
    parts = []
    for number in data or [math.nan]:
        own = marks if number != number else marks.transform_filter(f"datum.examples == {number!r}")
        layers = alt.layer(*_power_law(source, table, reach, ends), own)
        layers = layers.properties(width=_WIDTH, height=_HEIGHT)
        text = place(["examples"], [number])
        parts.append(titled(layers, text) if text else layers)
    return alt.concat(*parts, columns=2 if len(parts) in (2, 4) else 3, spacing=24).resolve_scale(
        color="shared", shape="shared"
    )


def _axis(source: Source, column: str, reach: tuple[float, float]) -> Any:
    import altair as alt

    title = f"m = {_product(source)}"
    return log_axis(alt.X, column, title, reach, share=False, scientific=True, reverse=True, most=6)


def _power_law(
    source: Source, table: str, reach: tuple[float, float], ends: tuple[float, float]
) -> list[Any]:
    import altair as alt

    values = source.study.law.fit.parameters
    low = max(reach[0], values["p"] * (values["error_up"] / ends[1]) ** (1 / values["gamma"]))
    high = min(reach[1], values["p"] * (values["error_up"] / ends[0]) ** (1 / values["gamma"]))
    if not low < high:
        return []
    at = [values["error_up"] * (values["p"] / m) ** values["gamma"] for m in (low, high)]
    base = lone(table).transform_calculate(
        line_x=repr(low), line_to=repr(high), line_y=repr(at[0]), line_top=repr(at[1])
    )
    rule = base.mark_rule(style=INK, strokeDash=[5, 4], strokeWidth=1.2, opacity=0.8)
    return [
        rule.encode(
            x=_axis(source, "line_x", reach),
            y=log_axis(alt.Y, "line_y", ERROR, ends),
            x2="line_to:Q",
            y2="line_top:Q",
        )
    ]


def _invariant_words(source: Source, rows: pd.DataFrame, scales: list[str]) -> str:
    said = [
        f"Error of {rows['network'].nunique()} networks against m = {_product(source)}, from "
        f"{rows['invariant'].max():.3g} to {rows['invariant'].min():.3g}."
    ]
    for name in scales:
        said.append(f"{SAID[name][:1].upper()}{SAID[name][1:]}: {listed(source.values[name].texts, 12)}.")
    values = source.study.law.fit.parameters
    said.append(
        f"The power law has slope γ = {values['gamma']:.3g} and meets the high-error plateau of "
        f"{percent(values['error_up'])} at m = {values['p']:.3g}."
    )
    return " ".join(said)


def contours(source: Source) -> Figure | None:
    """Return lines of equal error over density and width, and over density and depth."""
    scales: list[str] = [name for name in ("width", "depth") if name in source.values]
    lines = {name: line for name in scales if (line := _line(source, name)) is not None}
    if not source.study.rosenfeld or not lines:
        return None
    import pandas as pd

    levels = _levels(source, lines)
    law = [row for name, line in lines.items() for row in _law_rows(source, name, line, levels)]
    measured = [row for name, line in lines.items() for row in _measured_rows(source, name, line, levels)]
    if not law or not measured:
        source.study.missing.append(
            "No two networks reach the same error, so that there are no lines of equal error."
        )
        return None
    tables = {source.name("contours"): pd.DataFrame(measured), source.name("contours-law"): pd.DataFrame(law)}
    return Figure(
        source.name("contours"),
        "Pruned small, pruned large: networks of equal error",
        caption("contours", scales=" and ".join(f"{name}s" for name in lines)),
        {"": _words(source, tables[source.name("contours")])},
        _chart(source, lines, levels, tables),
        tables,
        (),
        (
            Column("level_text", "test error"),
            Column("along", "along"),
            Column("value_text", "at"),
            Column("density", "density", "at which the network was measured to reach the error", "number"),
            Column("law", "of the law", "density", "number"),
        ),
    )


def _line(source: Source, name: str) -> Points | None:
    """Return the unpruned networks along a scale, the smallest first, where the others are fixed.

    Of the places with three networks it is that of the most data, and of these that of the most networks.
    """
    others = [other for other in SCALES if other != name]
    networks = source.study.law.networks
    lines = [networks.rows(np.isin(networks.network, rows)) for _, rows in lines_of(source, name, others)]
    if not lines:
        return None
    rows = max(lines, key=lambda line: (len(line) > 2, float(np.nan_to_num(line.examples[0])), len(line)))
    return rows.rows(np.argsort(rows.column(name)))


def _levels(source: Source, lines: dict[str, Points]) -> list[float]:
    """Return round errors that several of the networks reach."""
    low = min(float(np.sort(line.error_unpruned)[:2].max()) for line in lines.values())
    high = min(source.study.law.fit.parameters["error_up"], float(source.study.points.error.max()))
    return ticks(low * 1.02, high * 0.95, 8)


def _member(row: Points, name: str, value: float, error_unpruned: float) -> Member:
    at = {each: float(row.column(each)[0]) for each in SCALES} | {name: value}
    return Member(at["depth"], at["width"], at["examples"], None, error_unpruned, 0.0, "")


def _law_rows(source: Source, name: str, line: Points, levels: list[float]) -> Iterator[dict[str, Any]]:
    logs = np.log(line.column(name))
    for log in np.union1d(np.linspace(logs[0], logs[-1], _GRID), logs):
        unpruned = float(np.exp(np.interp(log, logs, np.log(line.error_unpruned))))
        one = _member(line, name, float(np.exp(log)), unpruned)
        for level in levels:
            density = analytic_density(source.study.law, one, level)
            if density is not None and density >= source.study.points.density.min():
                yield {
                    "along": name,
                    "level": level,
                    "level_text": percent(level),
                    "value": float(np.exp(log)),
                    "density": density,
                }


def _measured_rows(source: Source, name: str, line: Points, levels: list[float]) -> Iterator[dict[str, Any]]:
    points = source.study.points
    for row in range(len(line)):
        own = points.rows(points.network == line.network[row])
        value = float(line.column(name)[row])
        for level in levels:
            density = last_below(own, level)
            if density is not None:
                one = _member(line, name, value, float(line.error_unpruned[row]))
                yield {
                    "along": name,
                    "level": level,
                    "level_text": percent(level),
                    "value": value,
                    "value_text": f"{SAID[name]} {amount(name, value)}",
                    "density": density,
                    "law": analytic_density(source.study.law, one, level),
                }


def _chart(
    source: Source, lines: dict[str, Points], levels: list[float], tables: dict[str, pd.DataFrame]
) -> Any:
    import altair as alt

    texts = [percent(level) for level in levels]
    colour = alt.Color(
        "level_text:N",
        scale=alt.Scale(domain=texts, range=palette(len(texts))),
        sort=texts,
        legend=alt.Legend(title="test error", symbolOpacity=1, symbolType="circle"),
    )
    whole = span(*(table["density"] for table in tables.values()))
    x = log_axis(alt.X, "density", DENSITY, whole, reverse=True)
    parts = []
    for name, line in lines.items():
        own = f"datum.along == '{name}'"
        y = value_axis(alt.Y, "value", name, [float(each) for each in line.column(name)])
        drawn = chart(source.name("contours-law")).transform_filter(own).mark_line(strokeWidth=1.8)
        marks = chart(source.name("contours")).transform_filter(own)
        marks = marks.mark_point(filled=True, size=50, opacity=1)
        told = [
            alt.Tooltip("value_text:N", title="network"),
            alt.Tooltip("level_text:N", title="test error"),
            alt.Tooltip("density:Q", title="measured at density", format=".3~g"),
            alt.Tooltip("law:Q", title="of the law", format=".3~g"),
        ]
        layers = alt.layer(
            drawn.encode(x=x, y=y, color=colour, detail="level_text:N", order="value:Q"),
            marks.encode(x=x, y=y, color=colour, tooltip=told),
        ).properties(width=400, height=280)
        others = [other for other in SCALES if other != name]
        parts.append(titled(layers, place(others, [float(line.column(o)[0]) for o in others]) or " "))
    return alt.concat(*parts, columns=2, spacing=30).resolve_scale(color="shared")


def _words(source: Source, rows: pd.DataFrame) -> str:
    said = ["Lines of equal error over density and size, of the law, with measured networks on them."]
    for _, own in rows.groupby("level"):
        level = own["level_text"].iloc[0]
        ends = own.sort_values("value")
        first, last = ends.iloc[0], ends.iloc[-1]
        said.append(
            f"{level} error: {first['value_text']} at density {percent(first['density'])}"
            + (f", {last['value_text']} at {percent(last['density'])}." if len(own) > 1 else ".")
        )
    return " ".join(said)
