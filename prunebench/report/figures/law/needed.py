"""How many networks a law needs: section 5 of Rosenfeld et al. 2021."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prunebench.report.figures.figure import Figure
from prunebench.report.figures.law.captions import caption
from prunebench.report.figures.law.scales import lone
from prunebench.report.figures.law.source import Source, percent
from prunebench.report.figures.marks import chart
from prunebench.report.figures.reader import Column
from prunebench.report.figures.style import COLOURS
from prunebench.scaling.drawing import DRAWS
from prunebench.scaling.studies.trials import enough

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["needed"]

_LEAST = 4
"""Networks from which on a curve says something."""

_WIDTH, _HEIGHT = 300, 220


def needed(source: Source) -> Figure | None:
    """Return µ and σ of fits to random networks, by how many these are."""
    import pandas as pd

    study = source.study
    if not source.values or study.points.networks() < _LEAST:
        study.missing.append(f"How many networks a law needs is drawn from {_LEAST} networks on.")
        return None
    curve = study.needed
    rows = pd.DataFrame(
        [
            {
                "networks": one.size,
                "mu": one.mu,
                "mu_low": one.mu - one.mu_spread,
                "mu_high": one.mu + one.mu_spread,
                "sigma": one.sigma,
                "sigma_low": max(0.0, one.sigma - one.sigma_spread),
                "sigma_high": one.sigma + one.sigma_spread,
                "fitted": DRAWS - one.failed,
            }
            for one in curve
        ]
    )
    if rows["mu"].notna().sum() < 2:
        study.missing.append(
            "Of random choices of networks too few can be fitted to say how many a law needs."
        )
        return None
    return Figure(
        source.name("needed"),
        "How many networks a law needs",
        caption("needed", draws=str(DRAWS)),
        {"": _words(rows, enough(curve))},
        _chart(source, rows),
        {source.name("needed"): rows},
        (),
        (
            Column("networks", "networks", "that the law is fitted to", "count"),
            Column("mu", "µ", "mean of the relative error over all points, a share", "number"),
            Column("mu_low", "µ from", "less one standard deviation between choices", "number"),
            Column("mu_high", "µ to", "and one more", "number"),
            Column("sigma", "σ", "standard deviation of the relative error, a share", "number"),
            Column(
                "sigma_low", "σ from", "less one standard deviation between choices, 0 at least", "number"
            ),
            Column("sigma_high", "σ to", "and one more", "number"),
            Column("fitted", "choices", "that could be fitted", "count"),
        ),
    )


def _chart(source: Source, rows: pd.DataFrame) -> Any:
    import altair as alt

    table = source.name("needed")
    parts = [
        _panel(table, rows, "mu", "µ of the relative error (%)", COLOURS["blue"]),
        _panel(table, rows, "sigma", "σ of the relative error (%)", COLOURS["orange"]),
    ]
    return alt.concat(*parts, columns=2, spacing=30)


def _panel(table: str, rows: pd.DataFrame, name: str, title: str, colour: str) -> Any:
    import altair as alt

    sizes = [int(size) for size in rows["networks"]]
    x = alt.X(
        "networks:Q",
        scale=alt.Scale(type="log", domain=[sizes[0] * 0.93, sizes[-1] * 1.07], nice=False),
        axis=alt.Axis(title="networks that the law is fitted to", values=sizes, format="d", grid=False),
    )
    least = min(0.0, float(rows[f"{name}_low"].min()))
    most = max(0.0, float(rows[f"{name}_high"].max()))
    air = 0.06 * (most - least) or 0.01
    scale = alt.Scale(domain=[least - (air if least < 0 else 0), most + air], nice=False)
    axis = alt.Axis(title=title, labelExpr="format(100 * datum.value, '.3~g')", tickCount=6, gridOpacity=0.6)

    def y(column: str) -> alt.Y:
        return alt.Y(f"{column}:Q", scale=scale, axis=axis)

    base = chart(table).transform_filter(f"isValid(datum.{name})")
    told = [
        alt.Tooltip("networks:Q"),
        alt.Tooltip(f"{name}:Q", title="mean", format="+.2~%"),
        alt.Tooltip(f"{name}_low:Q", title="from", format="+.2~%"),
        alt.Tooltip(f"{name}_high:Q", title="to", format="+.2~%"),
    ]
    zero = lone(table).transform_calculate(zero="0").mark_rule(color=COLOURS["grey"], strokeDash=[4, 3])
    return alt.layer(
        zero.encode(y=y("zero")),
        base.mark_rule(strokeWidth=1.6, color=colour).encode(x=x, y=y(f"{name}_low"), y2=f"{name}_high:Q"),
        base.mark_line(strokeWidth=1.7, color=colour).encode(x=x, y=y(name)),
        base.mark_point(filled=True, size=45, opacity=1, color=colour).encode(x=x, y=y(name), tooltip=told),
    ).properties(width=_WIDTH, height=_HEIGHT)


def _words(rows: pd.DataFrame, size: int | None) -> str:
    first, last = rows.dropna().iloc[0], rows.iloc[-1]
    said = (
        f"From {size} networks on both spreads stay under a percent."
        if size
        else "The spreads do not stay under a percent."
    )
    return (
        f"µ and σ of laws fitted to random networks: of {first['networks']:.0f} networks σ is "
        f"{percent(first['sigma'])} ± {percent(first['sigma_high'] - first['sigma'])}, of all "
        f"{last['networks']:.0f} it is {percent(last['sigma'])}. {said}"
    )
