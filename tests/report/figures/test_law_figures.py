"""Figures of scaling laws: what they draw against computations of our own, empty ones, several, hostile names."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scaling_families import family, noisy

from prunebench.host import Host
from prunebench.report.figures import Figure, law, picture
from prunebench.report.figures.law import actual, fewest, law_figures, laws
from prunebench.report.figures.law.scales import ticks
from prunebench.report.figures.law.source import Source
from prunebench.report.figures.law.told import told
from prunebench.report.figures.palette import palette
from prunebench.report.page import Content, render
from prunebench.report.results import Results
from prunebench.scaling.drawing import FamilyPoints, Study, studied
from prunebench.scaling.law import Law
from prunebench.scaling.points import Points, points_of

FORMS = Host.builtin_forms()
LABELS = [("net", "data", "recipe", "test", "", "")]


def measured(depths: list[float], widths: list[float], parts: list[float], levels: int = 17) -> Points:
    """Two seeds of a family at densities 0.64^k with weights counted, each 3 % off the law."""
    one = family(depths, widths, parts, 2 * levels)
    one = one.rows(np.arange(len(one)) % 2 == 0)
    size = np.round(5_000 * one.depth * one.width**2 + 300 * one.width)
    whole = one.rows(np.tile(np.arange(len(one)), 2)).changed(prunable=np.tile(size, 2))
    return Points(
        **{
            name: getattr(whole, name)
            for name in ("density", "error_unpruned", "depth", "width", "examples", "network")
        },
        error=noisy(whole, 0.03, 1).error,
        seed=np.repeat([0, 1], len(one)),
        extra=whole.extra,
    )


@cache
def study() -> Study:
    """Of depth 20 four widths on two amounts of data, of depth 8 two widths on the most."""
    whole = measured([8, 20], [1 / 8, 1 / 4, 1 / 2, 1], [1, 4])
    there = (whole.depth == 20) | ((whole.examples == 50_000) & np.isin(whole.width, [1 / 8, 1]))
    return studied(whole.rows(there), FORMS, title="net on data, imp")


@cache
def made() -> dict[str, Figure]:
    return {figure.id.removeprefix("law-"): figure for figure in law_figures(study())}


def by_hand(depth: float, width: float, unpruned: float, density: float) -> float:
    """The fitted law as it is printed, of one network."""
    values = study().law.fit.parameters
    m = depth ** values["phi"] * width ** values["psi"] * density
    r = (values["error_up"] / unpruned) ** (1 / values["gamma"])
    return float(unpruned * abs((m - 1j * values["p"] * r) / (m - 1j * values["p"])) ** values["gamma"])


def test_a_family_has_every_figure() -> None:
    assert list(made()) == [
        *("width", "depth", "examples", "actual", "left-out", "invariant", "contours"),
        *("fewest", "needed", "extrapolated", "pruned", "unpruned"),
    ]
    assert study().missing == []


def test_every_figure_reads_its_tables_and_can_be_drawn() -> None:
    """By name, so that a page has each table once; nothing that is drawn is not a number."""
    pytest.importorskip("vl_convert")
    for figure in made().values():
        chart = figure.chart.to_dict()
        assert "datasets" not in chart
        names = set(re.findall(r"'data': \{'name': '([^']+)'\}", str(chart)))
        assert names == set(figure.tables), figure.id
        svg = picture(figure.spec(), "svg").decode()
        assert "NaN" not in svg, figure.id
        assert "undefined" not in svg, figure.id
        assert svg.count("<path") > 12, figure.id


def test_every_figure_says_in_words_and_numbers_what_it_shows() -> None:
    for figure in made().values():
        assert figure.title.endswith("(net on data, imp)")
        assert len(figure.alt) > 80
        assert re.search(r"\d", figure.alt)
        assert "nan" not in figure.alt
        assert len(figure.table) > 3
        assert not figure.table.columns.duplicated().any()


def test_errors_are_told_from_the_least_on() -> None:
    said = re.findall(r"(\S+) % error:", made()["contours"].alts[""])
    assert len(said) > 2
    assert said == sorted(said, key=float)


def test_a_legend_has_the_networks_that_a_figure_has() -> None:
    """The widths on the most data, but not one that is on less data alone."""
    whole = measured([20], [1 / 8, 1 / 4, 1 / 2, 1], [1, 4])
    some = whole.rows((whole.examples != 50_000) | (whole.width != 1 / 8))
    source = Source(studied(some, FORMS))
    drawn = fewest.fewest(source)
    assert drawn is not None
    assert drawn.chart.to_dict()["layer"][1]["encoding"]["color"]["legend"]["values"] == ["1/4", "1/2", "1"]


def test_a_law_is_told_in_numbers_before_its_figures() -> None:
    """Its coefficients with errors and intervals, its quality, what was measured in part."""
    whole = study().law.points
    part = whole.rows((whole.network != whole.network[0]) | (whole.density > 0.05))
    said = told(studied(part, FORMS, title="net on data, imp"))
    made = study().law.fit
    assert [row[0] for row in said.rows] == [one.name for one in made.form.coefficients]
    assert all(error and "–" in interval for _, _, error, interval, _ in said.rows)
    counts = [int(one) for one in re.findall(r": (\d+) of 17 densities", said.said)]
    assert counts == [len(np.unique(part.density[part.network == whole.network[0]]))]
    assert f"{len(part):,} points: 10 networks, 17 densities, 2 seeds" in said.said
    assert any(re.match(r"Relative error of the fit: mean µ .* σ ", one) for one in said.sentences)
    assert any(one.startswith("Seeds differ by") for one in said.sentences)
    assert any("interpolation between the others" in one for one in said.sentences)


def test_points_are_means_of_seeds_and_residuals_those_of_the_law() -> None:
    points = study().law.points
    for name in ("width", "depth", "examples"):
        rows = made()[name].tables[f"law-{name}-points"]
        for row in rows.iloc[::17].itertuples(index=False):
            own = points.error[(points.network == row.network) & (points.density == row.density)]
            assert (row.error, row.low, row.high, row.seeds) == pytest.approx(
                (own.mean(), own.min(), own.max(), 2)
            )
            said = by_hand(row.depth, row.width, row.error_unpruned, row.density)
            assert row.predicted == pytest.approx(said)
            assert row.relative == pytest.approx(said / own.mean() - 1)


def test_a_panel_varies_one_scale_and_its_curves_are_the_law() -> None:
    """Three places at which widths differ, two at which depths do, four at which the data do."""
    for name, panels in {"width": 3, "depth": 2, "examples": 4}.items():
        figure = made()[name]
        assert len(figure.chart.to_dict()["concat"]) == panels
        curves = figure.tables[f"law-{name}-curves"]
        for row in curves.iloc[::101].itertuples(index=False):
            unpruned = float(
                study().law.networks.error_unpruned[study().law.networks.network == row.network][0]
            )
            assert row.error == pytest.approx(by_hand(row.depth, row.width, unpruned, row.density))
        flat = curves[(curves["region"] == "plateau, dense")]
        assert flat.groupby("network")["density"].max().eq(1).all()


def test_estimated_errors_have_the_quality_that_is_printed() -> None:
    rows = made()["actual"].tables["law-actual"]
    relative = rows["predicted"] / rows["error"] - 1
    texts = str(made()["actual"].chart.to_dict())
    assert f"σ {100 * relative.std(ddof=0):.2g} %" in texts
    assert f"σ {100 * study().law.fit.sigma:.2g} %" in texts
    assert len(rows) == len(study().points)


def test_lines_of_equal_error_have_that_error() -> None:
    """Of the law by the printed formula, the unpruned error straight between widths; marks between densities."""
    figure, points = made()["contours"], study().points
    networks = study().law.networks
    lines = figure.tables["law-contours-law"].query("along == 'width'")
    mine = networks.rows((networks.examples == 50_000) & (networks.depth == 20))
    order = np.argsort(mine.width)
    for row in lines.iloc[::29].itertuples(index=False):
        unpruned = np.exp(
            np.interp(np.log(row.value), np.log(mine.width[order]), np.log(mine.error_unpruned[order]))
        )
        error = by_hand(20, row.value, unpruned, row.density)
        assert error == pytest.approx(float(row.level_text.removesuffix(" %")) / 100)
    marks = figure.tables["law-contours"].query("along == 'depth'")
    width = float(made_line_width(figure))
    for row in marks.itertuples(index=False):
        own = points.rows((points.depth == row.value) & (points.width == width) & (points.examples == 50_000))
        order = np.argsort(own.density)
        error = np.exp(np.interp(np.log(row.density), np.log(own.density[order]), np.log(own.error[order])))
        assert error == pytest.approx(float(row.level_text.removesuffix(" %")) / 100)
    assert len(marks) > 3


def made_line_width(figure: Figure) -> float:
    heading = figure.chart.to_dict()["concat"][1]["title"]["text"]
    text = re.fullmatch(r"width ([\d/]+), 50,000 training examples", heading)
    assert text is not None
    top, _, below = text[1].partition("/")
    return float(top) / float(below or 1)


def test_the_smallest_network_is_that_of_brute_force() -> None:
    rows = made()["fewest"].tables["law-fewest"]
    networks = study().law.networks
    mine = networks.rows(networks.examples == 50_000)
    for row in rows.iloc[::4].itertuples(index=False):
        counts = []
        for i, whole in enumerate(mine.extra["prunable"]):
            low, high = 0, int(whole)
            if by_hand(mine.depth[i], mine.width[i], mine.error_unpruned[i], 1.0) > row.error:
                continue
            while high - low > 1:
                middle = (low + high) // 2
                good = (
                    by_hand(mine.depth[i], mine.width[i], mine.error_unpruned[i], middle / whole) <= row.error
                )
                low, high = (low, middle) if good else (middle, high)
            counts.append(high)
        assert row.kept == min(counts)
        assert row.analytic_kept >= row.kept


def test_both_lower_forms_meet_the_unpruned_error_at_density_1() -> None:
    curves = made()["pruned"].tables["law-pruned-curves"]
    last = curves[curves["density"] == 1]
    for network, error in last.groupby("network")["error"]:
        unpruned = study().law.networks.error_unpruned[study().law.networks.network == network]
        assert error.iloc[1] == pytest.approx(unpruned[0])  # Eq. 6 is pinned there
    assert set(curves["examples"]) == {50_000}


def test_lower_forms_have_their_residuals_below_them() -> None:
    """A line of each form, which is off by (form − measured) / measured."""
    for panel in made()["pruned"].chart.to_dict()["concat"]:
        below = panel["vconcat"][1]["layer"]
        off = {part["transform"][-1]["calculate"] for part in below if "transform" in part}
        assert {f"datum.{form} / datum.error - 1" for form in ("pruning", "not_pruning")} < off
        assert below[1]["encoding"]["y"]["axis"]["title"] == "form off (%)"


def test_a_single_network_has_its_curve() -> None:
    """Of Eq. 1, with nothing that varies; and what needs several networks is said."""
    one = points_of(
        {name: getattr(few().rows(few().width == 1), name) for name in ("density", "error", "error_unpruned")}
    )
    alone = studied(one, FORMS)
    figures = {figure.id: figure for figure in law_figures(alone)}
    assert {"law-network", "law-actual"} <= set(figures)
    drawn = figures["law-network"].tables["law-network-points"]
    assert sorted(drawn["density"]) == sorted(set(one.density))
    assert "How many networks a law needs is drawn from 4 networks on." in alone.missing
    assert {figure.spec()["concat"][0].keys() >= {"vconcat"} for figure in [figures["law-network"]]} == {True}


def test_a_law_of_a_loss_is_drawn_in_its_own_numbers() -> None:
    """Frantar's, of non-zero weights: no percent, no plateau, and none of what is Rosenfeld's alone."""
    rows = few().rows(few().seed == 0)
    loss = rows.changed(
        error=1 + 3 * rows.error, nonzero=rows.density * rows.extra["prunable"], examples=rows.width * 1e4
    )
    form = FORMS["frantar"]
    fitted = replace(study().law.fit, form=form, parameters={c.name: 0.5 for c in form.coefficients})
    drawn = {figure.id: figure for figure in law_figures(Study(Law(fitted, loss), FORMS))}
    assert "law-width" in drawn or "law-actual" in drawn
    assert not {"law-contours", "law-invariant", "law-pruned"} & set(drawn)
    assert "measured loss" in str(drawn["law-actual"].chart.to_dict())
    assert "error (%)" not in str(drawn["law-actual"].chart.to_dict())


def test_black_marks_are_dark_on_light_ground_and_light_on_dark() -> None:
    config = {
        dark: made()["pruned"].spec(dark=dark)["config"]["style"]["ink"]["color"] for dark in (False, True)
    }
    assert config == {False: "#1d2127", True: "#e7e9ec"}


def results(*families: FamilyPoints) -> Results:
    return Results({"name": "laws", "version": "1"}, laws=lambda: families)


def of(title: str, points: Points | None, why: str = "") -> FamilyPoints:
    return FamilyPoints(title, LABELS, FORMS, points, why, ["3 left out: diverged"] if points else [])


@cache
def few() -> Points:
    return measured([20], [1 / 8, 1 / 4, 1], [1], 9)


def test_each_family_of_a_suite_has_its_figures_in_the_page() -> None:
    """Whatever they are called: names are texts in titles and sentences, and letters in ids."""
    names = [
        "</script><img src=x onerror=alert(1)>\u202e on data",
        "Script: img src=x onerror=alert(1) on data",
    ]
    whole = results(*(of(name, few()) for name in names))
    content = Content(whole, files=False)
    ids = [figure.id for figure in content.figures]
    prefixes = [f"law-script-img-src-x-onerror-alert-1-on-data{number}" for number in ("", "-2")]
    assert ids == [f"{prefix}-{name}" for prefix in prefixes for name in _OF_WIDTHS]
    page = render(content)
    assert '<section id="laws"' in page
    for id in ids:
        assert f'<figure id="figure-{id}"' in page
    assert "<img src=x" not in page
    assert "\u202e" not in page
    assert "alert(1) on data: 3 left out: diverged. How many networks" in page


_OF_WIDTHS = ("width", "actual", "left-out", "invariant", "contours", "fewest", "extrapolated", "pruned")


def test_a_family_of_which_too_little_is_there_says_so_and_draws_nothing() -> None:
    two = few().rows(few().width < 1)
    whole = [
        of("a", None, "no cell of imp has a result yet"),
        of("b", two),
        of("c", few().rows(few().density == 1)),
    ]
    made = laws(whole, {})
    assert made.figures == []
    assert made.missing[0] == "a: no law yet. No cell of imp has a result yet."
    assert made.missing[1].startswith("b: no law yet. 2 of its networks have results")
    assert made.missing[2].startswith("c: no law yet. Its results are at 1 densities")
    page = render(Content(results(*whole), files=False))
    assert "a: no law yet. No cell of imp has a result yet." in page
    assert "<figure" not in page


def test_a_page_shows_a_family_where_one_of_its_settings_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(law, "_MAKERS", (actual.actual,))
    titles = {LABELS[0]: "net on data", ("other", "data", "recipe", "test", "", ""): "other on data"}
    assert {figure.among for figure in laws([of("one", few())], titles).figures} == {("net on data",)}


def test_without_families_there_is_no_section() -> None:
    assert "Scaling laws" not in render(Content(Results({"name": "none"}), files=False))


def test_scales_are_written_as_the_paper_has_them() -> None:
    texts = [
        set(made()[name].tables[f"law-{name}-points"][f"{name}_text"])
        for name in ("width", "depth", "examples")
    ]
    assert texts == [{"1/8", "1/4", "1/2", "1"}, {"8", "20"}, {"50,000", "12,500"}]


@pytest.mark.parametrize(("low", "high"), [(0.056, 0.064), (0.05, 0.9), (1e-4, 1.0), (3.0, 4e6), (0.3, 0.7)])
def test_an_axis_has_a_few_round_ticks_that_are_apart(low: float, high: float) -> None:
    made = ticks(low, high, 7)
    assert 3 <= len(made) <= 7
    assert low <= made[0] < made[-1] <= high
    assert min(b / a for a, b in itertools.pairwise(made)) > (high / low) ** 0.05


@pytest.mark.parametrize("high", [0.3, 0.2999999, 0.1])
def test_where_nothing_lies_between_two_numbers_there_is_no_tick(high: float) -> None:
    """As for errors that several networks reach, where the worst of one is about the best of another."""
    assert ticks(0.3, high, 8) == []


def test_no_two_values_of_a_scale_look_alike() -> None:
    shown = made()["width"].chart.to_dict()
    pairs = {tuple(map(str, pair)) for pair in _scales(shown)}
    assert pairs
    for domain, looks in _scales(shown):
        assert len(domain) == len(set(looks)) == len(looks), domain


def _scales(part: object) -> list[tuple[list[str], list[str]]]:
    if isinstance(part, dict):
        own = [(part["domain"], part["range"])] if {"domain", "range"} <= set(part) else []
        return own + [pair for each in part.values() for pair in _scales(each)]
    return list(itertools.chain.from_iterable(map(_scales, part))) if isinstance(part, list) else []


@pytest.mark.parametrize("count", [2, 4, 6])
def test_colours_of_values_that_rise_are_far_apart(count: int) -> None:
    """In red, green and blue, of 255 each; as many as there are, all of them different."""
    colours = [[int(one[i : i + 2], 16) for i in (1, 3, 5)] for one in palette(count)]
    assert min(float(np.linalg.norm(np.subtract(*pair))) for pair in itertools.pairwise(colours)) > 70
