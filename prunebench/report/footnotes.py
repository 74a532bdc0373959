"""What stands under a table because a number in it needs a word: footnotes, each remark once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from prunebench.analysis import EmptyLayer
from prunebench.numbers import spelled

__all__ = [
    "Footnotes",
    "by_position_remark",
    "diverged_remark",
    "empty_remark",
    "inferred_remark",
    "lacking_remark",
    "numerics_remark",
    "reached_remark",
    "trust_remark",
]

Row = Mapping[Any, Any]

_NAMED = 3
"""So many empty layers are named; of more, their number is said."""


class Footnotes:
    """Numbers equal remarks alike, in the order they are first needed.

    `absent` is what cells are called that have no result.
    """

    def __init__(self, absent: str = "missing") -> None:
        self.absent = absent
        self._numbers: dict[str, int] = {}

    def mark(self, *remarks: str) -> tuple[int, ...]:
        """Return the numbers of these remarks, to stand behind a number; empty remarks have none."""
        return tuple(self._numbers.setdefault(r, len(self._numbers) + 1) for r in dict.fromkeys(remarks) if r)

    def lines(self) -> list[tuple[int | None, str]]:
        """Return the remarks with their numbers."""
        return [(number, remark) for remark, number in self._numbers.items()]


def diverged_remark(row: Row, *, mixed: bool) -> str:
    """Return how diverged runs count beside a number that is of some; `mixed`: others did not diverge."""
    if bool(pd.isna(row["guess"])):
        return (
            "Diverged runs are out of means and differences, which then decide nothing: the number of "
            "classes, and so the accuracy of a guess, is not known."
        )
    counts = f"counts with the accuracy of a guess, {spelled(row['guess'] / 100, 'share')}"
    if not mixed:
        return f"In differences, places and ranges a diverged run {counts}."
    return (
        "Diverged runs (over a range: seeds with one) are out of the mean shown. In differences, places and "
        f"ranges each {counts}; an interval does not describe such a mixture."
    )


def lacking_remark(row: Row, *, over_range: bool, absent: str = "missing") -> str:
    """Return how many seeds are missing or failed, or lack part of a range; nothing where none does."""
    words = {"missing": absent, "failed": "failed"}
    if over_range:
        words["unselected"] = "not planned or not selected"
    lost = [f"{row[name]} of {row['planned']} {word}" for name, word in words.items() if row[name]]
    if not lost:
        return ""
    where = " at some sparsity of the range" if over_range else ""
    return f"{', '.join(lost)}{where}: out of the mean"


def empty_remark(layers: Sequence[EmptyLayer], planned: int) -> str:
    """Return which layers the masks leave without a weight, the output layer first; nothing where none."""
    if not layers:
        return ""
    ordered = sorted(layers, key=lambda layer: not layer.output)
    said = [
        f"{'the output layer ' if layer.output else ''}{layer.layer} ({layer.seeds} of {planned})"
        for layer in ordered[:_NAMED]
    ]
    more = len(ordered) - _NAMED
    if more > 0:
        said.append(f"and {more} more {'layer' if more == 1 else 'layers'}")
    return f"No weight is left in {', '.join(said)}."


def by_position_remark(seeds: int, planned: int) -> str:
    """Return in how many seeds' masks position chose most weights; nothing where in none."""
    if not seeds:
        return ""
    return (
        f"In {seeds} of {planned} masks most weights kept were chosen by position, because their scores were "
        "equal."
    )


def reached_remark(densities: Sequence[float], density: float, planned: int) -> str:
    """Return which densities masks of whole filters reached, where another was asked for; else nothing."""
    if not densities:
        return ""
    ends = [_percent(value) for value in (min(densities), max(densities))]
    of = "" if len(densities) == planned else f" (in {len(densities)} of {planned} masks)"
    return (
        f"Whole filters do not reach {_percent(density)} %: {'–'.join(dict.fromkeys(ends))} % of the weights "
        f"are kept{of}."
    )


def _percent(density: float) -> str:
    return f"{100 * density:.4g}"


def numerics_remark(classes: Collection[str], usual: str) -> str:
    """Return of which other numerics classes a number's runs are than most of its setting's; "" of none."""
    others = sorted(set(classes) - {usual, ""})
    if not others:
        return ""
    some = "Some runs are" if usual in classes else "Its runs are"
    return f"{some} of another numerics class than most here: {'; '.join(others)}."


def inferred_remark(fields: Sequence[str]) -> str:
    """Return what of a recipe its source leaves open; nothing where it states all."""
    if not fields:
        return ""
    return (
        f"The recipe is in part inferred: its source does not state {', '.join(fields)} "
        "(`prunebench show recipe` says more)."
    )


def trust_remark(row: Row) -> str:
    """Return what a rerun of a published row came to; nothing where it is claimed, or one's own."""
    said = {
        "rerun": "Run again, and within the claimed seeds' 95 % prediction interval.",
        "differs": "Run again, and outside the claimed seeds' 95 % prediction interval.",
    }
    return said.get(str(row.get("trust", "")), "")
