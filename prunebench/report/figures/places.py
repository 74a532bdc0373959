"""Who is best where: places in each range, differences across settings, performance profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prunebench.analysis import RANGES, variant_name
from prunebench.numbers import spelled
from prunebench.report.escapes import plain
from prunebench.report.figures import reader
from prunebench.report.figures.axes import SIGNED, percent, whole_ticks
from prunebench.report.figures.captions import caption
from prunebench.report.figures.figure import Figure
from prunebench.report.figures.marks import chart, panels
from prunebench.report.figures.tables import DIGITS, labelled
from prunebench.report.figures.words import by_setting, listed, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt
    import pandas as pd

    from prunebench.report.figures.look import Look
    from prunebench.report.figures.source import Source

__all__ = ["across", "places", "profiles"]


def places(source: Source) -> Figure | None:
    """Return each method's places in every range of sparsities of a setting."""
    rows = source.results.summary
    rows = rows[(rows["at"] == "range") & (rows["ablations"] == "") & rows["best"].notna()]
    placed = labelled(rows, source.results)
    if placed["name"].nunique() < 2:  # the place of one method alone says nothing
        return None
    placed = placed.assign(best=placed["best"].astype(float), worst=placed["worst"].astype(float))
    columns = ["setting", "range", "name", "best", "worst", "n", "mean", "low", "high"]
    return Figure(
        "places",
        "Places",
        caption("places"),
        by_setting(placed, _places_in_words),
        _by_range(_place_layers(source.look(placed["name"])), 230, _step(18)),
        {"places": placed[columns]},
        source.having(placed),
        reader.places(),
    )


def _names(look: Look) -> alt.Y:
    import altair as alt

    return alt.Y("name:N", sort=list(look.styles), axis=alt.Axis(title=None, grid=True, labelLimit=220))


def _place_layers(look: Look) -> list[Any]:
    import altair as alt

    base, y = chart("places"), _names(look)
    ticks = alt.Axis(title="place", format="d", values=whole_ticks("x"), grid=False)
    x = alt.X("best:Q", scale=alt.Scale(zero=False, nice=False, padding=14), axis=ticks)
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
    return [bars, *ends]


def _places_in_words(setting: str, rows: pd.DataFrame) -> str:
    said = [f"Places of methods in each range of sparsities, {setting}."]
    for name, part in rows.groupby("range", sort=False):
        leading = part[part["best"] == part["best"].min()]
        first = listed([str(each) for each in leading["name"]], 12)
        spans = ", ".join(
            f"{each} {number(best, 0)} to {number(worst, 0)}"
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
    shown = rows[["range", "name", "settings", "difference", "low", "high", "improvement", "within"]]
    return Figure(
        "across",
        f"Difference to {after} across settings",
        caption("across", after=after),
        {"": _across_in_words(shown, after)},
        _by_range(_across_layers(source.look(shown["name"])), 280, _step(20)),
        {"across": shown},
        (),
        reader.across(),
    )


def _own_points(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of methods without ablations that prune at their own point, by name."""
    rows = rows[(rows["ablations"] == "") & (rows["find"] == "") & (rows["score_at"] == "")]
    return rows.assign(name=[plain(variant_name(method)) for method in rows["method"]])


def _across_layers(look: Look) -> list[Any]:
    import altair as alt

    base, y = chart("across"), _names(look)
    axis = alt.Axis(title="difference (points of accuracy)", tickCount=5, labelExpr=SIGNED, grid=False)
    x = alt.X("difference:Q", axis=axis)
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
    return [zero, bars, points]


def _by_range(layers: Sequence[Any], width: int, height: Any) -> Any:
    """Return layers as panels, one a range of sparsities, two in a row."""
    order = [f"{name} sparsities" for name in RANGES]
    whole = panels(layers, "heading", (width, height), columns=2, sort=order)
    return whole.transform_calculate(heading="datum.range + ' sparsities'")


def _step(pixels: int) -> Any:
    """Return the height of panels of so many pixels a method."""
    import altair as alt

    return alt.Step(pixels)


def _across_in_words(shown: pd.DataFrame, after: str) -> str:
    said = [f"Mean differences to {after} over settings, with intervals, by range of sparsities."]
    for row in shown.to_dict("records"):
        mean, low, high = (spelled(row[name], "difference") for name in ("difference", "low", "high"))
        said.append(f"{row['name']}, {row['range']}: {mean} points ({low} to {high}).")
    return " ".join(said)


def profiles(source: Source) -> Figure | None:
    """Return performance profiles over settings, range by range."""
    import pandas as pd

    rows = _own_points(source.results.profile)
    if rows["name"].nunique() < 2:  # beside itself
        return None
    curves = rows[["range", "name", "settings", "margins", "share"]].reset_index(drop=True)
    most = curves.groupby("range")["margins"].transform("max")
    last = curves.groupby(["range", "name"], sort=False).tail(1)
    ends = last.assign(margins=most[last.index])  # lines go on to the right edge
    curves = pd.concat([curves, ends], ignore_index=True).drop_duplicates().round(DIGITS)
    return Figure(
        "profiles",
        "Performance profiles over settings",
        caption("profiles"),
        {"": _profiles_in_words(curves)},
        _by_range(_profile_layers(source.look(curves["name"], legend=True)), 270, 230),
        {"profiles": curves},
        (),
        reader.profiles(),
    )


def _profile_layers(look: Look) -> list[Any]:
    import altair as alt

    base = chart("profiles").transform_calculate(of="100 * datum.share")
    ticks = [0, 1, 2, 5, 10, 20, 50, 100, 200]
    scale = alt.Scale(type="symlog", constant=1, nice=False)
    axis = alt.Axis(title="margins below the best", values=ticks, grid=False)
    x = alt.X("margins:Q", scale=scale, axis=axis)
    y = percent("share", "share", "share", "share of settings (%)", domain=[0, 1])
    told = [
        alt.Tooltip("name:N", title="method"),
        alt.Tooltip("margins:Q", title="margins below the best", format=".2f"),
        alt.Tooltip("of:Q", title="share of settings (%)", format=".3~r"),
        alt.Tooltip("settings:Q", title="settings"),
    ]
    drawn = {"x": x, "y": y.channel("share"), "color": look.colour}
    line = base.mark_line(interpolate="step-after", strokeWidth=1.7).encode(
        **drawn, strokeDash=look.dash, detail="name:N"
    )
    points = base.mark_point(filled=True, size=40, opacity=1).encode(**drawn, shape=look.shape, tooltip=told)
    return [line, points]


def _profiles_in_words(found: pd.DataFrame) -> str:
    said = ["Performance profiles over settings, by range of sparsities."]
    for (where, name), part in found.groupby(["range", "name"], sort=False):
        within = part.loc[part["margins"] <= 1, "share"].max()
        share = number(100 * within, 0) if within == within else "0"
        said.append(f"{name}, {where}: within one margin of the best in {share} % of settings.")
    return " ".join(said)
