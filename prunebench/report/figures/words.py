"""Alternative texts: what a figure shows in plain words, made from the rows that it draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from prunebench.numbers import spelled
from prunebench.percent import percent_labels

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    *(
        "by_setting",
        "curves_in_words",
        "differences_in_words",
        "extremes_in_words",
        "listed",
        "losses_in_words",
    ),
    *("number", "odd_in_words", "reported_in_words", "shares_in_words", "steps_in_words"),
]


def number(value: float, digits: int = 2) -> str:
    """Return a number as texts have it: with two digits as tables have points of accuracy, else shortly.

    >>> number(91.2345), number(0.5), number(-0.001), number(48.8, 1), number(50.0, 1)
    ('91.23', '0.50', '0.00', '48.8', '50')
    """
    if digits == 2:
        return spelled(value, "points")
    text = f"{value:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def listed(names: Sequence[str], most: int = 6) -> str:
    """Return names as a sentence lists them.

    >>> listed(["a", "b", "c"]), listed([str(i) for i in range(9)], 3)
    ('a, b and c', '0, 1, 2 and 6 more')
    """
    names = list(names)
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else "none"


def by_setting(rows: pd.DataFrame, words: Callable[[str, pd.DataFrame], str]) -> dict[str, str]:
    """Return what is said of the rows of each setting."""
    return {str(setting): words(str(setting), part) for setting, part in rows.groupby("setting", sort=False)}


def curves_in_words(setting: str, rows: pd.DataFrame) -> str:
    """Return what lines of accuracy against density show: of how many methods, where they start and end."""
    pruned = rows[(rows["sparsity"] > 0) & rows["mean"].notna()]
    said = [f"Lines of test accuracy against the share of weights kept, {setting}."]
    if pruned.empty:
        return f"{said[0]} No run has finished yet."
    points = sorted(pruned["sparsity"].unique())
    labels = percent_labels(points)
    names = list(dict.fromkeys(pruned["name"]))
    said.append(
        f"{_count(len(names), 'method')} at {_count(len(points), 'sparsity', 'sparsities')} from "
        f"{labels[points[0]]} to {labels[points[-1]]} %: {listed(names, 12)}."
    )
    dense = rows[(rows["sparsity"] == 0) & rows["mean"].notna()]
    if len(dense):
        said.append(f"The unpruned network reaches {number(dense['mean'].iloc[0])} %.")
    for point in dict.fromkeys((points[0], points[len(points) // 2], points[-1])):
        said.append(extremes_in_words(pruned[pruned["sparsity"] == point], f"At {labels[point]} % sparsity"))
    return " ".join([*said, odd_in_words(rows[rows["sparsity"] > 0])]).strip()


def extremes_in_words(rows: pd.DataFrame, where: str, unit: str = " %", column: str = "mean") -> str:
    """Return which method is highest and which lowest."""
    ordered = rows.sort_values(column, kind="stable")
    high, low = ordered.iloc[-1], ordered.iloc[0]
    if len(ordered) == 1:
        return f"{where} {high['name']} has {number(high[column])}{unit}."
    return (
        f"{where} {high['name']} is highest with {number(high[column])}{unit}{_interval(high)}, "
        f"{low['name']} lowest with {number(low[column])}{unit}{_interval(low)}."
    )


def shares_in_words(setting: str, rows: pd.DataFrame, *, what: str, along: str, unit: str = " %") -> str:
    """Return where lines of means begin and end, by method; `along` is the other axis' column.

    `unit`: " %" of shares; "" of other numbers.
    """
    said = [f"Lines of {what}, {setting}."]
    scale, digits = (100, 1) if unit else (1, 4)
    for name, part in rows[rows["mean"].notna()].groupby("name", sort=False):
        ends = part.sort_values(along, kind="stable")["mean"]
        first, last = (number(scale * value, digits) for value in (ends.iloc[0], ends.iloc[-1]))
        said.append(f"{name}: {first}{unit}." if len(ends) == 1 else f"{name}: from {first} to {last}{unit}.")
    return " ".join(said)


def losses_in_words(setting: str, rows: pd.DataFrame) -> str:
    """Return for each method how far each ablation lies from it at its lowest and at its highest sparsity."""
    said = [f"Panels of test accuracy against the share of weights kept, {setting}, a panel a method."]
    for method, part in rows[rows["mean"].notna()].groupby("method", sort=False):
        means = part.pivot_table(index="sparsity", columns="variant", values="mean", sort=True)
        if "unmodified" not in means:
            continue
        less = means.sub(means["unmodified"], axis=0).drop(columns="unmodified").dropna(how="all")
        order = [n for n in dict.fromkeys(part["variant"]) if n in less and less[n].notna().any()]
        if less.empty or not order:
            continue
        ends = [
            f"{name} {_signed(less[name].dropna().iloc[0])} to {_signed(less[name].dropna().iloc[-1])}"
            for name in order
        ]
        first, last = (f"{number(100 * s, 1)} %" for s in (less.index[0], less.index[-1]))
        where = f"points beside the unmodified one from {first} to {last} sparsity"
        said.append(f"{method}, {where}: {', '.join(ends)}.")
    return " ".join(said)


def _signed(value: float) -> str:
    return spelled(value, "difference")


def _interval(row: Any) -> str:
    low, high = row.get("low"), row.get("high")
    if low is None or low != low:
        return ""
    return f" (95 % interval {number(low)} to {number(high)})"


def odd_in_words(rows: pd.DataFrame) -> str:
    """Return which methods have rows with diverged or missing runs or empty layers, and how many."""
    kinds = {
        "Some runs diverged": rows["diverged"] > 0,
        "A layer has no weight left": rows["empty"] != "",
        "Runs are missing": rows["absent"] > 0,
    }
    said = []
    for kind, chosen in kinds.items():
        mine = rows[chosen.to_numpy(bool)]
        if len(mine):
            names = [f"{name} ({len(part)})" for name, part in mine.groupby("name", sort=False)]
            said.append(f"{kind} at {_count(len(mine), 'point')}: {listed(names)}.")
    return " ".join(said)


def steps_in_words(rows: pd.DataFrame) -> str:
    """Return where accuracies begin and end along the step of pruning, panel by panel."""
    said = ["Lines of test accuracy against the training step at which methods prune."]
    for panel, mine in rows.groupby("panel", sort=False):
        ends = []
        for name, part in mine[mine["mean"].notna()].groupby("name", sort=False):
            along = part.sort_values("step", kind="stable")["mean"]
            first, last = number(along.iloc[0]), number(along.iloc[-1])
            ends.append(f"{name} {first} %" if len(along) == 1 else f"{name} from {first} to {last} %")
        said.append(f"{panel}: {listed(ends, 12)}. {odd_in_words(mine)}".strip())
    return " ".join(said)


def courses_in_words(setting: str, rows: pd.DataFrame) -> str:
    """Return how long each method trains, with how many weights at the start and at the end."""
    said = [f"Lines of the share of weights at each training step, {setting}."]
    for name, part in rows.groupby("name", sort=False):
        first, last = (number(100 * value, 1) for value in (part["share"].iloc[0], part["share"].iloc[-1]))
        steps = f"{part['step'].max():,.0f} steps"
        at = f"{name} at {number(100 * part['sparsity'].iloc[0], 1)} % sparsity"
        said.append(f"{at}: {steps}, from {first} to {last} % of the weights.")
    return " ".join(said)


def costs_in_words(setting: str, rows: pd.DataFrame) -> str:
    """Return what each method costs and reaches at its lowest and highest sparsity."""
    said = [
        f"Lines of test accuracy against cost, {setting}; cost in multiples of training the unpruned network."
    ]
    for (kind, name), part in rows[rows["mean"].notna()].groupby(["kind", "name"], sort=False):
        ends = [
            f"{number(row['mean'])} % at {spelled(row['cost'], 'quantity')} times"
            for row in (part.iloc[0], part.iloc[-1])
        ]
        said.append(f"{name}, {kind}: {' to '.join(dict.fromkeys(ends))}.")
    return " ".join(said)


def reported_in_words(setting: str, rows: pd.DataFrame) -> str:
    """Return for each source and method the highest and the lowest accuracy."""
    said = [f"Accuracy against the share of weights kept, ours and as others report it, {setting}."]
    for source, mine in rows.groupby("source", sort=False):
        ends = []
        for name, part in mine.groupby("name", sort=False):
            means = part["mean"].dropna()
            lost = int(part["diverged"].sum())
            span = f"{number(means.max())} to {number(means.min())} %" if len(means) else "no number"
            ends.append(f"{name} {span}" + (f", {_count(lost, 'run')} diverged" if lost else ""))
        said.append(f"{source}: {listed(ends, 12)}.")
    return " ".join(said)


def differences_in_words(setting: str, rows: pd.DataFrame, after: str) -> str:
    """Return how many intervals lie wholly below or above 0, method by method."""
    said = [f"Lines of accuracy less that of {after} against the share of weights kept, {setting}."]
    for name, part in rows.groupby("name", sort=False):
        below, above = int((part["high"] < 0).sum()), int((part["low"] > 0).sum())
        ends = f"from {_signed(part['difference'].max())} to {_signed(part['difference'].min())} points"
        of = _count(len(part), "interval")
        said.append(f"{name}: {ends}; of {of} {below} below 0, {above} above.")
    return " ".join(said)


def _count(count: int, one: str, more: str = "") -> str:
    """Return a number and what it counts.

    >>> _count(1, "method"), _count(2, "sparsity", "sparsities")
    ('1 method', '2 sparsities')
    """
    return f"{count:,} {one if count == 1 else more or one + 's'}"
