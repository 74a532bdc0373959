"""Families in a plan: looked up where a check reads them, so that such checks are judged without torch."""

from __future__ import annotations

from typing import Any

import pytest
from little_suites import LAW, plan

from prunebench.errors import SuiteError

SUITE = """
schema = 1
name = "family"
version = "1"

[[matrix]]
name = "main"
architecture = [{name = "lenet-300-100", width = 0.02}, {name = "lenet-300-100", width = 0.04}]
dataset = [{name = "digits", examples = 360}, "digits"]
recipe = {name = "digits", epochs = 1}
methods = ["random"]
sparsities = [0.5]
seeds = 2
"""
SUITE += LAW


def test_members_are_of_one_family_with_their_scales(project: Any) -> None:
    """Depth and width where the architecture has them, training examples, weights counted by hand."""
    rows = plan(project, SUITE).suite["scales"]
    assert len({row[4] for row in rows}) == 1
    counts = {0.02: 64 * 6 + 6 * 2 + 2 * 10, 0.04: 64 * 12 + 12 * 4 + 4 * 10}
    assert [row[5] for row in rows] == [
        {"width": width, "examples": examples, "prunable": counts[width]}
        for width in (0.02, 0.04)
        for examples in (360, 1442)
    ]


def test_a_plan_without_such_a_check_holds_none(project: Any) -> None:
    """What is frozen of other suites stays as it is."""
    text = SUITE.replace('quantity = "fit:sigma"', 'quantity = "spread"')
    assert "scales" not in plan(project, text).suite


@pytest.mark.parametrize(
    ("quantity", "said"),
    [
        ('"fit:gama"', "found 'gama'; did you mean 'gamma'? allowed: dips, error_up, fewest, gamma"),
        ('{name = "fit", of = "gama"}', "found 'gama'; did you mean 'gamma'?"),
        ('"fit"', "which needs 'of'"),
        ('{name = "fit:gamma", of = "p"}', "found 'fit:gamma'; allowed: 'fit'"),
        ('{name = "fit:gamma", alone = 1}', "allowed: true or false"),
    ],
)
def test_what_a_fit_does_not_say_is_refused(project: Any, quantity: str, said: str) -> None:
    with pytest.raises(SuiteError, match="quantity") as error:
        plan(project, SUITE.replace('"fit:sigma"', quantity))
    assert said in str(error.value)
