"""What a form borrows from other methods and scorers is the same for suites and for `prune`."""

from __future__ import annotations

from typing import Any

import pytest

from prunebench.host.borrowed import clash, donor, regrowth_call
from prunebench.host.components import Method, Scorer
from prunebench.host.form import Form


class Host:
    """Knows one method, which prunes everything."""

    def method(self, name: str) -> Method:
        return Method(name, Form(scorer="snip"))  # type: ignore[arg-type]


def form(**fields: Any) -> Form:
    return Form.model_validate({"scorer": "random", **fields})


def borrowed(form: Form) -> Form:
    base, changes = donor(form, form.allocation, Host())  # type: ignore[arg-type]
    return base.changed(**changes)


def test_a_named_method_prunes_the_weights_that_the_form_prunes() -> None:
    """Else its layers would not be the form's."""
    prunable = {"of": "convolutions", "except": ["head"]}
    other = borrowed(form(allocation={"like": "snip"}, prunable=prunable))
    assert other == Form.model_validate({"scorer": "snip", "prunable": prunable})


def test_a_table_changes_the_form_itself_but_for_allocation_and_alterations() -> None:
    """The counts are those before the mask is shuffled, and are compared over all layers unless it says more."""
    of = form(allocation={"like": {"keep": "low"}}, prunable="convolutions", alter=["shuffle"])
    assert borrowed(of) == form(keep="low", prunable="convolutions")
    assert borrowed(form(allocation={"like": {"allocation": "erk"}})) == form(allocation="erk")


@pytest.mark.parametrize(
    ("name", "own", "expected"),
    [
        ("random", {}, {"a": 1, "b": 2}),
        ("random", {"b": 3, "c": 4}, {"a": 1, "b": 3, "c": 4}),
        ("other", {"c": 4}, {"c": 4}),
    ],
)
def test_one_scorer_for_removed_weights_has_the_parameters_of_the_forms_own(
    name: str, own: dict[str, int], expected: dict[str, int]
) -> None:
    """What regrowth says itself goes first; another scorer has its own parameters alone."""
    scorer = {"name": "random", "parameters": {"a": 1, "b": 2}}
    regrowth = {"scorer": {"name": name, "parameters": own}}
    call = regrowth_call(form(scorer=scorer, schedule={"rounds": 2}, regrowth=regrowth))
    assert call.parameters == expected


def test_two_scorers_of_one_network_agree_in_mode_precision_and_data() -> None:
    """What differs is said, with both names; a scorer without data may stand beside one with them."""

    def score(net: Any, batch: Any, rng: Any) -> Any: ...

    one = Scorer("one", score, needs="batch", mode="train")
    assert clash(one, one) is None
    assert clash(one, Scorer("two", score, mode="train")) is None
    assert "'two' needs data and 'three' has none" in str(
        clash(Scorer("three", score), Scorer("two", score, needs="batch"))
    )
    other = Scorer("two", score, precision="float64")
    assert str(clash(one, other)).startswith(
        "'two' works in eval mode and float64, 'one' in train mode and float32; they score one network"
    )
