"""What prunebench.prune and prunebench.score refuse, and what they say."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
from somebodys import make_batch, make_model
from torch import nn

import prunebench
from prunebench.errors import ComponentError, UsageError


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give density .* found neither"),
        ({"density": 0.1, "sparsity": 0.9}, "found both"),
        ({"density": 0}, "density must be above 0, at most 1; found 0"),
        ({"density": 1.2}, "density must be"),
        ({"density": 10}, "density must be above 0, at most 1; found 10; write 0.1 for 10 %"),
        ({"sparsity": 97.5}, "sparsity must be at least 0, below 1; found 97.5; write 0.975 for 97.5 %"),
        ({"sparsity": 100}, "sparsity must be at least 0, below 1; found 100$"),
        ({"density": "half"}, "density must be a number"),
        ({"density": True}, "density must be a number"),
        ({"density": float("nan")}, "density must be"),
        ({"sparsity": 1}, "sparsity must be at least 0, below 1; found 1"),
        ({"sparsity": -0.1}, "sparsity must be"),
        ({"density": 0.1, "seed": 1.5}, "seed must be a whole number"),
        ({"density": 0.1, "loss": 3}, "loss must be a function"),
        ({"density": 0.1, "except_": ["hed"]}, "did you mean 'head'"),
        ({"density": 0.1, "except_": ["conv", "one", "head"]}, "nothing to prune"),
        ({"density": 1e-5}, "density 1e-05 keeps none of [0-9]+ prunable weights; at least .* keeps one"),
        ({"sparsity": 0.99999}, "density 1e-05 keeps none of"),
        (
            {"density": 0.1, "batch": (torch.ones(2, 2, 6, 6), torch.tensor([0, 99]))},
            "labels run from 0 to 99",
        ),
        ({"density": 0.1, "batch": None}, r"scorer 'snip' needs data: give batch=\(x, y\)"),
        ({"density": 0.1, "batch": torch.ones(3)}, r"batch must be \(x, y\).* found Tensor"),
        ({"density": 0.1, "batch": (torch.ones(3),)}, "found 1 values"),
        ({"density": 0.1, "batch": (np.ones(3), torch.ones(3))}, "x must be a torch tensor; found ndarray"),
        ({"density": 0.1, "batch": (torch.ones(3, 2, 6, 6), torch.ones(2))}, "as many labels as inputs"),
        ({"density": 0.1, "batch": (torch.ones(0, 2, 6, 6), torch.ones(0))}, "batch is empty"),
        (
            {"density": 0.1, "batch": (torch.ones(2, 2, 6, 6), torch.zeros(2, dtype=torch.int32))},
            "int64; found torch.int32",
        ),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    """Each wrong argument is an error that says what was found and what is allowed."""
    with pytest.raises(UsageError, match=message):
        prunebench.prune(make_model(), "snip", **{"batch": make_batch(), **arguments})


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("snap", "'snap'; did you mean 'snip'"),
        ("magnitude-after-training", "for a trained model use the scorer itself, 'magnitude'"),
        ("ltr", "for a trained model use the scorer itself, 'magnitude'"),
        ("none", "prunes nothing"),
        ({"find": {"lr": 0.5}, "scorer": "snip"}, "trains the network before it scores it"),
        ({"alter": ["reinit"], "scorer": "snip"}, "leave out 'reinit'"),
        ({"schedule": {"levels": 0.2}, "scorer": "snip"}, "trains the network between its levels"),
        ({"unit": {"n": 2, "m": 4}, "scorer": "snip"}, r"has unit = \{n = 2, m = 4\}, which is not built"),
        ({"scorer": "snap"}, "did you mean 'snip'"),
        (
            {"scorer": {"name": "grasp", "temprature": 1}},
            "no parameter 'temprature'; did you mean 'temperature'",
        ),
        (3, "expected the name of a method"),
    ],
)
def test_methods_that_prune_cannot_do(method: Any, message: str) -> None:
    """Unknown methods, and those that need training or more than a mask, are refused in words."""
    if isinstance(method, dict):
        method = prunebench.Form.model_validate(method)
    with pytest.raises(UsageError, match=message):
        prunebench.prune(make_model(), method, density=0.1, batch=make_batch())


def test_not_a_module() -> None:
    """A model is a torch module."""
    with pytest.raises(UsageError, match=r"torch\.nn\.Module; found dict"):
        prunebench.prune({}, "magnitude", density=0.1)


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (nn.TransformerEncoderLayer(8, 2, 16), ["self_attn.in_proj_weight"]),
        (nn.Sequential(nn.MultiheadAttention(8, 2)), ["0.in_proj_weight"]),
        (nn.Sequential(nn.Embedding(9, 8), nn.Linear(8, 9)), ["0.weight"]),
    ],
)
def test_weights_that_prune_does_not_cover(model: nn.Module, named: list[str]) -> None:
    """Packed projections and embeddings are named, with what to write to except them; then it works."""
    for function in (
        lambda **how: prunebench.prune(model, "magnitude", density=0.5, **how),
        score_magnitude(model),
    ):
        with pytest.raises(UsageError, match="does not cover") as error:
            function()
        assert f"except_={named}" in str(error.value)
        assert named[0] not in function(except_=named)


def score_magnitude(model: nn.Module) -> Any:
    return lambda **how: prunebench.score(model, "magnitude", **how)


def test_networks_without_prunable_weights() -> None:
    """A network with nothing to prune is refused in words, by prune and by score."""
    model = nn.Sequential(nn.Flatten(), nn.ReLU(), nn.LayerNorm(4))
    with pytest.raises(UsageError, match="no convolution and no linear layer"):
        prunebench.prune(model, "magnitude", density=0.5)
    with pytest.raises(UsageError, match="no convolution and no linear layer"):
        prunebench.score(model, "magnitude")


@pytest.mark.parametrize("method", ["snip", "grasp", "synflow"])
def test_inputs_that_the_network_does_not_take(method: str) -> None:
    """Their shape is said and why; no scorer is blamed, and no traceback is shown."""
    model = make_model()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(
        UsageError, match=r"the network does not take inputs of shape \(\d, 5, 6, 6\): .*channels"
    ):
        prunebench.prune(model, method, density=0.1, batch=(torch.ones(2, 5, 6, 6), torch.arange(2)))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(value: float) -> None:
    """A network with NaN or infinite weights is refused before it is scored, with the layer's name."""
    model = make_model()
    with torch.no_grad():
        model.head.weight[0, 0] = value
    message = r"1 of 18 weights of 'head\.weight' are NaN or infinite.*diverged"
    with pytest.raises(UsageError, match=message):
        prunebench.prune(model, "random", density=0.1)
    with pytest.raises(UsageError, match=message):
        prunebench.score(model, "magnitude")
    assert prunebench.prune(model, "magnitude", density=0.1, except_=["head"]).kept > 0


def test_a_scorer_that_fails_tells_its_line() -> None:
    """The message has file, line and source of the user's own code; the cause is the scorer's error."""

    def unlucky(net, batch, rng):
        return torch.zeros(2, 3) @ torch.zeros(2, 3)

    for call in (prunebench.score, functools.partial(prunebench.prune, density=0.5)):
        with pytest.raises(ComponentError) as caught:
            call(nn.Linear(3, 4), unlucky, input_shape=(3,))
        assert isinstance(caught.value.__cause__, RuntimeError)
        line = unlucky.__code__.co_firstlineno + 1
        assert f"{__file__}:{line}: return torch.zeros(2, 3) @ torch.zeros(2, 3)" in str(caught.value)


def test_changes_of_a_method_that_are_no_fields_are_refused_by_name():
    """What `allocation = {like = …}` changes is checked as the form's own fields are, without a traceback."""
    form = prunebench.Form(scorer="magnitude", allocation={"like": {"method": "snip"}})
    with pytest.raises(prunebench.UsageError, match=r"allocation\.like\.method"):
        prunebench.prune(nn.Linear(4, 4), form, density=0.5)


def test_fields_of_forms_that_are_misspelt_have_the_nearest_name() -> None:
    with pytest.raises(
        UsageError, match=r"^Form.alocation: is no field of Form; did you mean 'allocation'\? allowed"
    ):
        prunebench.Form(scorer="magnitude", alocation="uniform")
    with pytest.raises(UsageError, match=r"^Form.prunable: is no field of Prunable; did you mean 'except'"):
        prunebench.Form(scorer="magnitude", prunable={"excpt": ["0.weight"]})


WRONG_VALUES = [
    (
        {"keep": "hihg"},
        "Form.keep: found 'hihg'; did you mean 'high'? allowed: 'high', 'low', 'far' or 'near'",
    ),
    ({"allocation": "erkk"}, "Form.allocation: found 'erkk'; did you mean 'erk'? allowed: 'global', "),
    ({"allocation": {"like": 3}}, "Form.allocation: found {like = 3}; allowed: "),
    ({"allocation": 0.5}, "Form.allocation: found 0.5; allowed: "),
    ({"scorer": 3}, "Form.scorer: found 3; allowed: the name of a scorer, or a table"),
    ({"score_at": None}, "Form.score_at: found None; allowed: 'init', 'end', "),
    ({"schedule": {"rounds": "many"}}, "Form.schedule: found {rounds = 'many'}; allowed: "),
    ({"unit": "filters"}, "Form.unit: found 'filters'; did you mean 'filter'? allowed: "),
    ({"alter": None}, "Form.alter: found None; allowed: a list with 'shuffle' or 'reinit'"),
    (
        {"unit": "filter", "regrowth": {"scorer": "snip"}, "schedule": {"rounds": 2}},
        "Form: unit = 'filter' takes no",
    ),
]


@pytest.mark.parametrize(("fields", "said"), WRONG_VALUES, ids=[said[:24] for _, said in WRONG_VALUES])
def test_values_that_a_form_does_not_take_are_told_with_those_that_it_does(
    fields: dict[str, Any], said: str
) -> None:
    """As of every other argument: the field, what was found, what is allowed, the nearest word."""
    with pytest.raises(UsageError) as caught:
        prunebench.Form(**{"scorer": "snip", **fields})
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: prunebench.Form("magnitude"),  # type: ignore[misc]
            "Form: found 'magnitude' without a name; allowed: fields by name, as Form(scorer=…)",
        ),
        (lambda: prunebench.Batch(), "Batch: give either per_class or examples"),
        (lambda: prunebench.Batch(per_class=0), "Batch.per_class: found 0; input should be greater than"),
        (lambda: prunebench.ScorerCall(name=3), "ScorerCall.name: found 3; input should be a valid string"),
        (lambda: prunebench.ScorerCall(name="snip", parameters=None), "ScorerCall.parameters: found None; "),
        (
            lambda: prunebench.Recipe(epochs=1, batch=2, lr=-1),
            "Recipe.lr: found -1; input should be greater than 0",
        ),
        (lambda: prunebench.Recipe(epochs=1, batch=2), "Recipe.lr: field required"),
        (
            lambda: prunebench.Mask(None),
            "a mask is made of a dict of bool tensors by their names; found NoneType",
        ),
        (lambda: prunebench.Mask({}).apply(None), "model must be a torch.nn.Module; found NoneType"),
        (lambda: prunebench.Mask({}).kept_in("fc"), "the mask has no layer 'fc'"),
        (lambda: prunebench.shrink(3, prunebench.Mask({})), "model must be a torch.nn.Module; found int"),
        (
            lambda: prunebench.diagnostics.neuron_share([1], 0.5),
            "neurons must be what neuron_sparsity returns",
        ),
    ],
)
def test_values_of_a_wrong_kind_are_told(make: Any, said: str) -> None:
    """Recipes, batches, masks and networks."""
    with pytest.raises(UsageError) as caught:
        make()
    assert said.casefold() in str(caught.value).casefold()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"except_": None}, "except_ must be names of parameters or modules; found None"),
        ({"except_": ["0", 3]}, "except_ must be names of parameters or modules; found 3"),
        ({"plugins": None}, "plugins must be paths of Python files; found None"),
        ({"plugins": 3}, "plugins must be paths of Python files; found 3"),
    ],
)
def test_what_is_no_name_and_no_file_is_told(arguments: dict[str, Any], said: str) -> None:
    """Of `prune` and of `score` alike."""
    for call in (functools.partial(prunebench.prune, density=0.5), prunebench.score):
        with pytest.raises(UsageError, match=f"^{said}"):
            call(nn.Linear(3, 4), "magnitude", **arguments)


def test_a_mask_is_no_method_whose_counts_are_taken() -> None:
    model = make_model()
    mask = prunebench.prune(model, "magnitude", density=0.5)
    form = prunebench.Form.model_validate({"scorer": "random", "allocation": {"like": dict(mask)}})
    with pytest.raises(UsageError, match=r"allocation\.like: found a mask; allowed: the name of a method"):
        prunebench.prune(model, form, density=0.5)
