"""Error against density with the fitted law and its residuals, along each scale in which networks differ."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from prunebench.report.figures.figure import Figure
from prunebench.report.figures.law.captions import caption
from prunebench.report.figures.law.scales import DENSITY, log_axis, lone, percent_axis, span, titled
from prunebench.report.figures.law.source import ONE, SAID, Source, columns, frame_of, percent, place
from prunebench.report.figures.marks import chart
from prunebench.report.figures.reader import Column
from prunebench.report.figures.style import COLOURS
from prunebench.scaling.drawing import SCALES
from prunebench.scaling.points import Points

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["along", "depth", "examples", "lines_of", "network", "residual_span", "width"]

_MOST = 6
"""Panels of a figure."""

_GRID = 72
"""Places at which a fitted curve is computed."""

_WIDTH, _HEIGHT, _RESIDUALS = 200, 180, 65


def width(source: Source) -> Figure | None:
    """Return error against density by width, a panel where depth and data are fixed."""
    return _along(source, "width")


def depth(source: Source) -> Figure | None:
    """Return error against density by depth, a panel where width and data are fixed."""
    return _along(source, "depth")


def examples(source: Source) -> Figure | None:
    """Return error against density by training examples, a panel where depth and width are fixed."""
    return _along(source, "examples")


def network(source: Source) -> Figure | None:
    """Return error against density of the only network that there is."""
    return _along(source, ONE)


def _along(source: Source, name: str) -> Figure | None:
    if name not in source.values:
        return None
    lines = _line_of_one(source) if name == ONE else lines_of(source, name, _others(name))
    if not lines:
        return None
    shown, whole = sorted(lines[:_MOST], key=_known), source.points
    drawn = whole[whole["network"].isin(_all(shown))]
    tables = {source.name(f"{name}-points"): drawn, source.name(f"{name}-curves"): along(source, _all(shown))}
    if source.study.rosenfeld:
        tables[source.name(f"{name}-transitions")] = _transitions(source, _all(shown))
    return Figure(
        source.name(name),
        "Error against density" if name == ONE else f"Error against density by {SAID[name]}",
        caption("curves", by=SAID[name], more=_more(len(lines) - len(shown))),
        {"": _words(source, name, shown, drawn)},
        _chart(source, name, shown, tables),
        tables,
        (),
        columns(
            Column("low", "lowest", "error of a seed", "number"),
            Column("high", "highest", "error of a seed", "number"),
            Column("predicted", "of the law", "error, a share", "number"),
            Column("relative", "off by", "(law − measured) / measured, a share", "number"),
        ),
    )


_Line = tuple[tuple[float, ...], list[int]]
"""Where the other scales are fixed, and the networks there."""


def _line_of_one(source: Source) -> list[_Line]:
    row = source.study.law.networks
    return [(tuple(float(row.column(name)[0]) for name in SCALES), [int(row.network[0])])]


def _others(name: str) -> list[str]:
    return [other for other in SCALES if other != name]


def lines_of(source: Source, name: str, others: list[str]) -> list[_Line]:
    """Return the places along which a scale varies: of the most networks first, then of the most data."""
    networks = source.study.law.networks
    places: dict[tuple[float, ...], list[int]] = {}
    for row in range(len(networks)):
        key = tuple(float(networks.column(other)[row]) for other in others)
        places.setdefault(tuple(-1.0 if one != one else one for one in key), []).append(row)
    several = [(key, rows) for key, rows in places.items() if len(rows) > 1]
    return [
        (tuple(math.nan if one < 0 else one for one in key), [int(networks.network[row]) for row in rows])
        for key, rows in sorted(
            several, key=lambda line: _first(dict(zip(others, line[0], strict=True)), line)
        )
    ]


def _first(at: dict[str, float], line: tuple[Any, list[int]]) -> tuple[float, ...]:
    middle = abs(math.log(at["width"])) if at.get("width", -1) > 0 else 0.0
    return -len(line[1]), -at.get("examples", 0.0), middle, at.get("depth", 0.0)


def _known(line: _Line) -> list[float]:
    return [-1.0 if one != one else one for one in line[0]]


def _all(lines: list[_Line]) -> list[int]:
    return [network for _, networks in lines for network in networks]


def _more(count: int) -> str:
    return f" {count} more places where the others are fixed are not drawn." if count else ""


def _row_of(source: Source, network: int) -> Points:
    points = source.study.law.networks
    return points.rows(points.network == network)


def _at(row: Points, density: Any) -> Points:
    """Return a network at densities."""
    many = row.rows(np.zeros(len(density), dtype=np.int64)).changed(density=np.asarray(density))
    if {"nonzero", "prunable"} <= set(row.extra):
        many = many.changed(nonzero=many.density * many.extra["prunable"])
    return many


def along(source: Source, networks: list[int]) -> pd.DataFrame:
    """Return the law along each network: where it is a power law, and where it is flat."""
    import pandas as pd

    parts: list[pd.DataFrame] = []
    for network in networks:
        row = _row_of(source, network)
        own = source.study.points.density[source.study.points.network == network]
        density = np.geomspace(own.min(), 1.0, _GRID)
        power = np.ones(len(density), dtype=np.bool_)
        if source.study.rosenfeld:
            leaves, reaches = source.study.transitions(row)
            density = np.unique(np.concatenate([density, _inside(own.min(), leaves, reaches)]))
            power = (density <= leaves[0]) & (density >= reaches[0])
        points = _at(row, density)
        frame = frame_of(points, error=source.study.at(points))
        parts += [frame.assign(region=name).loc[part] for name, part in _regions(power)]
    whole: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return whole


def _inside(low: float, *densities: Any) -> Any:
    values = np.concatenate(densities)
    return values[(values > low) & (values < 1)]


def _regions(power: Any) -> list[tuple[str, Any]]:
    """Return rows by region; neighbours share the row between them, so that lines do not break."""
    if power.all():
        return [("power law", power)]
    inner = np.flatnonzero(power)
    if not len(inner):
        return [("plateau", ~power)]
    number = np.arange(len(power))
    parts = [
        ("plateau, sparse", number <= inner[0]),
        ("power law", power),
        ("plateau, dense", number >= inner[-1]),
    ]
    return [(name, rows) for name, rows in parts if rows.sum() > 1]


def _transitions(source: Source, networks: list[int]) -> pd.DataFrame:
    """Return where each network's power law begins and ends, within the densities that it was measured at."""
    import pandas as pd

    parts = []
    for network in networks:
        row = _row_of(source, network)
        own = source.study.points.density[source.study.points.network == network].min()
        for kind, densities in zip(("leaves", "reaches"), source.study.transitions(row), strict=True):
            if own < densities[0] < 1:
                points = _at(row, densities)
                parts.append(frame_of(points, error=source.study.at(points)).assign(kind=kind))
    empty = frame_of(_row_of(source, networks[0]).rows(np.zeros(0, dtype=np.int64)))
    return pd.concat(parts, ignore_index=True) if parts else empty.assign(error=0.0, kind="")


def _chart(source: Source, name: str, shown: list[_Line], tables: dict[str, pd.DataFrame]) -> Any:
    import altair as alt

    points, curves = list(tables.values())[:2]
    others = _others(name)
    ends = span(points["low"], points["high"], curves["error"])
    most = residual_span(points["relative"])
    parts = [
        _panel(source, name, place(others, at) or source.study.title, networks, (ends, most))
        for at, networks in shown
    ]
    several = len(parts) > 1
    whole = alt.concat(*parts, columns=3 if len(parts) != 4 else 2, spacing={"row": 22, "column": 26})
    whole = whole.resolve_scale(color="shared", shape="shared") if several else whole
    return whole.properties(title=_heading(source))


def _heading(source: Source) -> Any:
    import altair as alt

    said = [
        "line: the law, thick where it is a power law",
        "mark: measured, bars from the lowest to the highest seed",
    ]
    if source.study.rosenfeld:
        said.append("○ leaves the unpruned error · □ reaches the high-error plateau")
    return alt.Title(said, fontSize=11, fontWeight="normal", offset=14, lineHeight=15)


def residual_span(relative: pd.Series) -> float:
    """Return how far the axis of residuals reaches: to all but the last hundredth, on a round number."""
    reach = float(np.quantile(np.abs(relative), 0.99)) if len(relative) else 0.1
    return next(one for one in (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, math.inf) if reach <= one or one == 1.0)


def _panel(source: Source, name: str, title: str, networks: list[int], ends: tuple[Any, float]) -> Any:
    """Return points with the law, and below them by how much it is off."""
    import altair as alt

    own = f"indexof({networks}, datum.network) >= 0"
    x = log_axis(alt.X, "density", None, span(source.points["density"]), reverse=True, labels=False)
    below = log_axis(alt.X, "density", DENSITY, span(source.points["density"]), reverse=True)
    upper = alt.layer(*_upper(source, name, own, x, ends[0])).properties(width=_WIDTH, height=_HEIGHT)
    lower = alt.layer(*_lower(source, name, own, below, ends[1])).properties(width=_WIDTH, height=_RESIDUALS)
    return alt.vconcat(titled(upper, title), lower, spacing=8)


def _upper(source: Source, name: str, own: str, x: Any, ends: tuple[float, float]) -> list[Any]:
    import altair as alt

    values = source.values[name]
    y = source.error(alt.Y, "error", ends)
    points = chart(source.name(f"{name}-points")).transform_filter(own)
    layers = [
        *_plateau(source, name, ends),
        chart(source.name(f"{name}-curves"))
        .transform_filter(own)
        .mark_line(opacity=0.9)
        .encode(
            x=x,
            y=y,
            color=values.colour(),
            detail=["network:N", "region:N"],
            strokeWidth=alt.condition("datum.region == 'power law'", alt.value(2.2), alt.value(1.0)),
        ),
        points.mark_rule(opacity=0.5, strokeWidth=1).encode(
            x=x, y=source.error(alt.Y, "low", ends), y2="high:Q", color=values.colour()
        ),
        points.mark_point(filled=True, size=20, opacity=1).encode(
            x=x, y=y, color=values.colour(), shape=values.shape(), tooltip=_told(source, name)
        ),
    ]
    if source.study.rosenfeld:
        marks = chart(source.name(f"{name}-transitions")).transform_filter(own)
        for kind, mark in (("leaves", "circle"), ("reaches", "square")):
            layers.append(
                marks.transform_filter(f"datum.kind == '{kind}'")
                .mark_point(filled=False, size=95, strokeWidth=1.4, opacity=1, shape=mark)
                .encode(x=x, y=y, color=values.colour())
            )
    return layers


def _plateau(source: Source, name: str, ends: tuple[float, float]) -> list[Any]:
    """Return the line of the high-error plateau, where the figure reaches it."""
    import altair as alt

    up = source.study.law.fit.parameters.get("error_up", 0.0)
    if not source.study.rosenfeld or not ends[0] < up < ends[1]:
        return []
    base = lone(source.name(f"{name}-points")).transform_calculate(plateau=repr(up))
    y = source.error(alt.Y, "plateau", ends)
    rule = base.mark_rule(strokeDash=[4, 3], color=COLOURS["grey"]).encode(y=y)
    text = base.mark_text(align="left", baseline="bottom", dx=4, dy=-3, fontSize=10)
    return [rule, text.encode(x=alt.value(0), y=y, text=alt.value("high-error plateau"))]


def _lower(source: Source, name: str, own: str, x: Any, most: float) -> list[Any]:
    values = source.values[name]
    y = percent_axis("relative", "law off (%)", most)
    base = lone(source.name(f"{name}-points"))
    zero = base.transform_calculate(relative="0").mark_rule(color=COLOURS["grey"]).encode(y=y)
    points = chart(source.name(f"{name}-points")).transform_filter(own)
    line = points.mark_line(strokeWidth=0.8, opacity=0.6, clip=True)
    marks = points.mark_point(filled=True, size=13, opacity=1)
    return [
        zero,
        line.encode(x=x, y=y, color=values.colour(), detail="network:N"),
        marks.encode(x=x, y=y, color=values.colour(), shape=values.shape(), tooltip=_told(source, name)),
    ]


def _told(source: Source, name: str) -> list[Any]:
    import altair as alt

    return [
        *(
            alt.Tooltip(f"{each}_text:N", title=SAID[each])
            for each in (name, *(o for o in SCALES if o != name))
        ),
        alt.Tooltip("density:Q", format=".3~g"),
        source.told("error", "error"),
        source.told("predicted", "of the law"),
        alt.Tooltip("relative:Q", title="off by", format="+.2~%"),
    ]


def _counted(count: int, name: str) -> str:
    return "one network" if name == ONE else f"{count} networks by {SAID[name]}"


def _words(source: Source, name: str, shown: list[_Line], rows: pd.DataFrame) -> str:
    others = _others(name)
    said = [
        f"Error against density of {_counted(len(_all(shown)), name)}, measured and by the law "
        f"{source.study.law.fit.form.name}, in {len(shown)} panel{'s' if len(shown) > 1 else ''}."
    ]
    for at, networks in shown:
        own = rows[rows["network"].isin(networks)]
        texts = ", ".join(dict.fromkeys(own.sort_values(name)[f"{name}_text"]))
        varied = "" if name == ONE else f"{SAID[name]} {texts}; "
        where = place(others, at)
        said.append(
            f"{where[:1].upper() + where[1:] or 'One panel'}: {varied}errors from "
            f"{source.said(own['error'].min())} to {source.said(own['error'].max())} at densities from "
            f"{percent(own['density'].max())} to {percent(own['density'].min())}; the law is off by "
            f"{percent(own['relative'].mean(), sign=True)} on average, standard deviation "
            f"{percent(own['relative'].std(ddof=0))}."
        )
    return " ".join(said)
