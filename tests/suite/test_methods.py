"""Forms: every default written out, every name looked up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from prunebench.errors import UsageError
from prunebench.host.form import Batch, Form, ScorerCall
from prunebench.suite import Suite
from prunebench.suite.methods import fill_scorer

FormOf = Callable[..., Form]


@pytest.fixture
def form(suite: Callable[..., str], load: Callable[[str], Suite], host: Any) -> FormOf:
    """The form of the only pruned cell of a suite of one matrix."""
    return lambda **keys: load(suite(**keys)).cells[-1].form


@pytest.mark.parametrize(
    "value",
    [
        '["grasp"]',
        '[{method = "grasp", as = "g", scorer = {temperature = 200}}]',
        '[{method = "grasp", as = "g", scorer = {chunk = 0.0, batch = {per_class = 10}}}]',
        '[{as = "g", scorer = "grasp"}]',
        '[{as = "g", scorer = {name = "grasp", temperature = 200.0, device = "cpu"}, score_at = "init"}]',
    ],
)
def test_spellings_of_one_form(value: str, form: FormOf) -> None:
    """Defaults that are written out, or as another kind of number, make no other form."""
    found = form(methods=value)
    assert found.scorer == ScorerCall(
        name="grasp", parameters={"temperature": 200.0, "chunk": 0}, batch=Batch(per_class=10)
    )
    assert {k: type(v) for k, v in found.scorer.parameters.items()} == {"temperature": float, "chunk": int}


def test_a_scorer_that_reads_no_data_has_no_batch(form: FormOf) -> None:
    """The batch is there where the scorer needs one, and None elsewhere."""
    assert form(methods='["random"]').scorer == ScorerCall(name="random")


def test_changes_to_a_method_keep_the_rest(form: FormOf) -> None:
    """A table with `method` changes that method's form; its scorer's other parameters stay."""
    found = form(
        methods='[{method = "grasp-inverted", as = "x", scorer = {temperature = 7}, prunable = "convolutions"}]'
    )
    assert (found.keep, found.prunable.of) == ("low", "convolutions")
    assert found.scorer is not None
    assert found.scorer.parameters == {"temperature": 7.0, "chunk": 0}


def test_regrowth_by_the_same_scorer_has_its_parameters(form: FormOf) -> None:
    """One scorer for kept and removed weights is called alike; one of another name by its own defaults."""
    row = (
        '{{as = "g", scorer = {{name = "grasp", temperature = 7}}, schedule = {{rounds = 2}}, regrowth = {}}}'
    )
    for regrowth, temperature in (
        ('{scorer = "grasp"}', 7.0),
        ('{scorer = {name = "grasp", temperature = 8}}', 8.0),
    ):
        found = form(methods=f"[{row.format(regrowth)}]").regrowth
        assert not isinstance(found, str)
        assert found.scorer.parameters == {"temperature": temperature, "chunk": 0}


def test_a_point_keyed_by_the_name_of_a_class_is_refused(
    suite: Callable[..., str], problems: Callable[[str], list[str]]
) -> None:
    """pydantic says by their class which spelling of a point an error is about: that is no key of the file."""
    schedule = '{gradual = {from = {AtStep = 3}, to = "end", every = 2}}'
    (told,) = problems(suite(methods=f'[{{method = "snip", as = "x", schedule = {schedule}}}]'))
    assert ".schedule.gradual.from: found {AtStep = 3}; allowed: 'init', 'end'" in told


def test_a_whole_form(form: FormOf) -> None:
    """Every field that is built can be written in a table."""
    found = form(
        methods='[{as = "x", scorer = "magnitude", score_at = {epoch = 1}, keep = "near", allocation = "erk", '
        'prunable = {of = "weights", except = ["fc"]}, schedule = {rounds = 3}, regrowth = "none", '
        'train_from = {step = 5}, clock = "rewind", alter = ["reinit"], find = {lr = 1}}]'
    )
    dumped = found.model_dump(mode="json", by_alias=True)
    assert dumped == {
        "scorer": {"name": "magnitude", "parameters": {}, "batch": None, "device": "cpu"},
        "score_at": {"epoch": 1},
        "find": {"lr": 1.0},
        "keep": "near",
        "allocation": "erk",
        "prunable": {"of": "weights", "except": ["fc"]},
        "schedule": {"rounds": 3},
        "regrowth": "none",
        "train_from": {"step": 5},
        "clock": "rewind",
        "alter": ["reinit"],
    }


def test_the_pruning_step_replaces_the_methods_own(form: FormOf) -> None:
    """The axis `score_at` says where every method of the matrix is scored."""
    assert form(methods='["after"]').score_at == "end"
    assert form(methods='["after"]', score_at='["init"]').score_at == "init"


def test_find_comes_from_the_axis_over_the_methods_own(form: FormOf) -> None:
    """Both are merged, the axis wins; numbers are the recipe's kind; what changes nothing is left out."""
    methods = '[{method = "after", as = "x", find = {init = "unit-variance", lr = 7}}]'
    assert form(methods=methods, find="[{lr = 1}]").find == {"init": "unit-variance", "lr": 1.0}
    assert form(methods=methods, find="[{}]").find == {"init": "unit-variance", "lr": 7.0}
    assert form(methods='["after"]', find="[{lr = 0.1, epochs = 2}]").find == {}
    assert form(methods='["after"]', find="[{drops = [1]}]").find == {"drops": [1.0]}


def test_ablations_resolve_into_the_form(form: FormOf) -> None:
    """A variant and the ablation of its method are one form."""
    assert form(methods='["grasp"]', ablations='["invert"]') == form(methods='["grasp-inverted"]')
    assert form(ablations='["shuffle+reinit"]') == form(ablations='[["reinit", "shuffle"]]')


def test_like_is_the_other_methods_whole_form(form: FormOf) -> None:
    """By name: that method's form, of the same prunable weights; its shuffling does not matter."""
    found = form(
        methods='[{method = "random", as = "x", allocation = {like = "synflow"}, prunable = "convolutions"}]'
    )
    other = Form.model_validate(found.model_dump(by_alias=True)["allocation"]["like"])
    assert other == form(methods='[{method = "synflow", as = "y", prunable = "convolutions"}]')


def test_like_with_changes_starts_from_this_form(form: FormOf) -> None:
    """As a table: this form with global allocation and the changes."""
    found = form(methods='[{method = "after", as = "x", allocation = {like = {find = {lr = 0.5}}}}]')
    other = Form.model_validate(found.model_dump(by_alias=True)["allocation"]["like"])
    assert other == form(methods='[{method = "after", as = "y", find = {lr = 0.5}}]')


def test_fill_scorer_serves_planning(host: Any, form: FormOf) -> None:
    """A form made elsewhere gets what a suite's forms have, and unknown names are refused."""
    assert fill_scorer(Form(scorer=ScorerCall(name="snip")), host) == form()
    assert fill_scorer(form(), host) == form()
    with pytest.raises(UsageError, match=r"^scorer: found 'snap', which is no scorer; did you mean 'snip'\?"):
        fill_scorer(Form(scorer=ScorerCall(name="snap")), host)
