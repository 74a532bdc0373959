"""Figures as files: each format is what its suffix says, opens offline, and says how to get what is not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from simulated import Simulated, simulate

from prunebench.errors import UsageError
from prunebench.report.figures import Figure, curve, figure, figures, picture
from prunebench.report.figures import files as module
from prunebench.report.figures.text import plot, table
from prunebench.report.results import Results


@pytest.fixture(scope="module")
def simulated() -> Simulated:
    return simulate("pai-lenet-test", measured=False)


@pytest.fixture(scope="module")
def accuracy(simulated: Simulated) -> Figure:
    return figures(simulated.results)[0]


@pytest.fixture(scope="module")
def spec(accuracy: Figure) -> dict[str, object]:
    return accuracy.spec()


@pytest.mark.parametrize(
    ("format", "start"),
    [("svg", b"<svg"), ("pdf", b"%PDF"), ("png", b"\x89PNG"), ("html", b"<!doctype html>")],
)
def test_a_picture_is_what_it_is_called(format: str, start: bytes, spec: dict[str, object]) -> None:
    pytest.importorskip("vl_convert")
    content = picture(spec, format)
    assert content.startswith(start)
    assert picture(spec, format) == content or format == "pdf"


def test_a_pdf_has_its_fonts(spec: dict[str, object]) -> None:
    pytest.importorskip("vl_convert")
    assert b"/FontFile" in picture(spec, "pdf")


def test_json_is_the_specification(spec: dict[str, object]) -> None:
    assert json.loads(picture(spec, "json")) == spec


def test_html_loads_nothing_and_no_text_ends_its_script(spec: dict[str, object]) -> None:
    text = picture({**spec, "description": '</script><img src="x">"'}, "html").decode()
    head, _, rest = text.partition('<script type="application/json"')
    assert "</script><img" not in rest
    assert "<img" not in head.split("<script>")[0]
    assert "src=" not in head.split("<script>")[0].replace("src=&quot;", "").replace("-src ", "")
    assert "default-src &#x27;none&#x27;" in head
    assert '<meta name="viewport" content="width=device-width' in head


def test_without_the_converter_a_message_says_how_to_get_it(
    spec: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "can_convert", lambda: False)
    for format in ("svg", "pdf", "png"):
        with pytest.raises(UsageError, match=r'pip install "prunebench\[report\]"'):
            picture(spec, format)
    assert picture(spec, "html")


def test_a_suffix_that_is_no_format_is_refused() -> None:
    with pytest.raises(UsageError, match=r"found '.gif'.*svg"):
        module.format_of("a.gif")
    with pytest.raises(UsageError, match=r"found none"):
        module.format_of(str(Path("folder.x") / "answer"))


def test_a_notebook_gets_a_chart_with_its_data(simulated: Simulated) -> None:
    chart = figure(simulated.results, "accuracy", setting="lenet", methods=["snip", "grasp"])
    whole = chart.to_dict()
    assert {row["name"] for row in whole["datasets"]["accuracy"]} == {"snip", "grasp"}
    rows = curve(simulated.results, ["snip", "snip + shuffle"]).to_dict()["datasets"]["accuracy"]
    assert {row["name"] for row in rows} == {"none", "snip", "snip + shuffle"}


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda r: figure(r, "acuracy"), "did you mean 'accuracy'"),
        (
            lambda r: figure(Results(r.suite, r.cells), "neurons"),
            "it shows the measure 'neuron-sparsity', which they lack",
        ),
        (lambda r: figure(r, "accuracy", setting="vgg"), "no setting 'vgg'"),
        (lambda r: curve(r, ["snp"]), "did you mean 'snip'"),
    ],
)
def test_what_is_not_there_is_named_with_the_nearest(ask: object, message: str, simulated: Simulated) -> None:
    with pytest.raises(UsageError, match=message) as error:
        ask(simulated.results)  # type: ignore[operator]
    assert "there are:" not in str(error.value)  # what is allowed is listed once


def test_the_plot_of_characters_shows_every_method_once_a_sparsity(accuracy: Figure) -> None:
    rows = accuracy.rows(methods=["none", "random", "magnitude-after-training"])["accuracy"]
    text = plot(rows, width=60)
    grid = [line.split("|", 1)[1] for line in text.splitlines() if "|" in line]
    points = rows[rows["sparsity"] > 0].groupby("name")["place"].count()
    for letter, name in (("A", "random"), ("B", "magnitude-after-training")):
        assert f"  {letter} {name}" in text
        shown = sum(line.count(letter) for line in grid)
        assert points[name] - sum(line.count("*") for line in grid) <= shown <= points[name]
    assert max(map(len, text.splitlines())) <= 75
    assert f"{rows[rows['name'] == 'random']['mean'].min():.2f}" in table(rows)


def test_no_run_makes_no_plot(accuracy: Figure) -> None:
    rows = accuracy.tables["accuracy"].iloc[:0]
    assert plot(rows) == "nothing has finished yet"
