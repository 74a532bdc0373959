"""Who is best where: places in each range, differences across settings, performance profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prunebench.analysis import RANGES, variant_name
from prunebench.report.escapes import plain
from prunebench.report.figures.captions import caption
from prunebench.report.figures.figure import Figure
from prunebench.report.figures.tables import DIGITS, labelled
from prunebench.report.figures.words import by_setting, listed, number

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

    from prunebench.report.figures.marks import Look
    from prunebench.report.figures.source import Source

__all__ = ["across", "places", "profiles"]


def places(source: Source) -> Figure | None:
    """Return each method's places in every range of sparsities of a setting."""
    rows = source.results.summary
    rows = rows[(rows["at"] == "range") & (rows["ablations"] == "") & rows["best"].notna()]
    placed = labelled(rows, source.results)
    if placed.empty:
        return None
    placed = placed.assign(best=placed["best"].astype(float), worst=placed["worst"].astype(float))
    placed = placed[["setting", "range", "name", "best", "worst", "n", "mean", "low", "high"]].round(DIGITS)
    return Figure(
        "places",
        "Places",
        caption("places"),
        by_setting(placed, _places_in_words),
        _places_chart(source.look(placed["name"], legend=False)),
        {"places": placed},
        tuple(s for s in source.titles.values() if s in set(placed["setting"])),
    )


def _places_chart(look: Look) -> alt.FacetChart:
    import altair as alt

    base = alt.Chart(alt.NamedData("places"))
    y = alt.Y("name:N", sort=list(look.styles), axis=alt.Axis(title=None, grid=True, labelLimit=220))
    x = alt.X(
        "best:Q",
        scale=alt.Scale(zero=False, nice=False, padding=14),
        axis=alt.Axis(title="place", format="d", tickMinStep=1),
    )
    told = [
        alt.Tooltip("name:N", title="method"),
        alt.Tooltip("best:Q", title="place from", format="d"),
        alt.Tooltip("worst:Q", title="to", format="d"),
        alt.Tooltip("mean:Q", title="accuracy over the range (%)", format=".2f"),
    ]
    bars = base.mark_rule(strokeWidth=6, strokeCap="round", opacity=0.55).encode(
        x=x, x2="worst:Q", y=y, color=look.colour, tooltip=told
    )
    ends = [
        base.mark_point(filled=True, size=50, opacity=1).encode(
            x=x if end == "best" else alt.X("worst:Q"), y=y, color=look.colour, shape=look.shape, tooltip=told
        )
        for end in ("best", "worst")
    ]
    return (
        alt.layer(bars, *ends).properties(width=230, height=alt.Step(18)).facet(facet=_by_range(), columns=2)
    )


def _places_in_words(setting: str, rows: pd.DataFrame) -> str:
    said = [f"Places of methods in each range of sparsities, {setting}."]
    for name, part in rows.groupby("range", sort=False):
        leading = part[part["best"] == part["best"].min()]
        first = listed([str(each) for each in leading["name"]], 12)
        spans = ", ".join(
            f"{each} {number(best)} to {number(worst)}"
            for each, best, worst in part[["name", "best", "worst"]].itertuples(index=False, name=None)
        )
        said.append(f"{name}: none is significantly better than {first}. Places: {spans}.")
    return " ".join(said)


def across(source: Source) -> Figure | None:
    """Return the mean difference to magnitude after training over settings, range by range."""
    rows = _own_points(source.results.across)
    if rows.empty:
        return None
    after = source.results.baselines.after_training
    kept = ["range", "name", "settings", "difference", "low", "high", "improvement", "within"]
    shown = rows[kept].round(DIGITS)
    return Figure(
        "across",
        f"Difference to {after} across settings",
        caption("across", after=after),
        {"": _across_in_words(shown, after)},
        _across_chart(source.look(shown["name"], legend=False)),
        {"across": shown},
        (),
    )


def _own_points(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of methods without ablations that prune at their own point, by name."""
    rows = rows[(rows["ablations"] == "") & (rows["find"] == "") & (rows["score_at"] == "")]
    return rows.assign(name=[plain(variant_name(method)) for method in rows["method"]])


def _across_chart(look: Look) -> alt.FacetChart:
    import altair as alt

    base = alt.Chart(alt.NamedData("across"))
    y = alt.Y("name:N", sort=list(look.styles), axis=alt.Axis(title=None, grid=True, labelLimit=220))
    x = alt.X("difference:Q", axis=alt.Axis(title="difference (points of accuracy)"))
    told = [
        alt.Tooltip("name:N", title="method"),
        alt.Tooltip("difference:Q", title="difference (points)", format="+.2f"),
        alt.Tooltip("low:Q", title="95 % interval from", format="+.2f"),
        alt.Tooltip("high:Q", title="to", format="+.2f"),
        alt.Tooltip("improvement:Q", title="probability of improvement", format=".2f"),
        alt.Tooltip("settings:Q", title="settings"),
    ]
    zero = base.mark_rule(strokeDash=[4, 3]).encode(x=alt.datum(0))
    bars = base.mark_rule(strokeWidth=1.6).encode(x=alt.X("low:Q"), x2="high:Q", y=y, color=look.colour)
    points = base.mark_point(filled=True, size=60, opacity=1).encode(
        x=x, y=y, color=look.colour, shape=look.shape, tooltip=told
    )
    chart = alt.layer(zero, bars, points).properties(width=280, height=alt.Step(20))
    return chart.facet(facet=_by_range(), columns=2)


def _by_range() -> alt.Facet:
    import altair as alt

    header = alt.Header(title=None, labelExpr="datum.label + ' sparsities'")
    return alt.Facet("range:N", sort=list(RANGES), header=header)


def _across_in_words(found: pd.DataFrame, after: str) -> str:
    said = [f"Mean differences to {after} over settings, with intervals, by range of sparsities."]
    for row in found.to_dict("records"):
        mean, low, high = (number(row[name]) for name in ("difference", "low", "high"))
        said.append(f"{row['name']}, {row['range']}: {mean} points ({low} to {high}).")
    return " ".join(said)


def profiles(source: Source) -> Figure | None:
    """Return performance profiles over settings, range by range."""
    import pandas as pd

    rows = _own_points(source.results.profile)
    if rows.empty:
        return None
    curves = rows[["range", "name", "settings", "margins", "share"]].reset_index(drop=True)
    most = curves.groupby("range")["margins"].transform("max")
    last = curves.groupby(["range", "name"], sort=False).tail(1)
    ends = last.assign(margins=most[last.index])  # lines go on to the right edge
    curves = pd.concat([curves, ends], ignore_index=True).round(DIGITS)
    return Figure(
        "profiles",
        "Performance profiles over settings",
        caption("profiles"),
        {"": _profiles_in_words(curves)},
        _profiles_chart(source.look(curves["name"])),
        {"profiles": curves},
        (),
    )


def _profiles_chart(look: Look) -> alt.FacetChart:
    import altair as alt

    base = alt.Chart(alt.NamedData("profiles"))
    ticks = [0, 1, 2, 5, 10, 20, 50, 100, 200]
    x = alt.X(
        "margins:Q",
        scale=alt.Scale(type="symlog", constant=1, nice=False),
        axis=alt.Axis(title="margins below the best", values=ticks, grid=False),
    )
    share = alt.Axis(title="share of settings (%)", labelExpr="format(100 * datum.value, '~g')")
    y = alt.Y("share:Q", scale=alt.Scale(domain=[0, 1]), axis=share)
    told = [
        alt.Tooltip("name:N", title="method"),
        alt.Tooltip("margins:Q", title="margins below the best", format=".2f"),
        alt.Tooltip("share:Q", title="share of settings", format=".3~p"),
        alt.Tooltip("settings:Q", title="settings"),
    ]
    line = base.mark_line(interpolate="step-after", strokeWidth=1.7).encode(
        x=x, y=y, color=look.colour, strokeDash=look.dash, detail="name:N"
    )
    points = base.mark_point(filled=True, size=40, opacity=1).encode(
        x=x, y=y, color=look.colour, shape=look.shape, tooltip=told
    )
    chart = alt.layer(line, points).properties(width=270, height=230)
    return chart.facet(facet=_by_range(), columns=2)


def _profiles_in_words(found: pd.DataFrame) -> str:
    said = ["Performance profiles over settings, by range of sparsities."]
    for (where, name), part in found.groupby(["range", "name"], sort=False):
        within = part.loc[part["margins"] <= 1, "share"].max()
        share = number(100 * within, 0) if within == within else "0"
        said.append(f"{name}, {where}: within one margin of the best in {share} % of settings.")
    return " ".join(said)
