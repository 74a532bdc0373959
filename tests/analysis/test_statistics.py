from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from prunebench.analysis import against, compare, holm, paired, places, summarize, table
from prunebench.errors import UsageError

Cells = Callable[..., pd.DataFrame]

# Student's (1908) sleep data: extra hours under two drugs, ten patients.
SLEEP = (
    [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
    [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
)


def test_mean_sd_and_interval_of_five_seeds(cells: Cells) -> None:
    """By hand: 96…100 have mean 98 and variance 2.5; tables give t = 2.776 at 4 degrees."""
    row = summarize(cells({"snip": {0.5: [96.0, 97.0, 98.0, 99.0, 100.0]}})).iloc[0]
    assert (row["n"], row["planned"], row["mean"]) == (5, 5, 98.0)
    assert row["sd"] == pytest.approx(2.5**0.5)
    assert row["high"] - 98 == pytest.approx(2.776 * (2.5 / 5) ** 0.5, abs=5e-4)
    assert row["low"] + row["high"] == pytest.approx(196)


def test_the_interval_is_scipys(cells: Cells) -> None:
    """The interval of the mean is scipy's t interval, at another level too."""
    values = [97.1, 97.4, 96.9, 97.9]
    row = summarize(cells({"snip": {0.5: values}}), level=0.9).iloc[0]
    expected = stats.t.interval(0.9, 3, loc=np.mean(values), scale=stats.sem(values))
    assert (row["low"], row["high"]) == pytest.approx(expected)


def test_one_seed_has_a_mean_and_no_spread(cells: Cells) -> None:
    """The spread of one number is missing, not 0."""
    row = summarize(cells({"snip": {0.5: [97.0]}})).iloc[0]
    assert row["mean"] == 97
    assert row[["sd", "low", "high"]].isna().all()


def test_what_is_not_finished_is_counted_and_left_out(cells: Cells) -> None:
    """Diverged, missing and failed cells are counted apart and stay out of the mean."""
    entries = [97.0, "diverged", None, "failed", 98.0, "diverged"]
    row = summarize(cells({"snip": {0.5: entries}})).iloc[0]
    assert row[["planned", "n", "diverged", "missing", "failed"]].tolist() == [6, 2, 2, 1, 1]
    assert row["mean"] == 97.5


def test_all_diverged_leaves_no_mean(cells: Cells) -> None:
    """Where every seed diverged there is a count and no number."""
    row = summarize(cells({"snip": {0.5: ["diverged"] * 3}})).iloc[0]
    assert row["diverged"] == 3
    assert row[["mean", "sd", "low", "high"]].isna().all()


def test_equal_seeds_have_no_spread_at_all(cells: Cells) -> None:
    """Rounding of floats does not show as a spread."""
    row = summarize(cells({"snip": {0.5: [97.31, 97.31, 97.31]}})).iloc[0]
    assert row["sd"] == 0
    assert row["low"] == row["high"] == row["mean"]


def test_rows_stand_in_the_order_of_first_appearance(cells: Cells) -> None:
    """Methods and sparsities keep the suite's order."""
    summary = summarize(cells({"snip": {0.9: [1.0], 0.5: [1.0]}, "grasp+shuffle": {0.9: [1.0]}}))
    shown = list(zip(summary["method"], summary["ablations"], summary["sparsity"], strict=True))
    assert shown == [("snip", "", 0.9), ("snip", "", 0.5), ("grasp", "shuffle", 0.9)]


def test_the_sleep_data_give_the_published_paired_test(cells: Cells) -> None:
    """Ten pairs: t = −4.0621, p = 0.002833, mean −1.58 in [−2.4598858, −0.7001142]."""
    first, second = ([50 + hours for hours in drug] for drug in SLEEP)  # an accuracy is never negative
    comparison = compare(cells({"first": {0.5: first}, "second": {0.5: second}})).iloc[0]
    assert comparison[["n", "df"]].tolist() == [10, 9]
    assert comparison["mean"] == pytest.approx(-1.58)
    assert comparison["p"] == pytest.approx(0.002833, abs=5e-7)
    assert (comparison["low"], comparison["high"]) == pytest.approx((-2.4598858, -0.7001142), abs=5e-8)
    assert comparison["mean"] / comparison["sd"] * 10**0.5 == pytest.approx(-4.0621, abs=5e-5)


def test_pairs_are_joined_by_seed(cells: Cells) -> None:
    """Only seeds that both have finished count, whatever their order in the table."""
    frame = cells(
        {"a": {0.5: [90.0, 91.0, None, 93.5, 94.0]}, "b": {0.5: [89.0, 90.5, 91.0, "failed", 92.0]}}
    )
    row = compare(frame.iloc[::-1]).pipe(paired, "a", "b").iloc[0]
    expected = stats.ttest_rel([90.0, 91.0, 94.0], [89.0, 90.5, 92.0])
    assert row["n"] == 3
    assert row["p"] == pytest.approx(expected.pvalue)
    assert (row["low"], row["high"]) == pytest.approx(tuple(expected.confidence_interval()))


@given(st.integers(2, 6), st.integers(2, 7), st.integers(0, 10**6))
@settings(deadline=None, max_examples=40)
def test_every_pair_is_scipys_paired_test(methods: int, seeds: int, seed: int) -> None:
    """However few the seeds and whatever the other methods do: each pair's own spread, n − 1 degrees."""
    rng = np.random.default_rng(seed)
    values = rng.normal(3, 1 / 30, (methods, seeds)) * rng.choice([1, 30], (methods, 1))
    comparison = compare(frame_of(values))
    assert len(comparison) == methods * (methods - 1) // 2
    for row, (i, j) in zip(comparison.to_dict("records"), combinations(range(methods), 2), strict=True):
        expected = stats.ttest_rel(values[i], values[j])
        assert row["df"] == seeds - 1
        assert row["p"] == pytest.approx(expected.pvalue)
        assert (row["low"], row["high"]) == pytest.approx(tuple(expected.confidence_interval()))
        assert row["sd"] == pytest.approx(np.std(values[i] - values[j], ddof=1))


def frame_of(values: np.ndarray) -> pd.DataFrame:
    """One setting and sparsity: methods × seeds."""
    base = {"architecture": "a", "dataset": "d", "density": "0.5", "status": "finished"}
    return table(
        [
            base | {"method": f"m{m}", "seed": s, "accuracy": values[m, s]}
            for m in range(values.shape[0])
            for s in range(values.shape[1])
        ]
    )


def test_settings_and_sparsities_do_not_touch_each_other(cells: Cells) -> None:
    """Another sparsity's or setting's spread does not touch a pair's."""
    quiet = {"a": [90.0, 91.0, 92.0], "b": [89.0, 90.5, 91.0], "c": [88.0, 89.5, 90.0]}
    alone = cells({name: {0.5: values} for name, values in quiet.items()})
    loud = {name: {0.5: values, 0.9: [10.0, 80.0, 33.0]} for name, values in quiet.items()}
    both = pd.concat([cells(loud), cells(loud, dataset="digits").query("sparsity > 0.8")])
    kept = compare(both).query("sparsity == 0.5 and dataset == 'mnist'")
    assert kept["sd"].tolist() == compare(alone)["sd"].tolist()
    assert kept["p"].tolist() == pytest.approx(compare(alone)["p"].tolist(), nan_ok=True)


def test_one_seed_decides_nothing(cells: Cells) -> None:
    """With one common seed there is a difference, and no spread, interval or p."""
    row = compare(
        cells({name: {0.5: [value]} for name, value in (("a", 90.0), ("b", 80.0), ("c", 1.0))})
    ).iloc[0]
    assert (row["n"], row["mean"]) == (1, 10.0)
    assert row[["sd", "df", "low", "high", "p", "p_holm"]].isna().all()


def test_no_common_seed_leaves_nothing(cells: Cells) -> None:
    """Methods without a common seed have no difference."""
    row = compare(cells({"a": {0.5: [90.0, None]}, "b": {0.5: [None, 90.0]}})).iloc[0]
    assert row["n"] == 0
    assert row[["mean", "sd", "p"]].isna().all()


def test_identical_values_are_no_difference(cells: Cells) -> None:
    """Methods that agree at every seed differ by 0 ± 0, with p = 1."""
    row = compare(cells({"a": {0.5: [90.0, 91.0]}, "b": {0.5: [90.0, 91.0]}})).iloc[0]
    assert row[["mean", "sd", "low", "high", "p"]].tolist() == [0, 0, 0, 0, 1]


def test_a_spread_of_exactly_nothing_decides_nothing(cells: Cells) -> None:
    """Two seeds with the same difference (a coincidence of counts) are not infinitely significant."""
    row = compare(cells({"a": {0.5: [97.31, 97.41]}, "b": {0.5: [97.25, 97.35]}})).iloc[0]
    assert row["mean"] == pytest.approx(0.06)
    assert row["sd"] == 0
    assert row[["low", "high", "p"]].isna().all()


def test_a_pair_can_be_asked_for_either_way_round(cells: Cells) -> None:
    """Turning a pair around changes signs and ends of the interval, nothing else."""
    comparison = compare(cells({"a": {0.5: [90.0, 91.0, 93.0]}, "b+shuffle": {0.5: [89.0, 90.5, 91.0]}}))
    ahead = paired(comparison, "a", ("b", "shuffle")).iloc[0]
    back = paired(comparison, ("b", "shuffle"), "a").iloc[0]
    assert (back["mean"], back["low"], back["high"]) == (-ahead["mean"], -ahead["high"], -ahead["low"])
    assert back["p"] == ahead["p"]
    assert (back["of_method"], back["of_ablations"], back["against_method"]) == ("b", "shuffle", "a")


def test_all_differences_to_a_baseline(cells: Cells) -> None:
    """Every other method stands against the baseline, wherever that is in the order."""
    frame = cells(
        {name: {0.5: [value, value + 1]} for name, value in (("a", 90.0), ("b", 80.0), ("c", 70.0))}
    )
    found = against(compare(frame), "b")
    assert dict(zip(found["of_method"], found["mean"], strict=True)) == {"a": 10.0, "c": -10.0}
    assert set(found["against_method"]) == {"b"}


@pytest.mark.parametrize(
    ("of", "baseline", "message"),
    [
        ("snap", "grasp", "did you mean 'snip'"),
        ("snip", "snip", "with itself"),
        ("snip", ("grasp", "x"), "x"),
    ],
)
def test_asking_for_a_pair_that_is_not_there(cells: Cells, of: str, baseline: str, message: str) -> None:
    """Unknown methods are named with the nearest, and none is compared with itself."""
    comparison = compare(cells({"snip": {0.5: [1.0, 2.0]}, "grasp": {0.5: [2.0, 2.5]}}))
    with pytest.raises(UsageError, match=message):
        paired(comparison, of, baseline)


def test_a_single_method_has_no_comparisons(cells: Cells) -> None:
    """One method gives an empty table of comparisons, and the only place."""
    frame = cells({"snip": {0.5: [1.0, 2.0]}})
    assert len(compare(frame)) == 0
    assert places(summarize(frame), compare(frame))[["best", "worst", "of"]].to_numpy().tolist() == [
        [1, 1, 1]
    ]


def test_an_empty_table_has_no_statistics() -> None:
    """No cells give no rows, with all columns."""
    assert len(summarize(table([]))) == len(compare(table([]))) == 0
    assert "p_holm" in compare(table([]))
    assert "best" in places(summarize(table([])), compare(table([])))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=7))
@settings(deadline=None)
def test_holm_is_the_closed_bonferroni_test(p: list[float]) -> None:
    """By brute force: the largest of |S| · min over S, over all sets S of hypotheses that hold this one."""
    everything = range(len(p))
    sets = [s for size in range(1, len(p) + 1) for s in combinations(everything, size)]
    expected = [max(min(1, len(s) * min(p[j] for j in s)) for s in sets if i in s) for i in everything]
    assert holm(p).tolist() == pytest.approx(expected)


@given(st.lists(st.floats(0, 1) | st.just(float("nan")), max_size=12))
@settings(deadline=None)
def test_holm_keeps_order_and_gaps(p: list[float]) -> None:
    """Adjusted values rise with the raw ones, never fall below them, and missing ones stay missing."""
    raw, adjusted = np.array(p), holm(p)
    there = ~np.isnan(raw)
    assert (np.isnan(adjusted) == ~there).all()
    assert (adjusted[there] >= raw[there]).all()
    assert (np.diff(adjusted[there][np.argsort(raw[there])]) >= 0).all()


def test_holm_is_within_one_sparsity(cells: Cells) -> None:
    """Each setting and sparsity is a family of its own."""
    rng = np.random.default_rng(3)
    values = {name: {s: rng.normal(90, 1, 4).tolist() for s in (0.5, 0.9)} for name in "abcd"}
    comparison = compare(pd.concat([cells(values), cells(values, dataset="digits")]))
    for _, family in comparison.groupby(["dataset", "sparsity"]):
        assert family["p_holm"].tolist() == pytest.approx(stats_holm(family["p"].tolist()))


def stats_holm(p: list[float]) -> list[float]:
    """Holm as in the textbook, one step after another."""
    adjusted, largest = [0.0] * len(p), 0.0
    for step, i in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        largest = max(largest, min(1.0, (len(p) - step) * p[i]))
        adjusted[i] = largest
    return adjusted


def test_statistics_of_twenty_thousand_cells() -> None:
    """Ten methods, twenty sparsities, five seeds, twenty settings: every place and every pair, once."""
    rng = np.random.default_rng(6)
    rows = [
        {"architecture": f"net{a}", "dataset": "d", "method": f"m{m}", "density": f"{0.8**k:.12f}", "seed": s}
        | {"status": "finished", "correct": int(rng.integers(9000, 9900)), "examples": 10_000}
        for a in range(20)
        for m in range(10)
        for k in range(20)
        for s in range(5)
    ]
    frame = table(rows)
    summary, comparison = summarize(frame), compare(frame)
    assert len(summary) == len(places(summary, comparison)) == 20 * 10 * 20
    assert len(comparison) == 20 * 20 * (10 * 9 // 2)
