"""Every figure of simulated and of real results: it can be drawn, says in words what it shows, has a table."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import altair as alt
import pandas as pd
import pytest
from simulated import simulate

from prunebench.analysis import compare, places, summarize, table
from prunebench.numbers import FORMS
from prunebench.report.figures import Figure, figures
from prunebench.report.figures.axes import ACCURACY_SHORT, accuracy_axis
from prunebench.report.figures.captions import caption
from prunebench.report.figures.notebook import curve_figure
from prunebench.report.figures.source import Source
from prunebench.report.results import Results

pytest.importorskip("vl_convert")


@pytest.fixture(scope="module")
def lenet() -> Results:
    return simulate("pai-lenet").results


@pytest.fixture(scope="module")
def made(lenet: Results) -> dict[str, Figure]:
    return {figure.id: figure for figure in figures(lenet)}


@pytest.fixture(scope="module")
def whole() -> Results:
    """Results of the suite's test size without a run that is missing, failed or diverged."""
    return simulate("pai-lenet-test", diverging=0, missing=0, failing=0).results


@pytest.fixture(scope="module")
def unmeasured() -> Results:
    return simulate("pai-lenet-test", measured=False).results


def test_every_figure_that_there_are_data_for_is_made(made: dict[str, Figure]) -> None:
    assert {"accuracy", "differences", "ablations", "ablations-variants", "ablations-best"} <= set(made)


def test_no_results_have_no_figures() -> None:

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


def test_intervals_are_those_of_the_tables(lenet: Results, made: dict[str, Figure]) -> None:
    """Nothing is estimated anew: means and ends of intervals are those of the summary."""
    rows = lenet.summary.query("at == 'sparsity' and method == 'snip' and ablations == '' and score_at == ''")
    drawn = made["accuracy"].rows(methods=["snip"])["accuracy"].set_index("sparsity").loc[rows["sparsity"]]
    for name in ("mean", "low", "high"):
        assert drawn[name].tolist() == rows[name].tolist()


def test_extremes_and_points_of_pruning_have_their_figures() -> None:
    """Suites of the paper's Figs. 6, 7 and 10 have them; so have suites of three settings and more."""
    late = {figure.id: figure for figure in figures(simulate("pai-after-init").results)}
    assert {"pruning-time", "pruning-time-ablations", "across", "profiles"} <= set(late)
    found = late["pruning-time"].rows()["pruning-time"]
    steps = found[found["name"] == "magnitude"].groupby("panel")["step"].nunique()
    assert (steps > 5).all()
    rewound = found[found["name"] == "ltr"].groupby("panel")["step"].nunique()
    assert (rewound > 3).all()
    others = {figure.id: figure for figure in figures(simulate("pai-extreme").results)}
    sources = set(others["extreme"].table["source"])
    assert "ours" in sources
    assert len(sources) > 1


def test_a_run_that_diverged_is_marked_and_one_that_is_missing_leaves_a_gap(whole: Results) -> None:
    """No line goes over a point without a run; where all diverged the mark is at the accuracy of a guess."""
    cells = whole.cells.copy()
    snip = (cells["method"] == "snip") & (cells["ablations"] == "") & (cells["sparsity"] > 0)
    points = sorted(cells.loc[snip, "sparsity"].unique())
    lost, gone = snip & (cells["sparsity"] == points[1]), snip & (cells["sparsity"] == points[0])
    cells.loc[lost, "status"], cells.loc[gone, "status"] = "diverged", "missing"
    cells.loc[lost | gone, "accuracy"] = float("nan")
    made = {f.id: f for f in figures(Results(whole.suite, cells))}
    rows = made["accuracy"].rows(methods=["snip"])["accuracy"].set_index("sparsity")
    assert rows.loc[points[1], ["diverged", "place"]].tolist() == [2, 90.0]
    assert pd.isna(rows.loc[points[1], "mean"])
    assert rows.loc[points[0], "absent"] == 2
    assert pd.isna(rows.loc[points[0], "place"])
    text = made["accuracy"].alt
    assert "Some runs diverged at 1 point: snip (1)" in text
    assert "Runs are missing at 1 point: snip (1)" in text


def test_a_method_of_forty_keeps_its_place_in_the_legend(unmeasured: Results) -> None:
    """Forty methods of somebody's own: each is in the legend once, in no two looks alike."""
    cells = unmeasured.cells
    random = cells[(cells["method"] == "random")]
    copies = [
        random.assign(
            method=f"mine-{i}", key=[f"{key}-{i}" for key in random["key"]], loss=random["loss"] + i + 1
        )
        for i in range(40)
    ]
    made = figures(Results(unmeasured.suite, pd.concat([cells, *copies], ignore_index=True)))
    chart = next(f for f in made if f.id == "accuracy").chart.to_dict()
    scales = [each for each in scales_of(chart) if "mine-0" in each.get("domain", [])]
    assert scales
    for scale in scales:
        assert len(scale["domain"]) == len(set(scale["domain"])) == len(scale["range"]) >= 40


def scales_of(part: object) -> list[dict[str, list[str]]]:
    if isinstance(part, dict):
        own = [part["scale"]] if isinstance(part.get("scale"), dict) else []
        return own + [each for value in part.values() for each in scales_of(value)]
    return [each for value in part for each in scales_of(value)] if isinstance(part, list) else []


def test_telling_sparsity_is_the_highest_matching_one(lenet: Results, made: dict[str, Figure]) -> None:
    matching = lenet.settings["matching"].iloc[0]
    layers = made["layers"].tables["layers"]
    assert set(layers["sparsity"]) == {matching[-1]}
    random = layers[layers["name"] == "random"]["mean"]
    assert random.mean() == pytest.approx(matching[-1], abs=0.02)


def drawn_labels(svg: str, names: set[str]) -> dict[str, float]:
    """The height at which each name stands, of a drawing."""
    texts = re.findall(r"<text [^>]*translate\([^,]*,([^)]*)\)[^>]*>([^<]*)</text>", svg)
    return {text: float(place) for place, text in texts if text in names}


def test_forty_rows_are_named_at_the_ends_of_their_lines_in_their_order_and_apart() -> None:
    """Read off the drawing: each name once, above another where its line ends above, 9 pixels or more apart."""
    import vl_convert

    results = simulate("pai-lenet-test", measured=False, diverging=0, missing=0, failing=0).results
    names = list(dict.fromkeys(Source(results).accuracies["name"]))
    assert len(names) > 40
    made, _ = curve_figure(results, names)
    assert made is not None
    rows = made.rows()["accuracy"]
    height = made.chart.to_dict()["height"]
    places = drawn_labels(vl_convert.vegalite_to_svg(made.spec()), set(names))
    shown = rows[rows["mean"].notna()].sort_values("density").drop_duplicates("name")
    assert set(places) == set(shown["name"])
    order = shown.sort_values("mean", ascending=False, kind="stable")
    heights = [places[name] for name in order["name"]]
    apart = [below - above for above, below in pairwise(heights)]
    level = [a == b for a, b in pairwise(order["mean"])]
    assert all(gap > 9 or (same and abs(gap) > 9) for gap, same in zip(apart, level, strict=True))
    assert min(heights) >= 0
    assert max(heights) <= height


def test_a_table_behind_a_figure_has_a_readers_columns(made: dict[str, Figure]) -> None:
    """Headings with units, rows of what is drawn; nothing that only drawing needs."""
    for figure in made.values():
        table = figure.table
        assert list(table) == [column.title for column in figure.columns if column.title in table]
        assert not {"error", "place", "best_variant", "lower", "ablated", "guess"} & set(table)
        assert len(table)
        assert all(column.form in {"", "number", *FORMS} for column in figure.columns)
    ablations = made["ablations"].table
    assert {"method", "sparsity, %", "accuracy, %", "seeds"} <= set(ablations)
    ablated = {name.split(" + ")[0] for name in ablations["method"] if " + " in name}
    assert {name.split(" + ")[0] for name in ablations["method"]} == ablated
    assert made["accuracy"].table["sparsity, %"].max() > 90


def test_a_setting_without_data_is_not_offered(made: dict[str, Figure]) -> None:
    """Every setting that a figure can be chosen for has something to show in it."""
    for figure in made.values():
        for setting in figure.settings:
            assert len(next(iter(figure.rows(setting).values()))), (figure.id, setting)
    late = {figure.id: figure for figure in figures(simulate("pai-lenet-test").results)}
    assert set(late["layers"].settings) <= set(late["accuracy"].settings)


def test_what_was_not_measured_is_told_from_what_is_far_from_full_accuracy(whole: Results) -> None:
    """Of Fig. 1: a method without a course, and one that loses more than a point everywhere."""
    courses = whole.courses[whole.courses["method"] != "gradual-magnitude"]
    cells = whole.cells.copy()
    cells.loc[cells["method"] == "erk", "accuracy"] = 50.0
    cells.loc[cells["method"] == "erk", "correct"] = cells["examples"] // 2
    some = Results(whole.suite, cells, whole.measures, whole.costs, whole.quantities, courses)
    text = next(figure.caption for figure in figures(some) if figure.id == "weights")
    assert "Never so near: " in text
    assert "gradual-magnitude" in text.split("Not measured: ")[1]
    assert "erk" in text.split("Never so near: ")[1].split("Not measured")[0]
    assert "at most 1 point below" in text


def test_what_leads_to_the_network_alone_is_dashed_where_it_differs(made: dict[str, Figure]) -> None:
    """Magnitude after training trains twice: the first training led to the mask alone. SNIP trains once."""
    rows = made["weights"].tables["weights"]
    parts = rows.groupby("name")["part"].agg(set)
    assert parts["magnitude-after-training"] == {"all", "retroactive"}
    assert parts["snip"] == {"all"}


@pytest.mark.parametrize("errors", [(1.6, 90.0), (6.2, 60.0), (45.0, 52.0), (40.0, 90.0), (1.7, 2.4)])
def test_accuracy_axes_have_some_ticks_and_no_label_twice(errors: tuple[float, float]) -> None:
    """Read off drawings of two points: 3 to 11 labels, all different, decreasing, none without a tick."""
    import vl_convert

    y = accuracy_axis(ACCURACY_SHORT, 215)
    points = alt.Chart(alt.InlineData([{"error": e} for e in errors])).mark_point()
    svg = vl_convert.vegalite_to_svg(points.encode(y=y.channel("error")).properties(height=215).to_dict())
    axis = svg[svg.index("role-axis-label") :].split("role-axis-title")[0]
    labels = [float(text) for text in re.findall(r"<text [^>]*>([^<]+)</text>", axis)]
    assert 3 <= len(labels) <= 11
    assert len(set(labels)) == len(labels)
    assert all(100 - errors[1] * 1.2 <= label <= 100 - errors[0] / 1.2 for label in labels)
    assert svg.split("role-axis-tick")[1].split("</g>")[0].count("<line") == len(labels)


def test_effective_parameters_are_ratios_at_the_same_seed(lenet: Results, made: dict[str, Figure]) -> None:
    """A plain computation of one of them."""
    frame = lenet.measures.query(
        "measure == 'effective-density' and field == 'effective' and method == 'snip'"
    )
    frame = frame[(frame["score_at"] == "") & (frame["sparsity"] == frame["sparsity"].max())]
    by_seed = frame.drop_duplicates(["ablations", "seed"]).pivot(
        index="seed", columns="ablations", values="value"
    )
    wanted = (by_seed["shuffle"] / by_seed[""]).mean()
    rows = made["effective"].tables["effective"]
    row = rows[(rows["name"] == "snip") & (rows["sparsity"] == rows["sparsity"].max())].iloc[0]
    assert row["mean"] == pytest.approx(wanted, rel=1e-6)


def test_what_a_run_leaves_in_names_stays_text(unmeasured: Results) -> None:
    """Names of methods may be anybody's: control characters and marks of direction do not reach a figure."""
    cells = unmeasured.cells.copy()
    cells.loc[cells["method"] == "snip", "method"] = "a\x1b[31mb\u202e<script>"
    for figure in figures(Results(unmeasured.suite, cells)):
        text = json.dumps([figure.spec(), figure.alts], ensure_ascii=False)
        assert "\\u001b" not in text
        assert "\u202e" not in text


def test_a_legend_lists_what_is_drawn(made: dict[str, Figure]) -> None:
    """Of the methods those that are chosen; a method keeps its colour whoever is beside it."""
    figure = made["accuracy"]
    whole, some = figure.spec(), figure.spec(methods=["snip", "grasp"])
    for one, other in zip(scales_of(whole), scales_of(some), strict=True):
        if "snip" in one.get("domain", []):
            assert other["domain"] == ["snip", "grasp"]
            known = dict(zip(one["domain"], map(str, one["range"]), strict=True))
            assert [known[name] for name in other["domain"]] == list(map(str, other["range"]))


def test_layers_stand_from_the_input_to_the_output_of_their_own_network() -> None:
    """Two networks share the name of a layer: the last of one and the first of the other."""
    from prunebench.analysis import measures, table

    cells, layers = [], {"one": ["a", "b", "fc"], "two": ["fc", "b"]}
    for network, names in layers.items():
        for seed in (1, 2):
            row = {"architecture": network, "dataset": "digits", "method": "snip", "density": "0.5", "seed": seed,
                   "key": f"{network}{seed}", "status": "finished", "correct": 9, "examples": 10}  # fmt: skip
            value = {"layers": [{"name": name, "sparsity": 0.5} for name in names]}
            cells.append({**row, "measure": "layer-sparsity", "measured": value})
    own = [{k: v for k, v in cell.items() if k not in ("measure", "measured")} for cell in cells]
    measured = [{k: v for k, v in cell.items() if k not in ("correct", "examples")} for cell in cells]
    made = {f.id: f for f in figures(Results({"name": "two"}, table(own), measures(measured)))}
    drawn = made["layers"].table.groupby("setting", sort=False)["layer"].apply(list)
    assert sorted(drawn) == [["a", "b", "fc"], ["fc", "b"]]


def test_the_caption_of_places_says_what_overlapping_bars_mean() -> None:
    """Of three methods, one of them noisy, a and b are told apart, and their places, 1–2 and 2–3, overlap."""
    seeds = {"a": [9.0, 9.1, 9.2], "b": [8.0, 8.1, 8.25], "noisy": [2.0, 15.0, 8.6]}
    rows = [
        {"architecture": "n", "dataset": "d", "method": method, "density": "0.5", "seed": seed}
        | {"status": "finished", "accuracy": accuracy}
        for method, values in seeds.items()
        for seed, accuracy in enumerate(values)
    ]
    cells = table(rows)
    pairs = compare(cells).set_index(["of_method", "against_method"])["p_holm"]
    assert pairs.filter(items=[("a", "b"), ("b", "a")]).lt(0.05).all()
    bars = places(summarize(cells), compare(cells)).set_index("method")[["best", "worst"]].loc[["a", "b"]]
    assert bars.to_numpy().tolist() == [[1, 2], [2, 3]]
    assert "Bars that overlap may belong to methods that are told apart" in caption("places")
