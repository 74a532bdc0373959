"""The axis `find`: labels, names, selections, what a method that borrows counts has of it; and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from prunebench.suite.cell import Cell

Cells = Callable[..., list[Cell]]


@pytest.fixture
def cells(load: Callable[[str], Any], suite: Callable[..., str]) -> Cells:
    """The cells of a suite of one matrix."""
    return lambda **keys: load(suite(**keys)).cells


SLOW = '{lr = 0.3, warmup = 1, as = "slow"}'
BORROWS = '{as = "borrows", scorer = "random", allocation = {like = {scorer = "magnitude", score_at = "end", find = %s}}}'


def test_a_find_has_a_label_of_its_own(cells: Cells) -> None:
    """In tables and in names; without one it is what it changes."""
    made = cells(methods='["after"]', find=f"[{SLOW}, {{lr = 0.5}}, {{}}]", dense="false")
    assert [c.labels["find"] for c in made] == ["slow", "lr=0.5", ""]
    assert [c.name.split("-after-")[1] for c in made] == [
        "find-slow-d0.5-s0",
        "find-lr0.5-d0.5-s0",
        "d0.5-s0",
    ]
    assert made[0].form.find == {"lr": 0.3, "warmup": 1.0}


@pytest.mark.parametrize(
    "named", ['"slow"', "{lr = 0.3, warmup = 1.0}", '["slow"]', "[{warmup = 1, lr = 0.3}]"]
)
def test_only_names_a_find_by_its_label_or_its_table(cells: Cells, named: str) -> None:
    """In whichever order the changes are written."""
    made = cells(methods='["after"]', find=f"[{SLOW}, {{}}]", only=f"[{{find = {named}}}]", dense="false")
    assert [c.labels["find"] for c in made] == ["slow"]


def test_finds_and_recipes_come_in_pairs(cells: Cells) -> None:
    """A list of pairs is `only`."""
    pairs = '[{recipe = "cool", find = "slow"}, {recipe = "hot", find = {lr = 0.5}}]'
    made = cells(
        methods='["after"]',
        recipe='[{name = "short", lr = 0.9, as = "cool"}, {name = "short", lr = 1.5, as = "hot"}]',
        find=f"[{SLOW}, {{lr = 0.5}}]",
        only=pairs,
        dense="false",
    )
    assert [(c.labels["recipe"], c.labels["find"]) for c in made] == [("cool", "slow"), ("hot", "lr=0.5")]


@pytest.mark.parametrize(
    ("axes", "borrowed"),
    [
        ({"find": "[{lr = 0.5}]"}, {"lr": 0.5}),
        ({"find": "[{lr = 0.5}]", "score_at": "[{epoch = 1}]"}, {"lr": 0.5}),
        ({"find": "[{}]"}, {}),
        ({"find": "[{lr = 0.1}]"}, {}),
    ],
)
def test_a_method_that_borrows_counts_has_them_found_by_the_axes_too(
    cells: Cells, axes: dict[str, str], borrowed: dict[str, Any]
) -> None:
    """By a table of changes; a find that is as in the recipe is none; what the table says itself comes first."""
    plain = BORROWS.replace(", find = %s", "").replace(', score_at = "end"', "")
    made = cells(methods=f"[{plain}]", recipe="{name = 'short', lr = 0.1}", dense="false", **axes)
    donor = made[0].form.allocation.like
    assert donor["find"] == made[0].form.find == borrowed
    assert donor["score_at"] == ({"epoch": 1} if "score_at" in axes else "init")
    own = cells(
        methods=f"[{BORROWS % '{lr = 0.7}'}]", recipe="{name = 'short', lr = 0.1}", dense="false", **axes
    )
    assert own[0].form.allocation.like["find"] == {"lr": 0.7}
    assert own[0].form.allocation.like["score_at"] == "end"


RECIPES = "is no part of a recipe; did you mean 'lr'? allowed: "
NETWORK = (
    "cannot be changed by find: {} that of the network that is evaluated, which the mask has to fit; "
    "allowed: changes to the recipe"
)
WRONG: list[tuple[dict[str, str], str, str]] = [
    ({"find": "[{}, {lrr = 3}]"}, "find[1].lrr", RECIPES),
    ({"find": "[{learning_rate = 3}]"}, "find[0].learning_rate", RECIPES),
    ({"find": '[{lr = "x"}]'}, "find[0].lr", "found 'x'"),
    ({"find": "[{width = 2}]"}, "find[0].width", NETWORK.format("width is the architecture's, and is")),
    ({"find": '[{architecture = "mlp"}]'}, "find[0].architecture", NETWORK.format("architecture is")),
    ({"find": '[{dataset = "mnist"}]'}, "find[0].dataset", NETWORK.format("dataset is")),
    (
        {"find": '[{recipe = "slow"}]'},
        "find[0].recipe",
        "another recipe cannot be named whole: a find changes single",
    ),
    ({"find": '[{name = "slow"}]'}, "find[0].name", "allowed: such changes, as in {lr = 0.02}"),
    ({"find": "[{recompute = true}]"}, "find[0].recompute", "is no change of find"),
    ({"find": "[{evaluate = 2}]"}, "find[0].evaluate", "is no change of find"),
    ({"find": "[{lr = 0.5, evaluate = 2}]"}, "find[0].evaluate", "is no change of find"),
    (
        {"methods": f"[{BORROWS % '{evaluate = 2}'}]"},
        "methods[0].allocation.like.find.evaluate",
        "is no change",
    ),
    (
        {"find": "[{epochs = 3, drops = [2, 4]}]"},
        "find[0].drops",
        "goes to epoch 4, beyond the schedule under find (3",
    ),
    (
        {"find": "[{epochs = 3, warmup = 5}]"},
        "find[0].warmup",
        "goes to epoch 5, beyond the schedule under find (3",
    ),
    ({"find": "[{lr = 1}, {lr = 1.5}, {lr = 1}]"}, "find[2]", "'lr=1' is matrix[0].find[0] 'lr=1' again"),
    (
        {"find": '[{lr = 1, as = "a"}, {lr = 2, as = "a"}]'},
        "find[1]",
        "the label 'a' is matrix[0].find[0]'s too",
    ),
    ({"find": '["slow"]'}, "find[0]", "found 'slow'"),
    ({"find": "[]"}, "find", "is empty"),
    ({"find": '[{lr = 1, as = "a b"}]'}, "find[0].as", "found 'a b'"),
    ({"find": '[{lr = 1, as = "each"}]'}, "find[0].as", "found 'each', which means every find in checks"),
    (
        {"find": f"[{SLOW}]", "only": '[{find = "slwo"}]'},
        "only[0].find",
        "found 'slwo', which is no find of this matrix; did you mean 'slow'?",
    ),
    (
        {"find": f"[{SLOW}]", "only": "[{find = 3}]"},
        "only[0].find",
        "allowed: a table of changes to the recipe, as in",
    ),
    ({"methods": f"[{BORROWS % '{lrr = 3}'}]"}, "methods[0].allocation.like.find.lrr", RECIPES),
    (
        {"methods": f"[{BORROWS % '{width = 3}'}]"},
        "methods[0].allocation.like.find.width",
        NETWORK.format("width is the architecture's, and is"),
    ),
    ({"methods": '[{method = "after", as = "x", find = {lrr = 3}}]'}, "methods[0].find.lrr", RECIPES),
]


def test_a_misspelt_change_lists_no_field_that_find_refuses(
    problems: Callable[[str], list[str]], suite: Callable[..., str]
) -> None:
    (told,) = problems(suite(find="[{lrr = 3}]"))
    allowed = told.partition("allowed: ")[2].split(", ")
    assert {"lr", "momentum", "epochs"} <= set(allowed)
    assert not {"evaluate", "recompute", "limit"} & set(allowed)


@pytest.mark.parametrize(
    ("keys", "where", "said"), WRONG, ids=[f"{w}-{i}" for i, (_, w, _) in enumerate(WRONG)]
)
def test_a_find_that_cannot_be_is_told_with_its_field(
    problems: Callable[[str], list[str]],
    suite: Callable[..., str],
    keys: dict[str, str],
    where: str,
    said: str,
) -> None:
    """One line, before anything runs."""
    (line,) = problems(suite(**{"methods": '["after"]', "architecture": '"resnet"', **keys}))
    assert line.startswith(f"s.toml: matrix[0].{where}: ")
    assert said in line
