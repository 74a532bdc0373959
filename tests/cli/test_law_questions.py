"""Questions to laws of other people's points: what the law knows, what it cannot know, and what it was asked."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable

import pytest

from prunebench.scaling.studies import Place as Where
from prunebench.scaling.studies.results import _told

from .conftest import Place, make_place
from .law_family import law
from .test_mistakes import refused

DEPTH = 1


def unpruned(width: float) -> float:
    return 0.05 + 0.01 / width


def points(widths: Iterable[float] = (0.25, 0.5, 1), *, prunable: bool = False) -> str:
    """Points of a width family; by the law pruned networks of density 1 are worse than unpruned ones."""
    head = ["width", "density", "error", "error_unpruned", *["prunable"] * prunable]
    rows = [
        [w, d, law(d, unpruned(w), DEPTH, w), unpruned(w),
         *[round(9_000 * w**2)] * prunable]
        for w in widths for d in (0.8 ** (2 * k) for k in range(16))
    ]  # fmt: skip
    return "\n".join(",".join(map(str, row)) for row in [head, *rows])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, _environment: None) -> Place:
    place = make_place(tmp_path_factory.mktemp("questions"))
    place.write("width.csv", points(prunable=True))
    place.call("fit", "width.csv", "--form", "rosenfeld-width", "--starts", "3", "-o", "width.json")
    return place


def built(folder: Place, *of: str) -> str:
    """Fit the widths as members of an architecture, as which they are counted."""
    folder.write("plain.csv", points())
    folder.call("fit", "plain.csv", "--form", "rosenfeld-width", "--starts", "3", "--architecture", *of,
                "--no-plugins", "-o", "built.json")  # fmt: skip
    return "built.json"


@pytest.mark.parametrize("architecture", ["cifar-densenet", "vgg16"])
def test_a_family_without_depths_is_counted_at_the_architectures_own(
    folder: Place, architecture: str
) -> None:
    """By an untrained width and a measured one, as an error and as the smallest network."""
    fit = built(folder, architecture, "--dataset", "cifar10")
    untrained, measured = (
        folder.json(
            "predict", fit, "--width", width, "--density", "0.1", "--error-unpruned", "0.07", "--no-plugins"
        )
        for width in ("0.33", "0.5")
    )
    assert 0 < untrained["network"]["prunable"] < measured["network"]["prunable"]
    best = folder.json("predict", fit, "--max-error", "0.1", "--no-plugins")
    assert best["answer"]["kept"] == round(best["answer"]["density"] * best["answer"]["prunable"])
    assert best["measured"]["kept"] <= best["answer"]["prunable"]
    said = json.loads((folder.folder / fit).read_text())["said"]
    if architecture == "cifar-densenet":
        assert "depth is not known: networks are counted at that of cifar-densenet, 121" in said
    assert "--depth: the points of this law have no depth; leave it out" in refused(
        folder, "predict", fit, "--depth", "121", "--width", "0.5", "--density", "0.1", "--no-plugins"
    )


def test_a_family_that_was_edited_is_named(folder: Place) -> None:
    """What an architecture does not take is said of it, not a traceback."""
    value = json.loads((folder.folder / built(folder, "cifar-resnet", "--dataset", "cifar10")).read_text())
    asked = (
        "predict",
        "edited.json",
        "--width",
        "0.33",
        "--density",
        "0.1",
        "--error-unpruned",
        "0.07",
        "--no-plugins",
    )
    for parameters, said in (
        ({"dept": 20}, "architecture 'cifar-resnet' has no parameter 'dept'; did you mean 'depth'"),
        ({"depth": "a"}, "architecture 'cifar-resnet'"),
    ):
        value["family"]["parameters"] = parameters
        folder.write("edited.json", json.dumps(value))
        assert said in refused(folder, *asked)


def test_a_network_that_was_good_enough_unpruned_is_an_answer(folder: Place) -> None:
    """Its error was measured below what the law says at density 1."""
    most = unpruned(1) * 1.005
    assert law(1, unpruned(1), DEPTH, 1) > most
    answer = folder.json("predict", "width.json", "--max-error", str(most))["answer"]
    assert (answer["width"], answer["density"], answer["kept"], answer["unpruned"]) == (1, 1, 9_000, True)
    assert answer["error"] == pytest.approx(unpruned(1))
    text = folder.call("predict", "width.json", "--max-error", str(most)).stdout
    assert "width 1, not pruned: 9,000 weights" in text
    least = unpruned(1) * 0.999
    assert "no member has an error of at most" in refused(
        folder, "predict", "width.json", "--max-error", str(least)
    )


def test_the_smallest_measured_network_is_among_those_asked_about(folder: Place) -> None:
    """With the next density below, between which and its own the law may answer."""
    asked = ("predict", "width.json", "--max-error", "0.12", "--width", "0.5")
    measured = folder.json(*asked)["measured"]
    densities = [0.8 ** (2 * k) for k in range(16)]
    good = [d for d in densities if law(d, unpruned(0.5), DEPTH, 0.5) <= 0.12]
    assert (measured["width"], measured["among"]) == (0.5, 1)
    assert measured["density"] == pytest.approx(min(good))
    assert measured["next_density"] == pytest.approx(0.64 * min(good))
    assert measured["kept"] == round(min(good) * 2250)
    text = folder.call(*asked).stdout
    assert "measured: 1 network as good; the smallest is width 0.5, density" in text
    assert "the next below at which it was measured, is" in text


REFUSED = [
    (("--width", "1", "--density", "1e-300"), "--density 1e-300 leaves none of the 9,000 weights; allowed: 0.000111"),
    (("--width", "1", "--density", ".1", "--examples", "0"), "--examples: found 0; allowed: a number above 0"),
    (("--width", "1", "--density", ".1", "--examples", "9"), "--examples: the points of this law have no examples"),
    (("--max-error", ".1", "--depth", "20"), "--depth: the points of this law have no depth"),
    (("--max-error", "nan"), "--max-error: found nan; allowed"),
    (("--max-error", "6 per cent"), "found '6 per cent'; allowed: a number, as 0.06, or percent, as 6%"),
    (("--width", "1", "--density", ".2", "--column", "error_unpruned=.1"),
     "--column: error_unpruned has an option of its own: --error-unpruned .1"),
    (("--width", "1", "--density", ".2", "--column", "density=.1"), "an option of its own: --density .1"),
    (("--width", "1", "--density", ".2", "--column", "width=2"), "an option of its own: --width 2"),
    (("--max-error", ".05", "--error-unpruned", ".03"),
     "each with its own: leave it out, or ask for the error of that network with --density D"),
]  # fmt: skip


@pytest.mark.parametrize(("args", "said"), REFUSED, ids=[" ".join(args) for args, _ in REFUSED])
def test_what_the_law_cannot_know_is_refused(folder: Place, args: tuple[str, ...], said: str) -> None:
    assert said in refused(folder, "predict", "width.json", *args)


def test_an_unpruned_error_beyond_all_is_no_answer(folder: Place) -> None:
    """The law of unpruned networks has no upper end; what it says of a tiny one is no error at all.

    What it does not determine stands below its coefficients: exact points leave c at its bound.
    """
    rows = [
        (w, d, law(d, 0.05 / w, DEPTH, w), 0.05 / w, 270_000 * w**2)
        for w in (0.25, 0.5, 1, 2, 4)
        for d in (1, 0.1, 0.01)
    ]
    lines = ["width,density,error,error_unpruned,prunable", *(",".join(map(str, row)) for row in rows)]
    folder.write("five.csv", "\n".join(lines).replace(".0\n", "\n"))
    text = folder.call("fit", "five.csv", "--form", "rosenfeld-width", "--starts", "3", "--architecture",
                       "cifar-resnet", "--dataset", "cifar10", "--no-plugins", "-o", "five.json").stdout  # fmt: skip
    assert "  c ended at its lower bound, " in text.partition("unpruned networks: ")[2]
    said = refused(folder, "predict", "five.json", "--width", "0.001", "--density", "0.1", "--no-plugins")
    assert "the law of unpruned networks says an error of" in said
    assert "of width 0.001, beyond any that there can be; --error-unpruned gives it" in said


def test_a_loss_may_be_asked_for(folder: Place) -> None:
    """A law of losses has no largest: 1.6 is no percent."""
    rows = [
        (d, n, 0.5 * (0.3 * d**0.7 + 1) * (d * n) ** -0.25 + 1.4)
        for d in (1.0, 0.5, 0.25)
        for n in (100, 1000, 10000)
    ]
    lines = ["density,prunable,width,examples,nonzero,loss"]
    lines += [f"{d},{n},{n},{e},{d * n},{y + 0.3 * e**-0.5}" for d, n, y in rows for e in (1, 2, 4)]
    folder.write("loss.csv", "\n".join(lines))
    folder.call("fit", "loss.csv", "--form", "frantar", "--starts", "4", "-o", "loss.json")
    text = folder.call("predict", "loss.json", "--max-error", "1.7").stdout
    assert "error at most 1.7: width" in text
    assert "170" not in text
    assert "nan" not in text
    assert "--max-error: found -1; allowed: a number above 0" in refused(
        folder, "predict", "loss.json", "--max-error", "-1"
    )


def test_an_edited_fit_is_never_answered(folder: Place) -> None:
    """A sentence with file and field, and nothing else, whatever was asked."""
    value = json.loads((folder.folder / "width.json").read_text())
    value["fit"]["parameters"]["gamma"] = -1
    value["columns"]["prunable"][0] = -9000
    folder.write("edited.json", json.dumps(value))
    for asked in (("--width", "1", "--density", "0.1"), ("--max-error", "0.1")):
        assert "edited.json: field 'fit.parameters.gamma': found -1" in refused(
            folder, "predict", "edited.json", *asked
        )
    folder.write("edited.json", '{"kind": "scaling-fit", "schema": 1, "fit": ' + "[" * 100_000)
    assert "edited.json: not JSON" in refused(folder, "predict", "edited.json", "--density", "0.1")


def test_shares_may_be_given_in_percent(folder: Place) -> None:
    one, other = (
        folder.json("predict", "width.json", "--width", "1", "--density", density, "--error-unpruned", error)
        for density, error in (("0.2", "0.06"), ("20%", "6 %"))
    )
    assert one == other
    assert folder.json("predict", "width.json", "--max-error", "12%")["max_error"] == 0.12


def test_what_the_law_says_at_density_1_stands_beside_what_was_measured(folder: Place) -> None:
    """The curve nears the unpruned error from above, and has not reached it at density 1."""
    asked = ("predict", "width.json", "--width", "1", "--density")
    text = folder.call(*asked, "1").stdout
    assert (
        f"at density 1 the network is not pruned, and its error is {100 * unpruned(1):.3g} % (measured)"
        in text
    )
    assert f"{100 * law(1, unpruned(1), DEPTH, 1):.3g} % is where" in text
    assert "at density 1" not in folder.call(*asked, "0.5").stdout


POWER = """
import prunebench

def power(points, *, slope):
    return points.error_unpruned * points.density**-slope

@prunebench.hookimpl
def prunebench_forms():
    slope = prunebench.Coefficient("slope", 1e-3, 10, (0.1, 2), log=True)
    return [prunebench.FunctionalForm("power", power, (slope,), columns=("density", "error_unpruned"))]
"""


def test_an_error_that_cannot_be_is_no_answer(folder: Place) -> None:
    """A power law without an end fits, says where it passes 1 at its own points, and is refused beyond."""
    folder.write("power.py", POWER)
    rows = "".join(f"{d},{0.1 * d**-0.5},0.1\n" for d in (0.5, 0.3, 0.1, 0.05, 0.02, 0.01)) + "0.005,1,0.1\n"
    folder.write("power.csv", f"density,error,error_unpruned\n{rows}")
    own = ("--plugin", "power.py", "--no-plugins")
    text = folder.call("fit", "power.csv", "--form", "power", *own, "-o", "power.json").stdout
    assert "errors above 1, the most that there can be, at 1 of its 7 points, up to 1." in text
    said = refused(folder, "predict", "power.json", "--density", "0.1", "--density", "0.001", *own)
    assert "form 'power' gives an error of 2." in said
    assert "at density 0.001, beyond 1, the most that there can be" in said
    assert folder.json("predict", "power.json", "--density", "0.1", *own)["rows"][0]["error"] < 0.4


def test_counts_of_a_file_are_compared_with_those_of_the_architecture(folder: Place) -> None:
    """A few layers counted otherwise are told, another network is refused."""
    of = ("--form", "rosenfeld-width", "--starts", "2", "--no-plugins")
    lenet = ("--architecture", "lenet-300-100", "--dataset", "mnist")
    counts = {
        w: 784 * round(300 * w) + round(300 * w) * round(100 * w) + 10 * round(100 * w)
        for w in (0.25, 0.5, 1)
    }
    for name, share in (("same", 1.0), ("near", 0.95), ("other", 0.1)):
        lines = [line.rpartition(",")[0] for line in points(prunable=True).splitlines()[1:]]
        own = [f"{line},{round(share * counts[float(line.partition(',')[0])])}" for line in lines]
        folder.write(f"{name}.csv", "\n".join(["width,density,error,error_unpruned,prunable", *own]))
    assert "'prunable'" not in folder.call("fit", "same.csv", *of, *lenet).stdout
    near = folder.call("fit", "near.csv", *of, *lenet).stdout
    assert "weights for width" in near
    assert ": measured networks count as the column says, others as the architecture has them" in near
    said = refused(folder, "fit", "other.csv", *of, *lenet)
    assert "--architecture lenet-300-100: column 'prunable' has " in said
    assert "these are other networks" in said


def test_the_answer_is_told_beside_what_was_measured(folder: Place) -> None:
    """By how many weights they differ; sizes are of the scales that the points have."""
    text = folder.call("predict", "width.json", "--max-error", "0.12").stdout
    answer = folder.json("predict", "width.json", "--max-error", "0.12")
    kept, measured = answer["answer"]["kept"], answer["measured"]["kept"]
    off, which = abs(kept / measured - 1), "fewer" if kept < measured else "more"
    assert f"the law's {kept:,} weights" in text
    assert f"are {100 * off:.3g} % {which} than these {measured:,}" in text
    assert "(least width² · density)" in text
    assert "depth" not in text


def test_a_coefficient_that_is_no_estimate_is_marked(folder: Place) -> None:
    """One that ended at its bound, as in the tables of several fits."""
    rows = "".join(f"{w},{d},{0.06 * d**-0.0001},0.06\n" for w in (0.5, 1) for d in (1, 0.7, 0.5, 0.3))
    folder.write("flat.csv", f"width,density,error,error_unpruned\n{rows}")
    text = folder.call("fit", "flat.csv", "--starts", "3").stdout
    made = folder.json("fit", "flat.csv", "--starts", "3")["fit"]
    marked = {line.split()[0] for line in text.splitlines() if " * " in line and line.startswith("  ")} - {
        "*"
    }
    errors = made["standard_errors"]
    assert {name for name, error in errors.items() if error is None} <= marked
    assert marked
    assert "* no estimate: at its bound, or left open by the points" in text
    assert "width^psi · density at which the plateau begins" in text


def test_a_suite_without_results_is_told_with_its_store(folder: Place) -> None:
    said = refused(folder, "fit", "scaling-lenet", "--store", "empty-store", "--no-plugins")
    assert "no cell of imp has a result yet: `prunebench run` makes them (the store is " in said
    assert "empty-store" in said


def test_a_prediction_tells_the_weights_that_are_left(folder: Place) -> None:
    answer = folder.json("predict", "width.json", "--width", "0.5", "--density", "0.1", "--density", "0.03")
    assert [row["kept"] for row in answer["rows"]] == [225, 68]
    assert answer["network"]["prunable"] == 2250


def test_places_of_studies_are_whole_numbers_where_they_are() -> None:
    """Not 15000.0 training examples; a width stays what it is."""
    told = _told(Where(math.nan, 0.25, 15000.0))
    assert json.dumps(told) == '{"width": 0.25, "examples": 15000}'
