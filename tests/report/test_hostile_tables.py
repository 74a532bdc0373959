"""Tables of somebody who wishes harm: whatever things are called, every format has the same tables of text."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pandas as pd
import pytest
from hostile import NAMES
from latex_reader import check, grids
from markdown_it import MarkdownIt
from rich.cells import cell_len

from prunebench.analysis import table
from prunebench.analysis.table import text_of
from prunebench.report.document import Document
from prunebench.report.escapes import plain
from prunebench.report.formats import latex, markdown, terminal
from prunebench.report.leaderboard import document, leaderboard
from prunebench.report.results import Results

SHORT = [text for _, text in sorted(NAMES.items()) if len(text) < 10_000]
AT_ONCE = 12
"""So many names are looked at in one leaderboard, each in a setting of its own."""


def results(*texts: str) -> Results:
    """Return a suite in which everything that others name is named like that, setting by setting."""
    frame = table([row for i, text in enumerate(texts) for row in _rows(text, i)])
    texts = tuple(map(text_of, texts))
    reported = [
        {
            **dict.fromkeys(("architecture", "recipe", "split", "source"), text),
            "dataset": f"{text}{i}",
            "method": f"{text}{i}",
            "ablations": text,
            "density": "0.5",
            "find": "",
            "score_at": "",
            "value": 90.0,
            "runs": None,
        }
        for i, text in enumerate(texts)
    ]
    suite = {
        "name": texts[0],
        "version": texts[1],
        "leaderboard": {"title": texts[-1]},
        "baselines": {"after-training": f"{texts[0]}0b", "random": f"{texts[0]}0"},
        "reported": reported,
    }
    return Results(suite, frame, None, frame.assign(kept=10, prunable=20, macs=1e9))


def _rows(text: str, number: int) -> Iterator[dict[str, Any]]:
    name = f"{text}{number}"
    for method, densities in (("none", ["1"]), (name, ["0.5", "0.2"]), (f"{name}b", ["0.5", "0.2"])):
        for density in densities:
            for seed in (1, 2):
                yield {
                    **dict.fromkeys(("matrix", "cell", "architecture", "recipe", "split"), text),
                    "dataset": name,
                    "method": method,
                    "ablations": text if method == name else "",
                    "density": density,
                    "seed": seed,
                    "key": f"{number} {method} {density} {seed}",
                    "status": "finished" if seed == 1 or method != name else "diverged",
                    "correct": 900 + seed,
                    "examples": 1000,
                    "classes": 10,
                    "numerics": f"{text} {seed}",
                    "empty_layers": [text, "fc"],
                    "output_layer": text,
                }


@cache
def harmless(count: int) -> Results:
    return results(*["harmless"] * count)


@cache
def written(count: int, format: str, *tables: str) -> str:
    """Return the leaderboard of harmless names."""
    return leaderboard(harmless(count), format, tables=tables)


def shape(whole: Document) -> list[tuple[str, int, int]]:
    return [(t.kind, len(t.columns), len(t.rows)) for section in whole.sections for t in section.tables]


@pytest.fixture(params=range(0, len(SHORT), AT_ONCE), scope="module")
def texts(request: pytest.FixtureRequest) -> list[str]:
    return SHORT[request.param : request.param + AT_ONCE]


@pytest.fixture(scope="module")
def hostile(texts: list[str]) -> Results:
    return results(*texts)


@pytest.fixture(scope="module")
def whole(hostile: Results) -> Document:
    return document(hostile)


def test_the_tables_are_those_of_harmless_names(whole: Document, texts: list[str]) -> None:
    """What there is to see does not depend on what things are called."""
    assert shape(whole) == shape(document(harmless(len(texts))))
    assert {kind for kind, _, _ in shape(whole)} == {
        "accuracy",
        "ranges",
        "cost",
        "reported",
        "overall",
    }


def test_markdown_has_the_same_structure(whole: Document, texts: list[str]) -> None:
    """As a markdown reader sees it: the same headings, tables, cells and lists, and nothing but text in them."""
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    found, expected = (reader.parse(text) for text in (markdown.write(whole), written(len(texts), "md")))
    assert [token.type for token in found] == [token.type for token in expected]
    kinds = {child.type for token in found for child in token.children or ()}
    assert kinds <= {"text", "text_special"}


def test_csv_has_the_same_fields_and_no_formula(hostile: Results, texts: list[str]) -> None:
    """Read back, each table has the same shape, and no field begins as a formula but numbers."""
    for name in ("accuracy", "reported", "overall"):
        found, expected = (
            list(csv.reader(io.StringIO(text)))
            for text in (leaderboard(hostile, "csv", tables=[name]), written(len(texts), "csv", name))
        )
        assert [len(row) for row in found] == [len(row) for row in expected]
        for field in (field for row in found for field in row):
            assert field.isprintable()
            assert (
                re.fullmatch(r"-?[\d.]+(e-?\d+)?", field)
                or field[:1] not in tuple("=+-@\t\r＝＋－＠")
                or not field
            )


def test_json_gives_the_names_back(hostile: Results, texts: list[str]) -> None:
    """As they are, however long, NUL and bytes that are no text spelled out; the file itself is printable."""
    text = leaderboard(hostile, "json")
    texts = list(map(text_of, texts))
    assert all(line.isprintable() for line in text.splitlines())
    whole = json.loads(text)
    assert whole["suite"] == {"name": texts[0], "version": texts[1]}
    assert [setting["architecture"] for setting in whole["settings"]] == texts
    assert {row["ablations"] for setting in whole["settings"] for row in setting["rows"]} == {"", *texts}


def test_a_terminal_shows_text(whole: Document, texts: list[str]) -> None:
    """No sequence of its own, no line wider than it is."""
    found = terminal.write(whole, width=100)
    assert all(line.isprintable() for line in found.splitlines())
    assert max(map(cell_len, found.splitlines())) <= 100


def test_latex_closes_what_it_opens(whole: Document, texts: list[str]) -> None:
    """Groups, mathematics, environments; only known commands; as many cells as columns."""
    found = latex.write(whole)
    check(found)
    assert [[len(row) for row in rows] for _, rows in grids(found)] == [
        [len(row) for row in rows] for _, rows in grids(written(len(texts), "latex"))
    ]


@pytest.mark.parametrize("name", ["long", "long words"])
def test_very_long_names_are_cut_where_people_read(name: str) -> None:
    """In every format for people; JSON has them whole."""
    one = results(*[NAMES[name]] * 2)
    for format in ("md", "latex", "csv"):
        assert NAMES[name] not in leaderboard(one, format)
    assert plain(NAMES[name])[:500] in leaderboard(one)
    assert json.loads(leaderboard(one, "json"))["suite"]["name"] == NAMES[name]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_none_are_never_written(value: float) -> None:
    """A loss, a cost or a measure that is not finite is absent: CSV has nothing there, JSON null."""
    one = harmless(2)
    frame = one.cells.assign(loss=value)
    costs = one.costs.assign(macs=value, scoring_seconds=value)
    found = Results(one.suite, frame, None, costs)
    rows = json.loads(leaderboard(found, "json"), parse_constant=lambda text: pytest.fail(text))
    assert {row["macs"] for row in rows["settings"][0]["rows"]} == {None}
    for format in ("csv", "md", "terminal", "latex"):
        assert not re.search(r"\b(nan|inf|infinity)\b", leaderboard(found, format), re.IGNORECASE)


def test_a_table_of_cells_refuses_counts_that_cannot_be() -> None:
    """More correct than there are examples, fewer than none, a loss that is a text: named, never shown."""
    cell = {
        "architecture": "a",
        "dataset": "d",
        "method": "m",
        "density": "0.5",
        "seed": 1,
        "status": "finished",
    }
    for counts, said in (
        ({"correct": 1001, "examples": 1000}, "1001 correct of 1000"),
        ({"correct": -1, "examples": 1000}, "-1 correct of 1000"),
        ({"correct": 0, "examples": 0}, "0 correct of 0"),
        ({"accuracy": float("inf")}, "accuracy"),
        ({"accuracy": 101.0}, "accuracy"),
        ({"accuracy": -0.1}, "accuracy"),
    ):
        with pytest.raises(ValueError, match=said):
            table([{**cell, **counts}])
    assert isinstance(table([{**cell, "correct": 1000, "examples": 1000}]), pd.DataFrame)
