"""When methods prune, and what they cost: pruning time, weights over training, accuracy against cost."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from prunebench.report.figures.ablations import PANEL, key_look
from prunebench.report.figures.accuracy import SIZE
from prunebench.report.figures.captions import caption
from prunebench.report.figures.figure import Figure
from prunebench.report.figures.marks import (
    ACCURACY_SHORT,
    MEANS,
    accuracy_axis,
    layered,
    lines,
    odd_marks,
    panels,
    tooltips,
)
from prunebench.report.figures.training_tables import costs, remaining
from prunebench.report.figures.words import by_setting, costs_in_words, courses_in_words, steps_in_words

if TYPE_CHECKING:
    import altair as alt

    from prunebench.report.figures.source import Source

__all__ = ["cost", "pruning_time", "pruning_time_ablations", "weights", "weights_retroactive"]

WITHIN = 1.0
"""Points below the unpruned network's accuracy that Frankle et al. 2021 (Fig. 1) call full accuracy."""


def _step() -> alt.X:
    import altair as alt

    axis = alt.Axis(
        title="training step at which it prunes",
        grid=False,
        labelExpr="format(datum.value, '~s')",
    )
    return alt.X("step:Q", axis=axis, scale=alt.Scale(padding=10, nice=False))


def pruning_time(source: Source) -> Figure | None:
    """Return accuracy against the step of pruning, a panel a network and sparsity."""
    import altair as alt

    points = source.pruning_points
    if points.empty:
        return None
    points = points[points["variant"] == "unmodified"]
    base, y = alt.Chart(alt.NamedData("pruning-time")), accuracy_axis(ACCURACY_SHORT)
    look, told = source.look(points["name"]), [_step_told(), *tooltips(*MEANS)]
    across = base.transform_filter("!isValid(datum.step) && isValid(datum.error)")
    flat = across.mark_rule(strokeDash=[4, 3], strokeWidth=1.3).encode(
        y=y.channel("error"), color=look.colour, tooltip=tooltips(*MEANS)
    )
    timed = "isValid(datum.step)"
    drawn = lines(base, look, _step(), y, told, where=timed)
    layers: list[Any] = [flat, *drawn, *odd_marks(base, _step(), y.channel("place"), where=timed)]
    return Figure(
        "pruning-time",
        "Accuracy against the time of pruning",
        caption("pruning-time"),
        {"": steps_in_words(points)},
        panels(layers, "panel", (330, 260), columns=2, apart=True),
        {"pruning-time": points},
        (),
    )


def _step_told() -> Any:
    import altair as alt

    return alt.Tooltip("step:Q", title="pruned at step", format=",d")


def pruning_time_ablations(source: Source) -> Figure | None:
    """Return accuracy against the step of pruning, unmodified and ablated, a panel a network and method."""
    points = source.pruning_points
    if points.empty:
        return None
    points = points[points["ablated"] & points["step"].notna()]
    if points.empty:
        return None
    base, look = key_look(points, "pruning-time-ablations")
    y, told = accuracy_axis(ACCURACY_SHORT), [_step_told(), *tooltips(*MEANS)]
    marks = source.look(points["name"], legend=False)
    drawn = lines(base, look, _step(), y, told, marks=marks)
    layers: list[Any] = [*drawn, *odd_marks(base, _step(), y.channel("place"))]
    return Figure(
        "pruning-time-ablations",
        "Ablations against the time of pruning",
        caption("pruning-time-ablations"),
        {"": steps_in_words(points)},
        panels(layers, "part", PANEL, sort=list(dict.fromkeys(points["part"])), apart=True),
        {"pruning-time-ablations": points},
        (),
    )


def weights(source: Source) -> Figure | None:
    """Return the share of weights at each step of everything that a method trains."""
    return _weights(source, "all", "weights", "Weights over training")


def weights_retroactive(source: Source) -> Figure | None:
    """Return the same of what leads to the evaluated network alone."""
    return _weights(source, "retroactive", "weights-retroactive", "Weights over training, retroactively")


def _weights(source: Source, part: str, name: str, title: str) -> Figure | None:
    import altair as alt

    courses = remaining(source.results, WITHIN)
    if not courses.empty:
        courses = courses[courses["part"] == part].drop(columns="part")
    if courses.empty:
        return None
    base, look = alt.Chart(alt.NamedData(name)), source.look(courses["name"])
    shortly = "format(datum.value, '~s')"
    x = alt.X("step:Q", axis=alt.Axis(title="training step", labelExpr=shortly, grid=False))
    y = alt.Y(
        "share:Q",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(title="weights there (%)", labelExpr="format(100 * datum.value, '~g')"),
    )
    told = [
        alt.Tooltip("name:N", title="method"),
        alt.Tooltip("sparsity:Q", title="sparsity", format=".4~p"),
        alt.Tooltip("mean:Q", title="accuracy (%)", format=".2f"),
        alt.Tooltip("step:Q", title="from step", format=",d"),
        alt.Tooltip("share:Q", title="share of weights", format=".4~p"),
    ]
    shown = {"x": x, "y": y, "color": look.colour, "detail": "name:N"}
    line = base.mark_line(interpolate="step-after", strokeWidth=1.8).encode(**shown, strokeDash=look.dash)
    points = base.mark_point(filled=True, size=45, opacity=1).encode(**shown, shape=look.shape, tooltip=told)
    return Figure(
        name,
        title,
        caption("weights", within=f"{WITHIN:g}") + (" " + caption(name) if name != "weights" else ""),
        by_setting(courses, courses_in_words),
        layered([line, points], *SIZE),
        {name: courses},
        tuple(s for s in source.titles.values() if s in set(courses["setting"])),
    )


def cost(source: Source) -> Figure | None:
    """Return accuracy against what making and training the network costs."""
    import altair as alt

    points = costs(source.results, source.accuracies)
    if points.empty or points["cost"].isna().all():
        return None
    base, look, y = (
        alt.Chart(alt.NamedData("cost")),
        source.look(points["name"]),
        accuracy_axis(ACCURACY_SHORT),
    )
    x = alt.X(
        "cost:Q",
        scale=alt.Scale(type="log", nice=False, padding=14),
        axis=alt.Axis(
            title="cost (times training the unpruned network)",
            grid=False,
            values=[m * 10**e for e in range(-4, 4) for m in (1, 2, 5)],
            labelExpr="format(datum.value, '.3~g')",
        ),
    )
    told = tooltips(("cost", "cost (times)", ".4~g"), *MEANS)
    drawn = lines(base, look, x, y, told, order="sparsity:Q")
    layers: list[Any] = [*drawn, *odd_marks(base, x, y.channel("place"))]
    return Figure(
        "cost",
        "Accuracy against cost",
        caption("cost"),
        by_setting(points, partial(costs_in_words)),
        panels(layers, "kind", (330, 340), columns=2),
        {"cost": points},
        tuple(s for s in source.titles.values() if s in set(points["setting"])),
    )
