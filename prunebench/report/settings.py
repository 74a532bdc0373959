"""A leaderboard's part of one setting: accuracies by sparsity, then ranges and places."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any

import pandas as pd

from prunebench.analysis import VARIANT, Border
from prunebench.analysis.table import MOST
from prunebench.numbers import spelled
from prunebench.percent import percent_labels
from prunebench.report.costs import cost_blocks
from prunebench.report.document import Block, Cell, Notes, Section, Table
from prunebench.report.fields import absent, accuracy, difference, place
from prunebench.report.footnotes import (
    Footnotes,
    by_position_remark,
    inferred_remark,
    numerics_remark,
    reached_remark,
)
from prunebench.report.methods import Methods, Row, name_of
from prunebench.report.replication import replication_blocks
from prunebench.report.standings import Standing, seeds_words
from prunebench.report.trust import contradicted, trust_cell

__all__ = ["LEGEND", "Shown", "heading", "setting_section"]

LEGEND = (
    "Accuracy in percent: mean ± standard deviation over seeds (n − 1; the spread of single runs, not the "
    "uncertainty of the mean)."
)
_RANGE_LEGEND = (
    "Over a range each seed counts with its mean over the range's sparsities. A place is an interval: from 1 "
    "+ the number of methods significantly better to the number of methods less those significantly "
    "worse (differences paired by seed, each pair's own two-sided t test at 5 % after Holm over all pairs "
    "of the setting and range). Methods with an ablation count as methods of their own, the unpruned network "
    "as none."
)


@dataclass(frozen=True)
class Shown:
    """What a suite says of how its leaderboard is shown."""

    title: str
    sparsities: Sequence[float] = ()
    """The columns shown; all where none is given. Ranges and places count them all."""
    absent: str = "missing"
    """What cells without a result are called: "not run yet" where nobody asked for them now."""

    inferred: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By recipe, which of its fields no source states."""

    @classmethod
    def of(cls, suite: Mapping[str, Any]) -> Shown:
        """Return what a plan's suite says."""
        how = suite.get("leaderboard") or {}
        return cls(
            title=f"{how.get('title') or suite['name']} (version {suite['version']}): leaderboard",
            sparsities=suite.get("sparsities", ()),
            absent=suite.get("absent", "missing"),
            inferred=suite.get("inferred") or {},
        )

    def shows(self, sparsity: float) -> bool:
        """True if a sparsity has a column."""
        return not self.sparsities or sparsity == 0 or any(abs(sparsity - s) < 5e-13 for s in self.sparsities)


def setting_section(
    standing: Standing, shown: Shown, every: Sequence[Row], reported: pd.DataFrame, cells: pd.DataFrame
) -> Section:
    """Return the section of one setting.

    Args:
        standing: the setting; shown: what the suite says of how it is shown.
        every: its rows, with what they cost (`costs.with_costs`).
        reported: its rows of `replication.replication`.
        cells: its cells.
    """
    title = heading(standing.labels)
    at_sparsities = [row for row in every if row["at"] == "sparsity"]
    asked = {name_of(row) for row in at_sparsities if row["unselected"] < row["planned"]}
    rows = [row for row in every if name_of(row) in asked] or every
    left_out = len({name_of(row) for row in every} - asked) if asked else 0
    by_sparsity = [row for row in rows if row["at"] == "sparsity"]
    if all(row["missing"] + row["unselected"] == row["planned"] for row in by_sparsity):
        count = sum(row["missing"] for row in by_sparsity)
        return Section(title, (f"Nothing has been run yet: {count} cells are missing.",))
    part = _Part(standing, rows, by_sparsity, shown, cells)
    blocks: list[Block] = [f"Seeds: {part.seeds}, unless n is given.", part.accuracies()]
    blocks += replication_blocks(reported)
    blocks += part.ranges()
    blocks += part.costs()
    remarks: list[tuple[int | None, str]] = [
        *part.notes.lines(),
        *((None, text) for text in _remarks(standing)),
    ]
    if inferred := inferred_remark(shown.inferred.get(standing.labels["recipe"], ())):
        remarks.append((None, inferred))
    if any(row["unselected"] for row in by_sparsity):
        remarks.append(
            (None, "A dash, or a smaller n, without a note: not selected now, and not run before.")
        )
    if left_out:
        them = "1 method that was" if left_out == 1 else f"{left_out} methods that were"
        remarks.append((None, f"Left out: {them} not selected now, and not run before."))
    return Section(title, (*blocks, Notes(tuple(remarks))) if remarks else tuple(blocks))


class _Part:
    """The tables of one setting."""

    def __init__(
        self,
        standing: Standing,
        rows: Sequence[Row],
        by_sparsity: Sequence[Row],
        shown: Shown,
        cells: pd.DataFrame,
    ) -> None:
        self.standing, self.rows, self.shown = standing, rows, shown
        self.methods = Methods(rows, standing.baselines.none)
        self.notes = Footnotes(shown.absent)
        self.seeds = max(row["planned"] for row in by_sparsity)
        self._own = sorted({row["sparsity"] for row in by_sparsity})
        """The sparsities that have a row; ranges and borders may lie at others, whose rows are left out."""
        self.labels = percent_labels([*self._own, *standing.ranges.grid])
        self._usual, self._numerics = _numerics(cells)
        most = cells[cells["by_position"] > MOST]
        self._by_position = most.groupby([*VARIANT, "sparsity"])["seed"].nunique().to_dict()
        others = cells[cells["reached"].notna()]
        self._reached = others.groupby([*VARIANT, "sparsity"])["reached"].agg(list).to_dict()

    def accuracies(self) -> Table:
        """Return the accuracy of each method at each sparsity."""
        columns = [sparsity for sparsity in self._own if self.shown.shows(sparsity)]
        published = any("trust" in row for row in self.rows)
        trust = ("trust",) if published else ()
        return Table(
            "accuracy",
            ("method", *(f"{self.labels[s]} %" for s in columns), *trust),
            tuple(
                (
                    Cell(self.methods.shown(name)),
                    *(self._accuracy(name, s) for s in columns),
                    *([trust_cell(self._trust(name))] if published else ()),
                )
                for name in self.methods.names
            ),
        )

    def _trust(self, name: str) -> dict[str, str]:
        """Return whether a method's rows are claimed or were run again, by sparsity."""
        rows = {label: self.methods.row(name, sparsity)[0] for sparsity, label in self.labels.items()}
        return {
            f"{label} %": str(row.get("trust", ""))
            for label, row in rows.items()
            if row is not None and row["n"] + row["diverged"] > 0
        }

    def _contradicted(self, name: str, range: str) -> str:
        """Return a remark where a rerun differs at a sparsity of a range."""
        points = self.standing.ranges.points(range)
        within = {f"{self.labels[point]} %" for point in points if point in self.labels}
        return contradicted(
            [label for label, word in self._trust(name).items() if word == "differs" and label in within]
        )

    def _accuracy(self, name: str, sparsity: float) -> Cell:
        row, remark = self.methods.row(name, sparsity)
        place = (row["method"], row["ablations"], sparsity) if row else ()
        planned = row["planned"] if row else 0
        remarks = (
            remark,
            numerics_remark(self._numerics.get(place, ()), self._usual),
            by_position_remark(self._by_position.get(place, 0), planned),
            reached_remark(self._reached.get(place, ()), 1 - sparsity, planned),
        )
        return accuracy(row, remarks, self.seeds, self.notes)

    def costs(self) -> list[Block]:
        """Return what each method costs at the highest matching sparsity, else at the highest one shown."""
        ranges = self.standing.ranges
        grid = [s for s in self._own if s > 0 and self.shown.shows(s)]
        matching = [s for s in grid if s in ranges.matching]
        if not grid:
            return []
        at, why = (matching[-1], ", the highest matching sparsity") if matching else (grid[-1], "")
        names = [
            (self.methods.shown(name), self._with_reached(self.methods.row(name, at)[0], at))
            for name in self.methods.names
        ]
        rows = [row for _, row in names if row is not None]
        return cost_blocks(rows, names, self.labels[at], why)

    def _with_reached(self, row: Row | None, sparsity: float) -> Row | None:
        """Return a row with the density that its masks reach, where another was asked for."""
        if row is None:
            return None
        reached = self._reached.get((row["method"], row["ablations"], sparsity))
        return {**row, "reached": fmean(reached)} if reached else row

    def ranges(self) -> list[Block]:
        """Return where the ranges lie, and each method's mean, place and difference over them."""
        if not self.standing.ranges.grid:
            return []
        shown = _shown_ranges(self.standing)
        differs = not all(absent(row["difference_mean"]) for row in self.rows if row["at"] == "range")
        headings = [": place", ": difference"] if differs else [": place"]
        body = []
        for name in self.methods.names:
            own = [self.methods.row(name, range) for range in shown]
            if any(row is not None for row, _ in own):
                line = [Cell(self.methods.shown(name))]
                for (row, remark), range in zip(own, shown, strict=True):
                    remarks = (remark, self._contradicted(name, range))
                    line += [accuracy(row, remarks, self.seeds, self.notes), self._place(row, remarks[1])]
                    line += [difference(row, self.notes)] if differs else []
                body.append(tuple(line))
        columns = ("method", *(name + heading for name in shown for heading in ("", *headings)))
        legend = _RANGE_LEGEND
        if differs:
            legend += f" A difference is to {self.standing.against}, with its 95 % t interval."
        return [self._where(), Table("ranges", columns, tuple(body)), legend]

    def _place(self, row: Row | None, remark: str) -> Cell:
        cell = place(row)
        return replace(cell, marks=(*cell.marks, *self.notes.mark(remark))) if cell.text else cell

    def _where(self) -> str:
        ranges = self.standing.ranges
        if ranges.unknown:
            return f"Trivial, matching and extreme ranges are not known: {ranges.unknown}."
        names = ("trivial", "matching", "extreme")
        said = ", ".join(f"{name} {_span(ranges.points(name), self.labels)}" for name in names)
        lost = ", ".join(f"to {_border(border, self.labels)}" for border in ranges.borders)
        return f"Ranges of sparsity (margin {spelled(ranges.margin, 'exact')} points): {said}. Lost {lost}."


def _numerics(cells: pd.DataFrame) -> tuple[str, Mapping[tuple[Any, ...], set[str]]]:
    """Return the numerics class of most cells, and where there are several, those of each row."""
    classes = cells.loc[cells["numerics"] != "", [*VARIANT, "sparsity", "numerics"]]
    counts = classes["numerics"].value_counts()
    if len(counts) < 2:
        return "", {}
    by_row: dict[tuple[Any, ...], set[str]] = {}
    for *row, numerics in classes.itertuples(index=False, name=None):
        by_row.setdefault(tuple(row), set()).add(numerics)
    return min(counts.index, key=lambda name: (-counts[name], name)), by_row


def _shown_ranges(standing: Standing) -> list[str]:
    if standing.ranges.unknown:
        return ["all"]
    return [name for name in ("trivial", "matching", "extreme") if standing.ranges.points(name)]


def _border(border: Border, labels: Mapping[float, str]) -> str:
    """Return from where a range is lost to a baseline, and what a bootstrap over seeds makes of it."""

    def of(sparsity: float | None) -> str:
        assert sparsity is not None
        return "nowhere" if math.isinf(sparsity) else f"{labels[sparsity]} %"

    where = of(border.lost_from)
    text = f"{border.baseline} {where if math.isinf(border.lost_from) else f'from {where} on'}"
    if border.low is None:
        return text
    ends = dict.fromkeys((of(border.low), of(border.high)))
    return f"{text} ({' to '.join(ends)} in 90 % of resamples of the seeds)"


def heading(labels: Mapping[str, str]) -> str:
    """Return a setting in words, as the heading of its section."""
    text = f"{labels['architecture']} on {labels['dataset']}"
    details = [f"recipe {labels['recipe']}"] if labels["recipe"] else []
    details += [f"{labels['split']} split"] if labels["split"] else []
    details += [f"find {labels['find']}"] if labels["find"] else []
    details += [f"pruned at {labels['score_at']}"] if labels["score_at"] else []
    return f"{text} ({', '.join(details)})" if details else text


def _span(points: Sequence[float], labels: Mapping[float, str]) -> str:
    if not points:
        return "none"
    ends = [labels[point] for point in (points[0], points[-1])]
    return f"{'–'.join(dict.fromkeys(ends))} %"


def _remarks(standing: Standing) -> list[str]:
    remarks = [words] if (words := seeds_words(standing, _shown_ranges(standing))) else []
    remarks += [
        f"Same bits as {first}, so counted once, as that: {other}." for other, first in standing.same_bits
    ]
    if standing.lent:
        lent = ", ".join(standing.lent)
        remarks.append(f"Taken from the setting without find changes and pruning step: {lent}.")
    if len(standing.numerics) > 1:
        classes = "; ".join(standing.numerics)
        remarks.append(
            f"Cells of {len(standing.numerics)} numerics classes are mixed here ({classes}): between "
            f"them the same training differs in the last bits and drifts apart."
        )
    return remarks
