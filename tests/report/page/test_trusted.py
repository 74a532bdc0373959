"""A row that somebody ran again is seen as such: in the answer beside its place, and in the tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prunebench.analysis import SETTING, table
from prunebench.report.page import PAGE, Content, render, write
from prunebench.report.results import Results

SUITE = {"name": "s", "version": "1", "margin": 0.5, "leaderboard": {"title": "S", "margin": None}}
DENSITIES = ("0.5", "0.1")
MEANS = {"snip": (95, 90), "grasp": (94.9, 85), "synflow": (94, 80), "none": (96,)}


@pytest.fixture(scope="module")
def published() -> Results:
    """SNIP was rerun at one sparsity and differs, GraSP at both and agrees, SynFlow at one and agrees."""
    rows = [
        {
            "matrix": "m", "cell": f"net-data-{method}-d{density}-s{seed}", "key": f"{method}{density}{seed}" * 8,
            "architecture": "net", "dataset": "data", "method": method, "seed": seed, "status": "finished",
            "density": density if method != "none" else "1", "correct": round(100 * mean) + 10 * seed,
            "examples": 10000, "classes": 10,
        }
        for method, means in MEANS.items()
        for density, mean in zip(DENSITIES, means, strict=method != "none")
        for seed in range(3)
    ]  # fmt: skip
    setting = ("net", "data", *[""] * (len(SETTING) - 2))
    trust = {
        (*setting, "snip", "", "0.1"): "differs",
        (*setting, "snip", "", "0.5"): "rerun",
        (*setting, "grasp", "", "0.1"): "rerun",
        (*setting, "grasp", "", "0.5"): "rerun",
        (*setting, "synflow", "", "0.5"): "rerun",
    }
    return Results(SUITE, table(rows), trust=trust)


def content(results: Results) -> Content:
    return Content(results, files=False, published="leaderboards/s")


def test_rows_at_a_sparsity_and_over_a_range_say_what_they_are(published: Results) -> None:
    told = content(published).trust
    assert [told.at("net on data", "snip", percent) for percent in (50, 90)] == [
        "rerun agrees",
        "rerun differs",
    ]
    over = {name: told.over("net on data", name, "all") for name in ("snip", "grasp", "synflow")}
    assert over == {
        "snip": "rerun differs at 90 %",
        "grasp": "rerun agrees",
        "synflow": "1 of 2 rerun, agrees",
    }
    assert told.at("net on data", "synflow", 90) == "claimed"


def test_the_answer_says_that_its_best_came_out_otherwise(published: Results) -> None:
    """In the sentence, without a script, and where it may be best."""
    answer = content(published).settings[0].answers[0]
    assert answer.best[0] == "snip"
    assert answer.doubts == "snip: rerun differs at 90 %."
    assert '<b class="fails">snip: rerun differs at 90 %.</b>' in render(content(published))


def test_ones_own_results_have_no_column_of_trust(published: Results) -> None:
    own = Content(Results(SUITE, published.cells), files=False)
    assert all("trust" not in {column.id for column in each.columns} for each in own.tables)
    assert not own.settings[0].answers[0].doubts
    assert {each.id for each in content(published).tables if "trust" in {c.id for c in each.columns}} >= {
        "accuracies",
        "summary",
        "cells",
    }


def test_places_and_tables_show_it_in_a_browser(published: Results, browser: Any, tmp_path: Path) -> None:
    """Beside the place, as a mark of its own; and a row opens with the command that verifies it."""
    write(tmp_path, PAGE, render(content(published)))
    browser.open(tmp_path / PAGE)
    places = dict(zip(browser.texts("#places th bdi"), browser.texts("#places tbody tr"), strict=False))
    assert places
    rows = browser.texts("#places tbody tr")
    assert [row for row in rows if "rerun differs at 90 %" in row] == [rows[0]]
    assert browser.texts("#places .pill.fails") == ["rerun differs at 90 %"]
    assert browser.texts("#places .pill.holds") == ["rerun agrees"]
    browser.run("document.getElementById('table-accuracies').scrollIntoView()")
    browser.wait("document.querySelector('#table-accuracies tbody tr[data-row]')")
    marked = browser.ask(
        "[...document.querySelectorAll('#table-accuracies tbody tr')].map((row) => row.cells[2].textContent)"
    )
    assert sorted(marked) == sorted(
        ["rerun agrees"] * 4 + ["rerun differs", "claimed"] + ["claimed"] * (len(marked) - 6)
    )
    browser.run(
        "[...document.querySelectorAll('#table-accuracies tbody tr')]"
        ".find((row) => row.textContent.includes('differs')).click()"
    )
    assert browser.texts("#row code") == ["prunebench verify m::net-data-snip-d0.1 --from leaderboards/s"]
    assert browser.texts("#provenance pre")[-1] == "prunebench verify ROW --from leaderboards/s"
    browser.listen()
    assert browser.said == []
