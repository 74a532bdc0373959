"""Updates by torch's fused kernels: the bits of its classes, and the classes where there are no such kernels."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from states import same
from torch import nn

from prunebench.training.images.data import Data
from prunebench.training.kernels import fused
from prunebench.training.loop import train
from prunebench.training.optimizers import OPTIMIZERS
from prunebench.training.recipe import Recipe
from prunebench.training.state import State

RECIPES: dict[str, dict[str, Any]] = {
    "plain sgd": {"lr": 0.1},
    "momentum": {"lr": 0.05, "momentum": 0.9, "weight_decay": 1e-3},
    "nesterov": {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4},
    "adamw": {"lr": 0.01, "optimizer": "adamw", "weight_decay": 0.1},
}


def with_torchs_class(recipe: Recipe, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """Return torch's optimiser of a recipe, as one would write it."""
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(
            parameters,
            lr=recipe.lr,
            betas=recipe.betas,
            eps=recipe.eps,
            weight_decay=recipe.weight_decay,
            fused=True,
        )
    return torch.optim.SGD(
        parameters,
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
        fused=True,
    )


@pytest.mark.parametrize("name", RECIPES)
def test_every_step_is_that_of_torchs_class(name: str) -> None:
    """Three hundred steps with gradients of their own, none in some steps for a layer, at two rates."""
    recipe = Recipe(epochs=1, batch=8, **RECIPES[name])
    shapes = [(30, 20), (30,), (4, 3, 3, 3)]
    ours, theirs = ([nn.Parameter(torch.full(shape, 0.5)) for shape in shapes] for _ in range(2))
    ours.append(nn.Parameter(torch.ones(5, dtype=torch.float64)))  # of another type of number
    theirs.append(nn.Parameter(torch.ones(5, dtype=torch.float64)))
    optimizer = OPTIMIZERS[recipe.optimizer]
    updates, reference = optimizer.make(ours, recipe), with_torchs_class(recipe, theirs)
    assert not isinstance(updates, torch.optim.Optimizer)
    for one in (updates, reference):
        for slot in optimizer.slots(recipe).values():
            for parameter in one.param_groups[0]["params"]:
                zeros = torch.zeros_like(parameter) if slot.per_weight else torch.zeros(())
                one.state[parameter][slot.key] = zeros
    rng = torch.Generator().manual_seed(3)
    for step in range(300):
        for number, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            gradient = torch.randn(mine.shape, generator=rng, dtype=mine.dtype)
            mine.grad = None if number == 1 and step % 7 == 0 else gradient
            other.grad = None if mine.grad is None else gradient.clone()
        for one in (updates, reference):
            one.param_groups[0]["lr"] = recipe.lr * (1.0 if step < 200 else 0.1)
            one.step()
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.equal(mine, other)
        assert updates.state[mine].keys() == reference.state[other].keys()
        for key, value in updates.state[mine].items():
            assert torch.equal(value, reference.state[other][key])


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", RECIPES)
def test_a_torch_with_other_kernels_trains_by_its_classes(
    name: str,
    masked: bool,
    make_data: Callable[..., Data],
    make_mlp: Callable[[], nn.Module],
    make_mask: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same states, whichever makes the updates."""
    recipe = Recipe(epochs=9, batch=8, **RECIPES[name])
    data, net = make_data(), make_mlp()
    start = State.of(net, make_mask(net) if masked else None)
    ours = train(net, start, recipe, data, seed=1, to_step=30)
    monkeypatch.setattr(fused, "_SGD", fused._SGD.replace("dampening", "damping"))
    monkeypatch.setattr(fused, "_ADAMW", fused._ADAMW.replace("amsgrad", "ams"))
    made = OPTIMIZERS[recipe.optimizer].make([nn.Parameter(torch.ones(1))], recipe)
    assert isinstance(made, torch.optim.Optimizer)
    assert same(train(net, start, recipe, data, seed=1, to_step=30), ours)


def test_a_kernel_that_is_not_there_is_none() -> None:
    """Neither by name, nor for numbers that torch's kernels do not take."""
    assert fused._kernel("_fused_no_such_", fused._SGD, []) is None
    complex_weight = nn.Parameter(torch.ones(2, dtype=torch.complex64))
    assert fused._kernel("_fused_sgd_", fused._SGD, [complex_weight]) is None
    assert fused._kernel("_fused_sgd_", fused._SGD, [nn.Parameter(torch.ones(2))]) is torch._fused_sgd_


def test_sparse_gradients_are_refused_as_by_torchs_class() -> None:
    """Of an embedding that asks for them."""
    table = nn.Embedding(5, 2, sparse=True)
    recipe = Recipe(epochs=1, batch=8, lr=0.1)
    for updates in (
        OPTIMIZERS["sgd"].make([table.weight], recipe),
        with_torchs_class(recipe, [table.weight]),
    ):
        table.weight.grad = None
        table(torch.tensor([1])).sum().backward()
        with pytest.raises(RuntimeError, match="sparse gradients"):
            updates.step()


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_training_does_without_torchs_compiler(optimizer: str) -> None:
    """A process that has trained has not imported it: it would take a second of every worker."""
    code = f"""
import sys, torch
from prunebench.training.images.data import Data
from prunebench.training.loop import train
from prunebench.training.recipe import Recipe
from prunebench.training.state import State

part = lambda n: (torch.zeros(n, 1, 4, 4, dtype=torch.uint8), torch.zeros(n, dtype=torch.int64))
net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 3), torch.nn.Dropout())
recipe = Recipe(epochs=1, batch=2, lr=0.1, optimizer="{optimizer}")
state = train(net, State.of(net), recipe, Data.prepare(part(6), part(3), [0.5], [0.5], 3), seed=0, to_step=3)
assert state.step == 3
print([name for name in ("torch._dynamo", "torch._inductor") if name in sys.modules])
"""
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert told.stdout.strip() == "[]"
