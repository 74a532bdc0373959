"""Diverged runs count with the accuracy of a guess in differences, places and ranges, not in the mean shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from prunebench.analysis import AT_RANGE, Ranges, compare, find_ranges, over_ranges, places, summarize

Cells = Callable[..., pd.DataFrame]
GRID = (0.2, 0.4, 0.6, 0.8)


def test_both_means_stand_in_the_summary(cells: Cells) -> None:
    """By hand: 96 and 98 have mean 97; with a guess among ten, 10 %, it is 68."""
    row = summarize(cells({"a": {0.5: [96.0, "diverged", 98.0]}}, classes=10)).iloc[0]
    assert row[["n", "diverged", "mean", "guess"]].tolist() == [2, 1, 97.0, 10.0]
    assert row["mean_with_diverged"] == pytest.approx((96 + 98 + 10) / 3)
    assert row["sd"] == pytest.approx(2**0.5)


@pytest.mark.parametrize(("classes", "guess"), [(2, 50.0), (3, 100 / 3), (1000, 0.1)])
def test_a_guess_is_one_in_the_classes_whatever_the_balance(cells: Cells, classes: int, guess: float) -> None:
    """100 / classes."""
    row = summarize(cells({"a": {0.5: ["diverged"]}}, classes=classes)).iloc[0]
    assert row[["guess", "mean_with_diverged"]].tolist() == pytest.approx([guess, guess])
    assert np.isnan(row["mean"])


def test_differences_are_scipys_with_a_guess_in_the_place_of_diverged_runs(cells: Cells) -> None:
    """Paired by seed; missing and failed cells are no results and stay out."""
    frame = cells(
        {
            "a": {0.5: [96.0, "diverged", 98.0, None, 97.0]},
            "b": {0.5: [90.0, 91.0, "diverged", 92.0, "failed"]},
        },
        classes=10,
    )
    row = compare(frame).iloc[0]
    expected = stats.ttest_rel([96, 10, 98], [90, 91, 10])
    assert row[["n", "diverged"]].tolist() == [3, 2]
    assert row["p"] == pytest.approx(expected.pvalue)
    assert (row["low"], row["high"]) == pytest.approx(tuple(expected.confidence_interval()))


def test_lucky_survivors_take_no_first_place(cells: Cells) -> None:
    """Four of five diverged and the fifth is the best run of all: no sole first place, also where a guess is not known."""
    frame = cells(
        {
            "lucky": {0.5: [99.0, 99.1, 98.9, "diverged", "diverged"]},
            "steady": {0.5: [97.0, 97.1, 97.2, 97.0, 97.1]},
            "poor": {0.5: [60.0, 60.2, 60.1, 60.0, 60.3]},
        },
        classes=10,
    )
    found = places(summarize(frame), compare(frame)).set_index("method")
    assert found["mean"].idxmax() == "lucky"
    assert found.loc["lucky", ["best", "worst", "of"]].tolist() == [1, 3, 3]
    assert found.loc["steady", "best"] == 1
    without = frame.assign(classes=pd.array([pd.NA] * len(frame), dtype="Int64"))
    assert places(summarize(without), compare(without)).set_index("method").loc["lucky", "worst"] == 3


def test_a_method_that_always_diverged_takes_a_place(cells: Cells) -> None:
    """Every run is a result: behind everybody who is better, and level with another such method."""
    frame = cells(
        {"a": {0.5: [90.0, 91.0, 92.0]}, "b": {0.5: ["diverged"] * 3}, "c": {0.5: ["diverged"] * 3}},
        classes=10,
    )
    comparisons = compare(frame)
    assert places(summarize(frame), comparisons)[["best", "worst", "of"]].to_numpy().tolist() == [
        [1, 1, 3],
        [2, 3, 3],
        [2, 3, 3],
    ]
    assert comparisons.query("of_method == 'b'")[["mean", "p"]].to_numpy().tolist() == [[0, 1]]


def test_measures_of_diverged_runs_are_not_replaced(cells: Cells) -> None:
    """Only accuracy is: another number of a diverged cell is no number."""
    frame = cells({"a": {0.5: [1.0, "diverged", 2.0]}, "b": {0.5: [1.0, 5.0, 1.0]}}, classes=10)
    frame = frame.assign(value=frame["accuracy"])
    assert compare(frame, value="value").iloc[0][["n", "diverged", "mean"]].tolist() == [2, 0, 0.5]
    assert "mean_with_diverged" not in summarize(frame, value="value")


def over(frame: pd.DataFrame) -> pd.DataFrame:
    (key,) = find_ranges(frame)
    return over_ranges(frame, {key: Ranges(key, 0.5, (0.5, 0.9))})


def test_a_seeds_mean_over_a_range_counts_its_diverged_points(cells: Cells) -> None:
    """Seeds have 90 and 80 → 85, 90 and a guess → 50: the mean shown is 85, with the guess 67.5."""
    long = over(cells({"a": {0.5: [90.0, 90.0], 0.9: [80.0, "diverged"]}}, classes=10))
    row = summarize(long, at=AT_RANGE).iloc[0]
    assert row[["n", "diverged", "mean", "mean_with_diverged"]].tolist() == [1, 1, 85.0, 67.5]


@pytest.mark.parametrize("lacking", [None, "failed"])
def test_a_seed_that_diverged_and_lacks_a_point_is_no_result(cells: Cells, lacking: Any) -> None:
    """What is missing or failed stays out and is counted."""
    long = over(cells({"a": {0.5: ["diverged", 90.0], 0.9: [lacking, 80.0]}}, classes=10))
    row = summarize(long, at=AT_RANGE).iloc[0]
    assert row[["n", "diverged", lacking or "missing"]].tolist() == [1, 0, 1]
    assert row["mean_with_diverged"] == 85


def ranges_of(cells: Cells, **trained: list[Any]) -> Ranges:
    points = {
        sparsity: trained.get(f"at{int(100 * sparsity)}", [98.0, 98.1, 98.0, 97.9]) for sparsity in GRID
    }
    methods = {
        "none": {0.0: [98.0, 98.1, 98.0, 98.2]},
        "magnitude-after-training": points,
        "random": {sparsity: [90.0, 91.0, 92.0, 90.0] for sparsity in GRID},
    }
    (found,) = find_ranges(cells(methods, classes=10), margins=0.5).values()
    return found


def test_a_baseline_of_which_half_the_seeds_diverged_is_lost_there(cells: Cells) -> None:
    """Though its survivors are as good as the unpruned network, and whatever comes next; one of four is luck."""
    half = ["diverged", 98.2, "diverged", 98.3]
    assert ranges_of(cells).extreme == ()
    assert ranges_of(cells, at60=half).extreme == (0.6, 0.8)
    assert ranges_of(cells, at80=half).extreme == (0.8,)
    assert ranges_of(cells, at60=["diverged", 98.0, 98.1, 98.0]).extreme == ()


def test_a_baseline_counts_with_its_diverged_runs(cells: Cells) -> None:
    """One of four at 10 % is 22 points below: lost where the next point is too; alone at the end it is luck."""
    one = ["diverged", 98.2, 98.2, 98.3]
    assert ranges_of(cells, at60=one, at80=one).extreme == (0.6, 0.8)
    assert ranges_of(cells, at80=one).extreme == ()


def test_half_of_an_unpruned_network_is_no_measure_of_others(cells: Cells) -> None:
    """Where half its seeds diverged the ranges are not known, and this is said."""
    methods = {
        "none": {0.0: [98.0, "diverged"]},
        "magnitude-after-training": {0.5: [98.0, 97.0]},
        "random": {0.5: [98.0, 97.0]},
    }
    (found,) = find_ranges(cells(methods, classes=10)).values()
    assert "half the seeds of none diverged" in str(found.unknown)
