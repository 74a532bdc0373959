"""`fit` and `predict`: laws of records and of files, the question of the fewest weights, what is refused."""

from __future__ import annotations

import csv
import itertools
import json

import numpy as np
import pytest

from .conftest import Place, make_place
from .law_family import FAMILY, TRUTH, law, weights, write_family
from .test_mistakes import refused


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, _environment: None) -> Place:
    """A file of exact points, and the fit of it."""
    place = make_place(tmp_path_factory.mktemp("laws"))
    write_family(place, 32)
    place.call("fit", "family.csv", "--starts", "8", "-o", "law.json")
    return place


def test_a_file_is_fitted_and_the_numbers_are_told(folder: Place) -> None:
    made = folder.json("fit", "family.csv", "--starts", "8")
    assert made["kind"] == "scaling-fit"
    assert made["fit"]["parameters"] == pytest.approx(TRUTH, rel=1e-6)
    text = folder.call("fit", "family.csv", "--starts", "8", "--fix", "phi=1.1").stdout
    assert "198 points of 18 networks (family.csv)" in text
    assert next(line for line in text.splitlines() if " phi " in f" {line.strip()} ").split()[1:3] == [
        "1.1",
        "given",
    ]
    assert "mean µ" in text


def test_what_a_fit_is_compared_with_stands_beside_it(folder: Place) -> None:
    """Networks left out, interpolation between the others, dips; intervals over networks drawn again."""
    asked = ("fit", "family.csv", "--starts", "2", "--bootstrap", "100", "--left-out")
    made = folder.json(*asked)
    left_out = made["beside"]["left_out"]
    assert abs(left_out["sigma"]) < 1e-6 < left_out["interpolation"]["sigma"]
    assert (made["beside"]["seed_noise"], made["beside"]["dips"]["deepest"]) == (None, 0)
    low, high = made["fit"]["bootstrap"]["gamma"]
    assert low == pytest.approx(TRUTH["gamma"], rel=1e-5)
    assert high == pytest.approx(TRUTH["gamma"], rel=1e-5)
    text = folder.call(*asked).stdout
    assert "over networks" in text
    assert "networks left out: µ" in text


def test_the_error_of_a_member_is_the_law(folder: Place) -> None:
    """By its own unpruned error where it was measured, else by the one given."""
    unpruned = next(one[3] for one in FAMILY if one[:3] == (14, 0.5, 50_000))
    asked = (
        "predict",
        "law.json",
        "--depth",
        "14",
        "--width",
        "0.5",
        "--density",
        "0.1",
        "--density",
        "0.003",
    )
    answer = folder.json(*asked)
    assert [row["error"] for row in answer["rows"]] == pytest.approx(
        [law(d, unpruned, 14, 0.5) for d in (0.1, 0.003)], rel=1e-6
    )
    assert answer["network"]["source"] == "measured"
    given = folder.json(*asked, "--error-unpruned", "0.2")["rows"][1]["error"]
    assert given == pytest.approx(law(0.003, 0.2, 14, 0.5), rel=1e-6)
    assert "8." in folder.call(*asked).stdout


@pytest.mark.parametrize("most", [0.13, 0.2, 0.4])
def test_the_fewest_weights_are_those_of_brute_force(folder: Place, most: float) -> None:
    """Over every member and every whole number of weights; the analytic one over the proxy alike."""
    counts, sizes = {}, {}
    for depth, width, examples, unpruned in FAMILY:
        if examples != 50_000:
            continue
        every = weights(depth, width)
        counts[depth, width] = _least(depth, width, unpruned, every, most)
        fine = np.exp(np.linspace(np.log(1e-5), 0, 4_001))
        reached = [d for d in fine if law(float(d), unpruned, depth, width) <= most]
        if reached:
            sizes[depth, width] = depth * width**2 * min(reached)
    answer = folder.json("predict", "law.json", "--max-error", str(most))
    there = {(one["depth"], one["width"]): one["kept"] for one in answer["members"]}
    assert there == {key: count for key, count in counts.items() if count is not None}
    assert answer["answer"]["kept"] == min(there.values())
    best = min(sizes, key=lambda key: sizes[key])
    assert (answer["analytic"]["depth"], answer["analytic"]["width"]) == best
    assert answer["analytic"]["size"] == pytest.approx(sizes[best], rel=3e-3)


def _least(depth: float, width: float, unpruned: float, every: int, most: float) -> int | None:
    """Return the least count that reaches an error: tried one by one where they are few."""
    if law(1, unpruned, depth, width) > most:
        return None
    if every < 20_000:
        return next(c for c in range(1, every + 1) if law(c / every, unpruned, depth, width) <= most)
    low, high = 0, every
    while high - low > 1:  # the law falls
        middle = (low + high) // 2
        low, high = (low, middle) if law(middle / every, unpruned, depth, width) <= most else (middle, high)
    return high


def test_the_smallest_measured_network_stands_beside_the_answer(folder: Place) -> None:
    """By counting over the rows of the file."""
    with (folder.folder / "family.csv").open() as file:
        rows = [
            row for row in csv.DictReader(file) if row["subsample"] == "50000" and float(row["error"]) <= 0.2
        ]
    kept = min(round(float(row["density"]) * int(row["prunable"])) for row in rows)
    measured = folder.json("predict", "law.json", "--max-error", "0.2")["measured"]
    assert (measured["kept"], measured["among"]) == (
        kept,
        len({(row["depth"], row["width"]) for row in rows}),
    )


def test_members_can_be_named(folder: Place) -> None:
    answer = folder.json(
        "predict", "law.json", "--max-error", "0.2", "--depth", "8", "--width", "0.5", "--width", "1"
    )
    assert {(one["depth"], one["width"]) for one in answer["members"]} == {(8, 0.5), (8, 1)}


def test_what_lies_outside_the_points_is_said(folder: Place) -> None:
    result = folder.call("predict", "law.json", "--depth", "14", "--width", "0.5", "--density", "5e-5")
    assert "Warning: extrapolated: density 5e-05" in result.stderr
    inside = folder.call("predict", "law.json", "--depth", "14", "--width", "0.5", "--density", "0.1")
    assert inside.stderr == ""


PREDICT = [
    (
        ("--density", "10"),
        "--density: found 10; allowed: the share of weights that is left, above 0, up to 1: percent",
    ),
    (("--density", "0"), "--density: found 0; allowed"),
    (
        ("--max-error", "8"),
        "--max-error: found 8; allowed: an error as a fraction, above 0, below 1: percent? that is",
    ),
    (("--max-error", "0.9"), "is not below error_up, 0.8"),
    (("--max-error", "0.001"), "no member has an error of at most 0.001"),
    (("--density", "0.1"), "--depth: say the network's depth, one; the points have 8, 14, 20"),
    ((), "say --density D for an error, or --max-error E"),
    (("--max-error", "0.1", "--density", "0.1"), "one of them"),
    (("--max-error", "0.1", "--error-unpruned", "0.1"), "--error-unpruned is of one network"),
    (("--density", "0.1", "--depth", "-8", "--width", "1"), "--depth: found -8; allowed: a number above 0"),
    (("--density", "0.1", "--depth", "nan", "--width", "1"), "--depth: found nan; allowed: a number above 0"),
]


@pytest.mark.parametrize(("args", "said"), PREDICT, ids=[" ".join(args) for args, _ in PREDICT])
def test_a_question_that_cannot_be_answered_is_refused(
    folder: Place, args: tuple[str, ...], said: str
) -> None:
    assert said in refused(folder, "predict", "law.json", *args)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "fit.json: not JSON"),
        ("[]", "found no fit"),
        ('{"kind": "scaling-fit", "schema": 9}', "schema 9 is not known here"),
        ('{"kind": "scaling-fit", "schema": 1}', "fit.json: field 'about' is missing"),
    ],
)
def test_a_file_that_is_no_fit_is_refused(place: Place, content: str, said: str) -> None:
    place.write("fit.json", content)
    assert said in refused(place, "predict", "fit.json", "--density", "0.1")
    assert "no such file; did you mean 'fit.json'?" in refused(
        place, "predict", "fti.json", "--density", "0.1"
    )
    assert "holds points" in refused(place, "predict", "points.csv", "--density", "0.1")


def test_a_fit_of_a_form_that_is_not_there_names_the_nearest(folder: Place, place: Place) -> None:
    value = json.loads((folder.folder / "law.json").read_text())
    value["fit"]["form"] = "rosenfelt"
    place.write("fit.json", json.dumps(value))
    assert "did you mean 'rosenfeld'" in refused(place, "predict", "fit.json", "--density", "0.1")


FIT = [
    (("--fix", "error_up"), "--fix: found 'error_up'; allowed: NAME=VALUE"),
    (("--fix", "eror_up=0.9"), "did you mean 'error_up'"),
    (("--fix", "error_up=high"), "--fix: error_up is 'high'; allowed: a number"),
    (("--fix", "error_up=90"), "error_up is fixed at 90; allowed"),
    (("--fix", "phi=1", "--fix", "phi=2"), "--fix: phi is given twice: 1 and 2"),
    (("--form", "rosenfelt"), "--form: no functional form 'rosenfelt'; did you mean 'rosenfeld'"),
    (("--unpruned", "pinned"), "--unpruned: no functional form 'pinned'"),
    (("--form", "rosenfeld-width"), "is of one depth; the points have 3: 8, 14, 20"),
    (("--method", "imp"), "--method is for a suite"),
    (("--column", "density=densty"), "has no column 'densty'; did you mean 'density'"),
    (("--architecture", "resnet20"), "--architecture and --dataset go together"),
]


@pytest.mark.parametrize(("args", "said"), FIT, ids=[" ".join(args) for args, _ in FIT])
def test_what_a_fit_cannot_take_is_refused(folder: Place, args: tuple[str, ...], said: str) -> None:
    assert said in refused(folder, "fit", "family.csv", "-o", "other.json", *args)


SCALED = """
schema = 1
name = "scaled"
version = "1"

[[matrix]]
name = "main"
architecture = [
  {name = "lenet-300-100", width = 0.02},
  {name = "lenet-300-100", width = 0.04},
  {name = "lenet-300-100", width = 0.08},
]
dataset = "digits"
recipe = {name = "digits", epochs = 1}
methods = ["random", "magnitude-after-training"]
densities = [0.5, 0.2, 0.1]
seeds = 2
"""


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory, _environment: None) -> Place:
    """A folder in which three widths of a network were pruned."""
    place = make_place(tmp_path_factory.mktemp("scaled"))
    place.call("run", place.write("scaled.toml", SCALED), "--no-plugins")
    return place


def test_records_of_a_suite_are_fitted(scaled: Place) -> None:
    """Each error is that of the leaderboard, each network has its width, examples, weights and unpruned error."""
    made = scaled.json("fit", "scaled.toml", "--form", "rosenfeld-width", "--method", "random", "--no-plugins",
                       "--fix", "error_up=0.9", "--fix", "gamma=0.5", "--starts", "4")  # fmt: skip
    assert made["about"] == "scaled, version 1: random on digits"
    columns = made["columns"]
    assert len(columns["density"]) == 3 * 4 * 2
    assert set(columns["width"]) == {0.02, 0.04, 0.08}
    assert len(set(columns["examples"])) == 1
    board = scaled.json("leaderboard", "scaled.toml")["settings"]
    means = [
        row["mean"]
        for one in board
        for row in one["rows"]
        if row["at"] == "sparsity" and row["method"] == "random"
    ]
    pruned = [e for e, d in zip(columns["error"], columns["density"], strict=True) if d < 1]
    assert np.mean(pruned) == pytest.approx(1 - np.mean(means) / 100)
    counted = {
        w: 64 * r + r * s + s * 10 for w in (0.02, 0.04, 0.08) for r, s in [(round(300 * w), round(100 * w))]
    }
    for width, prunable, density, kept in zip(
        columns["width"], columns["prunable"], columns["density"], columns["nonzero"], strict=True
    ):
        assert prunable == counted[width]
        assert kept == round(density * prunable)
    family = made["family"]
    assert (family["architecture"], family["scales"], family["classes"]) == ("lenet-300-100", ["width"], 10)
    for row, (network, seed) in enumerate(zip(columns["network"], columns["seed"], strict=True)):
        whole = [e for e, d, n, s in zip(columns["error"], columns["density"], columns["network"], columns["seed"],
                                         strict=True) if (d, n, s) == (1, network, seed)]  # fmt: skip
        assert whole == [columns["error_unpruned"][row]]


def test_the_report_of_a_family_has_the_law_of_each_method(scaled: Place) -> None:
    """Three widths and three densities are a family: figures, or in a sentence why there are none."""
    scaled.call("report", "scaled.toml", "--no-files", "--out", "report", "--no-plugins")
    page = (scaled.folder / "report" / "index.html").read_text()
    assert '<section id="laws"' in page
    for method in ("random", "magnitude-after-training"):
        assert f"lenet-300-100 on digits, {method}" in page


def test_a_member_that_was_not_trained_is_counted_by_building_it(scaled: Place) -> None:
    scaled.call("fit", "scaled.toml", "--form", "rosenfeld-width", "--method", "random", "--no-plugins",
                "--fix", "error_up=0.9", "--fix", "gamma=0.5", "--starts", "4", "-o", "law.json")  # fmt: skip
    asked = (
        "predict",
        "law.json",
        "--width",
        "0.1",
        "--density",
        "0.5",
        "--error-unpruned",
        "0.3",
        "--no-plugins",
    )
    network = scaled.json(*asked)["network"]
    assert network["prunable"] == 64 * 30 + 30 * 10 + 10 * 10
    assert "the points of this law have no depth" in refused(scaled, *asked, "--depth", "20")


SUITE = [
    ((), "the cells are of 2 methods; say --method: random, magnitude-after-training"),
    (("--method", "randm"), "no cell is of method 'randm'; did you mean 'random'"),
    (
        ("--method", "random", "--form", "rosenfeld"),
        "reads depth, which the points have not; --form rosenfeld-width would do",
    ),
    (("--column", "density=d"), "--column is for a file of points"),
]


@pytest.mark.parametrize(("args", "said"), SUITE, ids=[" ".join(args) for args, _ in SUITE])
def test_records_that_are_no_family_are_refused(scaled: Place, args: tuple[str, ...], said: str) -> None:
    assert said in refused(scaled, "fit", "scaled.toml", "--no-plugins", *args)


def test_answers_in_json_have_null_for_what_is_not_known(scaled: Place) -> None:
    """A network without a depth: no JSON has NaN. What seeds' unpruned errors differ by is told with the fit."""
    told = scaled.json("fit", "scaled.toml", "--method", "random", "--no-plugins", "--starts", "4",
                       "-o", "answers.json")["beside"]["unpruned_noise"]  # fmt: skip
    assert 0 < told < 1
    text = scaled.call("predict", "answers.json", "--max-error", "0.89", "--no-plugins", "--json").stdout
    assert "NaN" not in text
    assert json.loads(text)["measured"]["depth"] is None


def test_the_law_is_that_of_the_scales_that_vary(scaled: Place) -> None:
    """Widths of a network that has no depth: the partial fit of widths, unless another is named."""
    made = scaled.json("fit", "scaled.toml", "--method", "random", "--no-plugins", "--starts", "4")
    assert made["fit"]["form"] == "rosenfeld-width"


def test_several_data_sets_are_no_family(place: Place) -> None:
    two = SCALED.replace('dataset = "digits"', 'dataset = ["digits", "mnist"]').replace("scaled", "two")
    place.write("two.toml", two.replace('recipe = {name = "digits", epochs = 1}', 'recipe = "pai-lenet"'))
    said = refused(place, "fit", "two.toml", "--method", "random", "--no-plugins")
    assert "the cells are of 2 data sets: 'digits', 'mnist'; a law is of one: choose with -k" in said


def test_a_suite_of_which_nothing_was_run_is_told(place: Place) -> None:
    place.write("scaled.toml", SCALED)
    said = refused(place, "fit", "scaled.toml", "--method", "random", "--no-plugins")
    assert "no cell of random has a result yet: `prunebench run` makes them" in said


def test_a_member_of_a_file_that_was_not_trained_is_predicted_by_its_size(folder: Place) -> None:
    """Its weights are those of the architecture that is named; its unpruned error follows by their number."""
    folder.call("fit", "family.csv", "--starts", "8", "--architecture", "cifar-resnet",
                "--dataset", "cifar10", "--no-plugins", "-o", "resnets.json")  # fmt: skip
    answer = folder.json(
        "predict", "resnets.json", "--depth", "26", "--width", "0.5", "--density", "0.1", "--no-plugins"
    )
    network = answer["network"]
    assert network["source"] == "by the law of unpruned networks"
    assert network["prunable"] == sum(
        [
            27 * 8,
            8 * 8 * 8 * 9,
            8 * 16 * 9 + 7 * 16 * 16 * 9 + 8 * 16,
            16 * 32 * 9 + 7 * 32 * 32 * 9 + 16 * 32,
            320,
        ]
    )
    (row,) = answer["rows"]
    assert row["low"] < row["error"] < row["high"]
    assert row["error"] == pytest.approx(law(0.1, network["error_unpruned"], 26, 0.5), rel=1e-5)
    said = refused(
        folder, "predict", "resnets.json", "--depth", "21", "--width", "1", "--density", "0.1", "--no-plugins"
    )
    assert "depth = 21; allowed: 6B + 2" in said


def test_a_law_of_other_columns_is_told_them(place: Place) -> None:
    """A law of a loss by non-zero parameters and data, exact points: the value at a point is the point's."""
    lines = ["sparsity,millions,steps,loss"]
    for s, n, d in itertools.product((0.0, 0.5, 0.75, 0.875), (1.0, 10.0, 100.0), (1.0, 2.0, 4.0, 8.0)):
        lines.append(f"{s},{n},{d},{(0.5 * (1 - s) ** 0.7 + 1.4) * n**-0.25 + 0.6 * d**-0.3 + 0.7!r}")
    place.write("t5.csv", "\n".join(lines))
    place.call("fit", "t5.csv", "--form", "frantar", "--starts", "6", "--column", "nonzero=millions",
               "--column", "examples=steps", "-o", "fit.json")  # fmt: skip
    asked = ("predict", "fit.json", "--density", "0.25", "--examples", "4")
    (row,) = place.json(*asked, "--column", "nonzero=10")["rows"]
    assert row["error"] == pytest.approx((0.5 * 0.25**0.7 + 1.4) * 10**-0.25 + 0.6 * 4**-0.3 + 0.7, rel=1e-5)
    assert "reads nonzero, which is not known of examples 4; --column nonzero=N gives it" in refused(
        place, *asked
    )
    assert "which is not known of examples 8; --max-error needs it of every network" in refused(
        place, "predict", "fit.json", "--max-error", "1.7"
    )
    assert "does not read 'nonzer'; did you mean 'nonzero'" in refused(place, *asked, "--column", "nonzer=10")
    assert "--column nonzero: found -1; allowed" in refused(place, *asked, "--column", "nonzero=-1")
