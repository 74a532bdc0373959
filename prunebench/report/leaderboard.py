"""The leaderboard of a suite: for people in several formats, and with every statistic as CSV or JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from prunebench.errors import UsageError, nearest
from prunebench.report.document import Document
from prunebench.report.escapes import json_text
from prunebench.report.formats import csv_rows, markdown
from prunebench.report.formats.values import plain_value
from prunebench.report.results import Results
from prunebench.report.settings import LEGEND, Shown, setting_section
from prunebench.report.standings import BORDER, LONG, Standing

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
    sections = tuple(setting_section(standing, shown) for standing in results.standings)
    return Document(shown.title, (LEGEND if sections else "No cells.",), sections)


def _markdown(results: Results) -> str:
    return markdown.write(document(results))


def _csv(results: Results) -> str:
    about = {"schema": SCHEMA, "suite": results.suite["name"], "version": results.suite["version"]}
    rows = ({**about, **row} for row in results.summary.to_dict("records"))
    return csv_rows.write(rows, [*about, *LONG])


def _json(results: Results) -> str:
    whole = {
        "schema": SCHEMA,
        "suite": {name: results.suite.get(name) for name in ("name", "version")},
        "settings": [_setting(standing, results) for standing in results.standings],
    }
    return json_text(whole) + "\n"


def _setting(standing: Standing, results: Results) -> dict[str, Any]:
    rows: Sequence[Mapping[Any, Any]] = standing.rows.to_dict("records")
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
            {name: plain_value(row[name]) for name in LONG if name not in standing.labels} for row in rows
        ],
        "reported": [plain_value(row) for row in standing.reported(results.suite.get("reported", ()))],
    }


FORMATS: Mapping[str, Callable[[Results], str]] = {"md": _markdown, "csv": _csv, "json": _json}
"""The formats of a leaderboard."""
