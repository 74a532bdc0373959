"""One cell under two names is one method, wherever methods are counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import pytest

from prunebench.analysis import (
    AT_RANGE,
    Ranges,
    against,
    compare,
    find_ranges,
    over_ranges,
    paired,
    places,
    summarize,
)
from prunebench.errors import UsageError

Cells = Callable[..., pd.DataFrame]
LOW, MID, HIGH = [1.0, 1.4, 1.1], [5.0, 5.1, 5.5], [9.0, 9.2, 9.1]


def same(frame: pd.DataFrame, *names: str, at: Sequence[float] | None = None) -> pd.DataFrame:
    """Give the cells of the first name to the others too, at these sparsities (default: all)."""
    shown = frame["method"].where(frame["ablations"] == "", frame["method"] + "+" + frame["ablations"])
    there = shown.isin(names) & (frame["sparsity"].isin(at) if at is not None else True)
    key = names[0] + frame["sparsity"].astype(str) + "-" + frame["seed"].astype(str)
    return frame.assign(key=frame["key"].where(~there, key))


def also(summary: pd.DataFrame) -> Mapping[str, tuple[str, ...]]:
    return {row["method"]: row["also"] for row in summary.to_dict("records")}


def test_two_names_of_one_cell_are_one_row_and_one_place(cells: Cells) -> None:
    """Of three names two are one method: two places, one pair, p as it is."""
    methods = {"grasp-inverted": {0.5: LOW}, "grasp+invert": {0.5: LOW}, "snip": {0.5: HIGH}}
    frame = same(cells(methods), "grasp-inverted", "grasp+invert")
    summary, comparisons = summarize(frame), compare(frame)
    assert also(summary) == {"grasp-inverted": ("grasp + invert",), "snip": ()}
    assert summary["planned"].tolist() == [3, 3]
    assert len(comparisons) == 1
    assert comparisons["p_holm"].tolist() == comparisons["p"].tolist()
    assert places(summary, comparisons)[["best", "worst", "of"]].to_numpy().tolist() == [[2, 2, 2], [1, 1, 2]]


def test_equal_results_of_different_cells_are_two_methods(cells: Cells) -> None:
    """Accuracies that happen to agree make no two names of one."""
    assert len(summarize(cells({"a": {0.5: LOW}, "b": {0.5: LOW}}))) == 2


def test_cells_without_a_key_are_told_apart_by_name(cells: Cells) -> None:
    """A table that was made by hand needs no keys."""
    assert len(summarize(cells({"a": {0.5: LOW}, "b": {0.5: LOW}}).assign(key=""))) == 2


def test_names_that_meet_at_one_sparsity_are_one_there_alone(cells: Cells) -> None:
    """At 0.5 one method, at 0.9 two; over both sparsities two."""
    frame = same(cells({"a": {0.5: LOW, 0.9: LOW}, "b": {0.5: LOW, 0.9: MID}}), "a", "b", at=[0.5])
    summary = summarize(frame)
    found = {(row["method"], row["sparsity"]): row["also"] for row in summary.to_dict("records")}
    assert found == {("a", 0.5): ("b",), ("a", 0.9): (), ("b", 0.9): ()}
    assert compare(frame)["sparsity"].tolist() == [0.9]
    (key,) = find_ranges(frame)
    ranges = {key: Ranges(key, 0.5, (0.5, 0.9), matching=(0.5,), extreme=(0.9,))}
    over = summarize(over_ranges(frame, ranges), at=AT_RANGE)
    assert over.groupby("range", sort=False)["method"].agg(list).to_dict() == {
        "matching": ["a"],
        "extreme": ["a", "b"],
        "all": ["a", "b"],
    }


def test_a_name_with_fewer_cells_is_the_one_that_has_them_all(cells: Cells) -> None:
    """Planned at one sparsity and fewer seeds: over the range it counts as the other, and lacks nothing."""
    methods = {"b": {0.5: LOW[:2]}, "a": {0.5: LOW, 0.9: MID}, "c": {0.5: HIGH, 0.9: HIGH}}
    frame = same(cells(methods), "a", "b")
    at_half = summarize(frame).query("sparsity == 0.5")
    assert at_half[["method", "also", "n"]].to_numpy().tolist() == [["b", ("a",), 3], ["c", (), 3]]
    (key,) = find_ranges(frame)
    long = over_ranges(frame, {key: Ranges(key, 0.5, (0.5, 0.9))})
    over = summarize(long, at=AT_RANGE)
    assert over[["method", "also", "n", "missing"]].to_numpy().tolist() == [
        ["b", ("a",), 3, 0],
        ["c", (), 3, 0],
    ]
    assert over["mean"].iloc[0] == pytest.approx((sum(LOW) + sum(MID)) / 6)
    assert places(over, compare(long, at=AT_RANGE), at=AT_RANGE)["of"].tolist() == [2, 2]


def test_names_that_differ_at_one_common_seed_are_two(cells: Cells) -> None:
    """The same key at some seeds and another at one is no name of the same."""
    frame = same(cells({"a": {0.5: LOW}, "b": {0.5: LOW}}), "a", "b")
    frame.loc[frame.index[-1], "key"] = "another"
    assert summarize(frame)["method"].tolist() == ["a", "b"]


@pytest.mark.parametrize("order", [("a", "c", "b"), ("b", "a", "c"), ("c", "b", "a")])
def test_a_name_that_joins_two_makes_them_one(cells: Cells, order: Sequence[str]) -> None:
    """Two names that share no cell, and a third that has those of both: one method, in any order."""
    frame = same(cells({name: {0.5: LOW} for name in order} | {"d": {0.5: HIGH}}), *order)
    left_out = ((frame["method"] == "a") & (frame["seed"] > 0)) | (
        (frame["method"] == "c") & (frame["seed"] == 0)
    )
    frame = frame[~left_out].reset_index(drop=True)
    assert summarize(frame)[["method", "also", "n"]].to_numpy().tolist() == [
        [order[0], (order[1], order[2]), 3],
        ["d", (), 3],
    ]
    assert len(compare(frame)) == 1


def test_three_names_are_one_method_in_its_own_setting_only(cells: Cells) -> None:
    """Any number of names; in another setting nothing is shared."""
    methods = {"a": {0.5: LOW}, "b": {0.5: LOW}, "c+x": {0.5: LOW}}
    both = pd.concat([same(cells(methods), "a", "b", "c+x"), cells(methods, dataset="digits")])
    summary = summarize(both)
    assert summary["dataset"].tolist() == ["mnist", "digits", "digits", "digits"]
    assert summary["also"].tolist() == [("b", "c + x"), (), (), ()]


@pytest.mark.parametrize("third", [True, False])
def test_a_pair_of_names_is_said_to_be_one_cell(cells: Cells, third: bool) -> None:
    """Asked for their difference: a sentence, also where there is nothing else in the table."""
    methods = {"grasp-inverted": {0.5: LOW}, "grasp+invert": {0.5: LOW}}
    frame = cells({**methods, "snip": {0.5: HIGH}} if third else methods)
    comparisons = compare(same(frame, "grasp-inverted", "grasp+invert"))
    with pytest.raises(UsageError, match=r"grasp \+ invert and grasp-inverted are one cell under two names"):
        paired(comparisons, ("grasp", "invert"), "grasp-inverted")


def test_a_comparison_is_found_under_any_name(cells: Cells) -> None:
    """`paired` and `against` take each of a method's names."""
    methods = {"grasp-inverted": {0.5: LOW}, "grasp+invert": {0.5: LOW}, "snip": {0.5: HIGH}}
    comparisons = compare(same(cells(methods), "grasp-inverted", "grasp+invert"))
    for name in ("grasp-inverted", ("grasp", "invert")):
        ahead = paired(comparisons, "snip", name).iloc[0]
        assert ahead["mean"] == pytest.approx(sum(HIGH) / 3 - sum(LOW) / 3)
        assert paired(comparisons, name, "snip").iloc[0]["mean"] == -ahead["mean"]
        assert against(comparisons, name)["of_method"].tolist() == ["snip"]


def test_rows_in_any_order_of_seeds_give_the_same(cells: Cells) -> None:
    """Which row of a shared cell is kept does not show."""
    methods = {"a": {0.5: LOW}, "b": {0.5: LOW}, "c": {0.5: HIGH}}
    frame = same(cells(methods), "a", "b")
    turned = frame.sort_values("seed", ascending=False, kind="stable")
    assert compare(frame)["p"].tolist() == pytest.approx(compare(turned)["p"].tolist())
    assert summarize(turned)["also"].tolist() == [("b",), ()]
