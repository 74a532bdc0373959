"""The leaderboard of a suite: for people in several formats, and with every statistic as CSV or JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from prunebench.analysis import SETTING
from prunebench.errors import UsageError, nearest
from prunebench.report.costs import COST_LEGEND, with_costs
from prunebench.report.document import Document, Section
from prunebench.report.escapes import json_text
from prunebench.report.formats import csv_rows, latex, markdown, terminal
from prunebench.report.formats.values import plain_value
from prunebench.report.overall import overall_section
from prunebench.report.replication import replication
from prunebench.report.results import COSTS, Results
from prunebench.report.settings import LEGEND, Shown, setting_section
from prunebench.report.standings import BORDER, LONG, Standing
from prunebench.report.verdict_tables import verdict_sections

__all__ = ["FORMATS", "SCHEMA", "document", "leaderboard"]

SCHEMA = 1
"""Of the CSV and JSON: it rises when a column or field changes its meaning or goes; new ones may come."""


def leaderboard(results: Results, format: str = "md") -> str:
    """Return the leaderboard of a suite's results, ending in a newline.

    Settings and methods stand in the table's order, the unpruned network first, sparsities rising; the same
    table gives the same bytes. The suite says its `leaderboard` (title, margin), and may say `sparsities`
    (the columns shown) and `absent` (see `settings.Shown`).

    Formats: "md" rounds and explains itself; "csv" and "json" are long, a row for each
    setting, method and sparsity or range (columns: `standings.LONG`, explained in docs/statistics.md), with
    ten significant digits; absent values are empty or null. They begin with the number of their schema,
    `SCHEMA`. Numbers that others report are in "md" and "json", apart from ours.

    Raises: UsageError for another format, or where two different cells stand in one place.
    """
    if format not in FORMATS:
        raise UsageError(f"no leaderboard format {format!r}{nearest(format, FORMATS)}")
    return FORMATS[format](results)


def document(results: Results) -> Document:
    """Return what a leaderboard says to people, for a writer of any format."""
    shown = Shown.of(results.suite)
    reported = replication(results)
    sections = [
        setting_section(standing, shown, rows, _of(standing, reported)) for standing, rows in _rows(results)
    ]
    overall = overall_section(results)
    if results.suite.get("checks"):
        sections += verdict_sections(results.verdicts)
    sections += [overall] if overall else []
    legends = (LEGEND, COST_LEGEND) if _has_costs(sections) else (LEGEND,)
    return Document(shown.title, legends if sections else ("No cells.",), tuple(sections))


def _has_costs(sections: Sequence[Section]) -> bool:
    return any(table.name == "cost" for section in sections for table in section.tables)


def _markdown(results: Results) -> str:
    return markdown.write(document(results))


def _csv(results: Results) -> str:
    about = {"schema": SCHEMA, "suite": results.suite["name"], "version": results.suite["version"]}
    rows = ({**about, **row} for row in with_costs(results).to_dict("records"))
    return csv_rows.write(rows, [*about, *LONG, *COSTS])


def _json(results: Results) -> str:
    found = replication(results)
    whole = {
        "schema": SCHEMA,
        "suite": {name: results.suite.get(name) for name in ("name", "version")},
        "settings": [_setting(standing, rows, found) for standing, rows in _rows(results)],
        "across": _records(results.across),
        **({"verdicts": results.verdicts.plain()} if results.suite.get("checks") else {}),
    }
    return json_text(whole) + "\n"


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): plain_value(v) for name, v in row.items()} for row in frame.to_dict("records")]


def _of(standing: Standing, found: pd.DataFrame) -> pd.DataFrame:
    return found[(found[list(SETTING)] == pd.Series(standing.labels)).all(axis=1)]


def _rows(results: Results) -> Iterator[tuple[Standing, Sequence[Mapping[Any, Any]]]]:
    """Yield each setting with its rows and what they cost."""
    rows: Sequence[Mapping[Any, Any]] = with_costs(results).to_dict("records")
    start = 0
    for standing in results.standings:
        end = start + len(standing.rows)
        yield standing, rows[start:end]
        start = end


def _setting(standing: Standing, rows: Sequence[Mapping[Any, Any]], found: pd.DataFrame) -> dict[str, Any]:
    return {
        **standing.labels,
        "margin": standing.ranges.margin,
        "ranges": {
            name: list(standing.ranges.points(name)) for name in ("trivial", "matching", "extreme", "all")
        },
        "ranges_unknown": standing.ranges.unknown,
        "borders": [
            {
                "baseline": border.baseline,
                **dict(
                    zip(BORDER, map(plain_value, (border.lost_from, border.low, border.high)), strict=True)
                ),
                "resampled": border.low is not None,
            }
            for border in standing.ranges.borders
        ],
        "seeds_needed": dict(standing.seeds_needed),
        "numerics": list(standing.numerics),
        "lent": list(standing.lent),
        "rows": [
            {name: plain_value(row[name]) for name in (*LONG, *COSTS) if name not in standing.labels}
            for row in rows
        ],
        "reported": [
            {**row, "value": row.pop("reported")}
            for row in _records(_of(standing, found).drop(columns=list(SETTING)))
        ],
    }


def _latex(results: Results) -> str:
    return latex.write(document(results))


def _terminal(results: Results) -> str:
    return terminal.write(document(results))


FORMATS: Mapping[str, Callable[[Results], str]] = {
    "md": _markdown,
    "csv": _csv,
    "json": _json,
    "latex": _latex,
    "terminal": _terminal,
}
"""The formats of a leaderboard."""
