"""Pruning against not pruning: Fig. 19 of Rosenfeld et al. 2021."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from prunebench.errors import FitError
from prunebench.report.figures.figure import Figure
from prunebench.report.figures.law.actual import corner
from prunebench.report.figures.law.captions import caption
from prunebench.report.figures.law.curves import residual_span
from prunebench.report.figures.law.scales import DENSITY, ERROR, log_axis, lone, percent_axis, span, titled
from prunebench.report.figures.law.source import (
    SAID,
    Source,
    amount,
    columns,
    frame_of,
    percent,
    place,
    value_axis,
)
from prunebench.report.figures.marks import chart
from prunebench.report.figures.reader import Column
from prunebench.report.figures.style import COLOURS, INK
from prunebench.scaling.fit import fit
from prunebench.scaling.points import Points
from prunebench.scaling.studies.against import LowerFits

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["pruned", "unpruned"]

_GRID = 40
_WIDTH, _HEIGHT, _RESIDUALS = 200, 170, 70
_MOST = 6
_EQ8, _EQ6 = "Eq. 8, of pruning", "Eq. 6, of not pruning"
_FORMS = (("pruning", COLOURS["blue"], [1, 0]), ("not_pruning", COLOURS["red"], [6, 3]))
"""The column of each form in the table of points, with its look."""


def pruned(source: Source) -> Figure | None:
    """Return the lower transition of networks on the most data, with both forms fitted to each."""
    if not source.study.rosenfeld:
        return None
    fits = source.study.lower(_MOST)
    if not fits:
        source.study.missing.append(
            "Eqs. 8 and 6 are compared on four densities above a plateau: no network has them."
        )
        return None
    points, curves = _rows(source, fits)
    return Figure(
        source.name("pruned"),
        "Pruning against not pruning: the lower transition",
        caption("against"),
        {"": _words(fits)},
        _chart(source, fits, points, curves),
        {source.name("pruned"): points, source.name("pruned-curves"): curves},
        (),
        columns(
            Column("pruning", "of Eq. 8", "error, a share", "number"),
            Column("not_pruning", "of Eq. 6", "error, a share", "number"),
        ),
    )


def _at(one: LowerFits, density: Any) -> Points:
    return one.above.rows(np.zeros(len(density), dtype=np.int64)).changed(density=np.asarray(density))


def _rows(source: Source, fits: list[LowerFits]) -> tuple[pd.DataFrame, pd.DataFrame]:
    import pandas as pd

    points, curves = [], []
    for panel, one in enumerate(fits):
        eq8, eq6 = (
            np.asarray(made.form.function(one.above, **made.parameters))
            for made in (one.pruning, one.unpruned)
        )
        more = {
            "error": one.above.error,
            "seeds": one.above.extra["seeds"],
            "pruning": eq8,
            "not_pruning": eq6,
        }
        points.append(frame_of(one.above, **more).assign(panel=panel))
        grid = _at(one, np.geomspace(one.above.density.min(), 1.0, _GRID))
        for form, made in ((_EQ8, one.pruning), (_EQ6, one.unpruned)):
            error = np.asarray(made.form.function(grid, **made.parameters))
            curves.append(frame_of(grid, error=error).assign(panel=panel, form=form))
    return pd.concat(points, ignore_index=True), pd.concat(curves, ignore_index=True)


def _chart(source: Source, fits: list[LowerFits], points: pd.DataFrame, curves: pd.DataFrame) -> Any:
    import altair as alt
    import pandas as pd

    ends = span(points["error"], curves["error"])
    x = log_axis(alt.X, "density", None, span(points["density"]), reverse=True, labels=False)
    most = residual_span(pd.concat([points[name] / points["error"] - 1 for name, _, _ in _FORMS]))
    y = log_axis(alt.Y, "error", ERROR, ends)
    colour = alt.Color(
        "form:N",
        scale=alt.Scale(domain=[_EQ8, _EQ6], range=[COLOURS["blue"], COLOURS["red"]]),
        legend=alt.Legend(title="fitted to each network"),
    )
    dash = alt.StrokeDash("form:N", scale=alt.Scale(domain=[_EQ8, _EQ6], range=[[1, 0], [6, 3]]))
    parts = []
    for panel, one in enumerate(fits):
        line = chart(source.name("pruned-curves")).transform_filter(f"datum.panel == {panel}")
        mark = chart(source.name("pruned")).transform_filter(f"datum.panel == {panel}")
        said = [f"Eq. 8: σ {percent(one.pruning.sigma)}", f"Eq. 6: σ {percent(one.unpruned.sigma)}"]
        layers = alt.layer(
            line.mark_line(strokeWidth=2).encode(x=x, y=y, color=colour, strokeDash=dash),
            mark.mark_point(style=INK, filled=True, size=22, opacity=1).encode(x=x, y=y, tooltip=_told()),
            *corner(source.name("pruned"), said, colours=[COLOURS["blue"], COLOURS["red"]]),
        ).properties(width=_WIDTH, height=_HEIGHT)
        names = ("width", "depth", "examples")
        at = place(names, [float(one.above.column(name)[0]) for name in names]) or source.study.title
        lower = _residuals(source, panel, span(points["density"]), most)
        parts.append(alt.vconcat(titled(layers, at), lower, spacing=8))
    columns = 2 if len(parts) in (2, 4) else 3
    return alt.concat(*parts, columns=columns, spacing=26).resolve_scale(color="shared", strokeDash="shared")


def _residuals(source: Source, panel: int, ends: tuple[float, float], most: float) -> Any:
    """Return by how much both forms are off at each density."""
    import altair as alt

    x = log_axis(alt.X, "density", DENSITY, ends, reverse=True)
    y = percent_axis("relative", "form off (%)", most)
    base = chart(source.name("pruned")).transform_filter(f"datum.panel == {panel}")
    zero = lone(source.name("pruned")).transform_calculate(relative="0")
    layers = [zero.mark_rule(color=COLOURS["grey"]).encode(y=y)]
    for column, colour, dash in _FORMS:
        off = base.transform_calculate(relative=f"datum.{column} / datum.error - 1")
        line = off.mark_line(color=colour, strokeDash=dash, strokeWidth=1.2, clip=True)
        mark = off.mark_point(color=colour, filled=True, size=16, opacity=1)
        layers += [line.encode(x=x, y=y), mark.encode(x=x, y=y, tooltip=_told())]
    return alt.layer(*layers).properties(width=_WIDTH, height=_RESIDUALS)


def _told() -> list[Any]:
    import altair as alt

    return [
        alt.Tooltip("density:Q", format=".3~g"),
        alt.Tooltip("error:Q", title="measured", format=".3~%"),
        alt.Tooltip("pruning:Q", title="Eq. 8", format=".3~%"),
        alt.Tooltip("not_pruning:Q", title="Eq. 6", format=".3~%"),
    ]


def _words(fits: list[LowerFits]) -> str:
    said = [
        f"Error against density above the plateau of {len(fits)} networks on the most data, each with two "
        f"forms fitted to its means over seeds: Eq. 8, of pruning, and Eq. 6, of networks not pruned."
    ]
    better = sum(one.pruning.sigma < one.unpruned.sigma for one in fits)
    said.append(f"Eq. 8 has the smaller σ for {better} of them.")
    for one in fits:
        names = ("width", "depth", "examples")
        at = place(names, [float(one.above.column(name)[0]) for name in names]) or "The network"
        said.append(
            f"{at[:1].upper()}{at[1:]}: σ {percent(one.pruning.sigma)} by Eq. 8, "
            f"{percent(one.unpruned.sigma)} by Eq. 6."
        )
    return " ".join(said)


def unpruned(source: Source) -> Figure | None:
    """Return unpruned error against width (of one width: depth), with Eq. 5 fitted to each amount of data."""
    name = next((each for each in ("width", "depth") if each in source.values), None)
    if name is None or not source.study.rosenfeld:
        return None
    lines = list(_unpruned_lines(source, name))
    if not lines:
        source.study.missing.append(
            f"Eq. 5 is fitted to four unpruned networks that differ in {SAID[name]} alone: none are there."
        )
        return None
    import pandas as pd

    points = pd.concat([rows for rows, _, _ in lines], ignore_index=True)
    curves = pd.concat([rows for _, rows, _ in lines], ignore_index=True)
    return Figure(
        source.name("unpruned"),
        f"Unpruned networks by {SAID[name]}",
        caption("unpruned", by=SAID[name]),
        {"": _unpruned_words(points, name, [said for _, _, said in lines])},
        _unpruned_chart(source, name, points, curves),
        {source.name("unpruned"): points, source.name("unpruned-curves"): curves},
        (),
        columns(Column("predicted", "of Eq. 5", "error, a share", "number"), seeds=False),
    )


_FEW = 4


def _unpruned_lines(source: Source, name: str) -> Any:
    """Yield the networks of each amount of data, the other scale at its most common value, and Eq. 5."""
    other = "depth" if name == "width" else "width"
    networks = source.study.law.networks
    values, counts = np.unique(np.nan_to_num(networks.column(other), nan=-1.0), return_counts=True)
    mine = networks.rows(np.nan_to_num(networks.column(other), nan=-1.0) == values[np.argmax(counts)])
    for amount_of in np.unique(np.nan_to_num(mine.examples, nan=-1.0)):
        rows = mine.rows(np.nan_to_num(mine.examples, nan=-1.0) == amount_of)
        if len(np.unique(rows.column(name))) < _FEW:
            continue
        rows = rows.changed(parameters=rows.column(name))
        try:
            made = fit(source.study.forms["unpruned-size"], rows, starts=10)
        except (FitError, KeyError):
            continue
        grid = rows.rows(np.zeros(_GRID, dtype=np.int64))
        sizes = np.geomspace(rows.column(name).min(), rows.column(name).max(), _GRID)
        grid = grid.changed(**{name: sizes, "parameters": sizes})
        error = np.asarray(made.form.function(grid, **made.parameters))
        predicted = np.asarray(made.form.function(rows, **made.parameters))
        said = f"σ {percent(made.sigma)}"
        if amount_of > 0:
            said = f"{amount('examples', float(amount_of))} training examples: {said}"
        yield frame_of(rows, error=rows.error, predicted=predicted), frame_of(grid, error=error), said


def _unpruned_chart(source: Source, name: str, points: pd.DataFrame, curves: pd.DataFrame) -> Any:
    import altair as alt

    x = value_axis(alt.X, name, name, sorted(map(float, points[name].unique())))
    y = log_axis(
        alt.Y, "error", ERROR.replace("test", "unpruned test"), span(points["error"], curves["error"])
    )
    line = chart(source.name("unpruned-curves")).mark_line(strokeWidth=2, color=COLOURS["red"])
    marks = chart(source.name("unpruned")).mark_point(filled=True, size=45, opacity=1, color=COLOURS["grey"])
    values = source.values.get("examples")
    shape = {} if values is None else {"shape": values.shape(alone=True)}
    told = [
        alt.Tooltip(f"{name}_text:N", title=SAID[name]),
        alt.Tooltip("examples_text:N", title=SAID["examples"]),
        alt.Tooltip("error:Q", title="measured", format=".3~%"),
        alt.Tooltip("predicted:Q", title="of Eq. 5", format=".3~%"),
    ]
    layers = [
        line.encode(x=x, y=y, detail="examples_text:N"),
        marks.encode(x=x, y=y, tooltip=told, **shape),
    ]
    return alt.layer(*layers).properties(width=420, height=300)


def _unpruned_words(rows: pd.DataFrame, name: str, said: list[str]) -> str:
    ends = f"{percent(rows['error'].min())} to {percent(rows['error'].max())}"
    return (
        f"Unpruned error of {rows['network'].nunique()} networks by {SAID[name]}, from {ends}, "
        f"with b · x^(−β) + c fitted to those of each amount of data. {'; '.join(said)}."
    )
