"""Measures as a table: their numbers, their means over seeds, ratios of an ablation to the method."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from scipy import stats

from prunebench.analysis import fields_of, measures, ratios, summarize_measures
from prunebench.errors import UsageError
from prunebench.report.measures import measures_text


def row(measured: Any, *, status: str = "finished", measure: str = "effective-density", **cell: Any) -> dict[str, Any]:  # fmt: skip
    """Return a measure of a cell of LeNet on MNIST."""
    return {
        "architecture": "lenet", "dataset": "mnist", "method": "snip", "density": "0.1", "seed": 0,
        "key": str(sorted(cell.items())), **cell, "measure": measure, "status": status, "measured": measured,
    }  # fmt: skip


def test_numbers_of_a_value_have_the_places_that_checks_spell() -> None:
    """Tables within tables, lists of named tables, yes and no; texts, nulls and curves are left out."""
    value = {
        "a": 1, "b": {"c": 0.5, "d": {"e": True}}, "names": ["x"], "none": None, "text": "no",
        "layers": [{"name": "conv.weight", "kept": 3, "shape": [1, 2]}], "curve": [[0, 1.0]],
    }  # fmt: skip
    assert dict(fields_of(value)) == {"a": 1, "b.c": 0.5, "b.d.e": 1, "layers.conv.weight.kept": 3}
    assert dict(fields_of(7)) == {"": 7}
    assert dict(fields_of([{"name": "a", "x": 1}])) == {"a.x": 1}


def test_the_table_has_a_row_for_each_number() -> None:
    """In order; the cell's columns are those of the table of cells."""
    frame = measures([row({"density": 0.1, "kept": 5}), row({"density": 0.2, "kept": 6}, seed=1)])
    assert frame[["seed", "field", "value"]].values.tolist() == [
        [0, "density", 0.1], [0, "kept", 5.0], [1, "density", 0.2], [1, "kept", 6.0],
    ]  # fmt: skip
    assert set(frame["sparsity"]) == {0.9}


def test_means_over_seeds_have_the_t_interval() -> None:
    """As scipy's; a diverged and a missing cell are counted beside it and stay out."""
    values = [0.2, 0.25, 0.21]
    rows = [row({"density": v, "kept": 1}, seed=i) for i, v in enumerate(values)]
    rows += [row(None, status="diverged", seed=3), row(None, status="missing", seed=4)]
    found = summarize_measures(measures(rows)).set_index("field").loc["density"]
    assert found[["planned", "n", "diverged", "missing", "failed"]].tolist() == [5, 3, 1, 1, 0]
    low, high = stats.t.interval(0.95, 2, loc=sum(values) / 3, scale=stats.sem(values))
    assert found["mean"] == pytest.approx(sum(values) / 3)
    assert (found["low"], found["high"]) == pytest.approx((low, high))


def test_measures_of_one_name_are_not_mixed_with_others() -> None:
    """Two measures with a field of the same name are two rows, in the order of first appearance."""
    rows = [row({"x": 1.0}), row({"x": 5.0}, measure="flops"), row({"x": 3.0}, seed=1)]
    found = summarize_measures(measures(rows))
    assert found[["measure", "n", "mean"]].values.tolist() == [
        ["effective-density", 2, 2.0],
        ["flops", 1, 5.0],
    ]


def test_a_cell_of_two_matrices_counts_once() -> None:
    """The same key at the same place is one cell."""
    rows = [row({"x": 1.0}, matrix="a"), row({"x": 1.0}, matrix="b")]
    for one in rows:
        one["key"] = "same"
    assert summarize_measures(measures(rows))["n"].tolist() == [1]


def test_ratios_are_taken_seed_by_seed() -> None:
    """Effective parameters of the shuffled over the unmodified network (App. M), then averaged."""
    counts = {0: (100, 101), 1: (200, 206), 2: (0, 5)}
    rows = [row({"effective": a}, seed=seed) for seed, (a, _) in counts.items()]
    rows += [row({"effective": b}, seed=seed, ablations="shuffle") for seed, (_, b) in counts.items()]
    rows.append(row({"effective": 9}, seed=0, ablations="reinit"))
    rows.append(row({"effective": 9}, seed=0, ablations="shuffle", method="grasp"))
    found = ratios(measures(rows))
    snip = found[found["method"] == "snip"]
    assert snip["value"].tolist()[:2] == [1.01, 1.03]
    assert snip["status"].tolist() == ["finished", "finished", "missing"]  # nothing over 0
    assert found[found["method"] == "grasp"]["status"].tolist() == ["missing"]  # nothing to set it over
    whole = summarize_measures(found).set_index("method").loc["snip"]
    assert (whole["n"], whole["missing"], whole["ablations"]) == (2, 1, "shuffle")
    assert whole["mean"] == pytest.approx(1.02)


def test_a_ratio_to_a_diverged_cell_is_diverged() -> None:
    """It is counted as what it is."""
    rows = [row(None, status="diverged"), row({"effective": 4}, ablations="shuffle")]
    assert ratios(measures(rows))["status"].tolist() == ["diverged"]


def test_ratios_want_an_ablation_that_is_there() -> None:
    """The message names the nearest."""
    rows = [row({"x": 1.0}), row({"x": 1.0}, ablations="shuffle")]
    with pytest.raises(UsageError, match=r"'shufle'.*did you mean 'shuffle'"):
        ratios(measures(rows), "shufle")
    with pytest.raises(UsageError, match="has no ablation"):
        ratios(measures(rows[1:]))


def test_no_measures_are_an_empty_table() -> None:
    """With all its columns."""
    frame = summarize_measures(measures([]))
    assert len(frame) == 0
    assert {"measure", "field", "mean", "n"} <= set(frame.columns)


def test_a_cell_under_two_names_is_one_row_of_measures() -> None:
    """The other name stands beside it, in every format; ratios are found under either."""
    rows = [row({"x": 2.0}, key="same", method="grasp-inverted")]
    rows += [row({"x": 2.0}, key="same", method="grasp", ablations="invert")]
    rows += [row({"x": 1.0}, key="plain", method="grasp")]
    whole = summarize_measures(measures(rows))
    assert whole[["method", "also"]].values.tolist() == [
        ["grasp-inverted", ("grasp + invert",)],
        ["grasp", ()],
    ]
    assert "| grasp-inverted (also: grasp + invert) |" in measures_text(whole, "md")
    flat = list(csv.DictReader(io.StringIO(measures_text(whole, "csv"))))
    assert [r["also"] for r in flat] == ["grasp + invert", ""]
    assert [r["also"] for r in json.loads(measures_text(whole, "json"))["rows"]] == [["grasp + invert"], []]
    assert summarize_measures(ratios(measures(rows), "invert"))["mean"].tolist() == [2.0]
