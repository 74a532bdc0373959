"""`fit` without a form fits what varies; with one that cannot be fitted it names the form that can."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prunebench.inventory import family
from prunebench.scaling.law import Family
from prunebench.scaling.points import points_of

from .conftest import Place
from .law_family import law
from .test_mistakes import refused

DOCS = Path(__file__).parents[2] / "docs" / "scaling.md"


def lenets() -> family.Measured:
    """What a finished part of scaling-lenet would give: widths and parts of MNIST, errors exactly on a law."""
    rows = []
    for width, examples, k in itertools.product(
        2.0 ** np.arange(-4, 2), (938, 3_750, 15_000, 60_000), range(0, 31, 2)
    ):
        unpruned = 0.012 + 0.004 / width + 3 * examples**-0.7
        prunable = 784 * round(300 * width) + 300 * width * round(100 * width) + 1000 * width
        rows.append((0.8**k, law(0.8**k, unpruned, 1, width), unpruned, width, examples, round(prunable)))
    names = ("density", "error", "error_unpruned", "width", "examples", "prunable")
    points = points_of(dict(zip(names, np.array(rows).T, strict=True)))
    points = points.changed(
        parameters=points.extra["prunable"], nonzero=points.density * points.extra["prunable"]
    )
    own = Family("lenet-300-100", {}, ("width",), (1, 28, 28), 10)
    return family.Measured(points, own, "imp", "mnist", [])


def test_the_first_example_of_the_docs_works(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """All its lines after the run itself, word for word."""
    monkeypatch.setattr(family, "measured_points", lambda *_, **__: lenets())
    block = re.search(r"```\n(prunebench run scaling-lenet\n.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    assert block
    lines = [line.split()[1:] for line in block[1].splitlines()]
    assert [line[0] for line in lines] == ["run", "fit", "predict", "predict"]
    told = [place.call(*line).stdout for line in lines[1:]]
    assert "rosenfeld-width fitted to 384 points of 24 networks" in told[0]
    assert "  form rosenfeld-width: depth is not known, width varies\n" in told[0]
    assert "width 0.25, examples 60000: unpruned error 2.94 % (measured)" in told[1]
    assert "error at most 3 %: width" in told[2]


def rows(head: str, *networks: tuple[float, float], prunable: bool = True) -> str:
    """A file of networks of a depth and a width, with the columns of `head`."""
    lines = [head]
    for (depth, width), d in itertools.product(networks, (1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005)):
        unpruned = 0.05 + 0.01 / width
        values: dict[str, Any] = {
            "depth": depth, "width": width, "density": d, "error_unpruned": unpruned,
            "error": law(d, unpruned, depth, width), "prunable": round(1e4 * depth * width**2),
        }  # fmt: skip
        lines.append(",".join(str(values[name]) for name in head.split(",")))
    return "\n".join(lines)


WIDTHS = [(20, width) for width in (0.25, 0.5, 1, 2)]


def test_a_form_that_points_lack_a_column_for_names_another(place: Place) -> None:
    place.write("width.csv", rows("width,density,error,error_unpruned", *WIDTHS))
    said = refused(place, "fit", "width.csv", "--form", "rosenfeld")
    assert "form 'rosenfeld' reads depth, which the points have not; allowed: " in said
    assert (
        "(--column depth=NAME says which column of the file it is); --form rosenfeld-width would do" in said
    )
    both = place.call("fit", "width.csv", "--form", "rosenfeld-width", "--form", "rosenfeld", "--starts", "2")
    assert "  rosenfeld: form 'rosenfeld' reads depth, which the points have not; allowed: " in both.stdout
    assert "--column depth=NAME says which column of the file it is); --form rosenfeld-width" in both.stdout
    assert "did you mean" not in refused(place, "fit", "width.csv", "--form", "jin")
    assert "; --plugin FILE adds others" in refused(place, "fit", "width.csv", "--form", "mine")
    assert "rosenfeld-width fitted to 32 points" in place.call("fit", "width.csv", "--starts", "2").stdout
    fixed = place.call("fit", "width.csv", "--fix", "phi=0", "--starts", "2", "-o", "law.json").stdout
    assert "form rosenfeld: the law of all scales, as phi is given" in fixed
    answer = place.json("predict", "law.json", "--width", "0.5", "--density", "0.03")["rows"]
    assert answer[0]["error"] == pytest.approx(law(0.03, 0.07, 20, 0.5), rel=1e-5)
    assert "reads depth" in refused(place, "fit", "width.csv", "--fix", "phi=1")


def test_a_field_that_the_chosen_law_needs_is_named_with_its_line(place: Place) -> None:
    text = rows("depth,width,density,error,error_unpruned", (8, 0.5), (8, 1), (20, 0.5), (20, 1))
    lines = text.splitlines()
    lines[5] = lines[5].removeprefix("8")
    place.write("gap.csv", "\n".join(lines))
    assert "gap.csv:6: column 'depth': found nothing; allowed: a number" in refused(place, "fit", "gap.csv")


def test_laws_of_unpruned_networks_are_fitted_to_the_points_at_density_1(place: Place) -> None:
    """To those of a file with pruned ones, by their prunable weights."""
    widths = [*WIDTHS, (20, 4), (20, 0.125)]
    place.write("all.csv", rows("width,density,error,error_unpruned,prunable", *widths))
    made = place.json("fit", "all.csv", "--form", "unpruned-size", "--starts", "4")
    assert made["said"][0] == "6 of 48 points are of unpruned networks: these are fitted"
    assert made["fit"]["points"] == 6
    assert sorted(made["columns"]["parameters"]) == [
        round(2e5 * width**2) for width in (0.125, 0.25, 0.5, 1, 2, 4)
    ]
    said = refused(place, "fit", "all.csv", "--form", "unpruned")
    assert "form 'unpruned' reads examples, which the points have not" in said
    assert "--form unpruned-size would do" in said


@pytest.mark.parametrize("form", ["rosenfeld", "unpruned-pinned", "frantar"])
def test_a_law_of_unpruned_networks_reads_nothing_of_pruned_ones(place: Place, form: str) -> None:
    place.write("width.csv", rows("width,density,error,error_unpruned", *WIDTHS))
    said = refused(place, "fit", "width.csv", "--unpruned", form)
    assert f"--unpruned: form '{form}' reads " in said
    assert "allowed: unpruned, unpruned-size, or none" in said


def test_what_is_odd_about_a_file_is_told(place: Place) -> None:
    """In words and in what is kept of the fit."""
    text = rows("width,density,error,error_unpruned", *WIDTHS)
    place.write("twice.csv", f"{text}\n{text.partition(chr(10))[2]}")
    told = place.call("fit", "twice.csv", "--starts", "2", "-o", "law.json").stdout
    assert "  32 rows repeat others in all numbers: each counts once\n" in told
    assert json.loads((place.folder / "law.json").read_text())["fit"]["points"] == 32


def test_the_law_of_average_parameters_is_fitted_to_a_suite(place: Place) -> None:
    """Its column comes of the plan: both trainings of a network that is pruned after the first, half and half.

    Also where another form is the one that is told, and it stands beside.
    """
    suite = """
schema = 1
name = "halves"
version = "1"

[[matrix]]
name = "main"
architecture = [{name = "lenet-300-100", width = 0.02}, {name = "lenet-300-100", width = 0.06}]
dataset = ["digits", {name = "digits", examples = 500}]
recipe = {name = "digits", epochs = 1}
methods = [{scorer = "magnitude", as = "late", score_at = "end", train_from = "end", clock = "init"}]
densities = [0.5, 0.2]
seeds = 1
"""
    place.call("run", place.write("halves.toml", suite), "--no-plugins")
    for forms in (("jin",), ("frantar", "jin")):
        named = [part for form in forms for part in ("--form", form)]
        columns = place.json("fit", "halves.toml", *named, "--starts", "2", "--no-plugins")["columns"]
        averages = columns["average_parameters"]
        for average, kept, prunable in zip(averages, columns["nonzero"], columns["prunable"], strict=True):
            assert average == pytest.approx((kept + prunable) / 2)
        assert len(set(averages)) == 6
    made = place.json("fit", "halves.toml", "--form", "unpruned-size", "-k", "500", "--starts", "2", "--no-plugins",
                      "--fix", "c=0.01")  # fmt: skip
    assert (made["fit"]["points"], set(made["columns"]["density"])) == (2, {1})
