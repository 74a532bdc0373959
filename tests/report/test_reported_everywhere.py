"""No reported number is lost: each of a suite's stands in every format, with the digits it was reported with."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from prunebench_plugins.quantities import prunebench_quantities
from simulated import simulate

from prunebench.analysis import SETTING
from prunebench.host import Host
from prunebench.report.figures.source import Source
from prunebench.report.figures.tables import OURS, reported
from prunebench.report.leaderboard import leaderboard
from prunebench.report.page.content import Content
from prunebench.report.results import Results
from prunebench.suite import load_suite

Cells = Callable[..., pd.DataFrame]
QUANTITIES = {one.name: one for one in prunebench_quantities()}


def row(frame: pd.DataFrame, **about: Any) -> dict[str, Any]:
    """A reported number of the first of these cells."""
    given = {"method": "none", "ablations": "", "density": "1", "value": 92.0, "source": "A", "runs": None}
    return {**{name: str(frame.iloc[0][name]) for name in SETTING}, **given, **about}


def written(results: Results) -> dict[str, int]:
    """How many reported numbers there are in each format."""
    (page,) = [table for table in Content(results, files=False).tables if table.id == "reported"]
    tables = {name: leaderboard(results, name, tables=["reported"]) for name in ("md", "latex", "csv")}
    whole = json.loads(leaderboard(results, "json"))
    return {
        "api": len(results.reported),
        "md": sum(line.startswith("| ") and "| method" not in line for line in tables["md"].splitlines()),
        "latex": tables["latex"].count(r" \\") - tables["latex"].count(r"\midrule"),
        "csv": len(list(csv.DictReader(io.StringIO(tables["csv"])))),
        "json": sum(len(setting["reported"]) for setting in whole["settings"]),
        "page": len(page.frame),
    }


def test_a_setting_of_nothing_but_the_unpruned_network_is_there_where_somebody_reports_it(
    cells: Cells,
) -> None:
    """And is left out, as ever, where nobody does."""
    pruned = cells({"none": {0.0: [98.0, 98.2]}, "snip": {0.5: [97.0, 97.1]}}, classes=10)
    alone = cells({"none": {0.0: [92.1, 92.3]}}, architecture="vgg11", classes=10)
    frame = pd.concat([pruned, alone], ignore_index=True)
    suite = {"name": "s", "version": "1", "margins": {"mnist": 0.5}}
    assert len(Results(suite, frame).standings) == 1
    results = Results({**suite, "reported": [row(alone), row(pruned, value=98.16)]}, frame)
    assert [standing.labels["architecture"] for standing in results.standings][-1] == "vgg11"
    assert set(written(results).values()) == {2}
    text = leaderboard(results)
    assert "92.0" in text
    assert "98.16" in text


def test_a_number_that_is_no_accuracy_stands_beside_what_its_check_compares(cells: Cells) -> None:
    """With the digits that it was reported with; what a check asks that nobody reports is not listed."""
    frame = cells({"none": {0.0: [98.0] * 3}, "snip": {0.5: [97.0, 97.4, 97.2]}}, classes=10)
    where = {"architecture": [str(frame.iloc[0]["architecture"])]}
    side = {"of": {"method": "snip"}, "where": where, "range": [0.5], "expect": "same", "margin": 0.5}
    checks = [
        {**side, "name": "drop", "quantity": {"name": "drop", "to": {"method": "none"}}, "against": -0.8016},
        {**side, "name": "own", "against": 97.0},
    ]
    number = row(frame, method="snip", density="0.5", value=-0.8016, quantity="drop", check="drop")
    suite = {"name": "s", "version": "1", "margins": {"mnist": 0.5}, "checks": checks, "claims": []}
    results = Results({**suite, "reported": [number]}, frame, quantities=QUANTITIES)
    (found,) = results.reported.to_dict("records")
    assert (found["check"], found["quantity"], found["verdict"]) == ("drop", "drop", "holds")
    assert found["mean"] == pytest.approx(-0.8)
    assert found["difference"] == pytest.approx(0.0016)
    assert (found["low"], found["high"]) == pytest.approx((0.0016 - 0.4968275, 0.0016 + 0.4968275), abs=1e-6)
    assert "-0.8016" in leaderboard(results, tables=["reported"])
    assert set(written(results).values()) == {1}


@pytest.mark.slow
def test_all_78_numbers_of_the_replications_are_in_every_format() -> None:
    """As many as the suite's file has, and in figures those of settings that are drawn."""
    made = simulate("pai-replication", missing=0)
    results = Results(made.suite, made.cells, made.measures, made.costs, made.quantities)
    in_file = sum(len(one.values) for one in load_suite("pai-replication", Host.load()).reported)
    assert in_file == 78
    assert set(written(results).values()) == {in_file}
    drawn = reported(results, Source(results).accuracies)
    assert (drawn["source"] != OURS).sum() == in_file
