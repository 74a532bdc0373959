"""leaderboard's formats and tables, as a user calls them."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from latex_reader import check


def test_formats_for_people(measured: Any, tmp_path: Path) -> None:
    """LaTeX that closes what it opens, a terminal of its own width; the same in a file."""
    latex = measured.call("leaderboard", "measured.toml", "--format", "latex").stdout
    check(latex)
    assert r"\toprule" in latex
    path = tmp_path / "out.tex"
    measured.call("leaderboard", "measured.toml", "--format", "latex", "-o", str(path))
    assert path.read_text("utf-8") == latex
    terminal = measured.call("leaderboard", "measured.toml", "--format", "terminal").stdout
    assert "──" in terminal
    assert max(map(len, terminal.splitlines())) <= 80


def test_one_table_alone(measured: Any) -> None:
    """Without sentences; of CSV there is one at a time, of JSON none is chosen."""
    text = measured.call("leaderboard", "measured.toml", "--table", "accuracy").stdout
    assert text.count("| method") == 1
    assert "Accuracy in percent" not in text
    rows = csv.DictReader(io.StringIO(
        measured.call("leaderboard", "measured.toml", "--format", "csv", "--table", "reported").stdout
    ))  # fmt: skip
    assert "verdict" in (rows.fieldnames or ())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--table", "acuracy"], "did you mean 'accuracy'"),
        (["--format", "csv", "--table", "cost", "--table", "claims"], "csv is of one table, not of 2"),
        (["--json", "--table", "cost"], "json has every table"),
        (["--format", "csv", "--sparsity", "50"], "csv has every sparsity in rows"),
    ],
)
def test_what_does_not_go_together_is_told(measured: Any, arguments: list[str], said: str) -> None:
    """With what is allowed, and exit code 2."""
    assert said in measured.call("leaderboard", "measured.toml", *arguments, code=2).stderr


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_cells_are_chosen_as_everywhere_and_their_rows_say_what_they_say_in_the_whole(measured: Any) -> None:
    """By method and by density; of a seed alone the rows stand, which are of all seeds."""

    def board(*chosen: str) -> list[dict[str, str]]:
        return rows_of(measured.call("leaderboard", "measured.toml", "--format", "csv", *chosen).stdout)

    whole, few = board(), board("-k", "random and not shuffle")
    assert few == [row for row in whole if (row["method"], row["ablations"]) == ("random", "")]
    assert {row["at"] for row in few} == {"sparsity", "range"}
    assert board("-k", "s1 and random and not shuffle") == few
    dense = board("-k", "none")
    assert dense == [row for row in whole if row["method"] == "none" and row["at"] == "sparsity"]
    text = measured.call("leaderboard", "measured.toml", "-k", "random").stdout
    assert "| random" in text
    assert "magnitude-after-training |" not in text
    assert "| none" not in text


def test_what_matches_no_cell_is_told(measured: Any) -> None:
    said = measured.call("leaderboard", "measured.toml", "-k", "nothing", code=2).stderr
    assert "-k 'nothing' matches none of" in said
    said = measured.call("leaderboard", "--from", "measured.toml", "-k", "random", code=2).stderr
    assert "-k goes with SUITE" in said
