"""Why a row is odd: each reason has its footnote, and only where it is so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from prunebench.report.footnotes import reached_remark
from prunebench.report.leaderboard import document, leaderboard
from prunebench.report.results import Results

Cells = Callable[..., pd.DataFrame]
SUITE = {"name": "s", "version": "1"}
METHODS: dict[str, dict[float, list[Any]]] = {
    "none": {0.0: [98.0, 98.2]},
    "snip": {0.5: [97.0, 97.2], 0.8: [96.0, 96.4]},
    "grasp": {0.5: [97.0, 97.2], 0.8: [96.0, 96.4]},
}


def marked(results: Results) -> set[tuple[str, str]]:
    """Return method and column of the accuracies that have a footnote."""
    (section,) = document(results).sections
    table = section.tables[0]
    return {
        (row[0].text, column)
        for row in table.rows
        for column, cell in zip(table.columns[1:], row[1:], strict=True)
        if cell.marks
    }


def test_a_row_of_another_numerics_class_is_marked(cells: Cells) -> None:
    """Some runs or all of them; the class of most rows is nobody's footnote."""
    frame = cells(METHODS).assign(numerics="cpu-avx2")
    snip = (frame["method"] == "snip") & (frame["sparsity"] == 0.5)
    frame.loc[snip, "numerics"] = "cuda | sm90"
    grasp = frame.index[(frame["method"] == "grasp") & (frame["sparsity"] == 0.8)][0]
    frame.loc[grasp, "numerics"] = "cuda | sm90"
    results = Results(SUITE, frame)
    assert marked(results) == {("snip", "50 %"), ("grasp", "80 %")}
    text = leaderboard(results)
    assert "Its runs are of another numerics class than most here: cuda \\| sm90." in text
    assert "Some runs are of another numerics class than most here: cuda \\| sm90." in text
    assert marked(Results(SUITE, frame.assign(numerics="cpu-avx2"))) == set()


def test_an_inferred_recipe_is_said_of_its_settings(cells: Cells) -> None:
    """Which of its fields the source does not state; of another recipe's setting nothing."""
    suite = {**SUITE, "inferred": {"tanaka": ["momentum", "drops"]}}
    text = leaderboard(Results(suite, cells(METHODS, recipe="tanaka")))
    assert "- The recipe is in part inferred: its source does not state momentum, drops" in text
    assert "inferred" not in leaderboard(Results(suite, cells(METHODS, recipe="pai")))


def test_a_smoke_run_is_said_above_everything(cells: Cells) -> None:
    """In every format for people, before the first table."""
    suite = {**SUITE, "limit": 64}
    for format in ("md", "latex", "terminal"):
        text = leaderboard(Results(suite, cells(METHODS)), format)
        said = text.index("Smoke run: every network was trained")
        assert said < text.index("snip")
        assert "Smoke run" not in leaderboard(Results(SUITE, cells(METHODS)), format)


def test_the_density_that_whole_filters_reached_is_told_where_another_was_asked_for() -> None:
    """Of all seeds, from the least to the most; of some, how many; of none, nothing."""
    assert reached_remark([0.4375, 0.4812], 0.5, 2) == (
        "Whole filters do not reach 50 %: 43.75–48.12 % of the weights are kept."
    )
    assert reached_remark([0.25], 0.3, 3).endswith("25 % of the weights are kept (in 1 of 3 masks).")
    assert reached_remark([], 0.5, 3) == ""
