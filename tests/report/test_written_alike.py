"""The same number is written alike wherever it stands: in all published leaderboards, in every format."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from report.page.test_columns import unpacked

from prunebench.analysis import variant_name
from prunebench.numbers import spelled
from prunebench.percent import percent_labels
from prunebench.report.document import Table
from prunebench.report.figures.source import Source
from prunebench.report.figures.text import table as in_terminal
from prunebench.report.leaderboard import document, leaderboard
from prunebench.report.page.answer import answer
from prunebench.report.page.columns import packed
from prunebench.report.results import Results
from prunebench.trust.folder import opened

FOLDER = Path(__file__).parents[2] / "leaderboards"
BOARDS = sorted(path.name for path in FOLDER.glob("*") if path.is_dir())

Row = Mapping[Any, Any]


@pytest.fixture(scope="module", params=BOARDS)
def board(request: pytest.FixtureRequest) -> Iterator[Results]:
    """The results of a published leaderboard."""
    with opened(FOLDER / request.param) as published:
        yield published.results()


def browser(value: float) -> str:
    """An accuracy as JavaScript, and Vega, write it: halves go up."""
    return f"{Decimal(value).quantize(Decimal('0.01'), ROUND_HALF_UP):f}"


def rows(results: Results, at: str) -> list[Row]:
    summary = results.summary
    found: list[Row] = summary[(summary["at"] == at) & (summary["n"] > 0)].to_dict("records")
    return found


def test_means_and_spreads_are_those_of_the_tables_for_people(board: Results) -> None:
    """By setting, method and sparsity: the cell begins with them."""
    shown = {}
    sections = [one for one in document(board).sections if not one.title.startswith("Finds: ")]
    for standing, section in zip(board.standings, sections, strict=False):
        tables = [block for block in section.blocks if isinstance(block, Table) and block.kind == "accuracy"]
        assert len(tables) == bool(standing.rows["n"].sum()), "of a setting that has been run, one"
        for table, row in ((one, row) for one in tables for row in one.rows):
            for head, cell in zip(table.columns[1:], row[1:], strict=True):
                shown[*standing.labels.values(), row[0].text.partition(" (also")[0], head] = cell.text
    count = 0
    for standing in board.standings:
        points = standing.rows[standing.rows["at"] == "sparsity"]
        labels = percent_labels(points["sparsity"])
        for row in points[points["n"] > 0].to_dict("records"):
            name = variant_name(row["method"], row["ablations"])
            text = shown.get((*standing.labels.values(), name, f"{labels[row['sparsity']]} %"))
            if text is not None:
                count += 1
                assert text.startswith(spelled(row["mean"], "points"))
    assert count > 10


def test_csv_gives_the_same_text_to_who_rounds_its_numbers(board: Results) -> None:
    """It has ten digits, and none of them hides on which side of a half a number is."""
    lines = list(csv.DictReader(io.StringIO(leaderboard(board, "csv"))))
    for line, row in zip(lines, board.summary.to_dict("records"), strict=True):
        for name in ("mean", "sd", "low", "high", "difference_mean", "difference_low", "difference_high"):
            if line[name]:
                assert spelled(float(line[name]), "points") == spelled(row[name], "points"), (name, line)


def test_the_page_and_its_figures_write_them_so(board: Results) -> None:
    """Their numbers are shortened, and JavaScript writes them."""
    frame = Source(board).accuracies
    columns = packed(frame)["columns"]
    for name in ("mean", "sd", "low", "high"):
        given = unpacked(columns, name, len(frame))
        texts = [None if value is None else browser(value) for value in given]
        assert texts == [None if value != value else spelled(value, "points") for value in frame[name]], name
    known = {(row["method"], row["ablations"], row["sparsity"]): set() for row in rows(board, "sparsity")}
    for row in rows(board, "sparsity"):
        known[row["method"], row["ablations"], row["sparsity"]].add(spelled(row["mean"], "points"))
    for row, value in zip(frame.to_dict("records"), unpacked(columns, "mean", len(frame)), strict=True):
        if value is not None:
            ablations = "" if row["variant"] == "unmodified" else row["variant"].replace(" + ", "+")
            assert browser(value) in known[row["method"], ablations, row["sparsity"]]


def test_the_terminal_has_the_same_numbers(board: Results) -> None:
    frame = Source(board).accuracies
    text = in_terminal(frame[frame["setting"] == frame["setting"].iloc[0]])
    for row in frame[frame["setting"] == frame["setting"].iloc[0]].to_dict("records"):
        if row["mean"] == row["mean"]:
            assert spelled(row["mean"], "points") in text


def test_sentences_of_the_answer_have_the_numbers_of_the_ranges(board: Results) -> None:
    for standing in board.standings:
        over = standing.rows[standing.rows["at"] == "range"]
        for each in answer(standing):
            means = over.loc[(over["range"] == each.range) & (over["n"] > 0), "mean"]
            texts = {spelled(value, "points") for value in means}
            said = re.findall(r"\((\d+\.\d\d)(?: %)?\)", each.words)
            assert set(said) <= texts
