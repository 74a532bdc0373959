"""Results: plain tables in, documented tables out; what a store has, with what it costs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from simulated import simulate

import prunebench
from prunebench.analysis import COLUMNS, compare, find_ranges, over_ranges
from prunebench.errors import UsageError
from prunebench.report.results import COSTS, Results

Cells = Callable[..., pd.DataFrame]
SUITE = {"name": "mine", "version": "1", "margins": {"mnist": 0.2}}

SPELLED = {
    "none": {0.0: [98.0, 98.2]},
    "random": {0.5: [97.0, 97.4], 0.9: [80.0, 82.0]},
    "magnitude-after-training": {0.5: [98.1, 98.2], 0.9: [96.0, 95.0]},
    "snip": {0.5: [98.0, 98.4], 0.9: [95.0, 92.0]},
}


def documented(heading: str) -> set[str]:
    text = (Path(__file__).parents[2] / "docs" / "results.md").read_text("utf-8")
    section = text.split(f"\n## `{heading}`\n", 1)[1].split("\n## ", 1)[0]
    return {
        name for row in re.findall(r"^\| (.*?) \|", section, re.M) for name in re.findall(r"`(\w+)`", row)
    }


@pytest.mark.parametrize(
    "name", ["cells", "costs", "settings", "comparisons", "reported", "across", "profile", "checks", "claims"]
)
def test_every_column_is_documented_and_every_documented_column_is_there(name: str, cells: Cells) -> None:
    """docs/results.md lists the columns of each table beside those that name setting, method and cell."""
    frame = getattr(Results(SUITE, cells(SPELLED)), name)
    common = {"architecture", "dataset", "recipe", "split", "find", "score_at", "method", "ablations"}
    common |= {"density", "sparsity", "seed", "key"}
    assert set(frame.columns) - common == documented(name) - common


def test_pairs_over_sparsities_and_ranges_are_those_of_the_statistics(cells: Cells) -> None:
    """Every pair stands once at each sparsity and range, with the numbers of `compare`."""
    frame = cells(SPELLED)
    found = Results(SUITE, frame).comparisons
    points = found[found["at"] == "sparsity"].reset_index(drop=True)
    ranges = found[found["at"] == "range"].reset_index(drop=True)
    over = over_ranges(frame, find_ranges(frame, margins={"mnist": 0.2}))
    for part, wanted in ((points, compare(frame)), (ranges, compare(over, at=("range",)))):
        assert len(part) == len(wanted) > 0
        pd.testing.assert_frame_equal(part[["mean", "p_holm"]], wanted[["mean", "p_holm"]])
    assert set(found["at"]) == {"sparsity", "range"}


def test_a_number_of_others_stands_beside_ours(cells: Cells) -> None:
    """The difference is ours less theirs; a number of a cell that is not there is left out."""
    row = {"method": "snip", "ablations": "", "source": "T1", "runs": 3, "dataset": "mnist"}
    suite = {
        **SUITE,
        "reported": [{**row, "density": "0.5", "value": 98.0}, {**row, "density": "0.3", "value": 1}],
    }
    (found,) = Results(suite, cells(SPELLED)).reported.to_dict("records")
    assert (found["reported"], found["mean"]) == (98.0, pytest.approx(98.2))
    assert found["difference"] == pytest.approx(0.2)


def test_three_settings_have_a_table_across_them(cells: Cells) -> None:
    """By default beside magnitude after training; beside any other method on request."""
    frame = pd.concat([cells(SPELLED, architecture=name) for name in ("a", "b", "c")])
    found = Results(SUITE, frame)
    every = found.across[found.across["range"] == "all"].set_index("method")
    assert every.loc["snip", "difference"] == pytest.approx((98.2 - 98.15 + 93.5 - 95.5) / 2)
    other = found.across_settings(("random", ""))
    assert set(other["against"]) == {"random"}
    assert found.profile["share"].between(0, 1).all()
    assert Results(SUITE, cells(SPELLED)).across.empty


def test_the_margin_of_a_suites_leaderboard_goes_before_that_of_the_data(cells: Cells) -> None:
    """One place decides which margin every table uses."""
    assert Results(SUITE, cells(SPELLED)).settings["margin"].tolist() == [0.2]
    own = {**SUITE, "leaderboard": {"margin": 2.0}}
    assert Results(own, cells(SPELLED)).settings["margin"].tolist() == [2.0]


def test_results_of_nothing_have_every_table(cells: Cells) -> None:
    """No cell, no measure, no cost: empty tables with their columns."""
    empty = Results({"name": "mine"})
    assert list(empty.cells.columns) == list(COLUMNS)
    for name in ("measures", "costs", "summary", "comparisons", "reported", "settings"):
        assert len(getattr(empty, name)) == 0


def test_the_results_of_a_store_are_its_records_and_measures(project: Any) -> None:
    """Accuracies are those of the records, and what is known of costs is counted by hand."""
    measures = ["flops", "effective-density", "training-flops"]
    path = project.suite(["snip", "random", "magnitude-after-training"], seeds=2, measures=measures)
    engine = project.run(path)
    found = prunebench.results(path, project.folder / "store", data=project.folder / "data")
    for row in found.cells.to_dict("records"):
        test = engine.store.read_record(row["key"]).result["test"]
        assert row["accuracy"] == 100 * test["correct"] / test["examples"]
    costs = found.costs.set_index(["method", "seed"])
    snip, random = costs.loc[("snip", 0)], costs.loc[("random", 0)]
    assert (snip["kept"], snip["prunable"]) == (3232, 6464)
    assert snip["flops_dense"] == 2 * 6464
    batch = engine.plan.cells[0].labels  # 100 examples of ten classes, three passes each
    assert batch["dataset"] == "digits"
    assert (snip["scoring_passes"], random["scoring_passes"]) == (300, 0)
    assert snip["scoring_macs"] == 300 * 6464
    assert snip["scoring_flops"] == 2 * snip["scoring_macs"]
    assert 0 < snip["effective_density"] <= 0.5
    assert costs.loc[("magnitude-after-training", 0), "relative_dense"] == 2
    assert costs["train_seconds"].gt(0).all()


def test_the_seconds_of_scoring_do_not_rest_on_logs(project: Any) -> None:
    """A published pack has none; of a method that scores nothing they are not guessed."""
    path = project.suite(["snip"])
    project.run(path)
    found = prunebench.results(path, project.folder / "store", data=project.folder / "data")
    assert found.costs.loc[found.costs["method"] == "none", "scoring_seconds"].isna().all()
    for log in (project.folder / "store" / "logs").glob("*"):
        log.unlink()
    again = prunebench.results(path, project.folder / "store", data=project.folder / "data")
    pd.testing.assert_frame_equal(again.costs, found.costs)
    assert again.costs.loc[again.costs["method"] == "snip", "scoring_seconds"].gt(0).all()


def test_importing_prunebench_and_reading_a_frozen_plan_take_no_torch(project: Any) -> None:
    """A notebook that looks at results of a suite that was run waits for no torch."""
    path = project.suite(["snip"])
    session = project.session(path)
    session.freeze(project.store())
    code = (
        "import sys, prunebench; assert 'pandas' not in sys.modules; "
        f"r = prunebench.results({str(path)!r}, {str(project.folder / 'store')!r}); r.summary; r.comparisons; "
        "assert 'torch' not in sys.modules; print(len(r.cells))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "2"


def test_unknown_columns_of_costs_are_not_kept_and_absent_ones_are_unknown() -> None:
    """Costs always have the columns of COSTS, as numbers."""
    row = {"architecture": "a", "dataset": "d", "recipe": "", "split": "", "find": "", "score_at": ""}
    row |= {"method": "snip", "ablations": "", "density": "0.5", "sparsity": 0.5, "seed": 0, "key": "k"}
    found = Results({"name": "x"}, costs=pd.DataFrame([{**row, "kept": 3, "else": 1}])).costs
    assert list(found.columns[-len(COSTS) :]) == list(COSTS)
    assert found["kept"].tolist() == [3.0]
    assert np.isnan(found["macs"][0])


def test_numbers_of_a_measure_that_is_not_there_are_refused_with_the_nearest() -> None:
    """And so is a place that it has no number at: an empty table would look like an answer."""
    results = simulate("pai-lenet").results
    assert len(results.measured("effective-density", ["share"])) > 0
    with pytest.raises(UsageError, match="no results of the measure 'effective-densty'; did you mean 'eff"):
        results.measured("effective-densty", ["share"])
    with pytest.raises(
        UsageError, match="no field of effective-density is like 'shar'; did you mean 'share'"
    ):
        results.measured("effective-density", ["share", "shar"])
    with pytest.raises(UsageError, match=r"no \[\[matrix\]\] of this suite has measures"):
        Results(SUITE).measured("flops", ["dense"])
