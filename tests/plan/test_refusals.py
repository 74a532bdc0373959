"""Cells that cannot be planned: every place in the file is named, with one cell and how many more."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

import prunebench
from prunebench.errors import SuiteError, UsageError

LATE = {"method": "snip", "as": "late", "score_at": {"step": 99999}}
REWOUND = {"method": "ltr", "as": "rewound", "train_from": {"step": 99999}}
GRADUAL = {"gradual": {"from": "init", "to": {"step": 99999}, "every": 2}}
BACK = {"gradual": {"from": {"share": 0.5}, "to": {"step": 2}, "every": 1}}
EARLY = {"gradual": {"from": "init", "to": {"step": 15}, "every": 100}}
SLOW = {"method": "magnitude", "as": "slow", "schedule": GRADUAL}

CASES: list[tuple[dict[str, Any], str, str]] = [
    ({"more": "score_at = ['init', {step = 99999}]"}, "matrix[0].score_at[1]", "beyond the schedule"),
    ({"methods": ["snip", LATE]}, "matrix[0].methods[1].score_at", "beyond the schedule"),
    ({"methods": [REWOUND]}, "matrix[0].methods[0].train_from", "beyond the schedule"),
    ({"methods": [SLOW]}, "matrix[0].methods[0].schedule", "to = {step = 99999}: step 99999 lies beyond"),
    (
        {"methods": [{"method": "magnitude", "as": "early", "clock": {"step": 5}, "schedule": EARLY}]},
        "matrix[0].methods[0]",
        "from = 'init' begins at step 0, but the run at step 5 (clock)",
    ),
    (
        {"methods": [{"method": "magnitude", "as": "back", "schedule": BACK}]},
        "matrix[0].methods[0]",
        "to = {step = 2} is step 2, from = {share = 0.5} is step ",
    ),
    ({"methods": ["snip", "ltr"], "rewind": "{step = 99999}"}, "matrix[0].recipe.rewind", "beyond"),
    ({"sparsities": [0.5, 0.99999]}, "matrix[0].sparsities[1]", "keeps none"),
    (
        {"sparsities": {"keep": 0.1, "count": 9}},
        "matrix[0].sparsities.count",
        "at most 4, as 0.1^5 keeps none of 6464",
    ),
]


@pytest.mark.parametrize(("suite", "path", "said"), CASES, ids=[case[1] for case in CASES])
def test_a_refused_cell_is_told_with_file_and_key_path(
    project: Any, suite: dict[str, Any], path: str, said: str
) -> None:
    """The line begins with the file and the place of the value that is wrong, and names the cell."""
    rewind = suite.pop("rewind", None)
    file = project.suite(**suite)
    if rewind:
        file.write_text(file.read_text().replace("epochs = 1", f"epochs = 1, rewind = {rewind}"))
        suite["rewind"] = rewind
    with pytest.raises(SuiteError) as caught:
        project.session(file)
    for line in str(caught.value).splitlines():
        assert line.startswith(f"{file}: {path}: ")
        assert said in line
        assert "(cell main::digits-mlp-digits-" in line


def test_everything_that_cannot_be_planned_is_told_at_once(project: Any) -> None:
    """A point of one method and a density of all are two lines; cells of one reason are counted."""
    file = project.suite(["snip", LATE], sparsities=[0.5, 0.99999], seeds=3)
    with pytest.raises(SuiteError) as caught:
        project.session(file)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert any("sparsities[1]: density 0.00001 keeps none" in line and "and 5 more" in line for line in lines)
    assert any("methods[1].score_at: step 99999 lies" in line and "and 2 more" in line for line in lines)


@pytest.mark.parametrize(
    "name", ["gradual-magnitude", {"schedule": {"gradual": {"from": "init", "to": "end", "every": 9}}}]
)
def test_layers_of_a_method_that_prunes_while_it_trains_cannot_be_counted(project: Any, name: Any) -> None:
    """The suite and `prune` name the allocation and the method; neither sends anybody to the other."""
    row = {"method": "snip", "as": "borrows", "allocation": {"like": name}}
    said = "prunes while its network trains: it has no mask before training"
    with pytest.raises(SuiteError) as caught:
        project.session(project.suite([row]))
    assert "matrix[0].methods[0].allocation.like: found " in str(caught.value)
    assert said in str(caught.value)
    form = prunebench.Form.model_validate({"scorer": "magnitude", "allocation": {"like": name}})
    called = f"method '{name}'" if isinstance(name, str) else "the method"
    with pytest.raises(UsageError, match=f"^allocation.like: {called} {said}"):
        prunebench.prune(nn.Linear(3, 2), form, density=0.5)


def test_a_count_of_sparsities_that_goes_too_far_is_told_once(project: Any) -> None:
    """The line says the last that keeps a weight: round(0.8^42 · 6464) is 1, round(0.8^43 · 6464) is 0."""
    assert (round(0.8**42 * 6464), round(0.8**43 * 6464)) == (1, 0)
    with pytest.raises(SuiteError) as caught:
        project.session(project.suite(["snip", "magnitude"], sparsities={"keep": 0.8, "count": 100}))
    (line,) = str(caught.value).splitlines()
    assert "matrix[0].sparsities.count: found 100; allowed: at most 42, as 0.8^43 keeps none of 6464" in line
