"""Selecting cells: the same ones for every command, and "not selected" is not "missing"."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import TINY, Place, make_place

GRID = TINY.replace("[0.5]", "[0.5, 0.98559]").replace('"magnitude-after-training"', '"magnitude"')


@pytest.fixture(scope="module")
def partly(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Any]:
    """A folder in which `random` was run at one of two sparsities, and what `run` said. Not to be changed."""
    place = make_place(tmp_path_factory.mktemp("partly"))
    place.write("tiny.toml", GRID)
    return place, place.call("run", place.suite, "-k", "random", "--sparsity", "98.6", *place.plugin)


def test_run_takes_a_sparsity_as_tables_print_it(partly: tuple[Place, Any]) -> None:
    """Two seeds of one method at one sparsity; plan and status select the same."""
    place, result = partly
    assert "2 cells made now, 0 done before" in result.stdout
    chosen = ("-k", "random", "--sparsity", "98.56 %")
    plan = place.json("plan", place.suite, *chosen, *place.plugin)
    assert [(cell["method"], cell["density"], cell["status"]) for cell in plan["cells"]] == [
        ("random", "0.01441", "done")
    ] * 2
    status = place.json("status", place.suite, *chosen)
    assert status["total"] == {"cells": 2, "done": 2, "diverged": 0, "failed": 0, "missing": 0}
    assert "2 of 2 cells done, selected of 14" in place.call("status", place.suite, *chosen).stdout


def test_what_was_not_selected_is_not_missing(partly: tuple[Place, Any]) -> None:
    """The table of a selection has no footnote on other cells; that of the suite says that they are not run."""
    place, result = partly
    assert "missing" not in result.stdout
    assert "not selected now, and not run before" in result.stdout
    board = place.call("leaderboard", place.suite, code=1).stdout
    assert "missing" not in board
    assert "2 of 2 not run yet: out of the mean" in board
    assert "not selected" not in board


def test_json_counts_apart_what_was_not_selected(partly: tuple[Place, Any]) -> None:
    """`missing` are cells that were asked for; of the whole suite that is all."""
    place, _ = partly
    run = place.json("run", place.suite, "-k", "random and s0", *place.plugin)
    rows = run["leaderboard"]["settings"][0]["rows"]
    counts = {
        (row["method"], row["sparsity"]): (row["n"], row["missing"], row["unselected"])
        for row in rows
        if row["at"] == "sparsity"
    }
    assert counts["random", 0.5] == (1, 0, 1)
    assert counts["random", 0.98559] == (2, 0, 0)
    assert counts["own", 0.5] == (0, 0, 2)
    whole = place.json("leaderboard", place.suite, code=1)["settings"][0]["rows"]
    assert {row["unselected"] for row in whole} == {0}
    assert sum(row["missing"] for row in whole if row["at"] == "sparsity") == 14 - 3


def test_exit_codes(partly: tuple[Place, Any]) -> None:
    """0 says that everything asked for is there."""
    place, _ = partly
    place.call("status", place.suite)
    place.call("status", place.suite, "--check", code=1)
    place.call("status", place.suite, "--check", "-k", "random", "--sparsity", "98.56")
    place.call("leaderboard", place.suite, code=1)
    place.call("leaderboard", place.suite, "--sparsity", "98.56", code=1)


def test_a_column_of_the_leaderboard(partly: tuple[Place, Any]) -> None:
    """--sparsity shows columns of the tables; other formats have all, and say so."""
    place, _ = partly
    header = next(
        line
        for line in place.call("leaderboard", place.suite, "--sparsity", "50", code=1).stdout.splitlines()
        if line.startswith("| method")
    )
    assert [cell.strip() for cell in header.strip("|").split("|")] == ["method", "0 %", "50.0 %"]
    told = place.call("leaderboard", place.suite, "--sparsity", "50", "--format", "csv", code=2).stderr
    assert "csv has every sparsity in rows" in told


@pytest.mark.parametrize("command", ["run", "plan", "status", "measures", "leaderboard"])
def test_a_sparsity_that_is_not_there(partly: tuple[Place, Any], command: str) -> None:
    """Exit code 2 and the nearest, for every command, before anything is done."""
    place, _ = partly
    before = place.files()
    options = [] if command == "leaderboard" else ["-k", "random"]
    told = place.call(command, place.suite, "--sparsity", "98", *options, *place.plugin, code=2).stderr
    assert "--sparsity 98: no cell has it; the nearest is 98.6 %; allowed: 0 %, 50.0 %, 98.6 %" in told
    assert place.files().keys() == before.keys()


def test_a_number_in_k_is_told_of_the_option(partly: tuple[Place, Any]) -> None:
    """-k matches names, in which densities stand."""
    place, _ = partly
    for text in ("98.56", "s98.56"):
        told = place.call("plan", place.suite, "-k", text, *place.plugin, code=2).stderr
        assert "for a sparsity: --sparsity 98.56" in told
