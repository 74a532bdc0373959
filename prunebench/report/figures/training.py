"""When methods prune, and what they cost: pruning time, weights over training, accuracy against cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prunebench.report.figures import reader
from prunebench.report.figures.ablations import PANEL, keyed
from prunebench.report.figures.accuracy import SIZE
from prunebench.report.figures.axes import ACCURACY_SHORT, accuracy_axis, percent, step_axis
from prunebench.report.figures.captions import caption
from prunebench.report.figures.figure import Figure
from prunebench.report.figures.labels import Ends, end_labels
from prunebench.report.figures.marks import (
    MEANS,
    accuracy_layers,
    chart,
    headed,
    layered,
    lines,
    odd_marks,
    panels,
    tooltips,
)
from prunebench.report.figures.training_tables import RETROACTIVE, costs, remaining, unmeasured
from prunebench.report.figures.words import (
    by_setting,
    costs_in_words,
    courses_in_words,
    listed,
    steps_in_words,
)

if TYPE_CHECKING:
    import pandas as pd

    from prunebench.report.figures.source import Source

__all__ = ["cost", "pruning_time", "pruning_time_ablations", "weights"]

WITHIN = 1.0
"""Points below the unpruned network's accuracy that Frankle et al. 2021 (Fig. 1) call full accuracy."""

_AT = "training step at which it prunes"
_STEP = reader.Column("step", "pruned at step", "none: it prunes after training, or not at all", "count")


def pruning_time(source: Source) -> Figure | None:
    """Return accuracy against the step of pruning, a panel a network and sparsity."""
    points = source.pruning_points
    if points.empty:
        return None
    points = points[points["variant"] == "unmodified"]
    size = (330, 260)
    y, look = accuracy_axis(ACCURACY_SHORT, size[1], of="child_y"), source.look(points["name"])
    flat = "!isValid(datum.step)"
    ends = Ends("step", "max", size[1], "line", "panel", apart=True, flat=flat)
    layers = accuracy_layers(chart("pruning-time"), look, step_axis(_AT), y, ends)
    order = list(dict.fromkeys(points["panel"]))
    return Figure(
        "pruning-time",
        "Accuracy against the time of pruning",
        caption("pruning-time"),
        {"": steps_in_words(points)},
        headed(panels(layers, "panel", size, columns=2, sort=order, apart=True)),
        {"pruning-time": points},
        (),
        reader.accuracies(reader.Column("panel", "setting and sparsity"), at=(_STEP,)),
    )


def pruning_time_ablations(source: Source) -> Figure | None:
    """Return accuracy against the step of pruning, unmodified and ablated, a panel a network and method."""
    points = source.pruning_points
    if points.empty:
        return None
    points = points[points["ablated"] & points["step"].notna()]
    if points.empty:
        return None
    return Figure(
        "pruning-time-ablations",
        "Ablations against the time of pruning",
        caption("pruning-time-ablations"),
        {"": steps_in_words(points)},
        headed(_ablation_panels(source, points)),
        {"pruning-time-ablations": points},
        (),
        reader.accuracies(reader.Column("panel", "setting and sparsity"), at=(_STEP,)),
    )


def _ablation_panels(source: Source, points: pd.DataFrame) -> Any:
    base, look = keyed(chart("pruning-time-ablations")), source.look(points["name"])
    x, y = step_axis(_AT), accuracy_axis(ACCURACY_SHORT, PANEL[1], of="child_y")
    ends = Ends("step", "max", PANEL[1], "key", "part", apart=True, place="place")
    layers = [
        *lines(base, look, x, y, tooltips(*MEANS)),
        *odd_marks(base, x, y.channel("place")),
        *end_labels(base, look, x, y, ends),
    ]
    order = list(dict.fromkeys(points["part"]))
    return panels(layers, "part", PANEL, sort=order, apart=True)


def weights(source: Source) -> Figure | None:
    """Return the share of weights at each step of what a method trains: all, and dashed retroactively."""
    courses = remaining(source.results, WITHIN)
    if courses.empty:
        return None
    left = unmeasured(source.results, courses, WITHIN)
    return Figure(
        "weights",
        "Weights over training",
        caption("weights", within=f"{WITHIN:g} point{'' if WITHIN == 1 else 's'}", unshown=_unshown(left)),
        by_setting(courses, courses_in_words),
        layered(_course_layers(source, courses), *SIZE),
        {"weights": courses},
        source.having(courses),
        reader.courses(),
    )


def _unshown(left: Mapping[str, tuple[list[str], list[str]]]) -> str:
    """Return which methods are not shown, and why; some in some settings alone."""
    said = []
    for why, place in (("Never so near", 0), ("Not measured", 1)):
        names = dict.fromkeys(name for both in left.values() for name in both[place])
        some = [name for name in names if not all(name in both[place] for both in left.values())]
        marked = [f"{name} (in some settings)" if name in some else name for name in names]
        said += [f"{why}: {listed(marked, 20)}."] if marked else []
    return " ".join(said)


def _course_layers(source: Source, courses: pd.DataFrame) -> list[Any]:
    import altair as alt

    key = f"datum.part === '{RETROACTIVE}' ? datum.name + ', retroactively' : datum.name"
    base, look = chart("weights").transform_calculate(key=key), source.look(courses["name"])
    base = base.transform_calculate(of="100 * datum.share")
    x, y = step_axis("training step"), percent("share", "share", "share", "weights there (%)", domain=[0, 1])
    told = [
        *tooltips(("mean", "accuracy (%)", ".2f"), ("step", "from step", ",d"), runs=False),
        alt.Tooltip("of:Q", title="weights there (%)", format=".4~r"),
    ]
    parts = alt.Scale(domain=["all", RETROACTIVE], range=[[1, 0], [6, 3]])
    dash = alt.StrokeDash("part:N", scale=parts, legend=None)
    drawn = {"x": x, "y": y.channel("share"), "color": look.colour, "detail": ["name:N", "part:N"]}
    line = base.mark_line(interpolate="step-after", strokeWidth=1.8).encode(**drawn, strokeDash=dash)
    points = base.mark_point(filled=True, size=45, opacity=1).encode(**drawn, shape=look.shape, tooltip=told)
    ends = Ends("step", "max", SIZE[1], "key", faint=True)
    return [line, points, *end_labels(base, look, x, y, ends, dash)]


def cost(source: Source) -> Figure | None:
    """Return accuracy against what making and training the network costs."""
    points = costs(source.results, source.accuracies)
    if points.empty:
        return None
    return Figure(
        "cost",
        "Accuracy against cost",
        caption("cost"),
        by_setting(points, costs_in_words),
        headed(panels(_cost_layers(source, points), "kind", _COST_PANEL, columns=2)),
        {"cost": points},
        source.having(points),
        reader.accuracies(reader.Column("kind", "counted"), at=(_COST,)),
    )


_COST_PANEL = (330, 340)
_COST = reader.Column("cost", "cost", "in multiples of training the unpruned network", "factor")


def _cost_layers(source: Source, points: pd.DataFrame) -> list[Any]:
    import altair as alt

    base, y = chart("cost"), accuracy_axis(ACCURACY_SHORT, _COST_PANEL[1])
    look = source.look(points["name"], legend=True)  # lines end anywhere: names at their ends would cross
    axis = alt.Axis(
        title="cost (times training the unpruned network)",
        grid=False,
        values=[m * 10**e for e in range(-4, 4) for m in (1, 2, 5)],
        labelExpr="format(datum.value, '.3~g')",
    )
    x = alt.X("cost:Q", scale=alt.Scale(type="log", nice=False, padding=14), axis=axis)
    told = tooltips(("cost", "cost (times)", ".4~r"), *MEANS)
    drawn = lines(base, look, x, y, told, order="sparsity:Q")
    return [*drawn, *odd_marks(base, x, y.channel("place"))]
