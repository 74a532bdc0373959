"""Layers' counts of the suite's own methods, by their labels: the cells that the forms written out make."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from little_suites import CHAIN, little_suite, toml

from prunebench.host import Host
from prunebench.plan import Plan
from prunebench.suite.cell import Cell
from prunebench.suite.judging import judging, spelled
from prunebench.suite.suite import make_suite

FORM = {key: value for key, value in CHAIN.items() if key != "as"}
FINDS = "find = [{lr = 0.01}, {lr = 0.5, nesterov = true, as = 'hot'}]"


def borrows(like: Any, **more: Any) -> dict[str, Any]:
    return {"as": "borrows", "scorer": "random", "allocation": {"like": like}, **more}


@pytest.fixture
def keys(project: Any, tmp_path: Any) -> Callable[..., list[str]]:
    """The keys of the cells of a little suite."""

    def keys(methods: Iterable[Any], more: str = "", sparsities: Any = (0.2, 0.36)) -> list[str]:
        path = project.suite(["random"])
        path.write_text(little_suite(methods, sparsities=sparsities, more=more))
        plan: Plan = project.session(path).plan
        return [cell.key for cell in plan.cells]

    return keys


@pytest.mark.parametrize("more", ["", FINDS])
def test_a_label_is_its_form_written_out(keys: Callable[..., list[str]], more: str) -> None:
    """The same keys, under finds of an axis too, among them ones that are true or false."""
    assert keys([CHAIN, borrows("chain")], more) == keys([CHAIN, borrows(FORM)], more)


def test_a_label_is_that_method_at_the_same_pruning_step(keys: Callable[..., list[str]]) -> None:
    """Written out that is a form which says no `score_at`, as the axis says it for both."""
    one = {"as": "one", "scorer": "magnitude", "score_at": "end", "train_from": "init"}
    out = {key: value for key, value in one.items() if key not in ("as", "score_at")}
    axis = "score_at = [{epoch = 0.5}, 'end']"
    assert keys([one, borrows("one")], axis) == keys([one, borrows(out)], axis)


def test_a_label_with_a_find_of_its_own_keeps_it(
    load: Callable[[str], Any], suite: Callable[..., str]
) -> None:
    """The borrower has none: it is found nowhere. The axis adds to it, as it does to the method's own cells."""
    methods = (
        '[{as = "cool", scorer = "magnitude", score_at = "end", find = {lr = 0.3}}, '
        '{as = "r", scorer = "random", allocation = {like = "cool"}}]'
    )
    for find, expected in (
        ("[{}]", {"lr": 0.3}),
        ("[{warmup = 1}]", {"lr": 0.3, "warmup": 1.0}),
        ("[{lr = 0.7}]", {"lr": 0.7}),
    ):
        cells: list[Cell] = load(suite(methods=methods, find=find, dense="false")).cells
        forms = {cell.labels["method"]: cell.form for cell in cells}
        assert forms["cool"].find == expected
        assert forms["r"].allocation.like["find"] == expected  # type: ignore[union-attr]


def test_a_label_with_a_find_of_its_own_is_planned_under_another_find_too(
    keys: Callable[..., list[str]],
) -> None:
    """Whose find the borrower has from the axis alone: it makes a difference by the counts."""
    cool = {
        "as": "cool",
        "scorer": "magnitude",
        "score_at": "end",
        "train_from": "init",
        "find": {"lr": 0.02},
    }
    out = {**cool, "find": {"lr": 0.02, "weight_decay": 0.5}}
    out.pop("as")
    axis = "find = [{weight_decay = 0.5}]"
    assert keys([cool, borrows("cool")], axis) == keys([cool, borrows(out)], axis)


def test_a_label_may_be_of_another_matrix_and_take_counts_itself(
    load: Callable[[str], Any], suite: Callable[..., str]
) -> None:
    """The counts of a method that has those of a third."""
    other = (
        '[[matrix]]\nname = "other"\narchitecture = "resnet20"\ndataset = "mnist"\nrecipe = "short"\nseeds = 1\n'
        'sparsities = [0.5]\nmethods = [{as = "late", scorer = "snip", score_at = "end"}, '
        '{as = "between", scorer = "random", allocation = {like = "late"}}]\n'
    )
    text = suite(methods='[{as = "r", scorer = "random", allocation = {like = "between"}}]', more=other)
    cells = {cell.labels["method"]: cell.form for cell in load(text).cells}
    donor = cells["r"].allocation.like
    assert donor["scorer"]["name"] == "random"
    assert donor["allocation"]["like"]["scorer"]["name"] == "snip"


def test_a_judged_method_keeps_the_counts_that_a_label_told(
    load: Callable[[str], Any], suite: Callable[..., str], tmp_path: Any
) -> None:
    """The suite that judges it has no method of that label."""
    methods = '[{as = "late", scorer = "magnitude", score_at = "end"}, {as = "r", scorer = "random", allocation = {like = "late"}}]'
    read = load(suite(methods=methods))
    made = spelled(judging(read, "r"))
    (form,) = {str(cell.form) for cell in read.cells if cell.labels["method"] == "r"}
    host = Host.load(third_party=False)
    assert "late" not in made
    content = tomllib.loads(made)
    ours = {"architecture": "digits-mlp", "dataset": "digits", "recipe": "digits"}
    matrices = [{**matrix, **ours} for matrix in content["matrix"] if matrix["name"] == "asked-0"]
    judged = make_suite({**content, "matrix": matrices}, "judged.toml", None, host)
    assert {str(cell.form) for cell in judged.cells if cell.labels["method"] == "r"} == {form}


A, B = (
    {"as": one, "scorer": "magnitude", "allocation": {"like": other}}
    for one, other in (("a", "b"), ("b", "a"))
)

WRONG: list[tuple[list[Any], list[str]]] = [
    (
        [A, B],
        [
            "methods[0].allocation.like: found 'b', by which 'a' would take its own counts (a → b → a)",
            "methods[1].allocation.like: found 'a', by which 'b' would take its own counts (b → a → b)",
        ],
    ),
    (
        [A, B, {"as": "c", "scorer": "random", "allocation": {"like": "a"}}],
        ["methods[0].allocation.like: found 'b'", "methods[1].allocation.like: found 'a'"],
    ),
    (
        [{**A, "allocation": {"like": "a"}}],
        ["methods[0].allocation.like: found 'a', by which 'a' would take its own counts (a → a)"],
    ),
    (
        [{**A, "allocation": {"like": {"scorer": "snip", "allocation": {"like": "a"}}}}],
        [
            "methods[0].allocation.like.allocation.like: found 'a', by which 'a' would take its own counts (a → a)"
        ],
    ),
    (
        [CHAIN, borrows("chian")],
        ["methods[1].allocation.like: found 'chian', which is no method; did you mean 'chain'? allowed: "],
    ),
    (
        [{**CHAIN, "scorer": "magnitud"}, borrows("chain")],
        ["methods[0].scorer: found 'magnitud', which is no scorer"],
    ),
    (
        [{"as": "whole", "scorer": "magnitude", "unit": "filter"}, borrows("whole")],
        ["methods[1].allocation.like: found 'whole', which has unit = 'filter', and this one 'weight'"],
    ),
    (
        [{"as": "plain", "scorer": "magnitude"}, borrows("plain", unit="filter")],
        ["methods[1].allocation.like: found 'plain', which has unit = 'weight', and this one 'filter'"],
    ),
    (
        [{"method": "synflow", "as": "synflow", "schedule": {"rounds": 3}}],
        ["methods[0].as: the label 'synflow' is a registered method's; allowed: another one"],
    ),
]


@pytest.mark.parametrize(
    ("methods", "said"), WRONG, ids=[said[0].split(":")[0] + str(i) for i, (_, said) in enumerate(WRONG)]
)
def test_a_label_whose_counts_cannot_be_taken_is_told(
    problems: Callable[[str], list[str]], suite: Callable[..., str], methods: list[Any], said: list[str]
) -> None:
    """A circle names its methods, where each of them stands; a method that leads into one adds nothing."""
    lines = problems(suite(methods=toml(methods)))
    assert len(lines) == len(said)
    for line, told in zip(lines, said, strict=True):
        assert line.startswith(f"s.toml: matrix[0].{told}")
