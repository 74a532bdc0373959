"""The leaderboard as markdown that can also be read in a terminal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from tabulate import tabulate

from prunebench.analysis import POOL_BELOW, variant_name
from prunebench.report.listing import printable
from prunebench.report.percent import percent_labels
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
    "worse (differences paired by seed, two-sided t tests at 5 % after Holm over all pairs of the "
    "setting and range)."
)


@dataclass(frozen=True)
class Shown:
    """What a suite says of how its leaderboard is shown."""

    title: str
    digits: int = 2
    """Digits of accuracies behind the point."""
    sparsities: Sequence[float] = ()
    """The columns shown; all where none is given. Ranges and places count them all."""
    absent: str = "missing"
    """What cells without a result are called: "not run yet" where nobody asked for them now."""
    reported: Sequence[Mapping[str, Any]] = ()
    """What others report: rows of `suite.reported.reported_rows`."""


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


class _Footnotes:
    """Numbers equal remarks alike, in the order they are first needed; knows how accuracies are written."""

    def __init__(self, digits: int, absent: str = "missing") -> None:
        self.digits, self.absent = digits, absent
        self._numbers: dict[str, int] = {}

    def mark(self, remark: str) -> str:
        return f" [{self._numbers.setdefault(remark, len(self._numbers) + 1)}]" if remark else ""

    def lines(self) -> list[str]:
        return [f"- [{number}] {remark}" for remark, number in self._numbers.items()]


def _setting(standing: Standing, shown: Shown) -> list[str]:
    rows = standing.rows.to_dict("records")
    by_sparsity: list[Row] = [row for row in rows if row["at"] == "sparsity"]
    variants = list(dict.fromkeys((row["method"], row["ablations"]) for row in by_sparsity))
    dense = (standing.baselines.none, "")
    variants.sort(key=lambda variant: variant != dense)
    notes = _Footnotes(shown.digits, shown.absent)
    heading = f"## {escape(_heading(standing.labels))}"
    if all(row["missing"] + row["unselected"] == row["planned"] for row in by_sparsity):
        count = sum(row["missing"] for row in by_sparsity)
        return [heading, f"Nothing has been run yet: {count} cells are missing."]
    seeds = max(row["planned"] for row in by_sparsity)
    blocks = [heading, f"Seeds: {seeds}, unless n is given."]
    labels = percent_labels(row["sparsity"] for row in by_sparsity)
    cells = {(row["method"], row["ablations"], row["sparsity"]): row for row in by_sparsity}
    columns = {s: label for s, label in labels.items() if _is_shown(s, shown)}
    blocks.append(
        _table(
            ["method", *(f"{label} %" for label in columns.values())],
            [
                [
                    escape(variant_name(*variant)),
                    *(_accuracy(cells.get((*variant, s)), seeds, notes) for s in columns),
                ]
                for variant in variants
            ],
        )
    )
    blocks += _reported(standing, shown, labels, notes)
    blocks += _ranges(standing, [row for row in rows if row["at"] == "range"], variants, labels, seeds, notes)
    remarks = [*notes.lines(), *(f"- {remark}" for remark in _remarks(standing))]
    if any(row["unselected"] for row in by_sparsity):
        remarks.append("- A dash, or a smaller n, without a note: not selected now, and not run before.")
    return [*blocks, "\n".join(remarks)] if remarks else blocks


def _reported(standing: Standing, shown: Shown, labels: Mapping[float, str], notes: _Footnotes) -> list[str]:
    """Return the numbers that others report of this setting: a row for each source and method."""
    found: dict[tuple[str, str], dict[float, str]] = {}
    for row in standing.reported(shown.reported):
        value = "diverged" if row["value"] is None else f"{row['value']:.{notes.digits}f}"
        number = f" (n = {row['runs']})" if row["runs"] else ""
        name = variant_name(row["method"], row["ablations"])
        found.setdefault((name, row["source"]), {})[row["sparsity"]] = value + number
    columns = sorted({s for values in found.values() for s in values if _is_shown(s, shown)})
    if not columns:
        return []
    heads = ["method", "reported by", *(f"{labels[s]} %" for s in columns)]
    body = [[escape(m), escape(by), *(v.get(s, "") for s in columns)] for (m, by), v in found.items()]
    return ["Reported by others:", _table(heads, body)]


def _ranges(
    standing: Standing,
    rows: Sequence[Row],
    variants: Sequence[tuple[str, str]],
    labels: Mapping[float, str],
    seeds: int,
    notes: _Footnotes,
) -> list[str]:
    ranges = standing.ranges
    if not ranges.grid:
        return []
    if ranges.unknown:
        shown = ["all"]
        text = f"Trivial, matching and extreme ranges are not known: {escape(ranges.unknown)}."
    else:
        names = ("trivial", "matching", "extreme")
        shown = [name for name in names if ranges.points(name)]
        said = ", ".join(f"{name} {_span(ranges.points(name), labels)}" for name in names)
        text = f"Ranges of sparsity (margin {ranges.margin:g} points): {said}."
    cells = {(row["method"], row["ablations"], row["range"]): row for row in rows}
    baseline = escape(standing.baselines.after_training)
    differs = not all(_absent(row["difference_mean"]) for row in rows)
    headings = [": place", ": difference"] if differs else [": place"]
    body = []
    for variant in variants:
        own = [cells.get((*variant, name)) for name in shown]
        if any(row is not None for row in own):
            line = [escape(variant_name(*variant))]
            for row in own:
                line += [_accuracy(row, seeds, notes, over_range=True), _place(row)]
                line += [_difference(row)] if differs else []
            body.append(line)
    table = _table(["method", *(name + heading for name in shown for heading in ("", *headings))], body)
    legend = _RANGE_LEGEND
    if differs:
        legend += f" A difference is to {baseline}, with its 95 % t interval."
    return [text, table, legend]


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


def _accuracy(row: Row | None, seeds: int, notes: _Footnotes, *, over_range: bool = False) -> str:
    if row is None:
        return ""
    n, planned = row["n"], row["planned"]
    said = {"diverged": "diverged", "missing": notes.absent, "failed": "failed"}
    lost = [f"{row[name]} of {planned} {word}" for name, word in said.items() if row[name]]
    remark = ""
    if lost and over_range:
        remark = f"{', '.join(lost)} at some sparsity of the range: out of the mean"
    elif lost:
        remark = f"{', '.join(lost)}: out of the mean"
    if n == 0:
        if row["diverged"]:
            return f"diverged{notes.mark(remark)}"
        return f"{'failed' if row['failed'] else '–'}{notes.mark(remark)}"
    spread = f" ± {row['sd']:.{notes.digits}f}" if not _absent(row["sd"]) else ""
    number = f" (n = {n})" if n != seeds else ""
    return f"{row['mean']:.{notes.digits}f}{spread}{number}{notes.mark(remark)}"


def _place(row: Row | None) -> str:
    if row is None or _absent(row["best"]):
        return ""
    best, worst = row["best"], row["worst"]
    return f"{best} of {row['of']}" if best == worst else f"{best}–{worst} of {row['of']}"


def _difference(row: Row | None) -> str:
    if row is None or _absent(row["difference_mean"]):
        return ""
    text = _signed(row["difference_mean"])
    if _absent(row["difference_low"]):
        return text
    return f"{text} [{_signed(row['difference_low'])}, {_signed(row['difference_high'])}]"


def _absent(value: Any) -> bool:
    return bool(pd.isna(value))


def _signed(value: float) -> str:
    text = f"{value:+.2f}"
    return "0.00" if float(text) == 0 else text


def _remarks(standing: Standing) -> list[str]:
    remarks = []
    if standing.pooled_df:
        ends = [f"{df:g}" for df in (standing.pooled_df[0], standing.pooled_df[-1])]
        remarks.append(
            f"Fewer than {POOL_BELOW} seeds: the spread of paired differences is pooled over the setting's "
            f"methods ({' to '.join(dict.fromkeys(ends))} degrees of freedom)."
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
