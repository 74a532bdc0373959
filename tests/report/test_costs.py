"""Costs beside accuracies: means over seeds by hand, one sparsity in tables, all of them in the data."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from prunebench.report.costs import with_costs
from prunebench.report.leaderboard import document, leaderboard
from prunebench.report.results import COSTS, Results

Cells = Callable[..., pd.DataFrame]
METHODS: dict[str, dict[float, list[Any]]] = {
    "none": {0.0: [98.1, 98.0]},
    "random": {0.5: [97.0, 97.1], 0.8: [90.0, 91.0]},
    "magnitude-after-training": {0.5: [98.0, 98.1], 0.8: [98.0, 98.0]},
    "snip": {0.5: [97.0, 97.2], 0.8: [96.0, 96.1]},
}
SUITE = {"name": "s", "version": "1", "margins": {"mnist": 0.2}}


def costs(frame: pd.DataFrame, **columns: Callable[[Any], Any]) -> pd.DataFrame:
    """Return a table of costs of the cells."""
    return frame.assign(**{name: frame.apply(make, axis=1) for name, make in columns.items()})


@pytest.fixture
def results(cells: Cells) -> Results:
    frame = cells(METHODS)
    frame["key"] = [f"k{i}" for i in range(len(frame))]
    found = costs(
        frame,
        kept=lambda row: None if row["sparsity"] == 0 else 1000 * (1 - row["sparsity"]) + row["seed"],
        prunable=lambda row: 1000,
        scoring_seconds=lambda row: 0.25 if row["method"] == "snip" and row["seed"] == 1 else None,
        macs=lambda row: 2e9,
        effective_density=lambda row: (1 - row["sparsity"]) * 0.98,
    )
    return Results(SUITE, frame, None, found)


def test_costs_are_means_over_the_seeds_that_know_them(results: Results) -> None:
    """A seed without a number does not count; a range has none."""
    frame = with_costs(results)
    assert len(frame) == len(results.summary)
    seeds = sorted(results.cells["seed"].unique())
    (row,) = frame[(frame["method"] == "snip") & (frame["sparsity"] == 0.8)].to_dict("records")
    assert row["kept"] == pytest.approx(200 + sum(seeds) / len(seeds))
    assert row["scoring_seconds"] == 0.25
    assert row["effective_density"] == pytest.approx(0.196)
    assert pd.isna(row["training_flops_dense"])
    assert frame.loc[frame["at"] == "range", list(COSTS)].isna().all(axis=None)
    pd.testing.assert_frame_equal(frame[list(results.summary)], results.summary.reset_index(drop=True))


def test_the_table_is_of_the_highest_matching_sparsity(results: Results) -> None:
    """Columns of which nothing is known are left out; one that some methods have stays."""
    (section,) = document(results).sections
    (table,) = [table for table in section.tables if table.name == "cost"]
    assert table.columns == ("method", "scoring time", "MACs in all", "weights kept", "effective density")
    rows = {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}
    assert rows["snip"][0] == "250 ms"
    assert rows["random"] == ["", "2 G", rows["snip"][2], "19.6 %"]
    assert "none" not in rows
    text = leaderboard(results)
    assert "Costs at 80 %, the highest matching sparsity, of 1,000 weights:" in text
    assert text.count("Costs are those of a method that is run alone") == 1


def test_data_have_every_cost_of_every_row(results: Results) -> None:
    """CSV and JSON: a column each, empty and null where nothing is known."""
    rows = list(csv.DictReader(io.StringIO(leaderboard(results, "csv"))))
    assert list(rows[0])[-len(COSTS) :] == list(COSTS)
    assert {row["macs"] for row in rows} == {"2000000000.0", ""}
    (setting,) = json.loads(leaderboard(results, "json"))["settings"]
    assert all(set(COSTS) <= set(row) for row in setting["rows"])
    assert {row["flops_sparse"] for row in setting["rows"]} == {None}


def test_without_costs_there_is_no_table(cells: Cells) -> None:
    """And no word of them."""
    assert "Costs" not in leaderboard(Results(SUITE, cells(METHODS)))


def test_baselines_that_a_sibling_lends_bring_their_costs(cells: Cells) -> None:
    """A setting with a pruning step shows what the lent baseline costs, once it is known by its key."""
    plain = cells({name: METHODS[name] for name in METHODS if name != "snip"})
    late = cells({"snip": METHODS["snip"]}, score_at="step 1000")
    frame = pd.concat([plain, late], ignore_index=True)
    frame["key"] = [f"k{i}" for i in range(len(frame))]
    found = with_costs(Results(SUITE, frame, None, costs(frame, macs=lambda row: 1e9)))
    lent = found[(found["score_at"] == "step 1000") & (found["method"] == "random")]
    assert set(lent.loc[lent["at"] == "sparsity", "macs"]) == {1e9}
