"""What is compared: ranges, sparsities one by one, settings, the best of several, ratios, other checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from prunebench_plugins.quantities import prunebench_quantities
from reference.cells import cells, frame, measured, suite_of

from prunebench.checks.evaluate import evaluate
from prunebench.checks.outcomes import Outcome, Verdicts

QUANTITIES = {quantity.name: quantity for quantity in prunebench_quantities()}
NOISE = (0.04, -0.03, 0.01, 0.02, -0.04)
DENSITIES = ("0.8", "0.64", "0.512", "0.4096")


def around(mean: float, scale: float = 1.0) -> list[float]:
    """Return five accuracies around a mean."""
    return [mean + scale * noise for noise in NOISE]


def other(mean: float) -> list[float]:
    """Return five accuracies around a mean, with other noise."""
    return around(mean, -0.5)


def curve(method: str, means: Sequence[float], **more: Any) -> list[dict[str, Any]]:
    """Return the cells of a method at the four densities."""
    rows: list[dict[str, Any]] = []
    for i, (density, mean) in enumerate(zip(DENSITIES, means, strict=True)):
        rows += cells({method: around(mean, (-1) ** i)}, density, **more)
    return rows


def judge(rows: list[dict[str, Any]], *checks: dict[str, Any], measures: Any = None, **more: Any) -> Verdicts:
    return evaluate(suite_of(*checks, **more), frame(rows), measures, QUANTITIES)


def one(rows: list[dict[str, Any]], *checks: dict[str, Any], **more: Any) -> Outcome:
    return judge(rows, *checks, **more).outcomes[0]


SNIP_GRASP = {"name": "snip-above-grasp", "of": {"method": "snip"}, "against": {"method": "grasp"}}
BASELINES = [
    *cells({"none": around(95.0)}, "1"),
    *curve("random", [94.9, 90.0, 85.0, 80.0]),
    *curve("magnitude-after-training", [95.0, 94.9, 90.0, 85.0]),
]
CURVES = [*BASELINES, *curve("snip", [94.0, 93.0, 92.0, 91.0]), *curve("grasp", [93.0, 92.9, 92.8, 91.0])]


@pytest.mark.parametrize(
    ("within", "effect", "word"),
    [
        ("all", 0.575, "all (20 % … 59 %)"),
        ("trivial", 1.0, "trivial (20 %)"),
        ("matching", 0.1, "matching (36 %)"),
        ("extreme", -0.4, "extreme (48.8 % … 59 %)"),
        ([0.36], 0.1, "36 %"),
        ({"paper": [0.2, 0.59]}, 0.5, "the paper's (20 % … 59 %)"),
        ({"from": 0.36, "to": 0.488}, -0.35, "36 % … 48.8 %"),
        ({"to": 0.2}, 1.0, "20 %"),
    ],
)
def test_a_range_is_the_mean_over_its_sparsities(within: Any, effect: float, word: str) -> None:
    """By name as the baselines of the suite find it, by its ends or one by one, as papers print them."""
    if within == "all":
        effect = (1.0 + 0.1 - 0.8 + 0.0) / 4
    found = one(CURVES, {**SNIP_GRASP, "range": within})
    assert found.effect == pytest.approx(effect)
    assert found.range == word


def test_a_range_needs_the_cells_that_it_is_found_with() -> None:
    """The unpruned ones, and the baselines' up to one sparsity past the border."""
    found = one(CURVES, {**SNIP_GRASP, "range": "matching"})
    assert found.cells == 10 + 5 + 5 * 3 + 5 * 4
    assert any("random-0.64" in key for key in found.keys)
    trivial = one(CURVES, {**SNIP_GRASP, "range": "trivial"})
    assert not any("magnitude-after-training" in key for key in trivial.keys)


def test_a_range_that_is_not_known_has_not_run() -> None:
    rows = [dict(row) for row in CURVES]
    for row in rows:
        if row["method"] == "random":
            row["status"] = "missing"
    found = one(rows, {**SNIP_GRASP, "range": "matching"})
    assert (found.verdict, found.missing) == ("not run", 20)
    assert "random is not finished" in found.reason


def test_a_range_without_a_sparsity_decides_nothing() -> None:
    rows = [row for row in CURVES if row["method"] != "magnitude-after-training"]
    rows += curve("magnitude-after-training", [90.0, 90.0, 85.0, 80.0])
    found = one(rows, {**SNIP_GRASP, "range": "matching"})
    assert (found.verdict, found.missing) == ("undecided", 0)
    assert "empty" in found.reason


def test_everywhere_and_somewhere_are_judged_sparsity_by_sparsity() -> None:
    """SNIP is above GraSP by δ at 20 % alone, and below it at 48.8 %."""
    everywhere = one(CURVES, {**SNIP_GRASP, "range": "all", "over": "everywhere"})
    assert [part.verdict for part in everywhere.parts] == ["holds", "fails", "fails", "fails"]
    assert everywhere.verdict == "fails"
    assert [part.range for part in everywhere.parts] == ["20 %", "36 %", "48.8 %", "59 %"]
    assert "fails at 36 %, 48.8 %, 59 %" in everywhere.reason
    somewhere = one(CURVES, {**SNIP_GRASP, "range": "all", "over": "somewhere"})
    assert somewhere.verdict == "holds"
    assert somewhere.effect == pytest.approx(1.0)
    never = one(CURVES, {**SNIP_GRASP, "range": {"from": 0.36}, "over": "everywhere", "expect": "not-above"})
    assert never.verdict == "holds"


def test_ranges_beside_decide_nothing() -> None:
    found = one(CURVES, {**SNIP_GRASP, "range": [0.2], "beside": [[0.488], "all"]})
    assert found.verdict == "holds"
    assert [(each.range, each.verdict) for each in found.beside] == [
        ("48.8 %", "fails"),
        ("all (20 % … 59 %)", "fails"),
    ]


TWO = [
    *cells({"snip": around(92.0), "grasp": other(90.0)}),
    *cells({"snip": around(80.0), "grasp": other(81.0)}, architecture="vgg"),
]


@pytest.mark.parametrize(("settings", "verdict"), [("each", "fails"), ("some", "holds")])
def test_settings_are_judged_one_by_one(settings: str, verdict: str) -> None:
    found = one(TWO, {**SNIP_GRASP, "settings": settings})
    assert found.verdict == verdict
    assert [(part.setting.split(",")[0], part.verdict) for part in found.parts] == [
        ("lenet", "holds"),
        ("vgg", "fails"),
    ]
    assert found.setting.count(";") == 1


def test_only_what_is_decided_is_said_to_be_decided() -> None:
    """Of an undecided check it is told which setting it depends on."""
    assert "; decided at vgg" in one(TWO, SNIP_GRASP).told
    open_at_vgg = cells({"snip": around(80.0, 40), "grasp": around(80.0, -40)}, architecture="vgg")
    undecided = one([*TWO[: len(TWO) // 2], *open_at_vgg], SNIP_GRASP)
    assert undecided.verdict == "undecided"
    assert "; depends on vgg" in undecided.told
    assert "decided at vgg" not in undecided.told.replace("undecided at", "")


def test_where_says_in_which_settings() -> None:
    found = one(TWO, {**SNIP_GRASP, "where": {"architecture": ["vgg"]}})
    assert (found.verdict, found.parts, found.effect) == ("fails", (), pytest.approx(-1.0))


def test_a_side_may_be_of_a_setting_of_its_own() -> None:
    check = {"name": "wider", "of": {"method": "snip"}, "against": {"method": "snip", "architecture": "vgg"}}
    found = one(TWO, {**check, "where": {"architecture": ["lenet"]}})
    assert found.effect == pytest.approx(12.0)
    assert one(TWO, check).parts == ()  # on the VGG both sides are the same cells


def test_matrices_choose_places() -> None:
    rows = [*cells({"snip": around(92.0)}, matrix="a"), *cells({"snip": around(92.0)}, matrix="b")]
    rows += cells({"snip": around(80.0)}, "0.4", matrix="b")
    check = {"name": "all-of-b", "of": {"method": "snip"}, "against": 0.0, "range": "all"}
    assert one(rows, {**check, "where": {"matrix": ["b"]}}).effect == pytest.approx(86.0)
    assert one(rows, {**check, "where": {"matrix": ["a"]}}).effect == pytest.approx(92.0)


SEVERAL = cells(
    {"snip": around(92.0), "grasp": other(90.0), "synflow": around(91.0, 0.3), "magnitude": around(89.0, 2)}
)
THREE = ["grasp", "synflow", "magnitude"]


@pytest.mark.parametrize(
    ("of", "against", "effect"),
    [
        ({"method": "snip"}, {"best": THREE}, 1.0),
        ({"method": "snip"}, {"worst": THREE}, 3.0),
        ({"best": THREE}, {"method": "snip"}, -1.0),
        ({"worst": THREE}, {"method": "snip"}, -3.0),
        ({"best": ["snip", "grasp"]}, {"best": ["synflow", "magnitude"]}, 1.0),
        ({"gap": THREE}, 1.5, 0.5),
        ({"gap": THREE}, {"gap": ["snip", "grasp"]}, 0.0),
    ],
)
def test_the_best_and_the_worst_are_those_of_the_means(of: Any, against: Any, effect: float) -> None:
    found = one(SEVERAL, {"name": "extreme", "of": of, "against": against})
    assert found.effect == pytest.approx(effect)
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower < effect < found.upper


def test_being_above_the_best_is_being_above_each() -> None:
    """The p value is the largest of the three, without adjustment."""
    best = one(SEVERAL, {"name": "best", "of": {"method": "snip"}, "against": {"best": THREE}})
    each = [one(SEVERAL, {**SNIP_GRASP, "against": {"method": method}}) for method in THREE]
    assert best.p_holds == max(found.p_holds or 0.0 for found in each)
    assert best.against == "best of grasp, synflow, magnitude"
    assert best.cells == 20


def test_a_ratio_is_that_of_the_means() -> None:
    check = {"name": "ratio", "of": {"method": "snip"}, "against": {"method": "grasp"}, "compare": "ratio"}
    found = one(TWO[:10], {**check, "by": 1.02, "margin": 0.001})
    assert found.effect == pytest.approx(92.0 / 90.0)
    assert found.by == 1.02
    assert found.verdict == "holds"
    x, y = np.array(around(92.0)), np.array(other(90.0))
    assert found.differences == pytest.approx(x / y - 1.02)


def test_groups_are_judged_from_their_checks() -> None:
    """By the rule of every and some; effects are those of the checks themselves."""
    checks = [
        {"name": "all", "all": ["a", "b"]},
        {"name": "any", "any": ["a", "b"]},
        {**SNIP_GRASP, "name": "a", "where": {"architecture": ["lenet"]}},
        {**SNIP_GRASP, "name": "b", "where": {"architecture": ["vgg"]}},
    ]
    found = judge(TWO, *checks)
    assert [(each.check, each.verdict) for each in found.outcomes] == [
        ("all", "fails"),
        ("any", "holds"),
        ("a", "holds"),
        ("b", "fails"),
    ]
    assert found.outcome("all").parts == (found.outcome("a"), found.outcome("b"))
    assert found.outcome("all").effect is None
    assert "fails at b" in found.outcome("all").reason
    assert (found.judged, found.failures, found.chance) == (2, 1, 0.1)


def test_two_fields_of_a_measure_are_compared() -> None:
    rows = cells({"snip": around(92.0)})
    values = [
        {"early": 0.5 + 0.01 * i, "output": 0.3, "layers": [{"name": "a", "kept": 4}]} for i in range(5)
    ]
    check = {
        "name": "spared",
        "quantity": "measure:layers.early",
        "of": {"method": "snip"},
        "against": {"method": "snip", "quantity": "measure:layers.output"},
        "margin": 0.01,
    }
    found = judge(rows, check, measures=measured(rows, "layers", values)).outcomes[0]
    assert (found.effect, found.verdict) == (pytest.approx(0.22), "holds")
    counted = {"name": "four", "quantity": "measure:layers.layers.a.kept", "of": {"method": "snip"}}
    counted |= {"against": 3, "margin": 1}
    four = judge(rows, counted, measures=measured(rows, "layers", values)).outcomes[0]
    assert (four.verdict, four.p_holds, four.lower) == ("holds", 0.0, 1.0)
    assert "at every seed" in four.reason


def test_a_measure_that_is_not_there_yet_is_missing_whatever_its_record() -> None:
    rows = cells({"snip": around(92.0)})
    table = measured(rows, "layers", [{"early": 0.5}] * 5)
    table.loc[2, "status"], table.loc[2, "value"] = "missing", float("nan")
    check = {"name": "m", "quantity": "measure:layers.early", "of": {"method": "snip"}, "against": 0.1}
    found = judge(rows, {**check, "margin": 0.1}, measures=table).outcomes[0]
    assert (found.verdict, found.missing, found.cells) == ("not run", 1, 5)
    nowhere = judge(rows, {**check, "margin": 0.1}).outcomes[0]
    assert (nowhere.verdict, nowhere.missing) == ("not run", 5)


def test_the_unpruned_network_stands_beside_every_sparsity() -> None:
    check = {"name": "loses", "of": {"method": "none"}, "against": {"method": "snip"}, "range": {"to": 0.36}}
    found = one(CURVES, check)
    assert found.effect == pytest.approx(95.0 - 93.5)
    assert found.cells == 15
    dropped = {"quantity": {"name": "drop", "to": {"method": "snip"}}, "of": {"method": "none"}}
    assert one(CURVES, {**check, **dropped, "against": 1.0}).effect == pytest.approx(0.5)
    at_zero = {
        "name": "unpruned",
        "of": {"method": "none"},
        "against": 95.0,
        "range": [0.0],
        "expect": "same",
    }
    assert one(CURVES, at_zero).verdict == "holds"
