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
