"""Simulated tables are those of a suite that has run: same columns, one result a key, the same for a seed."""

from __future__ import annotations

import pandas as pd
import pytest
from simulated import Simulated, simulate

from prunebench.analysis import COLUMNS, measures, summarize


@pytest.fixture(scope="module")
def lenet() -> Simulated:
    return simulate("pai-lenet-test")


def test_the_same_seed_gives_the_same_tables(lenet: Simulated) -> None:
    again, other = simulate("pai-lenet-test"), simulate("pai-lenet-test", seed=1)
    pd.testing.assert_frame_equal(lenet.cells, again.cells)
    pd.testing.assert_frame_equal(lenet.measures, again.measures)
    assert not lenet.cells["correct"].equals(other.cells["correct"])


def test_tables_have_the_columns_of_real_ones(lenet: Simulated) -> None:
    assert list(lenet.cells) == list(COLUMNS)
    real = measures([{**lenet.cells.iloc[5].drop(["numerics"]).to_dict(), "measure": "m", "measured": 1.0}
                     | {"status": "finished"}])  # fmt: skip
    assert list(lenet.measures) == list(real)
    assert {"layer-sparsity", "neuron-sparsity", "effective-density"} <= set(lenet.measures["measure"])


def test_one_key_has_one_result() -> None:
    """`grasp-inverted` and `grasp` + invert are one cell."""
    cells = simulate("pai-lenet", diverging=0.1, missing=0.1, measured=False).cells
    results = cells.groupby("key")[["status", "correct"]].nunique(dropna=False)
    assert cells["key"].duplicated().any()
    assert (results == 1).all(axis=None)
    found = simulate("pai-lenet").measures
    assert (found.groupby(["key", "measure", "field"])["value"].nunique() <= 1).all(axis=None)
    assert set(cells["status"]) == {"finished", "diverged", "missing", "failed"}


def test_accuracy_falls_with_sparsity_and_by_method(lenet: Simulated) -> None:
    found = summarize(lenet.cells[lenet.cells["ablations"] == ""])
    means = found.pivot_table(index="sparsity", columns="method", values="mean")
    last = means.loc[means.index.max()]
    assert last["magnitude-after-training"] > last["snip"] > last["random"]
    assert means["random"].dropna().is_monotonic_decreasing
