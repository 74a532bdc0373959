"""Over all settings: each method's mean and place in each of them, and what holds across them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from prunebench.report.document import Section
from prunebench.report.leaderboard import document, leaderboard
from prunebench.report.overall import setting_labels
from prunebench.report.results import Results

Cells = Callable[..., pd.DataFrame]
SUITE = {"name": "s", "version": "1"}
METHODS: dict[str, dict[float, list[Any]]] = {
    "none": {0.0: [98.0, 98.2, 98.1]},
    "random": {0.5: [94.0, 94.1, 94.2], 0.8: [90.0, 91.0, 92.0]},
    "magnitude-after-training": {0.5: [98.0, 98.1, 98.2], 0.8: [97.9, 98.0, 98.3]},
    "snip": {0.5: [97.0, 97.2, 97.4], 0.8: [96.0, "diverged", 96.4]},
}


def suite_of(cells: Cells, count: int, **labels: Any) -> Results:
    frames = [cells(METHODS, architecture=f"net{i}", classes=10, **labels) for i in range(count)]
    return Results(SUITE, pd.concat(frames, ignore_index=True))


def overall(results: Results) -> Section | None:
    return next((section for section in document(results).sections if section.title == "All settings"), None)


def test_one_setting_has_no_table_over_all(cells: Cells) -> None:
    """There is nothing to put beside it."""
    assert overall(suite_of(cells, 1)) is None


def test_each_setting_has_a_column(cells: Cells) -> None:
    """A mean over its matching sparsities, with the place that its own table says."""
    section = overall(suite_of(cells, 2))
    assert section is not None
    (table,) = section.tables
    assert table.columns == ("method", "net0", "net1")
    rows = {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}
    assert all(text.startswith("92.55 (") for text in rows["random"])
    assert all("1 diverged" in text for text in rows["snip"])
    assert "none" not in rows


def test_a_setting_without_matching_sparsities_says_so(cells: Cells) -> None:
    """Its numbers are over all sparsities."""
    plain = cells(METHODS, architecture="net0")
    bare = cells({"snip": METHODS["snip"]}, architecture="net1")
    section = overall(Results(SUITE, pd.concat([plain, bare], ignore_index=True)))
    assert section is not None
    assert section.tables[0].columns == ("method", "net0", "net1 (all sparsities)")


def test_more_settings_than_methods_are_rows(cells: Cells) -> None:
    """So that the table does not grow sideways."""
    section = overall(suite_of(cells, 6))
    assert section is not None
    table = section.tables[0]
    assert table.columns[0] == "setting"
    assert [row[0].text for row in table.rows] == [f"net{i}" for i in range(6)]


def test_three_settings_have_what_holds_across_them(cells: Cells) -> None:
    """With intervals over settings: here all settings are alike, so that there is no spread."""
    results = suite_of(cells, 3)
    section = overall(results)
    assert section is not None
    (across,) = [table for table in section.tables if "across" in table.name]
    rows = {row[0].text: [cell.text for cell in row[1:]] for row in across.rows}

    assert rows["snip"][0] == "3 of 3"
    seeds = [(97.0 + 96.0) / 2, (97.2 + 10.0) / 2, (97.4 + 96.4) / 2]
    baseline = [(98.0 + 97.9) / 2, (98.1 + 98.0) / 2, (98.2 + 98.3) / 2]
    mean = sum(a - b for a, b in zip(seeds, baseline, strict=True)) / 3
    assert rows["snip"][1] == f"{mean:+.2f} [{mean:+.2f}, {mean:+.2f}]"
    found = list(csv.DictReader(io.StringIO(leaderboard(results, "csv", tables=["overall"]))))
    (row,) = [r for r in found if r["method"] == "snip" and r["range"] == "matching"]
    assert float(row["difference"]) == pytest.approx(mean)


@pytest.mark.parametrize(
    ("changes", "labels"),
    [
        ([{"dataset": "mnist"}, {"dataset": "cifar10"}], ["mnist", "cifar10"]),
        ([{"architecture": "a"}, {"architecture": "b", "dataset": "c"}], ["a on mnist", "b on c"]),
        ([{"score_at": ""}, {"score_at": "step 5"}], ["at methods' own steps", "pruned at step 5"]),
        ([{"find": "lr=0.1"}, {"find": "lr=0.2"}], ["find lr=0.1", "find lr=0.2"]),
    ],
)
def test_settings_are_called_by_what_they_differ_in(changes: list[dict[str, str]], labels: list[str]) -> None:
    """What all of them have in common is not repeated."""
    same = {
        "architecture": "x",
        "dataset": "mnist",
        "recipe": "r",
        "split": "test",
        "find": "",
        "score_at": "",
    }
    assert setting_labels([{**same, **change} for change in changes]) == labels
