"""What a law of small networks says of larger ones: Fig. 18 of Rosenfeld et al. 2021."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from prunebench.report.figures.figure import Figure
from prunebench.report.figures.law.actual import ESTIMATED, MEASURED, corner, diagonal
from prunebench.report.figures.law.captions import caption
from prunebench.report.figures.law.scales import log_axis, span
from prunebench.report.figures.law.source import SAID, Source, amount, columns, frame_of, percent
from prunebench.report.figures.marks import chart
from prunebench.report.figures.reader import Column
from prunebench.report.figures.style import COLOURS, INK
from prunebench.report.figures.words import listed
from prunebench.scaling.points import Points

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["extrapolated"]

_WIDTH, _HEIGHT = 340, 290
_FITTED, _EXTRAPOLATED = "fitted", "extrapolated"


def extrapolated(source: Source) -> Figure | None:
    """Return measured errors beside those of a law of the small networks among them."""
    made = source.study.extrapolated
    if made is None:
        return None
    points, small, fit = made
    predicted = np.asarray(fit.form.function(points, **fit.parameters))
    rows = frame_of(
        points,
        error=points.error,
        seeds=points.extra["seeds"],
        predicted=predicted,
        relative=predicted / points.error - 1,
        kept=source.study.size(points),
    ).assign(part=np.where(small, _FITTED, _EXTRAPOLATED))
    which = _which(points.rows(small))
    return Figure(
        source.name("extrapolated"),
        "From small networks to large ones",
        caption("extrapolated", small=which, weights=source.weights),
        {"": _words(rows, which)},
        _chart(source, rows),
        {source.name("extrapolated"): rows},
        (),
        columns(
            Column("kept", source.weights, form="number"),
            Column("part", "the law is", "fitted to this network, or extrapolated to it"),
            Column("predicted", "of the law", "error, a share", "number"),
            Column("relative", "off by", "(law − measured) / measured, a share", "number"),
        ),
    )


def _which(points: Points) -> str:
    parts = []
    for name in ("width", "depth"):
        values = np.unique(points.column(name))
        texts = [amount(name, float(value)) for value in values if value == value]
        parts += [f"{SAID[name]} {listed(texts)}"] if texts else []
    return ", ".join(parts)


def _quality(rows: pd.DataFrame) -> dict[str, str]:
    parts = {part: rows.loc[rows["part"] == part, "relative"] for part in (_FITTED, _EXTRAPOLATED)}
    return {
        part: f"{part}: µ {percent(float(own.mean()), sign=True)}, σ {percent(float(own.std(ddof=0)))}"
        for part, own in parts.items()
    }


def _words(rows: pd.DataFrame, which: str) -> str:
    counts = rows.groupby("part")["network"].nunique()
    return (
        f"A law fitted to {counts[_FITTED]} small networks ({which}) beside what was measured of these and "
        f"of {counts[_EXTRAPOLATED]} larger ones. {'; '.join(_quality(rows).values())}."
    )


def _chart(source: Source, rows: pd.DataFrame) -> Any:
    import altair as alt

    table, ends = source.name("extrapolated"), span(rows["error"], rows["predicted"])
    sizes = span(rows["kept"])
    colour = alt.Color(
        "part:N",
        scale=alt.Scale(domain=[_FITTED, _EXTRAPOLATED], range=[COLOURS["blue"], COLOURS["red"]]),
        legend=None,
    )
    shape = alt.Shape(
        "part:N",
        scale=alt.Scale(domain=[_FITTED, _EXTRAPOLATED], range=["circle", "triangle-up"]),
        legend=None,
    )
    x = log_axis(
        alt.X, "kept", f"{source.weights} (reversed: sparser to the right)", sizes, share=False, reverse=True
    )
    base = chart(table)
    left = alt.layer(
        base.mark_point(style=INK, filled=True, size=10, opacity=0.7).encode(
            x=x, y=source.error(alt.Y, "error", ends), tooltip=_told(source)
        ),
        *(
            base.transform_filter(f"datum.part == '{part}'")
            .mark_line(strokeWidth=1.4, opacity=0.9)
            .encode(x=x, y=source.error(alt.Y, "predicted", ends), color=colour, detail="network:N")
            for part in (_EXTRAPOLATED, _FITTED)
        ),
    ).properties(width=_WIDTH, height=_HEIGHT)
    marks = [
        base.transform_filter(f"datum.part == '{part}'")
        .mark_point(filled=True, size=20, opacity=0.85)
        .encode(
            x=source.error(alt.X, "error", ends, MEASURED),
            y=source.error(alt.Y, "predicted", ends, ESTIMATED),
            color=colour,
            shape=shape,
            tooltip=_told(source),
        )
        for part in (_EXTRAPOLATED, _FITTED)
    ]
    said = corner(table, list(_quality(rows).values()), colours=[COLOURS["blue"], COLOURS["red"]])
    right = alt.layer(*diagonal(source, table, ends), *marks, *said).properties(width=_HEIGHT, height=_HEIGHT)
    return alt.concat(left, right, columns=2, spacing=30)


def _told(source: Source) -> list[Any]:
    import altair as alt

    return [
        *(alt.Tooltip(f"{each}_text:N", title=SAID[each]) for each in ("width", "depth")),
        alt.Tooltip("density:Q", format=".3~g"),
        source.told("error", "measured"),
        source.told("predicted", "of the law"),
    ]
