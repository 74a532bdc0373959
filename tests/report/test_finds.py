"""Several finds of one eval in a leaderboard: one table, a row each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
from little_study import SLOW, SUITE

from prunebench.analysis import measures
from prunebench.report.leaderboard import leaderboard
from prunebench.report.results import Results

Cells = Callable[..., pd.DataFrame]
HOT: dict[str, Any] = {"chain": {0.5: [96.0, 96.4], 0.8: [93.0, "diverged"]}, "local": {0.5: [95.5, 95.7]}}
PLAIN: dict[str, Any] = {
    "none": {0.0: [98.0, 98.2]},
    "random": {0.5: [90.0, 90.2], 0.8: [80.0, 81.0]},
    "chain": {0.5: [96.5, 96.7], 0.8: [95.0, 95.2]},
}


def frames(cells: Cells, recipe: str = "eval") -> pd.DataFrame:
    return pd.concat(
        [
            cells(SLOW, recipe=recipe, find="lr=0.01"),
            cells(HOT, recipe=recipe, find="hot"),
            cells(PLAIN, recipe=recipe),
        ]
    )


def finds_of(text: str, recipe: str = "eval") -> list[list[str]]:
    """The rows of the table of finds under a recipe."""
    part = text[text.index(f"## Finds: lenet on mnist (recipe {recipe})") :].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|") and not line.startswith("|:")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_finds_stand_below_one_another_at_one_eval(cells: Cells) -> None:
    """Method by method; what none of them concerns once, the unpruned network with it."""
    text = leaderboard(Results(SUITE, frames(cells)))
    assert finds_of(text) == [
        ["method", "0 %", "50 %", "80 %"],
        ["chain, find lr=0.01", "", "97.10 ± 0.14", "96.10 ± 0.14"],
        ["chain, find hot", "", "96.20 ± 0.28", "93.00 (1 of 2 diverged) [1]"],
        ["chain, find as eval", "", "96.60 ± 0.14", "95.10 ± 0.14"],
        ["local, find lr=0.01", "", "95.10 ± 0.14", ""],
        ["local, find hot", "", "95.60 ± 0.14", ""],
        ["random", "", "90.10 ± 0.14", "80.50 ± 0.71"],
        ["none", "98.10 ± 0.14", "", ""],
    ]
    assert "or have a find of their own, and the unpruned network at 0 %." in text


def test_each_eval_has_a_table_of_its_own(cells: Cells) -> None:
    """And a suite without several finds has none."""
    text = leaderboard(Results(SUITE, pd.concat([frames(cells), frames(cells, "other")])))
    assert finds_of(text) == finds_of(text, "other")
    assert "Finds" not in leaderboard(Results(SUITE, cells(PLAIN)))
    assert "Finds" not in leaderboard(Results(SUITE, cells({"chain": SLOW["chain"]}, find="lr=0.01")))


def test_the_network_that_was_scored_stands_beside_its_find(cells: Cells) -> None:
    """The unpruned one, the mean over seeds of the measure that tells of it."""
    frame = frames(cells)
    rows = [
        row for row in frame.to_dict("records") if row["method"] == "chain" and row["status"] == "finished"
    ]
    accuracy = {"lr=0.01": 90.0, "hot": 99.0, "": 95.0}
    measured = measures(
        [
            {
                **row,
                "measure": "scored-network",
                "measured": {"unpruned": {"accuracy": accuracy[row["find"]] + row["seed"]}},
            }
            for row in rows
        ]
    )
    table = finds_of(leaderboard(Results(SUITE, frame, measures=measured)))
    assert table[0][:2] == ["method", "its network"]
    told = {row[0]: row[1] for row in table[1:]}
    assert told["chain, find lr=0.01"] == "90.50 ± 0.71"
    assert told["chain, find hot"] == "99.50 ± 0.71"
    assert told["chain, find as eval"] == "95.50 ± 0.71"
    assert told["local, find hot"] == told["random"] == ""
    other = leaderboard(Results(SUITE, frame, measures=measured[measured["find"] == "hot"]))
    assert [row[1] for row in finds_of(other)[1:4]] == ["", "99.50 ± 0.71", ""]


def test_the_table_is_chosen_alone(cells: Cells) -> None:
    """In csv it is the rows of all settings, which say their find."""
    text = leaderboard(Results(SUITE, frames(cells)), tables=["finds"])
    assert text.count("\n## ") == 1
    assert ",lr=0.01," in leaderboard(Results(SUITE, frames(cells)), "csv", tables=["finds"])


def test_without_an_unpruned_network_there_is_no_column_for_it(cells: Cells) -> None:
    frame = frames(cells)
    rows = finds_of(leaderboard(Results(SUITE, frame[frame["method"] != "none"])))
    assert rows[0] == ["method", "50 %", "80 %"]
    assert rows[-1][0] == "random"
