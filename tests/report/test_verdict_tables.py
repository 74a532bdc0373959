"""Claims and checks as tables: what is said of each, what is left out, what cannot be judged."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pandas as pd

from prunebench.checks.outcomes import ClaimVerdict, Outcome, Verdicts
from prunebench.errors import ComponentError
from prunebench.report.leaderboard import document, leaderboard
from prunebench.report.results import Results
from prunebench.report.verdict_tables import CHECK_COLUMNS, CLAIM_COLUMNS, verdict_sections

Cells = Callable[..., pd.DataFrame]
SNIP = Outcome(
    check="A1-snip", claim="A1", verdict="fails", expect="not-above", of="snip", against="snip + shuffle",
    range="matching", effect=1.25, lower=1.0, upper=1.5, margin=0.5, n=5, reason="difference 1.25",
)  # fmt: skip
OPEN = Outcome(check="A1-grasp", claim="A1", verdict="not run", expect="above", of="grasp", against="random")
COMPOUND = Outcome(check="A2-all", verdict="holds", expect="all", parts=(SNIP, OPEN), reason="of 2 checks")
FOUND = Verdicts(
    outcomes=(SNIP, OPEN, COMPOUND),
    claims=(
        ClaimVerdict(
            id="A1", says="Shuffling loses nothing | at all.", source="Fig. 4", kind="every", verdict="fails",
            fails=1, not_run=1, failing=("A1-snip",), outcomes=(SNIP, OPEN),
        ),
        ClaimVerdict(id="B1", says="More.", source="Fig. 5", kind="some", verdict="not run"),
        ClaimVerdict(id="A2-all", says="", source="", kind="every", verdict="holds", own=True),
    ),
    chance=0.05,
)  # fmt: skip


def results(cells: Cells) -> Results:
    frame = cells({"snip": {0.5: [97.0, 97.2]}, "none": {0.0: [98.0, 98.1]}})
    found = Results({"name": "s", "version": "1", "checks": [{}]}, frame)
    found.verdicts = FOUND
    return found


def test_a_sentence_has_its_verdict_and_what_fails() -> None:
    """Of claims that nothing has been run of there is the number; a check without a claim is no sentence."""
    claims, checks = verdict_sections(FOUND)
    assert claims.blocks[0] == "Of 2 claims: 0 holds, 0 not contradicted, 0 open, 1 fails, 1 not run."
    (table,) = claims.tables
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["A1", "Shuffling loses nothing | at all.", "Fig. 4", "every", "fails",
         "holds 0, fails 1, undecided 0, not run 1 of 2", "A1-snip"],
    ]  # fmt: skip
    assert "1 of 1 judged checks fail; chance explains at most 0.05" in str(checks.blocks[0])
    assert [[cell.text for cell in row] for row in checks.tables[0].rows] == [
        ["A1-snip", "fails", "snip not-above snip + shuffle", "matching", "difference 1.25"],
        ["A2-all", "holds", "all of 2 checks", "", "of 2 checks"],
    ]


def test_they_stand_in_every_format(cells: Cells) -> None:
    """Between the settings and what is over all of them."""
    found = results(cells)
    titles = [section.title for section in document(found).sections]
    assert titles[-2:] == ["Claims", "Checks"]
    assert "Shuffling loses nothing \\| at all." in leaderboard(found)
    assert "Shuffling loses nothing \\textbar{} at all." in leaderboard(found, "latex", tables=["claims"])
    whole = json.loads(leaderboard(found, "json"))
    assert [list(row) for row in whole["checks"]] == [list(CHECK_COLUMNS)] * 3
    assert [list(row) for row in whole["claims"]] == [list(CLAIM_COLUMNS)] * 3
    rows = list(csv.DictReader(io.StringIO(leaderboard(found, "csv", tables=["checks"]))))
    assert (rows[0]["check"], rows[0]["effect"], rows[0]["lower"]) == ("A1-snip", "1.25", "1.0")


def test_checks_that_cannot_be_judged_do_not_hide_the_table(cells: Cells, monkeypatch: Any) -> None:
    """The accuracies stand, and the reason beside them."""

    def fails(self: Results) -> Any:
        raise ComponentError("quantity mine: no")

    found = results(cells)
    del found.verdicts
    monkeypatch.setattr(Results, "verdicts", property(fails))
    text = leaderboard(found)
    assert "| snip" in text
    assert "The checks cannot be judged: quantity mine: no." in text
    assert json.loads(leaderboard(found, "json"))["checks"] == []
