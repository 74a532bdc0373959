"""Finds side by side in one figure: how their rows and settings are called, how they are chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from little_study import HOT, PLAIN, SLOW, SUITE

from prunebench.errors import UsageError
from prunebench.report.figures import curve
from prunebench.report.figures.notebook import curve_figure
from prunebench.report.figures.text import table
from prunebench.report.results import Results

Cells = Callable[..., pd.DataFrame]


@pytest.fixture
def results(cells: Cells) -> Results:
    """Two recipes of evaluation, of each two finds and what none concerns."""
    frames = [
        cells(rows, recipe=recipe, **labels)
        for recipe in ("eval", "other")
        for rows, labels in ((SLOW, {"find": "lr=0.01"}), (HOT, {"find": "hot"}), (PLAIN, {}))
    ]
    return Results(SUITE, pd.concat(frames, ignore_index=True))


def drawn(results: Results, methods: list[str], **how: Any) -> dict[str, list[float]]:
    rows = curve(results, methods, **how).to_dict()["datasets"]["accuracy"]
    means: dict[str, list[float]] = {}
    for row in rows:
        means.setdefault(row["name"], []).append(row["mean"])
    return means


def test_a_method_is_a_line_for_each_find_under_one_recipe(results: Results) -> None:
    """Called as tables of finds call them; settings are those that are left without the find."""
    made, names = curve_figure(results, ["chain", "random"])
    assert made is not None
    assert made.settings == ("lenet on mnist, recipe eval", "lenet on mnist, recipe other")
    assert names == ["chain, find lr=0.01", "chain, find hot", "random"]
    found = drawn(results, ["chain", "random"], setting="other")
    assert found["chain, find lr=0.01"] == [pytest.approx(97.1), pytest.approx(96.1)]
    assert found["chain, find hot"] == [pytest.approx(96.2), pytest.approx(93.1)]
    assert set(found) == {"chain, find lr=0.01", "chain, find hot", "random", "none"}


def test_finds_are_chosen_by_their_labels_or_by_the_name_of_a_row(results: Results) -> None:
    """What no find concerns stays."""
    assert set(drawn(results, ["chain", "random"], finds=["hot"])) == {"chain, find hot", "random", "none"}
    assert set(drawn(results, ["local, find lr=0.01"])) == {"local, find lr=0.01", "none"}


@pytest.mark.parametrize(
    ("methods", "finds", "message"),
    [
        (["chian"], [], "no results of 'chian'; did you mean 'chain'"),
        (["chain, find cold"], [], "no results of 'chain, find cold'; did you mean 'chain, find hot'"),
        (["chain"], ["lr=0.02"], "no find 'lr=0.02' of chain; did you mean 'lr=0.01'"),
        (["random"], ["hot"], "no find 'hot': random is not found under several"),
    ],
)
def test_what_is_not_there_is_named(
    results: Results, methods: list[str], finds: list[str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        curve(results, methods, finds=finds)


def test_lines_of_finds_differ_in_colour_and_those_of_methods_in_dash(results: Results) -> None:
    made, _ = curve_figure(results, ["chain", "local"])
    assert made is not None
    looks: dict[str, dict[str, Any]] = {}

    def look(part: Any) -> None:
        if isinstance(part, list):
            for each in part:
                look(each)
        elif isinstance(part, dict):
            for channel in ("color", "strokeDash"):
                scale = (
                    (part.get(channel) or {}).get("scale") if isinstance(part.get(channel), dict) else None
                )
                if scale:
                    looks[channel] = {n: str(v) for n, v in zip(scale["domain"], scale["range"], strict=True)}
            for each in part.values():
                look(each)

    look(made.chart.to_dict())
    colours, dashes = looks["color"], looks["strokeDash"]
    assert colours["chain, find hot"] == colours["local, find hot"] != colours["chain, find lr=0.01"]
    assert dashes["chain, find hot"] == dashes["chain, find lr=0.01"] != dashes["local, find hot"]


def test_a_suite_without_several_finds_has_the_settings_that_it_has(cells: Cells) -> None:
    """A single find is a part of its setting, as elsewhere."""
    frames = [cells(SLOW, find="lr=0.01"), cells(PLAIN)]
    made, names = curve_figure(Results(SUITE, pd.concat(frames)), ["chain"])
    assert made is not None
    assert (made.settings, names) == (("lenet on mnist, find lr=0.01",), ["chain"])


def test_a_table_that_is_too_wide_has_a_row_a_sparsity(results: Results) -> None:
    made, names = curve_figure(results, ["chain"])
    assert made is not None
    rows = made.rows("lenet on mnist, recipe eval", names)["accuracy"]
    wide, narrow = table(rows).splitlines(), table(rows, width=20).splitlines()
    assert wide[0].split() == ["method", "50", "%", "80", "%"]
    assert narrow == wide  # of two methods and two sparsities it would not be narrower
    many = pd.concat([rows.assign(sparsity=rows["sparsity"] + 0.01 * i) for i in range(5)])
    assert table(many, width=300).splitlines()[0].startswith("method")
    turned = table(many, width=100).splitlines()
    assert turned[0].split("  ")[0] == "sparsity"
    assert turned[0].rstrip().endswith("chain, find hot")
    assert len(turned) == 2 + 10
