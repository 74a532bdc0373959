"""Filters that are gone take along what is tied to them: training is that of the really smaller network."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import pytest
import torch
from states import Keeper, same
from torch import nn
from torch.nn import functional

from prunebench.errors import ComponentError
from prunebench.pruning.mask import Mask
from prunebench.training.gradual import GradualMask
from prunebench.training.images.data import Data
from prunebench.training.loop import train
from prunebench.training.policy import FixedMask
from prunebench.training.recipe import Recipe
from prunebench.training.state import State
from prunebench.training.streams import stream

MakeData = Callable[..., Data]
STEPS = 30
SUM, INNER = [0, 2, 3, 5], [1, 2, 4]
"""Channels that stay: of the residual sum, and between its two convolutions."""
PAPER = {
    "decay": "cosine",
    "warmup": 2,
    "nesterov": True,
    "momentum": 0.9,
    "label_smoothing": 0.1,
    "weight_decay": 5e-5,
}
RECIPES: dict[str, dict[str, object]] = {
    "paper": PAPER,
    "drops": {"drops": (2,), "momentum": 0.9, "weight_decay": 1e-2},
    "plain": {"weight_decay": 0.1},
    "adamw": {"optimizer": "adamw", "weight_decay": 0.1, "betas": (0.8, 0.95), "eps": 1e-6},
}


class Residual(nn.Module):
    """A sum of two layers' outputs; BatchNorm, and a convolution with a bias and none; a linear layer."""

    def __init__(self, wide: int = 6, inner: int = 5) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, wide, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(wide)
        self.first = nn.Conv2d(wide, inner, 3, padding=1)
        self.second = nn.Conv2d(inner, wide, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(wide)
        self.fc = nn.Linear(wide, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.stem(x)))
        x = torch.relu(x + self.norm2(self.second(torch.relu(self.first(x)))))
        return self.fc(x.mean((2, 3)))


def seeded(seed: int, *sizes: int) -> Residual:
    """A network whose every number is drawn: biases, γ and β too."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = Residual(*sizes)
        for parameter in net.parameters():
            parameter.data.add_(0.1 * torch.randn_like(parameter))
    return net


PLACES: Mapping[str, Sequence[list[int] | None]] = {
    "stem.weight": (SUM, None), "norm.weight": (SUM,), "norm.bias": (SUM,),
    "norm.running_mean": (SUM,), "norm.running_var": (SUM,),
    "first.weight": (INNER, SUM), "first.bias": (INNER,),
    "second.weight": (SUM, INNER), "norm2.weight": (SUM,), "norm2.bias": (SUM,),
    "norm2.running_mean": (SUM,), "norm2.running_var": (SUM,), "fc.weight": (None, SUM),
}  # fmt: skip
"""Of each tensor which places stay along its first dimensions."""
FILTERS = ("stem.weight", "first.weight", "second.weight")


def stays(name: str, tensor: torch.Tensor, dimensions: Sequence[int] = (0, 1)) -> torch.Tensor:
    """True where a tensor's entries stay."""
    kept = torch.ones(tensor.shape, dtype=torch.bool)
    for dimension, places in enumerate(PLACES[name]):
        if places is not None and dimension in dimensions:
            gone = [i for i in range(tensor.shape[dimension]) if i not in places]
            kept.index_fill_(dimension, torch.tensor(gone), False)
    return kept


def mask_of(net: nn.Module) -> Mask:
    """The rows of the three convolutions."""
    return Mask({name: stays(name, net.get_parameter(name), (0,)) for name in FILTERS})


def along(mask: Mask) -> dict[str, torch.Tensor]:
    """What goes with them, of a network of the same shape."""
    return {name: stays(name, p) for name, p in Residual().named_parameters() if name in PLACES}


def smaller(net: nn.Module) -> nn.Module:
    """The network without what is gone, made by hand."""
    small = Residual(len(SUM), len(INNER))
    state = net.state_dict()
    for name, places in PLACES.items():
        for dimension, chosen in enumerate(places):
            if chosen is not None:
                state[name] = state[name].index_select(dimension, torch.tensor(chosen))
    small.load_state_dict(state)
    return small


def rate(recipe: Recipe, step: int, per_epoch: int) -> float:
    """The learning rate of a step, by the formulas."""
    warm = recipe.warmup * per_epoch
    if step < warm:
        return recipe.lr * step / warm
    if recipe.decay == "cosine":
        share = (step - warm) / (recipe.epochs * per_epoch - warm)
        return recipe.lr * (1 + math.cos(math.pi * share)) / 2
    return recipe.lr * math.prod(0.1 for epoch in recipe.drops if step >= epoch * per_epoch)


def plainly(net: nn.Module, data: Data, recipe: Recipe, steps: int = STEPS) -> list[float]:
    """Train a network by torch's own optimisers, unfused, on the batches of seed 3; return the rates."""
    images = (data.images.double() / 255 - data.mean[0]) / data.std[0]
    weights, rates = list(net.parameters()), []
    if recipe.optimizer == "adamw":
        how = {"betas": recipe.betas, "eps": recipe.eps, "weight_decay": recipe.weight_decay}
        optimizer: torch.optim.Optimizer = torch.optim.AdamW(weights, lr=1.0, foreach=False, **how)
    else:
        how = {"momentum": recipe.momentum, "nesterov": recipe.nesterov, "weight_decay": recipe.weight_decay}
        optimizer = torch.optim.SGD(weights, lr=1.0, foreach=False, **how)
    net.train()
    for step in range(steps):
        epoch, position = divmod(step, 7)
        chosen = stream(3, "order", epoch).permutation(50)[position * 8 : position * 8 + 8]
        optimizer.zero_grad()
        logs = functional.log_softmax(net(images[chosen].float()), dim=1)
        target = functional.one_hot(data.labels[chosen], 4) * (1 - recipe.label_smoothing)
        (-((target + recipe.label_smoothing / 4) * logs).sum(1).mean()).backward()
        optimizer.param_groups[0]["lr"] = rate(recipe, step, 7)
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
    return rates


def recipe_of(name: str) -> Recipe:
    lr = 0.01 if name == "adamw" else 0.1
    return Recipe(**{"epochs": 5, "batch": 8, "lr": lr, **RECIPES[name]})


@pytest.mark.parametrize("name", RECIPES)
def test_a_network_without_filters_trains_as_the_really_smaller_one(make_data: MakeData, name: str) -> None:
    """Thirty steps by a plain loop over the smaller network: weights, statistics, outputs in both modes."""
    data, net, recipe = make_data(), seeded(0), recipe_of(name)
    small = smaller(net)
    begun = {n: p.clone() for n, p in small.named_parameters()}
    state = train(
        net, State.of(net, mask_of(net)), recipe, data, seed=3, to_step=STEPS, policy=FixedMask(along)
    )
    rates = plainly(small, data, recipe)
    assert max(rates) == pytest.approx(recipe.lr)
    assert all(float((p - begun[n]).detach().abs().max()) > 0.005 for n, p in small.named_parameters())
    ours = smaller(state.load_into(Residual()))
    for n, value in small.state_dict().items():
        assert torch.allclose(ours.state_dict()[n], value, atol=2e-5, rtol=1e-4), n
    x = (data.evaluation_images.double() / 255 - data.mean[0]).float() / data.std[0]
    for mode in (False, True):  # in training mode the statistics are those of the batch
        whole = state.load_into(Residual()).train(mode)(x)
        assert torch.allclose(whole, small.train(mode)(x), atol=1e-4), mode


def test_every_field_of_the_papers_recipe_decides(make_data: MakeData) -> None:
    """Without any one of them the plain loop comes to other weights: the comparison above sees them all."""
    data, recipe = make_data(), recipe_of("paper")
    ends = {}
    for left_out in ("", *PAPER):
        fields = {name: value for name, value in PAPER.items() if name != left_out}
        if left_out == "momentum":
            del fields["nesterov"]
        net = smaller(seeded(0))
        plainly(net, data, Recipe(epochs=5, batch=8, lr=recipe.lr, **fields))
        ends[left_out] = torch.cat([p.detach().flatten() for p in net.parameters()])
    apart = {name: float((end - ends[""]).abs().max()) for name, end in ends.items() if name}
    assert min(apart.values()) > 1e-4, apart


@pytest.mark.parametrize("name", RECIPES)
def test_what_goes_along_is_zero_from_the_first_step_to_the_last(make_data: MakeData, name: str) -> None:
    """Weights, and what the optimiser keeps of them; from a trained state with its momentum too."""
    data, net, recipe = make_data(), seeded(0), recipe_of(name)
    dense = train(net, State.of(net), recipe, data, seed=3, to_step=5)
    dense.mask = mask_of(net)
    keeper = Keeper(9)
    how = {"seed": 3, "policy": FixedMask(along)}
    end = train(net, dense, recipe, data, to_step=20, checkpoint=keeper, **how)
    for state in (keeper.states[9], end):
        for held in (state.parameters, *(slot for key, slot in state.slots.items() if key != "steps")):
            for n, kept in along(dense.mask).items():
                assert not held[n][~kept].any(), n
                assert held[n][kept].any(), n
    assert end.mask == dense.mask
    assert same(train(net, keeper.states[9], recipe, data, to_step=20, **how), end)


class Forgetful(FixedMask):
    """Takes along what it should, and then lets it train."""

    def before_update(self, step: int) -> bool:
        return True


def test_what_goes_along_and_trains_all_the_same_is_caught(make_data: MakeData) -> None:
    """At the end of the run, by name: here γ of BatchNorm, whose filter is gone."""
    net, policy = seeded(0), Forgetful(lambda mask: {"norm.weight": along(mask)["norm.weight"]})
    state = State.of(net, Mask({"stem.weight": torch.ones_like(net.stem.weight, dtype=torch.bool)}))
    with pytest.raises(ComponentError, match=r"1 of 2 pruned weights of 'norm.weight' are not zero"):
        train(net, state, recipe_of("drops"), make_data(), seed=3, to_step=3, policy=policy)


class Once:
    """Everything is there until step 4, and what a mask says from then on."""

    steps = (4,)

    def __init__(self, kept: int) -> None:
        self.kept = kept

    def kept_at(self, step: int) -> int:
        return self.kept


def test_what_is_removed_while_training_takes_along_the_same(make_data: MakeData) -> None:
    """The whole network trains to step 4, the smaller one from there on, its momentum carried along."""
    data, net, recipe = make_data(), seeded(0), recipe_of("drops")
    mask, full = mask_of(net), Mask.full({name: net.get_parameter(name) for name in FILTERS})
    before = train(net, State.of(net), recipe, data, seed=3, to_step=4)

    def gradual() -> GradualMask:
        def with_what_is_there(there: Mask) -> dict[str, torch.Tensor]:
            return along(there) if there.kept < full.kept else {}

        return GradualMask(Once(mask.kept), full, lambda step, there, kept: mask, with_what_is_there)

    before.mask = mask
    wanted = train(net, before, recipe, data, seed=3, to_step=20, policy=FixedMask(along))
    end = train(net, State.of(seeded(0)), recipe, data, seed=3, to_step=20, policy=gradual())
    for n, value in wanted.parameters.items():
        assert torch.equal(end.parameters[n], value), n
    assert [change["step"] for change in end.history] == [4]
