"""Every figure of simulated and of real results: it can be drawn, says in words what it shows, has a table."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from simulated import simulate

from prunebench.report.figures import Figure, figures

pytest.importorskip("vl_convert")


@pytest.fixture(scope="module")
def made() -> dict[str, Figure]:
    found = figures(simulate("pai-lenet").results)
    return {figure.id: figure for figure in found}


def test_every_figure_that_there_are_data_for_is_made(made: dict[str, Figure]) -> None:
    assert {"accuracy", "differences", "ablations", "ablations-variants", "ablations-best"} <= set(made)


def test_no_results_have_no_figures() -> None:
    from prunebench.report.results import Results

    assert figures(Results({"name": "empty"})) == []


def test_a_figure_reads_its_tables_by_name(made: dict[str, Figure]) -> None:
    """The chart itself holds no rows, so that a page has each table once."""
    for figure in made.values():
        chart = figure.chart.to_dict()
        assert "datasets" not in chart
        assert set(names_of_data(chart)) == set(figure.tables), figure.id
        assert all(len(table) for table in figure.tables.values())


def names_of_data(part: object) -> list[str]:
    if isinstance(part, dict):
        own = [part["data"]["name"]] if isinstance(part.get("data"), dict) else []
        return own + [name for each in part.values() for name in names_of_data(each)]
    return [name for each in part for name in names_of_data(each)] if isinstance(part, list) else []


def test_every_figure_is_drawn_in_light_and_in_dark(made: dict[str, Figure]) -> None:
    import vl_convert

    for figure in made.values():
        for dark in (False, True):
            svg = vl_convert.vegalite_to_svg(figure.spec(dark=dark))
            assert svg.count("<path") > 5, figure.id
            assert "NaN" not in svg, figure.id


def test_a_figure_says_in_words_what_it_shows(made: dict[str, Figure]) -> None:
    """A text for each setting, with the setting's name and numbers."""
    for figure in made.values():
        assert set(figure.alts) == set(figure.settings or [""])
        for setting, text in figure.alts.items():
            assert setting in text
            assert any(letter.isdigit() for letter in text)
            assert len(text) > 80
        assert figure.caption
        assert figure.title


def test_one_setting_and_some_methods_can_be_chosen(made: dict[str, Figure]) -> None:
    figure = made["accuracy"]
    rows = figure.rows(methods=["snip", "grasp"])["accuracy"]
    assert set(rows["name"]) == {"snip", "grasp"}
    assert set(rows["setting"]) == {figure.settings[0]}
    data = figure.spec(methods=["snip"])["datasets"]["accuracy"]
    assert {row["name"] for row in data} == {"snip"}
    assert json.dumps(data)


def test_intervals_are_those_of_the_tables(made: dict[str, Figure]) -> None:
    """Nothing is estimated anew: means and ends of intervals are those of the summary."""
    results = simulate("pai-lenet").results
    rows = results.summary.query(
        "at == 'sparsity' and method == 'snip' and ablations == '' and score_at == ''"
    )
    drawn = made["accuracy"].table.query("name == 'snip'").set_index("sparsity").loc[rows["sparsity"]]
    drawn = drawn[drawn["setting"] == made["accuracy"].settings[0]]
    for name in ("mean", "low", "high"):
        pd.testing.assert_series_equal(
            drawn[name].reset_index(drop=True), rows[name].round(7).reset_index(drop=True), check_dtype=False
        )
