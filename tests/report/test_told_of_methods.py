"""What stands under a table: how many seeds would tell, and which methods have the same bits."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from prunebench.report.leaderboard import leaderboard as written
from prunebench.report.results import Results
from prunebench.report.versus import Pair, versus

Cells = Callable[..., pd.DataFrame]
SUITE = {"name": "quick", "version": "1", "margins": {"mnist": 0.2}}


def leaderboard(frame: pd.DataFrame, *, suite: dict[str, Any], format: str = "md") -> str:
    """Return the leaderboard of a table of cells."""
    return written(Results(suite, frame), format)


def test_the_table_says_how_many_seeds_would_do(cells: Cells) -> None:
    """At the median spread of the range's pairs (here: the one pair), by scipy's power of the paired t test."""
    methods = {
        "none": {0.0: [98.0, 98.0, 98.0]},
        "a": {0.5: [97.0, 96.0, 98.5]},
        "b": {0.5: [96.0, 96.5, 97.0]},
    }
    frame, suite = cells(methods), {**SUITE, "margin": 1.0}
    (setting,) = json.loads(leaderboard(frame, suite=suite, format="json"))["settings"]
    n = setting["seeds_needed"]["all"]
    assert (
        f"About {n} seeds over all would tell differences of 1 points apart (at the pairs' median spread, with "
        "80 % power, after Holm over 1 pairs)"
    ) in leaderboard(frame, suite=suite)
    effect = 1 / np.std([1.0, -0.5, 1.5], ddof=1)

    def power(n: int) -> float:
        return float(stats.nct.sf(stats.t.ppf(0.975, n - 1), n - 1, effect * n**0.5))

    assert power(n) >= 0.8 > power(n - 1)


def test_seeds_that_would_do_are_after_holm_and_unsaid_where_they_are_there(cells: Cells) -> None:
    """Three pairs: each is tested at 5 % / 3; with as many seeds as that takes nothing is said."""
    rng = np.random.default_rng(0)
    values = rng.normal(96, 0.5, (3, 40))

    def setting(seeds: int) -> Any:
        methods = {name: {0.5: [*map(float, row[:seeds])]} for name, row in zip("abc", values, strict=True)}
        frame = cells({"none": {0.0: [98.0] * seeds}, **methods})
        (only,) = Results({**SUITE, "margin": 1.0}, frame).standings
        return only

    needed, pairs = setting(4).seeds_needed["all"]
    assert pairs == 3
    few = values[:, :4]
    sd = np.median([np.std(few[i] - few[j], ddof=1) for i, j in ((0, 1), (0, 2), (1, 2))])

    def power(n: int) -> float:
        critical = stats.t.ppf(1 - 0.025 / 3, n - 1)
        return float(stats.nct.sf(critical, n - 1, n**0.5 / sd))

    assert power(needed) >= 0.8 > power(needed - 1)
    assert "all" not in setting(40).seeds_needed


def test_two_methods_of_the_same_bits_are_one_and_a_note_says_so(cells: Cells) -> None:
    """Same correct answers and loss in every cell, though keys differ: one place, one test in Holm's count."""
    same = {0.5: [97.0, 97.4, 97.2], 0.8: [90.0, 91.0, 92.5]}
    methods = {
        "none": {0.0: [98.0] * 3},
        "ltr": same,
        "ltr-0": same,
        "a": {0.5: [96.0, 96.5, 96.1], 0.8: [80.0] * 3},
    }
    frame = cells(methods).assign(correct=1, examples=10)
    frame["loss"] = frame["accuracy"] / 7
    results = Results({**SUITE, "margin": 1.0}, frame)
    over = results.summary[results.summary["range"] == "all"].set_index("method")
    assert set(over.index) == {"ltr", "a"}
    assert (over.loc["ltr", "of"], tuple(over.loc["ltr", "also"])) == (2, ("ltr-0",))
    assert "Same bits as ltr, so counted once, as that: ltr-0." in written(results)
    other = frame.copy()
    other.loc[(other["method"] == "ltr-0") & (other["seed"] == 2) & (other["sparsity"] == 0.8), "loss"] += (
        1e-15
    )
    apart = Results({**SUITE, "margin": 1.0}, other)
    assert "Same bits" not in written(apart)
    assert len(apart.summary[apart.summary["range"] == "all"]) == 3
    pairs = versus(results, [Pair(("ltr", ""), ("ltr-0", ""))])
    (row,) = pairs[pairs["range"] == "all"].to_dict("records")
    assert (row["difference"], row["verdict"], row["n"]) == (0.0, "same", 3)
    assert row["of_mean"] == row["against_mean"] == pytest.approx((97.2 + 273.5 / 3) / 2)
