"""Which network, pruned how far, has the fewest weights at an error (Rosenfeld et al. 2021, section 7)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from prunebench.report.figures.figure import Figure
from prunebench.report.figures.law.captions import caption
from prunebench.report.figures.law.curves import along
from prunebench.report.figures.law.scales import log_axis, span
from prunebench.report.figures.law.source import Source, amount, percent, place
from prunebench.report.figures.marks import chart
from prunebench.report.figures.reader import Column
from prunebench.report.figures.style import INK
from prunebench.scaling.law.members import Member

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["fewest"]

_ERRORS = 12
"""Errors at which the smallest network is asked for."""

_FINE = 80
"""Errors along the line of the fewest weights."""

_ALL = 8
"""Members of which every one has its line; of more those that are the smallest somewhere."""

_ERROR = "error that is allowed (%)"


def fewest(source: Source) -> Figure | None:
    """Return the fewest weights at each error, and which network has them."""
    study = source.study
    scales = _scales(source)
    if not study.rosenfeld or not scales or len(study.members) < 2:
        return None
    ends = _ends(source)
    if ends is None:
        study.missing.append(
            "The networks on the most data reach too few errors to ask for the smallest at each."
        )
        return None
    rows, curves = _rows(source, np.geomspace(*ends, _ERRORS)), _curves(source, ends)
    line = _line(source, np.geomspace(*ends, _FINE))
    curves = curves if len(study.members) <= _ALL else _of_chosen(curves, line)
    return Figure(
        source.name("fewest"),
        "The smallest network that is good enough",
        caption("fewest", weights=source.weights),
        {"": _words(source, rows)},
        _chart(source, scales, rows, curves, ends),
        {
            source.name("fewest"): rows,
            source.name("fewest-members"): curves,
            source.name("fewest-line"): line,
        },
        (),
        (
            Column("error", "error at most", "a share", "number"),
            Column("member", "network"),
            Column("density", "density", "to which it is pruned", "number"),
            Column("kept", source.weights, form="number"),
            Column("analytic", "analytic", "network with the least depth · width² · density"),
            Column("analytic_kept", f"its {source.weights}", form="number"),
            Column("measured", "measured", "fewest of a network that was measured to be as good", "number"),
        ),
    )


def _scales(source: Source) -> list[str]:
    return [name for name in ("width", "depth") if name in source.values]


def _ends(source: Source) -> tuple[float, float] | None:
    """Return the least and the greatest error that is asked for."""
    study = source.study
    low = 1.02 * min(one.error_unpruned for one in study.members)
    points = study.points.rows(study.on_most_data)
    high = 0.9 * min(study.law.fit.parameters["error_up"], float(points.error.max()))
    return (low, high) if 1.3 * low < high else None


def _rows(source: Source, errors: Any) -> pd.DataFrame:
    import pandas as pd

    study = source.study
    rows = []
    for one in study.fewest(errors):
        rows.append(
            {
                "error": one.error,
                "member": _name(one.member),
                **{f"{name}_text": amount(name, getattr(one.member, name)) for name in _scales(source)},
                "density": one.density,
                "kept": one.kept,
                "analytic": _name(one.analytic),
                "analytic_kept": one.analytic_kept,
                "measured": study.fewest_measured(one.error),
            }
        )
    return pd.DataFrame(rows)


def _line(source: Source, errors: Any) -> pd.DataFrame:
    """Return the fewest weights at many errors."""
    import pandas as pd

    rows = [(one.error, one.kept, _name(one.member)) for one in source.study.fewest(errors)]
    return pd.DataFrame(rows, columns=["error", "kept", "member"])


def _of_chosen(curves: pd.DataFrame, line: pd.DataFrame) -> pd.DataFrame:
    """Return the curves of members that are the smallest at some error."""
    names = [place(("width", "depth"), pair) for pair in zip(curves["width"], curves["depth"], strict=True)]
    return curves[np.isin(names, line["member"].unique())]


def _name(one: Member) -> str:
    return place(("width", "depth"), (one.width, one.depth))


def _curves(source: Source, ends: tuple[float, float]) -> pd.DataFrame:
    """Return the weights of each member against its error, pruned further and further."""
    study = source.study
    networks = study.law.networks
    if "examples" in study.varied:
        networks = networks.rows(networks.examples == np.nanmax(networks.examples))
    rows = along(source, [int(one) for one in networks.network])
    size = dict(zip(networks.network.tolist(), study.size(networks).tolist(), strict=True))
    rows = rows.assign(kept=rows["network"].map(size) * rows["density"])
    return rows[(rows["error"] >= ends[0]) & (rows["error"] <= ends[1])]


def _chart(
    source: Source, scales: list[str], rows: pd.DataFrame, curves: pd.DataFrame, ends: tuple[float, float]
) -> Any:
    import altair as alt

    sizes = span(rows["kept"], rows["analytic_kept"], rows["measured"].dropna(), curves["kept"])
    x = log_axis(alt.X, "error", _ERROR, (ends[0] / 1.04, ends[1] * 1.04), most=10)

    def y(column: str) -> Any:
        return log_axis(alt.Y, column, source.weights, sizes, share=False, most=9)

    values, marks = (
        replace(source.values[name], shown=tuple(getattr(one, name) for one in source.study.members))
        for name in (scales[0], scales[-1])
    )
    base = chart(source.name("fewest"))
    line = chart(source.name("fewest-line"))
    thin = chart(source.name("fewest-members")).mark_line(strokeWidth=1, opacity=0.75)
    told = [
        alt.Tooltip("error:Q", title="error at most", format=".3~%"),
        alt.Tooltip("member:N", title="smallest"),
        alt.Tooltip("density:Q", format=".3~g"),
        alt.Tooltip("kept:Q", title=source.weights, format=",.4~r"),
        alt.Tooltip("analytic:N", title="analytic choice"),
        alt.Tooltip("analytic_kept:Q", title="its weights", format=",.4~r"),
        alt.Tooltip("measured:Q", title="measured", format=",.4~r"),
    ]
    hollow = base.mark_point(style=INK, filled=False, size=190, strokeWidth=1.2, shape="circle", opacity=0.9)
    cross = base.transform_filter("isValid(datum.measured)")
    cross = cross.mark_point(style=INK, filled=False, size=40, strokeWidth=1.5, shape=_CROSS, opacity=0.9)
    layers = alt.layer(
        line.mark_line(style=INK, strokeWidth=6, opacity=0.18).encode(x=x, y=y("kept")),
        thin.encode(x=x, y=y("kept"), color=values.colour(), detail=["network:N", "region:N"]),
        hollow.encode(x=x, y=y("analytic_kept"), tooltip=told),
        cross.encode(x=x, y=y("measured"), tooltip=told),
        base.mark_point(filled=True, size=55, opacity=1).encode(
            x=x, y=y("kept"), color=values.colour(), shape=marks.shape(alone=len(scales) > 1), tooltip=told
        ),
    ).properties(width=520, height=340)
    said = [
        "filled: the fewest, by the law",
        "ring: by the analytic solution",
        "cross: the smallest measured",
    ]
    said = said if rows["measured"].notna().any() else said[:2]
    return layers.properties(title=alt.Title(" · ".join(said), fontSize=11, fontWeight="normal", offset=14))


_CROSS = "M-1,-1L1,1M-1,1L1,-1"


def _words(source: Source, rows: pd.DataFrame) -> str:
    said = [f"The fewest {source.weights} at {len(rows)} errors, by the law."]
    for row in rows.iloc[:: max(1, len(rows) // 4)].to_dict("records"):
        said.append(
            f"At most {percent(row['error'])}: {row['member']} at density {percent(row['density'])}, "
            f"{row['kept']:,.4g}; the analytic solution has {row['analytic']}, {row['analytic_kept']:,.4g}"
            + (f"; measured {row['measured']:,.0f}." if row["measured"] == row["measured"] else ".")
        )
    same = int((rows["member"] == rows["analytic"]).sum())
    return " ".join([*said, f"Both choose the same network at {same} of {len(rows)} errors."])
