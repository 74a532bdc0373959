"""Really smaller networks: accuracy against the parameters, the FLOPs and the measured time that are left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prunebench.analysis import SETTING
from prunebench.numbers import spelled
from prunebench.report.figures import reader
from prunebench.report.figures.axes import ACCURACY_SHORT, accuracy_axis, share_left_axis
from prunebench.report.figures.captions import caption
from prunebench.report.figures.figure import Figure
from prunebench.report.figures.marks import MEANS, chart, headed, lines, odd_marks, panels, tooltips
from prunebench.report.figures.tables import DIGITS, labelled
from prunebench.report.figures.words import by_setting, number

if TYPE_CHECKING:
    import pandas as pd

    from prunebench.report.figures.source import Source

__all__ = ["LEFT", "left", "smaller"]

LEFT: Mapping[str, str] = {
    "parameters": "parameters left",
    "flops": "FLOPs left",
    "seconds": "measured latency left",
}
"""What is left of a network, and what it is called: the beginnings of two columns of costs each."""

_PANEL = (200, 260)
_LEFT = reader.Column("left", "left", "of what the network has before filters are removed", "share")
_AMOUNTS = (
    reader.Column("of_masked", "before", "parameters, FLOPs or seconds of the masked network", "number"),
    reader.Column("of_smaller", "after", "the same of the smaller network", "number"),
)


def smaller(source: Source) -> Figure | None:
    """Return accuracy against what is left of parameters, FLOPs and latency, where `shrunk` is measured."""
    rows = _points(source)
    if rows.empty or not (rows["left"] < 1).any():
        return None
    return Figure(
        "smaller",
        "Accuracy of really smaller networks",
        caption("smaller"),
        by_setting(rows, _in_words),
        headed(_panels(source, rows)),
        {"smaller": rows},
        source.having(rows),
        reader.accuracies(reader.Column("kind", "of what"), at=(_LEFT, *_AMOUNTS)),
    )


def left(source: Source) -> pd.DataFrame:
    """Return a row a setting, method and sparsity: accuracy, and what the smaller network has and takes.

    Columns of costs are means over seeds; `NAME_left` is the mean of the smaller network's share of what the
    masked one has, seed by seed, for each of LEFT.
    """
    import pandas as pd

    costs = source.results.costs
    if not {f"{name}_shrunk" for name in LEFT} & set(costs):
        return pd.DataFrame()
    there = [name for name in LEFT if f"{name}_shrunk" in costs and f"{name}_masked" in costs]
    shares = {f"{name}_left": costs[f"{name}_shrunk"] / costs[f"{name}_masked"] for name in there}
    amounts = [f"{name}_{which}" for name in there for which in ("masked", "shrunk", "left")]
    keys = [*SETTING, "method", "ablations", "density"]
    means = costs.assign(**shares).groupby(keys, sort=False)[amounts].mean().reset_index()
    means = labelled(means, source.results).assign(density=lambda rows: rows["density"].astype("float64"))
    whole = source.accuracies.merge(means[["setting", "name", "density", *amounts]], how="left")
    measured = whole[[f"{name}_left" for name in there]].notna().any(axis=1)
    return whole[measured & (whole["sparsity"] > 0)].reset_index(drop=True)


def _points(source: Source) -> pd.DataFrame:
    """Return a row for each of what is left, and the unpruned network of each such setting."""
    import pandas as pd

    rows = left(source)
    if rows.empty:
        return rows
    rows = rows[rows["variant"] == "unmodified"]
    parts = [
        rows.assign(
            kind=called,
            left=rows[f"{name}_left"],
            of_masked=rows[f"{name}_masked"],
            of_smaller=rows[f"{name}_shrunk"],
        )
        for name, called in LEFT.items()
        if f"{name}_left" in rows
    ]
    pruned = pd.concat(parts, ignore_index=True).dropna(subset=["left"])
    every = source.accuracies
    dense = every[(every["sparsity"] == 0) & (every["variant"] == "unmodified")]
    kinds = pruned[["setting", "kind"]].drop_duplicates()
    whole = pd.concat([kinds.merge(dense, on="setting"), pruned], ignore_index=True)
    columns = [*every.columns, "kind", "left", "of_masked", "of_smaller"]
    unused = ["ablated", "family", "best_variant", "also"]
    return whole.reindex(columns=columns).drop(columns=unused).round({"left": DIGITS})


def _panels(source: Source, rows: pd.DataFrame) -> Any:
    """Return a panel for each of what is left, with horizontal axes of their own."""
    whole = panels(_layers(source, rows), "kind", _PANEL, columns=3, sort=list(LEFT.values()))
    return whole.resolve_scale(x="independent")


def _layers(source: Source, rows: pd.DataFrame) -> list[Any]:
    base, y = chart("smaller"), accuracy_axis(ACCURACY_SHORT, _PANEL[1])
    look = source.look(rows["name"], legend=True)  # lines end anywhere: names at their ends would cross
    x = share_left_axis("left", "% of the unpruned network's", of="child_x")
    pruned, dense = (base.transform_filter(when) for when in ("datum.sparsity > 0", "datum.sparsity == 0"))
    pruned = pruned.transform_calculate(left_percent="100 * datum.left")
    told = tooltips(
        ("left_percent", "left (%)", ".4~r"),
        ("of_masked", "before", ".4~s"),
        ("of_smaller", "after", ".4~s"),
        *MEANS,
    )
    across = dense.mark_rule(strokeDash=[4, 3], strokeWidth=1.3).encode(
        y=y.channel(y.mean), color=look.colour, tooltip=tooltips(*MEANS)
    )
    return [
        across,
        *lines(pruned, look, x, y, told, order="sparsity:Q"),
        *odd_marks(pruned, x, y.channel("place")),
    ]


def _in_words(setting: str, rows: pd.DataFrame) -> str:
    said = [f"Lines of test accuracy against what is left of a network whose filters are removed, {setting}."]
    pruned = rows[(rows["sparsity"] > 0) & rows["mean"].notna()]
    for (kind, name), part in pruned.groupby(["kind", "name"], sort=False):
        ends = [
            f"{number(row['mean'])} % with {spelled(row['left'], 'share')}"
            for _, row in part.iloc[[0, -1]].iterrows()
        ]
        said.append(f"{kind}, {name}: {' to '.join(dict.fromkeys(ends))}.")
    dense = rows[(rows["sparsity"] == 0) & rows["mean"].notna()]
    if len(dense):
        said.append(f"The unpruned network reaches {number(dense['mean'].iloc[0])} %.")
    return " ".join(said)
