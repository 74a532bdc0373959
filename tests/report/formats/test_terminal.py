"""A terminal: nothing is wider than it is, and nothing is left out because of that."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
from rich.cells import cell_len

from prunebench.report.document import Cell, Document, Notes, Section, Table
from prunebench.report.formats.terminal import write
from prunebench.report.leaderboard import document
from prunebench.report.results import Results

LONG = "a-method-with-a-name-that-is-longer-than-anybody-needs + shuffle + reinit (also: another + invert)"


def one(table: Table) -> Document:
    return Document("A title", (), (Section("A setting", (table, Notes(((1, "A note."),)))),))


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int, cells: Callable[..., pd.DataFrame]) -> None:
    """Sentences, tables of many columns, long and wide names."""
    sparsities = [0.2, 0.36, 0.488, 0.59, 0.672, 0.738, 0.79, 0.832, 0.866, 0.893, 0.914]
    methods = {name: {s: [97.0, 96.25, 95.0] for s in sparsities} for name in ("snip", LONG, "中文方法" * 9)}
    found = write(document(Results({"name": "s", "version": "1"}, cells(methods))), width=width)
    assert max(map(cell_len, found.splitlines())) <= width
    assert found.count("96.08 ± 1.01") == 3 * (len(sparsities) + 1)  # over the range too


def test_a_wide_table_is_cut_between_columns_beside_its_methods() -> None:
    """The methods stand beside each part; in further parts those that have nothing there are left out."""
    rows = (
        (Cell("snip"), Cell("11.11", True), Cell("22.22", True), Cell("33.33", True)),
        (Cell("none"), Cell("44.44", True), Cell(), Cell()),
    )
    found = write(
        one(Table("accuracy", ("method", "first " * 4, "second " * 3, "third " * 3), rows)), width=60
    )
    first, second = found.split("method")[1:]
    assert "11.11" in first
    assert "44.44" in first
    assert "33.33" in second
    assert "snip" in second
    assert "none" not in second


def test_sentences_are_broken_into_lines() -> None:
    """A table of claims is never cut into parts."""
    rows = ((Cell("A1"), Cell("Shuffling loses nothing at initialization. " * 5), Cell("holds")),)
    found = write(one(Table("claims", ("claim", "sentence", "verdict"), rows, left=(1, 2))), width=60)
    assert found.count("sentence") == 1
    assert found.replace("\n", " ").count("initialization.") == 5


def test_numbers_stand_below_each_other() -> None:
    """Aligned to the right, footnotes' marks with them."""
    rows = ((Cell("a"), Cell("1.00", True)), (Cell("b"), Cell("10.00", True, (1,))))
    lines = write(one(Table("accuracy", ("method", "50 %"), rows)), width=80).splitlines()
    ends = [len(line) for line in lines if line.startswith(("a ", "b "))]
    assert len(set(ends)) == 1
    assert any("[1] A note." in line for line in lines)


def test_other_peoples_markup_is_text() -> None:
    """Brackets are no markup of rich, colons no emoji, escape sequences nothing."""
    name = "[bold red]x[/] :smile: \x1b[31m"
    found = write(one(Table("accuracy", ("method", "50 %"), ((Cell(name), Cell("1", True)),))), width=100)
    assert "[bold red]x[/] :smile:  [31m" in found
    assert "\x1b" not in found
