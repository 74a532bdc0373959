from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from prunebench.analysis import compare, places, summarize, table

Cells = Callable[..., pd.DataFrame]


def test_methods_far_apart_have_single_places(cells: Cells) -> None:
    """Where all differences are significant a place is one number."""
    frame = cells(
        {"low": {0.5: [1.0, 1.1, 0.9]}, "high": {0.5: [9.0, 9.2, 9.1]}, "mid": {0.5: [5.0, 5.0, 5.1]}}
    )
    found = places(summarize(frame), compare(frame))
    assert found[["best", "worst", "of"]].to_numpy().tolist() == [[3, 3, 3], [1, 1, 3], [2, 2, 3]]


def test_methods_that_tie_share_an_interval(cells: Cells) -> None:
    """Two that cannot be told apart both stand at 1–2, the third at 3."""
    frame = cells({"a": {0.5: [9.0, 9.2, 9.1]}, "b": {0.5: [9.1, 9.1, 9.2]}, "c": {0.5: [1.0, 1.4, 1.3]}})
    found = places(summarize(frame), compare(frame))
    assert found[["best", "worst"]].to_numpy().tolist() == [[1, 2], [1, 2], [3, 3]]


def test_one_seed_gives_everyone_every_place(cells: Cells) -> None:
    """Without a spread nobody is better than anybody."""
    frame = cells({"a": {0.5: [99.0]}, "b": {0.5: [10.0]}})
    assert places(summarize(frame), compare(frame))[["best", "worst"]].to_numpy().tolist() == [[1, 2], [1, 2]]


def test_a_method_without_a_finished_seed_takes_no_place(cells: Cells) -> None:
    """All diverged: no place, and the others are counted without it."""
    frame = cells({"a": {0.5: [99.0, 98.0]}, "b": {0.5: ["diverged", "diverged"]}})
    found = places(summarize(frame), compare(frame))
    assert found["of"].tolist()[0] == 1
    assert found.loc[1, ["best", "worst", "of"]].isna().all()


def test_sparsities_are_placed_apart(cells: Cells) -> None:
    """Winning at one sparsity is no better place at another."""
    high, low = [9.0, 9.2, 9.1], [1.0, 1.1, 1.2]
    frame = cells({"a": {0.5: high, 0.9: low}, "b": {0.5: low, 0.9: high}})
    found = places(summarize(frame), compare(frame)).set_index(["method", "sparsity"])["best"]
    assert found.to_dict() == {("a", 0.5): 1, ("a", 0.9): 2, ("b", 0.5): 2, ("b", 0.9): 1}


@given(st.integers(2, 6), st.integers(1, 7), st.floats(0, 5), st.integers(0, 10**6))
@settings(deadline=None, max_examples=60)
def test_the_rank_of_the_means_is_always_inside(methods: int, seeds: int, apart: float, seed: int) -> None:
    """An interval is within 1…k and holds the rank that the means alone would give."""
    values = np.random.default_rng(seed).normal(50, 1, (methods, seeds)) + apart * np.arange(methods)[:, None]
    rows = [
        {"architecture": "a", "dataset": "d", "method": f"m{m}", "density": "0.5", "seed": s}
        | {"status": "finished", "accuracy": values[m, s]}
        for m in range(methods)
        for s in range(seeds)
    ]
    frame = table(rows)
    found = places(summarize(frame), compare(frame))
    rank = (-values.mean(axis=1)).argsort().argsort() + 1
    assert (found["best"] >= 1).all()
    assert (found["worst"] <= methods).all()
    assert (found["best"].to_numpy(int) <= rank).all()
    assert (rank <= found["worst"].to_numpy(int)).all()
