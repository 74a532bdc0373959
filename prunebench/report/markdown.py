"""The leaderboard as markdown that can also be read in a terminal."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from tabulate import tabulate

from prunebench.analysis import Border, variant_name
from prunebench.percent import percent_labels
from prunebench.report.footnotes import Footnotes, diverged_remark, empty_remark, lacking_remark
from prunebench.report.listing import printable
from prunebench.report.standings import Standing

__all__ = ["Shown", "escape", "markdown"]

Row = Mapping[Any, Any]

_LEGEND = (
    "Accuracy in percent: mean ± standard deviation over seeds (n − 1; the spread of single runs, not the "
    "uncertainty of the mean)."
)
_RANGE_LEGEND = (
    "Over a range each seed counts with its mean over the range's sparsities. A place is an interval: from 1 "
    "+ the number of methods significantly better to the number of methods less those significantly "
    "worse (differences paired by seed, each pair's own two-sided t test at 5 % after Holm over all pairs "
    "of the setting and range)."
)


@dataclass(frozen=True)
class Shown:
    """What a suite says of how its leaderboard is shown."""

    title: str
    sparsities: Sequence[float] = ()
    """The columns shown; all where none is given. Ranges and places count them all."""
    absent: str = "missing"
    """What cells without a result are called: "not run yet" where nobody asked for them now."""
    reported: Sequence[Mapping[str, Any]] = ()
    """What others report: rows of `checks.reported.reported_rows`."""


def markdown(shown: Shown, found: Sequence[Standing]) -> str:
    """Return the whole leaderboard: for each setting accuracies by sparsity, then ranges and places."""
    blocks = [f"# {escape(shown.title)}", _LEGEND if found else "No cells."]
    for standing in found:
        blocks += _setting(standing, shown)
    return "\n\n".join(blocks) + "\n"


def escape(text: str) -> str:
    """Return other people's text so that it stays itself in a markdown table: no markup, no cell ends.

    >>> print(escape("a|b *c* <i> snake_case _d_"))
    a\\|b \\*c\\* &lt;i&gt; snake_case \\_d\\_
    """
    text = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*|\[\]~])", r"\\\1", text)
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)


class _Methods:
    """The rows of a setting's tables: which methods stand in one of their own, and what stands where."""

    def __init__(self, rows: Sequence[Row], dense: str) -> None:
        self._rows: dict[tuple[str, Any], Row] = {}
        self._counted_as: dict[tuple[str, Any], Row] = {}
        others: dict[str, dict[str, None]] = {}
        own: dict[str, None] = {}
        for row in rows:
            place, name = row["range"] or row["sparsity"], _name(row)
            self._rows[name, place] = row
            for other in row["also"]:
                self._counted_as[other, place] = row
            if row["at"] == "sparsity":
                own[name] = None
                for other in row["also"]:
                    others.setdefault(other, {})[name] = None
        beside = {name: next(iter(firsts)) for name, firsts in others.items() if len(firsts) == 1}
        self._also: dict[str, list[str]] = {}
        for name, first in beside.items():
            if name not in own:
                self._also.setdefault(first, []).append(name)
        own |= dict.fromkeys(name for name in others if name not in beside)
        self.names = sorted(own, key=lambda name: name != dense)

    def shown(self, name: str) -> str:
        """Return a method's name with the others that its cells have."""
        also = self._also.get(name)
        return escape(f"{name} (also: {', '.join(also)})" if also else name)

    def row(self, name: str, place: Any) -> tuple[Row | None, str]:
        """Return what stands for a method at a sparsity or range, and a remark where it is another's row."""
        row = self._rows.get((name, place))
        if row is None and (name, place) in self._counted_as:
            row = self._counted_as[name, place]
            return row, f"One cell with {escape(_name(row))}: counted once, under that name."
        return row, ""


def _name(row: Row) -> str:
    return variant_name(row["method"], row["ablations"])


def _setting(standing: Standing, shown: Shown) -> list[str]:
    every: Sequence[Row] = standing.rows.to_dict("records")
    at_sparsities = [row for row in every if row["at"] == "sparsity"]
    asked = {_name(row) for row in at_sparsities if row["unselected"] < row["planned"]}
    rows = [row for row in every if _name(row) in asked] or every
    left_out = len({_name(row) for row in every} - asked) if asked else 0
    by_sparsity = [row for row in rows if row["at"] == "sparsity"]
    methods = _Methods(rows, standing.baselines.none)
    notes = Footnotes(shown.absent)
    heading = f"## {escape(_heading(standing.labels))}"
    if all(row["missing"] + row["unselected"] == row["planned"] for row in by_sparsity):
        count = sum(row["missing"] for row in by_sparsity)
        return [heading, f"Nothing has been run yet: {count} cells are missing."]
    seeds = max(row["planned"] for row in by_sparsity)
    blocks = [heading, f"Seeds: {seeds}, unless n is given."]
    labels = percent_labels(row["sparsity"] for row in by_sparsity)
    columns = {s: label for s, label in labels.items() if _is_shown(s, shown)}
    blocks.append(
        _table(
            ["method", *(f"{label} %" for label in columns.values())],
            [
                [methods.shown(name), *(_accuracy(*methods.row(name, s), seeds, notes) for s in columns)]
                for name in methods.names
            ],
        )
    )
    blocks += _reported(standing, shown, labels, notes)
    blocks += _ranges(standing, rows, methods, labels, seeds, notes)
    remarks = [*notes.lines(), *(f"- {remark}" for remark in _remarks(standing))]
    if any(row["unselected"] for row in by_sparsity):
        remarks.append("- A dash, or a smaller n, without a note: not selected now, and not run before.")
    if left_out:
        them = "1 method that was" if left_out == 1 else f"{left_out} methods that were"
        remarks.append(f"- Left out: {them} not selected now, and not run before.")
    return [*blocks, "\n".join(remarks)] if remarks else blocks


def _reported(standing: Standing, shown: Shown, labels: Mapping[float, str], notes: Footnotes) -> list[str]:
    """Return the numbers that others report of this setting: a row for each source and method.

    What a source says of one cell in two tables stands once where it is the same, else side by side.
    """
    by_source: dict[tuple[str, str], dict[float, list[str]]] = {}
    for row in standing.reported(shown.reported):
        value = "diverged" if row["value"] is None else f"{row['value']:.2f}"
        number = f" (n = {row['runs']})" if row["runs"] else ""
        name = variant_name(row["method"], row["ablations"])
        said = by_source.setdefault((name, row["source"]), {}).setdefault(row["sparsity"], [])
        if value + number not in said:
            said.append(value + number)
    columns = sorted({s for values in by_source.values() for s in values if _is_shown(s, shown)})
    if not columns:
        return []
    heads = ["method", "reported by", *(f"{labels[s]} %" for s in columns)]
    body = [
        [escape(m), escape(by), *(", ".join(v.get(s, [])) for s in columns)]
        for (m, by), v in by_source.items()
    ]
    return ["Reported by others:", _table(heads, body)]


def _ranges(
    standing: Standing,
    rows: Sequence[Row],
    methods: _Methods,
    labels: Mapping[float, str],
    seeds: int,
    notes: Footnotes,
) -> list[str]:
    ranges = standing.ranges
    if not ranges.grid:
        return []
    shown = _shown_ranges(standing)
    if ranges.unknown:
        text = f"Trivial, matching and extreme ranges are not known: {escape(ranges.unknown)}."
    else:
        names = ("trivial", "matching", "extreme")
        said = ", ".join(f"{name} {_span(ranges.points(name), labels)}" for name in names)
        lost = ", ".join(f"to {_border(border, labels)}" for border in ranges.borders)
        text = f"Ranges of sparsity (margin {ranges.margin:g} points): {said}. Lost {lost}."
    baseline = escape(standing.baselines.after_training)
    differs = not all(_absent(row["difference_mean"]) for row in rows if row["at"] == "range")
    headings = [": place", ": difference"] if differs else [": place"]
    body = []
    for name in methods.names:
        own = [methods.row(name, place) for place in shown]
        if any(row is not None for row, _ in own):
            line = [methods.shown(name)]
            for row, remark in own:
                line += [_accuracy(row, remark, seeds, notes), _place(row)]
                line += [_difference(row, notes)] if differs else []
            body.append(line)
    table = _table(["method", *(name + heading for name in shown for heading in ("", *headings))], body)
    legend = _RANGE_LEGEND
    if differs:
        legend += f" A difference is to {baseline}, with its 95 % t interval."
    return [text, table, legend]


def _shown_ranges(standing: Standing) -> list[str]:
    if standing.ranges.unknown:
        return ["all"]
    return [name for name in ("trivial", "matching", "extreme") if standing.ranges.points(name)]


def _border(border: Border, labels: Mapping[float, str]) -> str:
    """Return from where a range is lost to a baseline, and what a bootstrap over seeds makes of it."""

    def of(sparsity: float | None) -> str:
        assert sparsity is not None
        return "nowhere" if math.isinf(sparsity) else f"{labels[sparsity]} %"

    name, where = escape(border.baseline), of(border.lost_from)
    text = f"{name} {where if math.isinf(border.lost_from) else f'from {where} on'}"
    if border.low is None:
        return text
    ends = dict.fromkeys((of(border.low), of(border.high)))
    return f"{text} ({' to '.join(ends)} in 90 % of resamples of the seeds)"


def _table(headings: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    align = ["left", *["right"] * (len(headings) - 1)]
    return tabulate(body, headers=headings, tablefmt="pipe", disable_numparse=True, colalign=align)


def _is_shown(sparsity: float, shown: Shown) -> bool:
    return not shown.sparsities or sparsity == 0 or any(abs(sparsity - s) < 5e-13 for s in shown.sparsities)


def _heading(labels: Mapping[str, str]) -> str:
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


def _accuracy(row: Row | None, remark: str, seeds: int, notes: Footnotes) -> str:
    if row is None:
        return ""
    n, diverged, planned = row["n"], row["diverged"], row["planned"]
    marks = notes.mark(
        remark,
        diverged_remark(row, mixed=n > 0) if diverged else "",
        lacking_remark(row, over_range=row["at"] == "range", absent=notes.absent),
        escape(empty_remark(row["empty_layers"], planned)),
    )
    if n == 0:
        return f"{'diverged' if diverged else 'failed' if row['failed'] else '–'}{marks}"
    spread = f" ± {row['sd']:.2f}" if not _absent(row["sd"]) else ""
    beside = [f"{diverged} of {planned} diverged"] if diverged else []
    beside += [f"n = {n}"] if n + diverged != seeds else []
    number = f" ({', '.join(beside)})" if beside else ""
    return f"{row['mean']:.2f}{spread}{number}{marks}"


def _place(row: Row | None) -> str:
    if row is None or _absent(row["best"]):
        return ""
    best, worst = row["best"], row["worst"]
    return f"{best} of {row['of']}" if best == worst else f"{best}–{worst} of {row['of']}"


def _difference(row: Row | None, notes: Footnotes) -> str:
    if row is None or _absent(row["difference_mean"]):
        return ""
    mixed = 0 < row["difference_diverged"] < row["difference_n"]
    marks = notes.mark(diverged_remark(row, mixed=True)) if mixed else ""
    text = _signed(row["difference_mean"])
    if _absent(row["difference_low"]):
        return text + marks
    return f"{text} [{_signed(row['difference_low'])}, {_signed(row['difference_high'])}]{marks}"


def _absent(value: Any) -> bool:
    return bool(pd.isna(value))


def _signed(value: float) -> str:
    text = f"{value:+.2f}"
    return "0.00" if float(text) == 0 else text


def _count(seeds: int) -> str:
    return f"{seeds}" if seeds <= 1000 else "more than 1000"


def _remarks(standing: Standing) -> list[str]:
    remarks = []
    needed = [
        f"{_count(standing.seeds_needed[name])} over {name}"
        for name in _shown_ranges(standing)
        if name in standing.seeds_needed
    ]
    if needed:
        remarks.append(
            f"Seeds that would tell a difference of {standing.ranges.margin:g} points (the margin) apart: "
            f"{', '.join(needed)} (at the pairs' median spread, with 80 % power, before Holm)."
        )
    if standing.lent:
        lent = ", ".join(escape(name) for name in standing.lent)
        remarks.append(f"Taken from the setting without find changes and pruning step: {lent}.")
    if len(standing.numerics) > 1:
        classes = "; ".join(escape(name) for name in standing.numerics)
        remarks.append(
            f"Cells of {len(standing.numerics)} numerics classes are mixed here ({classes}): between "
            f"them the same training differs in the last bits and drifts apart."
        )
    return remarks
