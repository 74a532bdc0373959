"""The leaderboard of a suite: for people in several formats, and with every statistic as CSV or JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from prunebench import smoke
from prunebench.analysis import SETTING
from prunebench.errors import UsageError, nearest
from prunebench.report.costs import COST_LEGEND, with_costs
from prunebench.report.document import Document, Notes, Section, Table
from prunebench.report.finds import find_tables
from prunebench.report.formats import csv_rows, json_rows, latex, markdown, terminal
from prunebench.report.overall import overall_section
from prunebench.report.replication import REPLICATION
from prunebench.report.results import COSTS, SHRUNK, Results, verdicts_of
from prunebench.report.settings import LEGEND, Shown, setting_section
from prunebench.report.standings import LONG, Standing
from prunebench.report.verdict_tables import (
    CHECK_COLUMNS,
    CLAIM_COLUMNS,
    checks_frame,
    claims_frame,
    verdict_sections,
)

__all__ = ["DATA", "FORMATS", "SCHEMA", "TABLES", "TEXT", "document", "leaderboard", "rows_by_setting"]

SCHEMA = 1
"""Of the CSV and JSON: it rises when a column or field changes its meaning or goes; new ones may come."""

TEXT: Mapping[str, Callable[[Document], str]] = {
    "md": markdown.write,
    "latex": latex.write,
    "terminal": terminal.write,
}
"""Formats for people, and what writes them."""

DATA = ("csv", "json")
"""Formats for programs."""

FORMATS = ("md", *DATA, "latex", "terminal")

TABLES = ("accuracy", "ranges", "cost", "finds", "reported", "claims", "checks", "overall")
"""What the tables of a leaderboard are of."""


def leaderboard(results: Results, format: str = "md", *, tables: Sequence[str] = ()) -> str:
    """Return the leaderboard of a suite's results, ending in a newline.

    Settings and methods stand in the table's order, the unpruned network first, sparsities rising; the same
    table gives the same bytes. The suite says its `leaderboard` (title, margin), and may say `sparsities`
    (the columns shown) and `absent` (see `settings.Shown`).

    Formats: "md", "latex" and "terminal" round and explain themselves; "csv" and "json" are long, a row for
    each setting, method and sparsity or range (docs/statistics.md explains the columns), with ten significant
    digits; absent values are empty or null. They begin with the number of their schema, `SCHEMA`.

    `tables`: these of TABLES alone, without the sentences between them; all where none is given. "csv" is of
    one: the first four are the same rows, which are also what it is of where none is given.

    Raises: UsageError for another format or table, or where two different cells stand in one place.
    """
    for name, allowed, what in ((format, FORMATS, "format"), *((one, TABLES, "table") for one in tables)):
        if name not in allowed:
            raise UsageError(f"no leaderboard {what} {name!r}{nearest(name, allowed)}")
    if format in TEXT:
        whole = document(results)
        return TEXT[format](_only(whole, tables) if tables else whole)
    if format == "json":
        if tables:
            raise UsageError("json has every table: leave out which")
        return json_rows.write(_json(results))
    if len(tables) > 1:
        raise UsageError(f"csv is of one table, not of {len(tables)}: {', '.join(tables)}")
    return _csv(results, tables[0] if tables else "accuracy")


# -- for people ------------------------------------------------------------------------------------------


def document(results: Results) -> Document:
    """Return what a leaderboard says to people, for a writer of any format."""
    shown = Shown.of(results.suite)
    reported = results.reported
    settings = list(rows_by_setting(results))
    sections = [
        setting_section(standing, shown, rows, _of(standing, reported), _of(standing, results.board.cells))
        for standing, rows in settings
    ]
    if any(standing.labels["find"] for standing, _ in settings):
        of_finds = find_tables(settings, shown, results.measures)
        sections = [*(each.section for each in of_finds), *sections]
    overall = overall_section(results)
    verdicts, fault = verdicts_of(results)
    sections += verdict_sections(verdicts, fault)
    sections += [overall] if overall else []
    legends = (LEGEND, COST_LEGEND) if _has_costs(sections) else (LEGEND,)
    note = smoke.note(results.suite)
    notes = (f"{note[0].upper()}{note[1:]}.",) if note else ()
    return Document(shown.title, (*notes, *legends) if sections else ("No cells.",), tuple(sections))


def _has_costs(sections: Sequence[Section]) -> bool:
    return any(table.name == "cost" for section in sections for table in section.tables)


def rows_by_setting(results: Results) -> Iterator[tuple[Standing, Sequence[Mapping[Any, Any]]]]:
    """Yield each setting with its rows and what they cost."""
    rows: Sequence[Mapping[Any, Any]] = with_costs(results).to_dict("records")
    start = 0
    for standing in results.standings:
        end = start + len(standing.rows)
        yield standing, rows[start:end]
        start = end


def _of(standing: Standing, found: pd.DataFrame) -> pd.DataFrame:
    return found[(found[list(SETTING)] == pd.Series(standing.labels)).all(axis=1)]


def _only(whole: Document, tables: Sequence[str]) -> Document:
    """Return a document of some tables and the footnotes that they need."""
    sections = (replace(section, blocks=tuple(_chosen(section, tables))) for section in whole.sections)
    return replace(whole, blocks=(), sections=tuple(section for section in sections if section.blocks))


def _chosen(section: Section, tables: Sequence[str]) -> Iterator[Table | Notes]:
    chosen = [table for table in section.tables if table.kind in tables]
    yield from chosen
    used = {number for table in chosen for row in table.rows for cell in row for number in cell.marks}
    notes = [note for block in section.blocks if isinstance(block, Notes) for note in block.lines]
    lines = tuple((number, text) for number, text in notes if number in used)
    if lines:
        yield Notes(lines)


# -- for programs ----------------------------------------------------------------------------------------


def _csv(results: Results, table: str) -> str:
    about = {"schema": SCHEMA, "suite": results.suite["name"], "version": results.suite["version"]}
    frame, columns = _frame(results, table)
    rows = ({**about, **row} for row in frame.to_dict("records"))
    return csv_rows.write(rows, [*about, *columns])


def _frame(results: Results, table: str) -> tuple[pd.DataFrame, Sequence[str]]:
    """Return the rows of a table, and which of their columns are written."""
    if table == "reported":
        return results.reported, REPLICATION
    if table == "claims":
        return claims_frame(verdicts_of(results)[0]), CLAIM_COLUMNS
    if table == "checks":
        return checks_frame(verdicts_of(results)[0]), CHECK_COLUMNS
    if table == "overall":
        return results.across, [str(name) for name in results.across]
    trust = ["trust"] if results.trust is not None else []
    frame = with_costs(results)
    return frame, [*LONG, *COSTS, *(name for name in SHRUNK if name in frame), *trust]


def _json(results: Results) -> dict[str, Any]:
    reported = results.reported
    verdicts, _ = verdicts_of(results)
    return {
        "schema": SCHEMA,
        "suite": {name: results.suite.get(name) for name in ("name", "version")},
        "settings": [
            json_rows.setting(standing, rows, _of(standing, reported))
            for standing, rows in rows_by_setting(results)
        ],
        "across": json_rows.records(results.across),
        "claims": json_rows.records(claims_frame(verdicts)),
        "checks": json_rows.records(checks_frame(verdicts)),
    }
