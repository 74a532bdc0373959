"""What others report beside ours: differences, intervals and verdicts against scipy and the rule by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from scipy import stats

from prunebench.report.leaderboard import leaderboard
from prunebench.report.results import Results

Cells = Callable[..., pd.DataFrame]
OURS = [97.0, 97.2, 97.4, 97.1, 97.3]
NOISY = [96.0, 98.4, 97.0, 97.1, 97.5]


def found(cells: Cells, value: float | None, ours: list[Any] = OURS, **about: Any) -> dict[Any, Any]:
    """Return the row of one reported number beside five runs, with a margin of 0.5 points."""
    frame = cells({"snip": {0.5: ours}, "none": {0.0: [98.0] * 5}}, classes=10)
    first = frame.iloc[0]
    labels = {k: str(first[k]) for k in ("architecture", "dataset", "recipe", "find", "score_at", "split")}
    row = {**labels, "method": "snip", "ablations": "", "density": "0.5", "value": value, "source": "A"}
    suite = {"name": "s", "version": "1", "margins": {"mnist": 0.5}}
    (only,) = Results({**suite, "reported": [{"runs": None, **row, **about}]}, frame).reported.to_dict(
        "records"
    )
    return only


def test_the_interval_is_that_of_the_one_sample_t_test(cells: Cells) -> None:
    """The reported number is taken as it stands; only ours has a spread."""
    row = found(cells, 97.0)
    low, high = stats.ttest_1samp(OURS, 97.0).confidence_interval(0.95)
    assert row["difference"] == pytest.approx(0.2)
    assert (row["low"], row["high"]) == pytest.approx((low - 97.0, high - 97.0))
    assert (row["n"], row["diverged"], row["margin"]) == (5, 0, 0.5)


@pytest.mark.parametrize("ours", [OURS, NOISY])
@pytest.mark.parametrize("reported", [95.0, 96.5, 96.9, 97.2, 97.5, 97.65, 98.0, 99.0])
def test_the_verdict_is_two_one_sided_tests(cells: Cells, reported: float, ours: list[float]) -> None:
    """Same: both one-sided tests reject at 5 %. Not so: beyond 0 at 2.5 %, and not shown to be within δ there."""
    below = stats.ttest_1samp(ours, reported - 0.5, alternative="greater").pvalue
    above = stats.ttest_1samp(ours, reported + 0.5, alternative="less").pvalue
    up = stats.ttest_1samp(ours, reported, alternative="greater").pvalue
    down = stats.ttest_1samp(ours, reported, alternative="less").pvalue
    within = {True: above, False: below}
    if max(below, above) < 0.05:
        verdict = "holds"
    elif (up < 0.025 <= within[True]) or (down < 0.025 <= within[False]):
        verdict = "fails"
    else:
        verdict = "undecided"
    assert found(cells, reported, ours)["verdict"] == verdict


def test_all_three_verdicts_are_there(cells: Cells) -> None:
    """So that the test above has something to tell apart."""
    places = ((95.0, OURS), (97.2, OURS), (97.2, NOISY))
    assert [found(cells, *place)["verdict"] for place in places] == ["fails", "holds", "undecided"]


@pytest.mark.parametrize(
    ("value", "ours", "verdict"),
    [
        (97.0, ["missing"] * 5, "not run"),
        (97.0, [97.0, 97.0, None, 97.0, 97.0], "not run"),
        (97.0, ["diverged"] * 5, "fails"),
        (None, ["diverged"] * 5, "holds"),
        (None, OURS, "fails"),
        (97.0, [97.0] * 5, "holds"),
        (96.0, [97.0] * 5, "fails"),
    ],
)
def test_what_is_no_number_has_a_verdict_too(
    cells: Cells, value: float | None, ours: list[Any], verdict: str
) -> None:
    """Diverged here and there is the same; missing runs leave it open; no spread is decided by the value."""
    assert found(cells, value, ours)["verdict"] == verdict


def test_a_diverged_run_counts_with_a_guess(cells: Cells) -> None:
    """As in every difference: the mean shown is that of finished runs, the difference is not."""
    row = found(cells, 97.0, [97.0, "diverged", 97.4, 97.1, 97.3])
    assert row["mean"] == pytest.approx(97.2)
    assert row["difference"] == pytest.approx((97.0 + 10 + 97.4 + 97.1 + 97.3) / 5 - 97.0)
    assert row["diverged"] == 1


def test_another_cells_number_is_left_out(cells: Cells) -> None:
    """A sparsity or setting that the suite does not have is nowhere."""
    with pytest.raises(ValueError, match="not enough values"):
        found(cells, 97.0, density="0.3")
    frame = cells({"snip": {0.5: OURS}, "none": {0.0: [98.0] * 5}})
    assert "Reported" not in leaderboard(Results({"name": "s", "version": "1"}, frame))
