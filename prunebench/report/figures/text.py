"""Curves of accuracy in a terminal: a plot of characters, and the table behind it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from prunebench.numbers import spelled
from prunebench.percent import percent_labels
from prunebench.report.escapes import terminal
from prunebench.report.figures.words import number

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["plot", "table"]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def plot(rows: pd.DataFrame, *, width: int = 72, height: int = 18) -> str:
    """Return accuracies by density as characters: a letter a method, as figures have their axes.

    Across: the logarithm of the share of weights kept, sparser to the right. Up: accuracy, spaced by the
    logarithm of the error. The key below says what each character is.
    """
    drawn = rows[rows["place"].notna()]
    pruned, dense = drawn[drawn["sparsity"] > 0], drawn[drawn["sparsity"] == 0]
    if pruned.empty:
        return "nothing has finished yet"
    names = list(dict.fromkeys(pruned["name"]))
    letters = {name: LETTERS[i % len(LETTERS)] for i, name in enumerate(names)}
    levels = [*pruned["place"], *dense["place"]]
    across = _places([-math.log(d) for d in pruned["density"]], width - 1)
    up = _places([-math.log(error) for error in levels], height - 1)
    grid = [[" "] * width for _ in range(height)]
    for level in up[len(pruned) :]:
        grid[level] = ["-"] * width
    for column, level, name in zip(across, up, pruned["name"], strict=False):
        there = grid[level][column]
        grid[level][column] = letters[name] if there in (" ", "-", letters[name]) else "*"
    ticks = {level: number(100 - error, 1) for level, error in zip(up, levels, strict=True)}
    key = {letter: terminal(name) for name, letter in letters.items()}
    for name, mean in zip(dense["name"], dense["mean"], strict=True):
        key["-"] = f"{terminal(name)}, unpruned: {spelled(mean, 'points')} %"
    key |= {"*": "several at one place"} if any("*" in line for line in grid) else {}
    return "\n".join([*_framed(grid, ticks, pruned["density"]), "", *(f"  {m} {n}" for m, n in key.items())])


def _framed(grid: Sequence[Sequence[str]], ticks: Mapping[int, str], densities: pd.Series) -> list[str]:
    """Return lines of a plot with its axes, from the top; `ticks` are labels of levels, from the bottom."""
    height, width = len(grid), len(grid[0])
    margin = max(map(len, ticks.values()))
    lines = [
        f"{ticks.get(level, '') if _shown(level, height) else '':>{margin}} |{''.join(grid[level]).rstrip()}"
        for level in range(height - 1, -1, -1)
    ]
    ends = [f"{number(100 * d, 3)} %" for d in (densities.max(), densities.min())]
    return [
        "test accuracy (%) against weights kept (logarithmic)",
        *lines,
        f"{'':>{margin}} +{'-' * width}",
        f"{'':>{margin}}  {ends[0]}{ends[1]:>{width - len(ends[0])}}",
    ]


def _shown(level: int, height: int) -> bool:
    return level % 3 == 0 or level == height - 1


def _places(values: Sequence[float], most: int) -> list[int]:
    """Return values as whole numbers from 0 to `most`."""
    low, high = min(values), max(values)
    reach = high - low
    return [round((value - low) / reach * most) if reach else most // 2 for value in values]


def table(rows: pd.DataFrame, *, width: int | None = None) -> str:
    """Return accuracies with their intervals, a row a method, a column a sparsity.

    Where that is wider than `width` characters it is a row a sparsity, a column a method, if that is
    narrower.
    """
    points = sorted(rows["sparsity"].unique())
    labels = percent_labels(points)
    by_place: Mapping[tuple[str, float], str] = {
        (row["name"], row["sparsity"]): _cell(row) for row in rows.to_dict("records")
    }
    names = list(dict.fromkeys(rows["name"]))
    cells = [[terminal(name), *(by_place.get((name, point), "") for point in points)] for name in names]
    lines = [["method", *(f"{labels[point]} %" for point in points)], *cells]
    across = _tabulated(lines)
    if width is None or len(across.splitlines()[0]) <= width:
        return across
    lines[0][0] = "sparsity"
    return min(across, _tabulated(list(zip(*lines, strict=True))), key=lambda text: len(text.splitlines()[0]))


def _tabulated(lines: Sequence[Sequence[str]]) -> str:
    return tabulate(lines[1:], headers=lines[0], tablefmt="simple", disable_numparse=True)


def _cell(row: Mapping[Any, Any]) -> str:
    """Return a mean with its interval, and what of its runs is not in it."""
    said = []
    if row["mean"] == row["mean"]:
        said.append(spelled(row["mean"], "points"))
    if row["low"] == row["low"]:
        said.append(f"({spelled(row['low'], 'points')} to {spelled(row['high'], 'points')})")
    for name, word in (("diverged", "diverged"), ("absent", "missing")):
        if row[name]:
            said.append(f"{row[name]} of {row['planned']} {word}")
    return " ".join([*said, *(["no weight in a layer"] if row["empty"] else [])])
