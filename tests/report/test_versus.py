"""Some methods against others: orientation, verdicts, Holm over what is asked, seeds that would decide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from prunebench.analysis import holm
from prunebench.analysis.power import MANY, seeds_to_decide
from prunebench.errors import UsageError
from prunebench.report.results import Results
from prunebench.report.versus import VERSUS, Pair, counts, default_pairs, pairs_of, variant_of, versus

Cells = Callable[..., pd.DataFrame]
SUITE = {"name": "mine", "version": "1", "margins": {"mnist": 0.2}}
SNIP, RANDOM, AFTER = ("snip", ""), ("random", ""), ("magnitude-after-training", "")

SPELLED: dict[str, dict[float, list[Any]]] = {
    "none": {0.0: [98.0, 98.2, 98.1]},
    "random": {0.5: [97.0, 97.4, 97.2], 0.9: [80.0, 82.0, 81.0]},
    "magnitude-after-training": {0.5: [98.1, 98.2, 98.15], 0.9: [96.0, 95.0, 95.5]},
    "snip": {0.5: [98.05, 98.2, 98.1], 0.9: [95.0, 92.0, 94.0]},
    "snip+shuffle": {0.5: [98.0, 98.1, 98.2], 0.9: [None, None, None]},
}


def results(cells: Cells, spelled: Any = None, **labels: Any) -> Results:
    return Results(SUITE, cells(spelled or SPELLED, **labels))


def row(frame: pd.DataFrame, sparsity: float, **wanted: Any) -> dict[str, Any]:
    chosen = frame[frame["sparsity"] == sparsity]
    for name, value in wanted.items():
        chosen = chosen[chosen[name] == value]
    (found,) = chosen.to_dict("records")
    return found


def test_a_difference_is_of_less_against_with_scipys_t_interval(cells: Cells) -> None:
    """Both ways round, with the numbers of scipy's paired t test."""
    ours, theirs = np.array([95.0, 92, 94]), np.array([80.0, 82, 81])
    wanted = stats.ttest_rel(ours, theirs)
    interval = wanted.confidence_interval()
    found = row(versus(results(cells), [Pair(SNIP, RANDOM)]), 0.9)
    assert found["difference"] == pytest.approx((ours - theirs).mean())
    assert (found["p"], found["low"], found["high"]) == pytest.approx(
        (wanted.pvalue, interval.low, interval.high)
    )
    assert (found["of"], found["against"]) == ("snip", "random")
    assert (found["of_mean"], found["against_mean"]) == pytest.approx((ours.mean(), theirs.mean()))
    turned = row(versus(results(cells), [Pair(RANDOM, SNIP)]), 0.9)
    assert turned["difference"] == pytest.approx(-found["difference"])
    assert turned["low"] == pytest.approx(-found["high"])
    assert (found["verdict"], turned["verdict"]) == ("better", "worse")


def test_what_lies_within_the_margin_is_the_same_and_what_nobody_ran_is_not_run(cells: Cells) -> None:
    """snip at 50 % is within 0.2 of magnitude after training; its shuffle at 90 % has no result."""
    found = versus(results(cells), [Pair(SNIP, AFTER), Pair(("snip", "shuffle"), SNIP)])
    assert row(found, 0.5, of="snip")["verdict"] == "same"
    assert row(found, 0.9, of="snip")["verdict"] == "undecided"
    assert row(found, 0.9, of="snip + shuffle")["verdict"] == "not run"
    assert counts(found)["not run"] == (found["n"] == 0).sum() > 0


def test_where_all_seeds_say_the_same_the_value_decides(cells: Cells) -> None:
    """As a check of the same numbers: no spread, so the interval is the value, and p is 0 or 1."""
    spelled = {
        "snip": {0.5: [91.0, 92.5, 90.0], 0.9: [80.0, 81.0, 82.0]},
        "random": {0.5: [90.0, 91.5, 89.0], 0.9: [79.875, 80.875, 81.875]},
    }
    board = results(cells, spelled)
    found = versus(board, [Pair(SNIP, RANDOM)])
    apart, near = row(found, 0.5), row(found, 0.9)
    assert (apart["verdict"], apart["low"], apart["high"], apart["p"]) == ("better", 1.0, 1.0, 0.0)
    assert (near["verdict"], near["low"], near["high"], near["p_holm"]) == ("same", 0.125, 0.125, 0.0)


def test_ranges_stand_before_sparsities_and_every_column_is_there(cells: Cells) -> None:
    """A reader looks at the ranges first."""
    found = versus(results(cells), [Pair(SNIP, AFTER)])
    assert list(found.columns) == list(VERSUS)
    assert found["at"].tolist() == ["range"] * 3 + ["sparsity"] * 2
    assert found["range"].tolist()[:3] == ["matching", "extreme", "all"]


def test_holm_is_over_the_pairs_that_are_asked(cells: Cells) -> None:
    """One question is not adjusted; three are, within one setting and sparsity; the leaderboard's stands beside."""
    one = row(versus(results(cells), [Pair(SNIP, RANDOM)]), 0.9)
    assert one["p_holm"] == one["p"]
    assert one["p_holm_all"] > one["p"]
    pairs = pairs_of([SNIP], [RANDOM, AFTER, ("none", "")][:2])
    both = versus(results(cells), pairs)
    at = both[both["sparsity"] == 0.9]
    assert at["p_holm"].tolist() == pytest.approx(holm(at["p"]).tolist())


def test_an_undecided_pair_says_how_many_seeds_would_decide(cells: Cells) -> None:
    """By the observed difference and spread; a decided one says nothing."""
    found = versus(results(cells), [Pair(SNIP, AFTER)])
    open_ = row(found, 0.9)
    assert open_["seeds_needed"] == seeds_to_decide(open_["difference"], open_["sd"], 0.2) > 3
    assert row(found, 0.5)["verdict"] == "same"
    assert pd.isna(row(found, 0.5)["seeds_needed"])


@pytest.mark.parametrize(("difference", "sd", "margin"), [(0.5, 0.5, 0.2), (0.0, 0.5, 0.5), (0.3, 1.0, 0.9)])
def test_with_so_many_seeds_four_pairs_in_five_are_decided(
    difference: float, sd: float, margin: float
) -> None:
    """Simulated: at n the interval leaves out 0, or lies within the margin, in 80 % of tables; at n − 2 less."""
    rng = np.random.default_rng(3)

    def decided(n: int) -> float:
        draws = rng.normal(difference, sd, (6000, n))
        mean, error = draws.mean(1), draws.std(1, ddof=1) / np.sqrt(n)
        half = stats.t.ppf(0.975, n - 1) * error
        other = ((mean - half > 0) | (mean + half < 0)).mean()
        same = ((mean - half > -margin) & (mean + half < margin)).mean()
        return float(max(other, same))

    n = seeds_to_decide(difference, sd, margin)
    assert n is not None
    assert decided(n) >= 0.78
    assert decided(n - 2) < 0.8


def test_what_no_seeds_would_decide_stops_somewhere() -> None:
    """A hair beside the margin: many; without a spread nobody knows."""
    assert seeds_to_decide(1e-6, 1.0, 1e-6) == MANY
    assert seeds_to_decide(1.0, 0.0, 0.5) is None
    assert seeds_to_decide(float("nan"), 1.0, 0.5) is None


def test_one_method_alone_stands_beside_its_ablations_and_the_baselines(cells: Cells) -> None:
    """An ablated one beside the unmodified one; several methods against the first of them."""
    found = results(cells)
    assert default_pairs(found, [SNIP]) == pairs_of([SNIP], [("snip", "shuffle"), AFTER, RANDOM])
    shuffled = ("snip", "shuffle")
    assert default_pairs(found, [shuffled])[0] == Pair(shuffled, SNIP)
    assert default_pairs(found, [RANDOM, SNIP, AFTER]) == [Pair(SNIP, RANDOM), Pair(AFTER, RANDOM)]


def test_names_are_spelled_with_or_without_blanks_and_mistakes_get_the_nearest(cells: Cells) -> None:
    """As tables show them, or as they are typed."""
    found = results(cells)
    assert variant_of("snip + shuffle", found) == variant_of("snip+shuffle", found) == ("snip", "shuffle")
    with pytest.raises(UsageError, match=r"suite mine has no method 'snp'; did you mean 'snip'"):
        variant_of("snp", found)


def test_one_cell_under_two_names_cannot_be_compared(cells: Cells) -> None:
    """Said by name, not as a difference of 0."""
    frame = cells({**SPELLED, "snip-too": SPELLED["snip"]})
    twin = frame["method"] == "snip-too"
    frame.loc[twin, "key"] = frame.loc[frame["method"] == "snip", "key"][
        lambda k: ~k.str.contains("shuffle")
    ].tolist()
    with pytest.raises(UsageError, match="one cell under two names"):
        versus(Results(SUITE, frame), [Pair(SNIP, ("snip-too", ""))])
