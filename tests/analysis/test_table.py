from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest

from prunebench.analysis import COLUMNS, lend_baselines, table, variant_name
from prunebench.analysis.table import distinct
from prunebench.errors import UsageError

ROW = {
    "architecture": "lenet",
    "dataset": "mnist",
    "method": "snip",
    "density": "0.512",
    "seed": 3,
    "status": "finished",
    "correct": 9750,
    "examples": 10000,
}


def test_an_empty_table_has_all_columns_and_their_types() -> None:
    """No rows give an empty frame that computations can go on with."""
    frame = table([])
    assert list(frame.columns) == list(COLUMNS)
    assert len(frame) == 0
    assert str(frame["seed"].dtype) == "int64"
    assert str(frame["correct"].dtype) == "Int64"
    assert str(frame["accuracy"].dtype) == "float64"


def test_accuracy_and_sparsity_follow_from_counts_and_density() -> None:
    """Accuracy is 100 · correct / examples, sparsity 1 − density, and absent text is empty."""
    row = table([ROW]).iloc[0]
    assert row["accuracy"] == 97.5
    assert row["sparsity"] == 0.488
    assert row["find"] == row["diverged_run"] == ""


@pytest.mark.parametrize("status", ["diverged", "missing", "failed"])
def test_only_finished_cells_have_an_accuracy(status: str) -> None:
    """A number beside another status never reaches a mean."""
    assert pd.isna(table([{**ROW, "status": status}])["accuracy"].iloc[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"acuracy": 1.0}, "did you mean 'accuracy'"),
        ({"status": "finnished"}, "did you mean 'finished'"),
        ({"density": None}, "no density"),
        ({"seed": None}, "no seed"),
    ],
)
def test_wrong_rows_are_refused_by_name(change: dict[str, object], message: str) -> None:
    """A misspelt column or status, or a needed value that is absent, is named."""
    with pytest.raises(ValueError, match=message):
        table([{**ROW, **change}])


def test_one_cell_of_two_matrices_counts_once() -> None:
    """Rows of equal key and place are one cell."""
    twice = table([{**ROW, "key": "a", "matrix": "x"}, {**ROW, "key": "a", "matrix": "y"}])
    assert distinct(twice)["matrix"].tolist() == ["x"]


def test_two_cells_in_one_place_are_refused() -> None:
    """A seed is never counted twice in silence: both cells are named."""
    twice = table(
        [{**ROW, "key": "a", "matrix": "x", "cell": "one"}, {**ROW, "key": "b", "matrix": "y", "cell": "two"}]
    )
    with pytest.raises(UsageError, match=r"x::one and y::two"):
        distinct(twice)


def test_a_setting_with_a_pruning_step_borrows_the_baselines() -> None:
    """Baselines without find changes and pruning step stand in every sibling; the unpruned one in any."""
    dense = {**ROW, "method": "none", "density": "1", "find": "lr=0.5"}
    trained = {**ROW, "method": "magnitude-after-training"}
    late = {**ROW, "score_at": "step 1000"}
    elsewhere = {**late, "dataset": "digits"}
    full = lend_baselines(table([dense, trained, late, elsewhere]), ["none", "magnitude-after-training"])
    lent = full[full["lent"]]
    assert sorted(zip(lent["method"], lent["find"], lent["score_at"], lent["dataset"], strict=True)) == [
        ("magnitude-after-training", "", "step 1000", "mnist"),
        ("magnitude-after-training", "lr=0.5", "", "mnist"),
        ("none", "", "", "mnist"),
        ("none", "", "step 1000", "mnist"),
    ]


def test_variants_are_named_with_their_ablations() -> None:
    """Ablations stand after the method."""
    assert variant_name("synflow", "shuffle") == "synflow + shuffle"


def test_analysis_and_report_import_no_torch() -> None:
    """Tables are made without torch."""
    code = "import sys, prunebench.analysis, prunebench.report.leaderboard, prunebench.scaling.studies.beside; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
