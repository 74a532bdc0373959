"""Checks are frozen with the plan, so that a leaderboard needs no suite's file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from prunebench.checks.frozen import thawed_checks
from prunebench.plan.frozen import frozen, thawed
from prunebench.suite import load_suite

SUITES = Path(__file__).parents[2] / "suites"


@pytest.mark.parametrize("name", ["pai-lenet", "pai-modified-resnet18"])
def test_a_plan_holds_the_checks_of_its_suite(name: str, project: Any) -> None:
    """As plain JSON, families filled in; what is thawed says the same."""
    session = project.session(SUITES / f"{name}.toml")
    again = thawed(orjson.loads(orjson.dumps(frozen(session.plan))))
    checks, claims = thawed_checks(again.suite)
    suite = load_suite(name, session.host)
    assert checks == list(suite.checks) != []
    assert claims == list(suite.claims)
    assert again.digest == session.plan.digest


def test_a_plan_without_checks_says_nothing_of_them(project: Any) -> None:
    """So that its digest is what it was; nor does one that an earlier version froze."""
    plan = project.session(project.suite(["snip"])).plan
    assert not {"checks", "claims"} & plan.suite.keys()
    assert thawed_checks(plan.suite) == ([], [])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"expect": "over"}, r"checks\.0\.expect"),
        ({"of": {"methd": "snip"}}, r"checks\.0\.of"),
        ({"margin": "0.5"}, r"checks\.0\.margin"),
        ({"not": True}, r"checks\.0\.not"),
    ],
)
def test_a_frozen_check_that_is_none_is_refused(change: dict[str, Any], message: str, project: Any) -> None:
    """A plan is other people's input: every check in it is looked at."""
    value = frozen(project.session(SUITES / "pai-lenet.toml").plan)
    value["suite"] = {**value["suite"], "checks": [{**value["suite"]["checks"][0], **change}]}
    with pytest.raises(ValueError, match=rf"^not a frozen plan: {message}"):
        thawed(orjson.loads(orjson.dumps(value)))


def test_a_plan_looks_up_the_steps_of_pruning_points(project: Any) -> None:
    """What labels do not say: the end of 160 epochs of CIFAR-10, in 391 batches of 128 (the last one smaller)."""
    from prunebench.checks.gather import steps_of

    plan = project.session(SUITES / "pai-after-init.toml").plan
    step = steps_of(thawed(orjson.loads(orjson.dumps(frozen(plan)))).suite)
    cell = next(
        dict(c.labels)
        for c in plan.cells
        if (c.labels["architecture"], c.labels["score_at"]) == ("resnet20", "end")
    )
    assert step("end", cell) == 160 * 391
    assert step("step 1000", {**cell, "score_at": "step 1000"}) == 1000
    assert step("init", {**cell, "score_at": "init"}) == 0
    every = {c.labels["score_at"] for c in plan.cells}
    assert {row[-2] for row in plan.suite["steps"]} == every - {""}
