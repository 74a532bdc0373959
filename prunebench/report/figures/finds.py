"""Finds: accuracy by the recipe that found the mask and the one that trains it; ratios by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from prunebench.errors import UsageError
from prunebench.numbers import spelled
from prunebench.percent import percent_labels
from prunebench.report.figures.axes import ACCURACY_SHORT, DENSITY_SHORT, accuracy_axis, density_axis
from prunebench.report.figures.axes import percent as share_axis
from prunebench.report.figures.captions import caption
from prunebench.report.figures.figure import Figure
from prunebench.report.figures.find_tables import (
    among,
    beside,
    by_epoch,
    by_find,
    first_density,
    of_layers,
    scored,
)
from prunebench.report.figures.marks import chart, headed, odd_marks, panels
from prunebench.report.figures.reader import Column, interval
from prunebench.report.figures.series import across, of_lines, series
from prunebench.report.figures.words import listed, number

if TYPE_CHECKING:
    import pandas as pd

    from prunebench.report.figures.source import Source

__all__ = ["distances", "find_curves", "find_eval", "marked", "ratios"]

PANEL = (335, 240)

_PLACE = Column("place", "network")
_METHOD, _EVAL, _FIND = (
    Column(each, title)
    for each, title in (("method", "method"), ("eval", "evaluated under"), ("find", "found under"))
)
_SPARSITY = Column("percent", "sparsity, %", "share of the prunable weights that is removed", "number")
_SEEDS = Column("n", "seeds", "runs in the mean", "count")
_ACCURACY = (
    Column("mean", "accuracy, %", "mean over the seeds that finished", "points"),
    *interval("accuracy", "points", ", %"),
    _SEEDS,
)


def find_curves(source: Source) -> Figure | None:
    """Return accuracy against density, a line a find, a panel a method and evaluation recipe."""
    rows = by_find(source)
    if rows.empty or rows["density"].nunique() < 2:
        return None
    panel = rows["panel"] if rows["place"].nunique() == 1 else rows["place"] + ", " + rows["panel"]
    rows = rows.assign(panel=panel)
    others, networks = beside(source, rows), scored(source, rows)
    base, x = chart("find-accuracy"), density_axis(DENSITY_SHORT)
    y = accuracy_axis(ACCURACY_SHORT, PANEL[1], of="child_y")
    told = across(
        ("find", "found under", ""),
        ("percent", "sparsity (%)", ".4~r"),
        ("mean", "accuracy (%)", ".2f"),
        ("low", "95 % interval from", ".2f"),
        ("high", "to", ".2f"),
        ("n", "runs in the mean", ""),
    )
    look = of_lines("find", "found under", rows["find"], beside=others["find"])
    pruned, dense, network = (base.transform_filter(f"datum.of == '{which}'") for which in _PARTS)
    layers = [
        dense.mark_rule(strokeDash=[4, 3], strokeWidth=1.3).encode(
            y=y.channel(y.mean), color=look.colour, tooltip=told
        ),
        *series(pruned, look, x, y, told),
        network.mark_point(filled=False, size=50, opacity=1).encode(
            x=x, y=y.channel(y.mean), color=look.colour, shape=look.shape, tooltip=told
        ),
        *odd_marks(pruned.transform_calculate(name="datum.find"), x, y.channel("height"), place="height"),
    ]
    order = list(dict.fromkeys(rows["panel"]))
    whole = headed(panels(layers, "panel", PANEL, columns=2, sort=order, apart=True))
    return Figure(
        "find-accuracy",
        "Accuracy by find",
        caption("find-accuracy"),
        {"": _curves_in_words(rows, others)},
        whole,
        {"find-accuracy": _parts(rows, others, networks)},
        (),
        (_PLACE, Column("panel", "panel"), Column("of", "of"), _METHOD, _EVAL, _FIND, _SPARSITY, *_ACCURACY),
        among=among(source, rows),
    )


_PARTS = ("masks", "unpruned", "scored network")
"""What a row of the chart is of."""


def _parts(rows: pd.DataFrame, others: pd.DataFrame, networks: pd.DataFrame) -> pd.DataFrame:
    masks, unpruned, network = _PARTS
    of = others["sparsity"].map(lambda sparsity: masks if sparsity else unpruned)
    return _joined(_joined(rows.assign(of=masks), others.assign(of=of)), networks.assign(of=network))


def _joined(rows: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    return pd.concat([rows, others], ignore_index=True) if len(others) else rows


def _curves_in_words(rows: pd.DataFrame, others: pd.DataFrame) -> str:
    said = ["Lines of test accuracy against the share of weights kept, one for each find."]
    others = others[others["mean"].notna()]
    for panel, part in rows[rows["mean"].notna()].groupby("panel", sort=False):
        most = part["sparsity"].max()
        same = others[(others["panel"] == panel) & others["sparsity"].isin([0, most])]
        last = _joined(part[part["sparsity"] == most], same).sort_values("mean")
        ends = [f"{row['find']} {number(row['mean'])} %" for _, row in last.iterrows()]
        said.append(f"{panel}, at {number(100 * most, 1)} % sparsity: {listed(ends[::-1], 12)}.")
    return " ".join(said)


def find_eval(source: Source, density: float | None = None) -> Figure | None:
    """Return mean accuracies as a table of finds and evaluation recipes, at one density.

    density: the share of weights kept; unless given the middle one of those that all finds have

    Raises: UsageError for a density that no find has.
    """
    rows = by_find(source)
    rows = rows[rows["mean"].notna()]
    own = [rows["place"], rows["method"], rows["at"]]
    rows = rows[(rows["at"] == "") | (rows["eval"].groupby(own).transform("nunique") > 1)]
    if rows.empty:
        return None
    rows = _at_density(rows, density)
    panel = rows["method"] + rows["at"].map(lambda at: f", pruned at {at}" if at else "")
    panel = panel if rows["place"].nunique() == 1 else rows["place"] + ", " + panel
    rows = rows.assign(panel=panel, **_shades(rows.assign(panel=panel)))
    labels = percent_labels(sorted(rows["sparsity"].unique()))
    at = " and ".join(f"{labels[each]} %" for each in labels)
    return Figure(
        "find-eval",
        f"Find and evaluation, at {at} sparsity",
        caption("find-eval", at=at),
        {"": _table_in_words(rows)},
        _heat(rows),
        {"find-eval": rows},
        (),
        (_PLACE, _METHOD, _EVAL, _FIND, _SPARSITY, *_ACCURACY),
        among=among(source, rows),
    )


def _at_density(rows: pd.DataFrame, density: float | None) -> pd.DataFrame:
    """Return the rows at a density; of each place the middle one of those that most of its rows have."""
    if density is not None:
        chosen = rows[(rows["density"] - density).abs() <= 5e-4 * density]
        if chosen.empty:
            known = ", ".join(f"{each:.4g}" for each in sorted(rows["density"].unique(), reverse=True))
            raise UsageError(f"density: found {density:g}, which no find has; allowed: {known}")
        return chosen
    counts = rows.groupby(["place", "density"])["panel"].count()
    middle = {
        place: (own := sorted(part[part == part.max()].index.get_level_values("density")))[len(own) // 2]
        for place, part in counts.groupby(level="place")
    }
    return rows[rows["density"] == rows["place"].map(middle)]


def _shades(rows: pd.DataFrame) -> dict[str, Any]:
    """Return what is written into a field, how light its ground is, and if it is the best of its column."""
    least, most = (rows.groupby("panel")["mean"].transform(end) for end in ("min", "max"))
    best = rows["mean"] == rows.groupby(["panel", "eval"])["mean"].transform("max")
    text = [spelled(value, "points") for value in rows["mean"]]
    ends = [
        "" if low != low else f"{spelled(low, 'points')} – {spelled(high, 'points')}"
        for low, high in zip(rows["low"], rows["high"], strict=True)
    ]
    shade = ((rows["mean"] - least) / (most - least).where(most > least, 1.0)).fillna(0.0)
    return {"text": text, "ends": ends, "shade": shade, "best": best}


def _heat(rows: pd.DataFrame) -> Any:
    import altair as alt

    finds, evals = (list(dict.fromkeys(rows[name])) for name in ("find", "eval"))
    x = alt.X(
        "eval:N", sort=evals, axis=alt.Axis(title="evaluated under", labelAngle=0, grid=False, labelLimit=150)
    )
    y = alt.Y("find:N", sort=finds, axis=alt.Axis(title="found under", grid=False, labelLimit=150))
    base = chart("find-eval")
    told = across(
        ("find", "found under", ""),
        ("eval", "evaluated under", ""),
        ("mean", "accuracy (%)", ".2f"),
        ("low", "95 % interval from", ".2f"),
        ("high", "to", ".2f"),
        ("n", "runs in the mean", ""),
    )
    colour = alt.Color("shade:Q", scale=alt.Scale(scheme="cividis", domain=[0, 1]), legend=None)
    ground = base.mark_rect().encode(x=x, y=y, color=colour, tooltip=told)
    ink = alt.condition("datum.shade > 0.5", alt.value("#101010"), alt.value("#ffffff"))
    at = {"x": x, "y": y, "color": ink}
    texts = [
        base.transform_filter("datum.best")
        .mark_text(fontSize=14, dy=-8, fontWeight="bold")
        .encode(text="text:N", **at),
        base.transform_filter("!datum.best").mark_text(fontSize=14, dy=-8).encode(text="text:N", **at),
        base.mark_text(fontSize=11, dy=9).encode(text="ends:N", **at),
    ]
    size = (max(180, 100 * len(evals)), max(90, 46 * len(finds)))
    order = list(dict.fromkeys(rows["panel"]))
    return panels([ground, *texts], "panel", size, columns=max(1, 660 // size[0]), sort=order)


def _table_in_words(rows: pd.DataFrame) -> str:
    said = ["A table of mean test accuracy by find and evaluation recipe."]
    for (panel, under), part in rows.groupby(["panel", "eval"], sort=False):
        cells = [f"{row['find']} {number(row['mean'])} %" for _, row in part.iterrows()]
        said.append(f"{panel}, evaluated under {under}: {listed(cells, 12)}.")
    return " ".join(said)


_EPOCH = Column("epoch", "epoch", "at whose end the network would be pruned", "count")
_LINE = Column("line", "found under")


def distances(source: Source) -> Figure | None:
    """Return the distance to the final ratios by epoch, a line a find."""
    rows = by_epoch(source)
    if rows.empty:
        return None
    rows = _paneled(first_density(rows))
    y = share_axis("mean", "lower", "upper", "mean |difference| from the final ratios (points)", zero=True)
    layers = series(
        chart("distance-by-epoch"),
        of_lines("line", "found under", rows["line"]),
        _epochs(),
        y,
        _told(),
        marked=marked(rows),
    )
    return Figure(
        "distance-by-epoch",
        "Distance from the final pruning ratios",
        caption("distance-by-epoch", at=_densities(rows)),
        {
            "": _ends_in_words(
                rows, "Lines of the mean absolute difference of layers' ratios from the final ones"
            )
        },
        panels(layers, "panel", (420, 260), columns=2, sort=list(dict.fromkeys(rows["panel"]))),
        {"distance-by-epoch": rows},
        (),
        (_PLACE, _METHOD, _LINE, _SPARSITY, _EPOCH, *_share("distance")),
        among=among(source, rows),
    )


def ratios(source: Source) -> Figure | None:
    """Return the ratio of each layer by epoch, a panel a find."""
    rows = of_layers(source)
    if rows.empty:
        return None
    rows = _paneled(first_density(rows), with_line=True)
    y = share_axis("mean", "lower", "upper", "share of the layer's weights pruned (%)", zero=False)
    look = of_lines(
        "layer", "layer, from input to output", rows.sort_values("order", kind="stable")["layer"], rising=True
    )
    layers = series(
        chart("ratios-by-epoch"), look, _epochs(), y, _told(("layer", "layer", "")), marked=marked(rows)
    )
    return Figure(
        "ratios-by-epoch",
        "Pruning ratios of layers by epoch",
        caption("ratios-by-epoch", at=_densities(rows)),
        {"": _ends_in_words(rows, "Lines of the share pruned of each layer", by=["panel", "layer"])},
        panels(layers, "panel", (200, 230), columns=3, sort=list(dict.fromkeys(rows["panel"]))),
        {"ratios-by-epoch": rows},
        (),
        (_PLACE, _METHOD, _LINE, Column("layer", "layer"), _SPARSITY, _EPOCH, *_share("ratio")),
        among=among(source, rows),
    )


def _share(title: str) -> tuple[Column, ...]:
    return Column("mean", title, "mean over seeds, a share", "share"), *interval(title, "share"), _SEEDS


def _paneled(rows: pd.DataFrame, *, with_line: bool = False) -> pd.DataFrame:
    """Return rows with a panel's heading: of the method, the find, the network, what there are several of."""
    parts = [rows["heading"]] if with_line else []
    several = [name for name in ("place", "method") if rows[name].nunique() > 1]
    parts += [rows[name] for name in several or ([] if with_line else ["method"])]
    panel = parts[0]
    for part in parts[1:]:
        panel = panel + ", " + part
    return rows.assign(panel=panel)


def marked(rows: pd.DataFrame) -> str:
    """Return at which epochs there are marks: of many every so many, so that they hide no line."""
    epochs = sorted(rows["epoch"].unique())
    return f"datum.epoch % {max(1, -(-len(epochs) // _MARKS))} == 0"


_MARKS = 12


def _epochs() -> Any:
    import altair as alt

    axis = alt.Axis(title="pruned at the end of epoch", grid=False, format="d", tickMinStep=1, tickCount=6)
    return alt.X("epoch:Q", axis=axis, scale=alt.Scale(nice=False, padding=8))


def _told(*more: tuple[str, str, str]) -> Sequence[Any]:
    return across(
        ("line", "found under", ""),
        *more,
        ("epoch", "epoch", "d"),
        ("mean", "share", ".4~%"),
        ("low", "95 % interval from", ".4~%"),
        ("high", "to", ".4~%"),
        ("n", "runs in the mean", ""),
    )


def _densities(rows: pd.DataFrame) -> str:
    labels = percent_labels(sorted(rows["sparsity"].unique()))
    return " and ".join(f"{label} %" for label in labels.values())


def _ends_in_words(rows: pd.DataFrame, what: str, by: Sequence[str] = ("panel", "line")) -> str:
    said = [f"{what}, by the epoch of pruning."]
    for names, part in rows.groupby(list(by), sort=False):
        ends = part.sort_values("epoch", kind="stable")
        first, last = ends.iloc[0], ends.iloc[-1]
        said.append(
            f"{', '.join(map(str, names))}: {number(100 * first['mean'], 1)} % at epoch {first['epoch']}, "
            f"{number(100 * last['mean'], 1)} % at epoch {last['epoch']}."
        )
    return " ".join(said)
