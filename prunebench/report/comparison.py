"""Methods against methods for people and programs: what `prunebench compare SUITE METHOD…` prints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from prunebench.analysis import ACROSS, SETTING, variant_name
from prunebench.analysis.power import MANY
from prunebench.numbers import spelled
from prunebench.percent import percent_labels
from prunebench.report.document import Block, Cell, Document, Notes, Section, Table
from prunebench.report.escapes import json_text
from prunebench.report.fields import absent, signed
from prunebench.report.formats import csv_rows, markdown
from prunebench.report.formats.values import plain_value
from prunebench.report.results import Results
from prunebench.report.settings import heading
from prunebench.report.versus import VERDICTS, VERSUS, Pair, counts

__all__ = ["FORMATS", "SCHEMA", "across_pairs", "comparison", "document", "p_value"]

SCHEMA = 1
"""Of the CSV and JSON: it rises when a column or field changes its meaning or goes; new ones may come."""

LEGEND = (
    "Accuracies in percent; a difference is that of the first method less that of the other, in points, "
    "paired by seed, with its 95 % t interval. Over a range each seed counts with its mean over the range's "
    "sparsities. Better and worse: two-sided p below 5 % after Holm over the pairs that are asked here, "
    "within one setting and sparsity or range. Same: the whole interval lies within the margin, the "
    "difference that does not matter to a user. Undecided: neither; the last column says with how many seeds "
    "it would be decided at the observed difference and spread, in four of five cases."
)

ACROSS_LEGEND = (
    "Differences averaged over settings, with a 95 % bootstrap interval over settings; the probability that "
    "a run of the method is better than one of the other in the same setting; in which share of the settings "
    "the method is at most a margin below the best of all methods."
)


def comparison(results: Results, rows: pd.DataFrame, pairs: Sequence[Pair], format: str = "md") -> str:
    """Return what `versus` found of these pairs, ending in a newline: "md", "csv" or "json".

    `rows` may be a part of what it returned. csv has its columns (VERSUS), json these and the pairs with the
    number of each verdict, and what holds across settings where there are three or more.
    """
    return FORMATS[format](results, rows, pairs)


def across_pairs(results: Results, pairs: Sequence[Pair]) -> pd.DataFrame:
    """Return the rows of `Results.across_settings` that are of these pairs."""
    parts = []
    for against in dict.fromkeys(pair.against for pair in pairs):
        rows = results.across_settings(against)
        wanted = [variant_name(*pair.of) for pair in pairs if pair.against == against]
        names = [variant_name(*names) for names in zip(rows["method"], rows["ablations"], strict=True)]
        parts.append(rows[[name in wanted for name in names]])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(ACROSS))


def document(results: Results, rows: pd.DataFrame, pairs: Sequence[Pair]) -> Document:
    """Return the comparison for people."""
    suite = results.suite
    title = f"{suite['name']} (version {suite.get('version')}): {_sentence(pairs)}"
    answers = Notes(tuple((None, _answer(rows, pair)) for pair in pairs))
    shown = [name for name in ("of", "against") if len({getattr(pair, name) for pair in pairs}) > 1]
    sections = [
        _setting(part, results, shown) for _, part in rows.groupby(list(SETTING), sort=False, dropna=False)
    ]
    across = across_pairs(results, pairs)
    if len(across):
        sections.append(Section("Across settings", (_across(across), ACROSS_LEGEND)))
    return Document(title, (answers, LEGEND), tuple(sections))


def _sentence(pairs: Sequence[Pair]) -> str:
    of = ", ".join(dict.fromkeys(pair.names[0] for pair in pairs))
    return f"{of} against {', '.join(dict.fromkeys(pair.names[1] for pair in pairs))}"


def _answer(rows: pd.DataFrame, pair: Pair) -> str:
    """Return in a sentence what the ranges, or where none are known the sparsities, say of a pair."""
    of, against = pair.names
    mine = rows[(rows["of"] == of) & (rows["against"] == against)]
    shown, what = mine[mine["range"].isin(("trivial", "matching", "extreme"))], "settings and ranges"
    if not len(shown):
        shown, what = mine[mine["at"] == "sparsity"], "settings and sparsities"
    numbers = counts(shown)
    said = [f"{verdict} in {numbers[verdict]}" for verdict in VERDICTS if numbers[verdict]]
    return f"{of} against {against}: {', '.join(said) or 'nothing in common'} (of {len(shown)} {what})."


_COLUMNS = ("at", "accuracy", "the other's", "difference", "95 % interval", "p", "Holm", "verdict", "seeds")


def _setting(rows: pd.DataFrame, results: Results, shown: Sequence[str]) -> Section:
    """Return one setting's section; `shown` are those of "of" and "against" that have a column."""
    records = rows.to_dict("records")
    labels = percent_labels(row["sparsity"] for row in records if row["at"] == "sparsity")
    setting = {name: str(records[0][name]) for name in SETTING}
    ranges = results.board.ranges[tuple(setting.values())]
    names = {"of": "method", "against": "against"}
    columns = (_COLUMNS[0], *(names[name] for name in shown), *_COLUMNS[1:])
    blocks: list[Block] = [f"Margin: {spelled(ranges.margin, 'exact')} points."]
    if ranges.unknown:
        blocks.append(f"Trivial, matching and extreme ranges are not known: {ranges.unknown}.")
    left = (*range(1, len(shown) + 1), len(columns) - 2)
    blocks.append(Table("comparison", columns, tuple(_row(row, labels, shown) for row in records), left))
    notes = _notes(records)
    return Section(heading(setting), (*blocks, *([notes] if notes.lines else [])))


def _row(row: Mapping[Any, Any], labels: Mapping[float, str], shown: Sequence[str]) -> tuple[Cell, ...]:
    place = row["range"] or f"{labels[row['sparsity']]} %"
    needed = row["seeds_needed"]
    seeds = "" if absent(needed) else f"{needed:,}" if needed < MANY else f"over {MANY:,}"
    interval = "" if absent(row["low"]) else f"[{signed(row['low'])}, {signed(row['high'])}]"
    return (
        Cell(place),
        *(Cell(row[name]) for name in shown),
        _number(row["of_mean"]),
        _number(row["against_mean"]),
        Cell("" if absent(row["difference"]) else signed(row["difference"]), True),
        Cell(interval, True),
        p_value(row["p"]),
        p_value(row["p_holm"]),
        Cell(row["verdict"]),
        Cell(seeds, True),
    )


def _number(value: float) -> Cell:
    return Cell("–") if absent(value) else Cell(spelled(value, "points"), True, value=float(value))


def p_value(value: float) -> Cell:
    """Return a p value with three digits."""
    if absent(value):
        return Cell()
    return Cell(spelled(value, "p"), True, value=float(value))


def _notes(records: Sequence[Mapping[Any, Any]]) -> Notes:
    """Return what a reader must know of some rows: few seeds, runs that diverged, no spread."""
    lines = []
    seeds = sorted({int(row["n"]) for row in records if row["n"]})
    if seeds:
        lines.append(f"Common seeds: {seeds[0]}" + (f" to {seeds[-1]}" if len(seeds) > 1 else "") + ".")
    if any(row["n"] == 1 for row in records):
        lines.append("One common seed has a difference and nothing else.")
    diverged = sum(int(row["diverged"] > 0) for row in records)
    if diverged:
        lines.append(
            f"{diverged} {'row has' if diverged == 1 else 'rows have'} runs that diverged: in differences "
            "they count with the accuracy of a guess, the accuracies shown are those of finished runs. A t "
            "interval does not describe such a mixture."
        )
    if any(row["n"] > 1 and row["sd"] == 0 and row["difference"] for row in records):
        lines.append("Where all seeds give one and the same difference there is no interval and no p.")
    return Notes(tuple((None, line) for line in lines))


def _across(across: pd.DataFrame) -> Table:
    columns = ("range", "method", "against", "settings", "difference", "95 % interval", "P(better)", "within")
    body = []
    for row in across.to_dict("records"):
        pruned = [f"find {row['find']}"] * bool(row["find"])
        pruned += [f"pruned at {row['score_at']}"] * bool(row["score_at"])
        body.append(
            (
                Cell(f"{row['range']} ({', '.join(pruned)})" if pruned else row["range"]),
                Cell(variant_name(row["method"], row["ablations"])),
                Cell(row["against"]),
                Cell(f"{row['settings']} of {row['of']}", True),
                Cell(signed(row["difference"]), True),
                Cell(f"[{signed(row['low'])}, {signed(row['high'])}]", True),
                Cell(spelled(row["improvement"], "share"), True),
                Cell(spelled(row["within"], "share"), True),
            )
        )
    return Table("across", columns, tuple(body), left=(1, 2))


def _markdown(results: Results, rows: pd.DataFrame, pairs: Sequence[Pair]) -> str:
    return markdown.write(document(results, rows, pairs))


def _csv(results: Results, rows: pd.DataFrame, pairs: Sequence[Pair]) -> str:
    about = {"schema": SCHEMA, "suite": results.name, "version": results.suite.get("version")}
    return csv_rows.write(({**about, **row} for row in rows.to_dict("records")), [*about, *VERSUS])


def _json(results: Results, rows: pd.DataFrame, pairs: Sequence[Pair]) -> str:
    whole = {
        "schema": SCHEMA,
        "suite": {name: results.suite.get(name) for name in ("name", "version", "digest")},
        "pairs": [{"of": pair.names[0], "against": pair.names[1], **_counted(rows, pair)} for pair in pairs],
        "rows": [{name: plain_value(row[name]) for name in VERSUS} for row in rows.to_dict("records")],
        "across": [
            {name: plain_value(row[name]) for name in ACROSS}
            for row in across_pairs(results, pairs).to_dict("records")
        ],
    }
    return json_text(whole) + "\n"


def _counted(rows: pd.DataFrame, pair: Pair) -> dict[str, int]:
    of, against = pair.names
    numbers = counts(rows[(rows["of"] == of) & (rows["against"] == against)])
    return {verdict.replace(" ", "_"): number for verdict, number in numbers.items()}


FORMATS: Mapping[str, Callable[[Results, pd.DataFrame, Sequence[Pair]], str]] = {
    "md": _markdown,
    "csv": _csv,
    "json": _json,
}
"""The formats of a comparison."""
