"""Rows of chosen cells alone: they say what they say in the whole leaderboard, wherever its ranges lie."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd
import pytest
from prunebench_plugins.quantities import prunebench_quantities

from prunebench.report.leaderboard import leaderboard
from prunebench.report.results import Results

SUITE = {"name": "quick", "version": "1", "margins": {"mnist": 0.2}}
METHODS: dict[str, dict[float, list[Any]]] = {
    "snip": {0.5: [97.0, 97.2, 97.4], 0.8: [96.0, 96.1, 96.4], 0.95: [90.0, 90.1, 90.4]},
    "snip+shuffle": {0.5: [97.1, 97.1, 97.5], 0.8: [96.1, "diverged", 96.2], 0.95: [90.1, 90.2, 90.3]},
    "magnitude-after-training": {0.5: [98.0, 98.1, 98.2], 0.8: [98.0, 98.0, 98.3], 0.95: [91.0, 91.1, 91.3]},
    "random": {0.5: [95.0, 95.4, 95.2], 0.8: [90.0, 91.0, 92.0], 0.95: [80.0, 81.0, 82.0]},
    "none": {0.0: [98.1, 98.0, 98.2]},
}

Chosen = Iterable[tuple[str, str]]
"""Methods, with their ablations after a +, and densities."""

CHOICES: list[Chosen] = [
    [("snip", "0.05")],
    [("snip", "0.05"), ("random", "0.5")],
    [("snip+shuffle", "0.2"), ("none", "1")],
    [("none", "1")],
    [(method, density) for method in METHODS for density in ("0.5", "0.2", "0.05")],
]


@pytest.fixture
def results(cells: Callable[..., pd.DataFrame]) -> Callable[[Chosen | None], Results]:
    """Return the results of two settings, of which some cells of the first are chosen; None: all."""

    def make(chosen: Chosen | None) -> Results:
        frames = [cells(METHODS, architecture=name, recipe="sgd") for name in ("lenet", "mlp")]
        made = Results(SUITE, pd.concat(frames, ignore_index=True))
        first = made.cells.iloc[0]
        setting = {
            n: str(first[n]) for n in ("architecture", "dataset", "recipe", "split", "find", "score_at")
        }
        if chosen is not None:
            made.choose(
                ({**setting, "method": name.partition("+")[0], "ablations": name.partition("+")[2]}, density)
                for name, density in chosen
            )
        return made

    return make


def rows(results: Results) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(leaderboard(results, "csv"))))


@pytest.mark.parametrize("chosen", CHOICES)
def test_rows_of_chosen_cells_are_those_of_the_whole(
    results: Callable[[Chosen | None], Results], chosen: Chosen
) -> None:
    wanted = []
    methods = {name for name, _ in chosen}
    for row in rows(results(None)):
        name = row["method"] + ("+" if row["ablations"] else "") + row["ablations"]
        of_range = row["at"] == "range" and name in methods
        if row["architecture"] == "lenet" and (of_range or (name, row["density"]) in chosen):
            wanted.append(row)
    assert wanted
    assert rows(results(chosen)) == wanted


@pytest.mark.parametrize("format", ["md", "latex", "terminal", "json"])
@pytest.mark.parametrize("chosen", CHOICES)
def test_every_format_shows_them(
    results: Callable[[Chosen | None], Results], chosen: Chosen, format: str
) -> None:
    """Ranges may lie at sparsities that are not shown; other methods and settings are not spoken of."""
    text = leaderboard(results(chosen), format)
    assert "mlp" not in text
    assert ("random |" in text or "random  " in text) <= any(name == "random" for name, _ in chosen)


def test_ranges_are_those_of_all_methods(results: Callable[[Chosen | None], Results]) -> None:
    """The sentence is the same, and the column of a sparsity stands where one of its cells was chosen."""
    whole, few = (leaderboard(results(chosen)).splitlines() for chosen in (None, [("snip", "0.05")]))
    said = [line for line in whole if line.startswith("Ranges of sparsity")]
    assert [line for line in few if line.startswith("Ranges of sparsity")] == said[:1]
    assert next(line for line in few if line.startswith("| method")).split() == [
        "|",
        "method",
        "|",
        "95",
        "%",
        "|",
    ]


def test_tables_of_cells_are_of_the_chosen_ones_and_checks_of_all(
    results: Callable[[Chosen | None], Results],
) -> None:
    """Cells, costs and comparisons; what checks are judged by is whole."""
    chosen, whole = results([("snip", "0.05"), ("random", "0.5")]), results(None)
    for made in (chosen, whole):
        made.quantities = {each.name: each for each in prunebench_quantities()}
    cells = chosen.cells
    assert set(zip(cells["method"], cells["density"], strict=True)) == {("snip", "0.05"), ("random", "0.5")}
    assert set(cells["architecture"]) == {"lenet"}
    pairs = chosen.comparisons
    sides = set(zip(pairs["of_method"], pairs["against_method"], strict=True))
    assert len(pairs)
    assert {side for pair in sides for side in pair} == {"snip", "random"}
    assert set(pairs["of_ablations"]) == {""}
    check = {
        "name": "above",
        "of": {"method": "magnitude-after-training"},
        "against": {"method": "random"},
        "range": "all",
        "expect": "above",
    }
    said = [[(one.verdict, one.effect) for one in made.judged([check]).outcomes] for made in (chosen, whole)]
    assert said[0] == said[1]
    assert said[0][0][0] == "holds"
