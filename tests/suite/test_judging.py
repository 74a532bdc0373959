"""The suite that judges a method: made of another one's settings, asked of whatever can be asked."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from prunebench.errors import UsageError
from prunebench.host import Host
from prunebench.suite import load_suite, with_methods
from prunebench.suite.judging import POINTS, judging, spelled
from prunebench.suite.suite import Suite, make_suite

SHIPPED = Path(__file__).parents[2] / "suites"


@pytest.fixture(scope="module")
def host() -> Host:
    return Host.load(third_party=False)


def judged(suite: Suite, method: str, host: Host) -> Suite:
    return make_suite(tomllib.loads(spelled(judging(suite, method))), "judged.toml", None, host)


def test_every_question_has_its_cells_and_they_are_those_of_the_suite(host: Host) -> None:
    """In each setting the method, its ablations, another batch, and the baselines; seeds and densities as there."""
    quick = load_suite("quick", host)
    found = judged(quick, "snip", host)
    names = {(c.labels["architecture"], c.labels["method"], c.labels["ablations"]) for c in found.cells}
    for architecture in ("digits-mlp", "digits-convnet"):
        mine = {(method, ablations) for a, method, ablations in names if a == architecture}
        assert mine == {
            ("none", ""), ("random", ""), ("magnitude-after-training", ""), ("ltr", ""), ("snip", ""),
            ("snip", "shuffle"), ("snip", "reinit"), ("snip", "invert"), ("snip-other-batch", ""),
        }  # fmt: skip
    cells = {
        (c.labels["architecture"], c.density, c.seed): c.form
        for c in quick.cells
        if c.labels["method"] == "snip" and not c.labels["ablations"]
    }
    own = {
        (c.labels["architecture"], c.density, c.seed): c.form
        for c in found.cells
        if c.labels["method"] == "snip" and not c.labels["ablations"]
    }
    assert own == cells


def test_the_other_batch_differs_in_its_draw_alone(host: Host) -> None:
    """The same scorer and size; a scorer that reads no data has none."""
    found = judged(load_suite("quick", host), "snip", host)
    forms = {c.labels["method"]: c.form for c in found.cells if not c.labels["ablations"]}
    own, other = forms["snip"].scorer, forms["snip-other-batch"].scorer
    assert own.batch.draw is None
    assert other == own.model_copy(update={"batch": own.batch.model_copy(update={"draw": 1})})
    assert not any(
        "batch" in c.labels["method"] for c in judged(load_suite("quick", host), "synflow", host).cells
    )


def test_of_a_long_grid_some_sparsities_are_asked(host: Host) -> None:
    """Spread over it, the last among them; overrides, splits and spelled recipes come along."""
    suite = load_suite("pai-lenet", host)
    found = judged(suite, "grasp", host)
    whole = sorted({c.density for c in suite.cells if c.labels["method"] == "grasp"}, key=float)
    some = sorted({c.density for c in found.cells if c.labels["method"] == "grasp"}, key=float)
    assert len(some) == POINTS < len(whole)
    assert some[0] == whole[0]
    assert set(some) <= set(whole)


@pytest.mark.parametrize("name", ["pai", "pai-lenet-test", "pai-modified-resnet18"])
def test_any_suite_can_ask(name: str, host: Host) -> None:
    """Whatever its families and overrides are: what is made is a valid suite, and the forms are the suite's."""
    suite = load_suite(name, host)
    found = judged(suite, "snip", host)
    forms = {
        (c.labels["architecture"], c.labels["recipe"]): c.form
        for c in suite.cells
        if c.labels["method"] == "snip" and not any(c.labels[k] for k in ("ablations", "find", "score_at"))
    }
    for cell in found.cells:
        if cell.labels["method"] == "snip" and not cell.labels["ablations"]:
            assert cell.form == forms[cell.labels["architecture"], cell.labels["recipe"]]


def test_a_suite_without_such_a_setting_cannot_ask(host: Host) -> None:
    """Every cell there has a pruning step of its own."""
    with pytest.raises(UsageError, match="prunes snip in no setting without find changes"):
        judging(load_suite("pai-after-init-test", host), "snip")


def test_a_method_that_was_added_is_asked_of(host: Host) -> None:
    """As --scorer adds one."""
    suite = with_methods(load_suite("quick", host), ["force"], host)
    assert {c.labels["ablations"] for c in judged(suite, "force", host).cells} == {
        "",
        "shuffle",
        "reinit",
        "invert",
    }


def test_content_survives_being_spelled() -> None:
    """Texts with quotes and control characters, numbers, nested tables: read back as they were."""
    content: dict[str, Any] = {
        "name": 'a "b" \\ \x7f\n',
        "schema": 1,
        "odd key": True,
        "matrix": [{"x": [0.1, 1e-9, 3], "y": {"z": {"deep": "é"}}, "w": [["a"], []]}],
    }
    assert tomllib.loads(spelled(content)) == content
