from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from prunebench.analysis import (
    AT_RANGE,
    Ranges,
    compare,
    find_ranges,
    margin_of,
    over_ranges,
    summarize,
    table,
)
from prunebench.baselines import Baselines
from prunebench.errors import SuiteError

Cells = Callable[..., pd.DataFrame]
GRID = (0.2, 0.4, 0.6, 0.8, 0.9)


def curve(*accuracies: float | str | None) -> dict[float, list[float | str | None]]:
    return {sparsity: [accuracy] * 2 for sparsity, accuracy in zip(GRID, accuracies, strict=True)}


def only(frame: pd.DataFrame, **settings: object) -> Ranges:
    (found,) = find_ranges(frame, **settings).values()  # type: ignore[arg-type]
    return found


def setting(
    cells: Cells, trained: tuple[float | str | None, ...], random: tuple[float | str | None, ...]
) -> Ranges:
    dense: dict[float, list[float]] = {0.0: [98.0, 98.0]}
    methods = {"none": dense, "magnitude-after-training": curve(*trained), "random": curve(*random)}
    return only(cells(methods), margins=0.5)


def test_the_grid_is_cut_before_the_first_lost_points(cells: Cells) -> None:
    """Random is lost from 0.4 on, magnitude after training from 0.9 on."""
    found = setting(cells, (98, 98, 98, 97.6, 97), (97.5, 97, 96, 95, 90))
    assert found.trivial == (0.2,)
    assert found.matching == (0.4, 0.6, 0.8)
    assert found.extreme == (0.9,)
    assert found.points("all") == GRID


def test_one_bad_point_ends_nothing(cells: Cells) -> None:
    """A point below the margin whose next is not below is not lost."""
    found = setting(cells, (98, 97, 98, 98, 98), (97, 96, 95, 94, 93))
    assert found.matching == GRID
    assert found.extreme == ()


def test_the_last_point_is_judged_alone(cells: Cells) -> None:
    """There is no next point behind the last: a drop that is the same in all seeds is one."""
    found = setting(cells, (98, 98, 98, 98, 97), (97, 96, 95, 94, 93))
    assert found.extreme == (0.9,)


def test_exactly_the_margin_below_is_not_lost(cells: Cells) -> None:
    """More than δ below is lost, δ itself is not, whatever floats make of 98 − 0.2."""
    methods = {"none": {0.0: [98.0] * 2}, "magnitude-after-training": curve(97.8, 97.8, 97.8, 97.8, 97.79)}
    found = only(cells({**methods, "random": curve(97, 96, 95, 94, 93)}), margins=0.2)
    assert found.matching == GRID[:4]


def test_trivial_sparsities_are_not_matching(cells: Cells) -> None:
    """Where random outlasts magnitude nothing is left of matching, and nothing is in two ranges."""
    found = setting(cells, (98, 97, 96, 95, 94), (98, 98, 98, 97, 96))
    assert (found.trivial, found.matching, found.extreme) == (GRID[:3], (), GRID[3:])


def test_everything_lost_or_nothing(cells: Cells) -> None:
    """Ranges may be empty at either end."""
    assert setting(cells, (90,) * 5, (90,) * 5).extreme == GRID
    assert setting(cells, (98,) * 5, (98,) * 5).trivial == GRID


def test_a_baseline_that_always_diverged_is_lost(cells: Cells) -> None:
    """All seeds diverged is as lost as a low mean."""
    found = setting(cells, (98, 98, 98, "diverged", "diverged"), (97, 96, 95, 94, 93))
    assert found.extreme == (0.8, 0.9)


def test_missing_points_behind_the_end_do_not_matter(cells: Cells) -> None:
    """The first two lost points decide; what is not there yet behind them cannot."""
    found = setting(cells, (98, 98, 97, 97, None), (97, 96, None, None, None))
    assert found.unknown is None
    assert found.matching == (0.2, 0.4)


@pytest.mark.parametrize(
    ("trained", "random", "reason"),
    [
        ((98, None, 98, 98, 98), (97, 96, 95, 94, 93), None),
        ((98, None, None, 98, 98), (97, 96, 95, 94, 93), "magnitude-after-training is not finished"),
        ((98, 97, None, 98, 98), (97, 96, 95, 94, 93), "magnitude-after-training is not finished"),
        ((98, 98, 98, 98, None), (97, 96, 95, 94, 93), "magnitude-after-training is not finished"),
        ((98, 98, 98, 98, 98), (None,) * 5, "random is not finished"),
    ],
)
def test_ranges_are_unknown_where_a_missing_point_decides(
    cells: Cells, trained: tuple[float, ...], random: tuple[float, ...], reason: str | None
) -> None:
    """A gap between two good points is none that matters; else the reason is given."""
    found = setting(cells, trained, random)
    if reason is None:
        assert found.unknown is None
    else:
        assert found.unknown is not None
        assert reason in found.unknown
        assert found.trivial == found.matching == found.extreme == ()
        assert found.grid == GRID


def test_ranges_need_the_unpruned_network_and_both_baselines(cells: Cells) -> None:
    """What is lacking is named."""
    pruned = {"magnitude-after-training": curve(*[98.0] * 5)}
    assert "none" in str(only(cells(pruned)).unknown)
    assert "random" in str(only(cells({**pruned, "none": {0.0: [98.0]}})).unknown)


def test_a_suite_may_name_its_own_baselines(cells: Cells) -> None:
    """Other methods can stand for the baselines, and another key is refused with the nearest."""
    methods = {"dense": {0.0: [98.0]}, "imp": curve(98, 98, 98, 97, 97), "noise": curve(97, 96, 95, 94, 93)}
    names = Baselines.of({"magnitude-after-training": "imp", "random": "noise", "none": "dense"})
    assert only(cells(methods), baselines=names, margins=0.5).matching == GRID[:3]
    with pytest.raises(SuiteError, match="did you mean 'random'"):
        Baselines.of({"randm": "x"})


def test_margins_come_from_the_caller_and_know_no_data_set(cells: Cells) -> None:
    """One number for all, or one by data set; without any it is half a point, whatever the data set is."""
    assert [margin_of(name) for name in ("cifar10", "mnist", "mine")] == [0.5, 0.5, 0.5]
    assert margin_of("mnist", 0.7) == 0.7
    assert [margin_of(name, {"mine": 0.7}) for name in ("mine", "mnist")] == [0.7, 0.5]
    frame = cells({"none": {0.0: [98.0]}}, dataset="mine")
    assert only(frame).margin == 0.5
    assert only(frame, margins={"mine": 0.2}).margin == 0.2


def test_a_range_averages_each_seeds_points_first(cells: Cells) -> None:
    """By hand: seeds have means 2 and 5 over three points; the spread is between seeds, not points."""
    frame = cells({"a": {0.2: [1.0, 4.0], 0.4: [2.0, 5.0], 0.6: [3.0, 6.0], 0.8: [50.0, 60.0]}})
    (key,) = find_ranges(frame)
    grid = (0.2, 0.4, 0.6, 0.8)
    long = over_ranges(frame, {key: Ranges(key, 0.5, grid, matching=grid[:3], extreme=grid[3:])})
    summary = summarize(long, at=AT_RANGE).set_index("range")
    assert list(summary.index) == ["matching", "extreme", "all"]
    assert summary.loc["matching", ["n", "mean"]].tolist() == [2, 3.5]
    assert summary.loc["matching", "sd"] == pytest.approx(4.5**0.5)
    assert summary.loc["all", "mean"] == pytest.approx((6 + 50 + 15 + 60) / 8)


@pytest.mark.parametrize("lacking", [None, "diverged", "failed"])
def test_a_seed_that_lacks_a_point_is_left_out_and_counted(cells: Cells, lacking: str | None) -> None:
    """A mean over fewer, easier points would be another quantity."""
    frame = cells({"a": {0.2: [1.0, 4.0], 0.4: [2.0, lacking]}})
    (key,) = find_ranges(frame)
    row = summarize(over_ranges(frame, {key: Ranges(key, 0.5, (0.2, 0.4))}), at=AT_RANGE).iloc[0]
    assert row[["planned", "n", "mean"]].tolist() == [2, 1, 1.5]
    assert row[lacking or "missing"] == 1


def test_a_method_on_a_coarser_grid_has_no_mean_over_the_range(cells: Cells) -> None:
    """A point that was never planned is lacking like any other."""
    frame = cells({"a": {0.2: [1.0], 0.4: [2.0]}, "b": {0.2: [9.0]}})
    (key,) = find_ranges(frame)
    found = summarize(over_ranges(frame, {key: Ranges(key, 0.5, (0.2, 0.4))}), at=AT_RANGE)
    assert found.set_index("method")["n"].to_dict() == {"a": 1, "b": 0}


def test_range_differences_are_paired_by_seed(cells: Cells) -> None:
    """Comparisons over a range take each seed's means."""
    frame = cells({"a": {0.2: [1.0, 4.0], 0.4: [3.0, 5.0]}, "b": {0.2: [0.0, 2.0], 0.4: [1.0, 4.0]}})
    (key,) = find_ranges(frame)
    row = compare(over_ranges(frame, {key: Ranges(key, 0.5, (0.2, 0.4))}), at=AT_RANGE).iloc[0]
    assert (row["n"], row["mean"], row["sd"]) == (2, 1.5, 0)


def test_an_empty_table_has_no_ranges() -> None:
    """No cells, no settings, and an empty table over ranges that statistics accept."""
    empty = over_ranges(table([]), find_ranges(table([])))
    assert find_ranges(table([])) == {}
    assert len(summarize(empty, at=AT_RANGE)) == len(compare(empty, at=AT_RANGE)) == 0


def test_a_method_that_was_never_planned_at_a_point_of_a_range_is_not_missing_there(cells):
    """Nobody waits for it: it has no mean over the range, and is counted as not selected."""
    frame = cells(
        {
            "none": {0.0: [90, 91]},
            "random": {0.5: [50, 51], 0.8: [40, 41]},
            "magnitude-after-training": {0.5: [90, 91], 0.8: [90, 91]},
            "snip": {0.8: [80, 81]},
            "grasp": {0.5: [80, 81], 0.8: [None, 81]},
        }
    )
    found = over_ranges(frame, find_ranges(frame))
    found = found[found["range"] == "matching"].set_index(["method", "seed"])["status"]
    assert found["snip"].tolist() == ["unselected", "unselected"]
    assert found["grasp"].tolist() == ["missing", "finished"]
