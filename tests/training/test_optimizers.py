"""Optimisers against plain loops written here; what recipes may say of them; one that only a test knows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from states import Keeper, same
from torch import nn
from torch.nn import functional

from prunebench.errors import UsageError
from prunebench.training.images.data import Data
from prunebench.training.images.normalize import normalize
from prunebench.training.loop import train
from prunebench.training.numerics import deterministic
from prunebench.training.optimizers import OPTIMIZERS, Optimizer, Slot
from prunebench.training.recipe import Recipe
from prunebench.training.state import State
from prunebench.training.streams import stream

STEPS = 200
ADAMW = {"optimizer": "adamw", "betas": (0.8, 0.95), "eps": 1e-6}


def recipe(**changes: object) -> Recipe:
    """Return a recipe of 7 steps an epoch for 50 examples, 210 in all; the rate falls after 140."""
    values = {"epochs": 30, "batch": 8, "lr": 0.01, "weight_decay": 0.1, "drops": (20,)}
    return Recipe(**{**values, **ADAMW, **changes})


@pytest.fixture(params=["mlp", "convnet"])
def make(request: pytest.FixtureRequest) -> Callable[[], nn.Module]:
    """Return a function that makes a network without dropout."""
    build = request.getfixturevalue(f"make_{request.param}")

    def without_dropout() -> nn.Module:
        net = build(0)
        for part in net.modules():
            if isinstance(part, nn.Dropout):
                part.p = 0.0
        return net

    return without_dropout


def plainly(net: nn.Module, data: Data, mask: dict[str, torch.Tensor]) -> nn.Module:
    """Train `STEPS` steps with torch's AdamW as one would write it, gradients of pruned weights zeroed."""
    if any(isinstance(part, nn.Conv2d) for part in net.modules()):
        net = net.to(memory_format=torch.channels_last)
    images = normalize(data.images, data.mean, data.std)
    images = images.contiguous(memory_format=torch.channels_last)
    weights = dict(net.named_parameters())
    adamw = torch.optim.AdamW(
        weights.values(), lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1, fused=True
    )
    for name, kept in mask.items():
        weights[name].data[~kept] = 0.0
    for step in range(STEPS):
        epoch, position = divmod(step, 7)
        chosen = stream(3, "order", epoch).permutation(50)[position * 8 : position * 8 + 8]
        adamw.zero_grad()
        functional.cross_entropy(net(images[chosen]), data.labels[chosen]).backward()
        for name, kept in mask.items():
            weights[name].grad[~kept] = 0.0
        adamw.param_groups[0]["lr"] = 0.01 if epoch < 20 else 0.01 * 0.1
        adamw.step()
    return net


@pytest.mark.parametrize("masked", [False, True])
def test_adamw_is_torchs_to_the_bit_and_can_be_stopped(
    make_data: Callable[..., Data], make: Callable[[], nn.Module], make_mask, masked: bool
) -> None:
    """Two hundred steps; going on from the middle gives the same bits; what is pruned is exactly zero."""
    data, net = make_data(), make()
    mask = make_mask(net) if masked else None
    keeper = Keeper(97)
    whole = train(net, State.of(net, mask), recipe(), data, seed=3, to_step=STEPS, checkpoint=keeper)
    with deterministic("cpu"):
        plain = plainly(make(), data, dict(mask or {}))
    for name, weight in plain.named_parameters():
        assert torch.equal(whole.parameters[name], weight), name
    assert same(train(make(), keeper.states[97], recipe(), data, seed=3, to_step=STEPS), whole)
    for name, kept in (mask or {}).items():
        for values in (whole.parameters, whole.slots["exp_avg"], whole.slots["exp_avg_sq"]):
            assert not values[name][~kept].any()
            assert values[name][kept].any()


def test_adamw_keeps_its_means_and_the_number_of_steps(make_data: Callable[..., Data], make_mlp) -> None:
    """They are in the state, and without them the next step is another."""
    data, net = make_data(), make_mlp()
    half = train(net, State.of(net), recipe(), data, seed=0, to_step=10)
    assert list(half.slots) == ["exp_avg", "exp_avg_sq", "steps"]
    assert {float(steps) for steps in half.slots["steps"].values()} == {10.0}
    end = train(net, half, recipe(), data, seed=0, to_step=11)
    for slot in list(half.slots):
        lacking = State(**{**vars(half), "slots": {k: v for k, v in half.slots.items() if k != slot}})
        assert not same(train(net, lacking, recipe(), data, seed=0, to_step=11), end)


def test_a_dense_state_that_is_pruned_loses_all_that_was_kept_for_the_removed(
    make_data: Callable[..., Data], make_mlp, make_mask
) -> None:
    """Means of what is removed are zero; the number of steps, which belongs to the whole, is not."""
    data, net = make_data(), make_mlp()
    dense = train(net, State.of(net), recipe(), data, seed=0, to_step=10)
    dense.mask = make_mask(net)
    pruned = train(net, dense, recipe(), data, seed=0, to_step=10)
    for name, kept in dense.mask.items():
        for slot in ("exp_avg", "exp_avg_sq"):
            assert torch.equal(pruned.slots[slot][name], dense.slots[slot][name] * kept)
        assert float(pruned.slots["steps"][name]) == 10.0


def test_what_another_optimiser_kept_is_left_out(make_data: Callable[..., Data], make_mlp) -> None:
    """From SGD's state with its momentum AdamW begins afresh."""
    data, net = make_data(), make_mlp()
    of_sgd = train(
        net, State.of(net), Recipe(epochs=1, batch=8, lr=0.1, momentum=0.9), data, seed=0, to_step=5
    )
    bare = State(parameters=of_sgd.parameters, buffers=of_sgd.buffers, step=5)
    one, other = (train(net, state, recipe(), data, seed=0, to_step=9).parameters for state in (of_sgd, bare))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"optimizer": "adam"}, "found 'adam'; did you mean 'adamw'\\? allowed: adamw, sgd"),
        ({"optimizer": "adamw", "momentum": 0.9}, "adamw takes no momentum; allowed: lr, weight_decay, betas, eps"),
        ({"optimizer": "adamw", "nesterov": True}, "adamw takes no nesterov; allowed: lr, weight_decay, betas, eps"),
        ({"betas": (0.9, 0.99)}, "sgd takes no betas; allowed: lr, weight_decay, momentum, nesterov"),
        ({"eps": 1e-8}, "sgd takes no eps"),
        ({"optimizer": "adamw", "betas": (0.9, 1.0)}, "betas"),
        ({"optimizer": "adamw", "eps": 0.0}, "eps"),
    ],
)  # fmt: skip
def test_what_an_optimiser_does_not_take_is_refused(values: dict[str, object], message: str) -> None:
    """Naming what it takes."""
    with pytest.raises(UsageError, match=message):
        Recipe(**{"epochs": 1, "batch": 8, "lr": 0.1, **values})


def test_keys_hold_what_the_optimiser_reads_resolved() -> None:
    """AdamW's numbers stand in its runs' keys whether they were said or not; SGD's keys know nothing of them."""
    adamw = Recipe(epochs=1, batch=8, lr=0.1, optimizer="adamw").run_fields()
    assert (adamw["betas"], adamw["eps"]) == ([0.9, 0.999], 1e-8)
    assert (
        adamw
        == Recipe(epochs=1, batch=8, lr=0.1, optimizer="adamw", betas=(0.9, 0.999), eps=1e-8).run_fields()
    )
    assert Recipe.model_validate(adamw).run_fields() == adamw
    assert not {"betas", "eps"} & Recipe(epochs=1, batch=8, lr=0.1).run_fields().keys()


def test_a_change_of_the_optimiser_drops_what_only_the_old_one_takes() -> None:
    """There and back; a change that keeps it keeps the rest."""
    sgd = Recipe(epochs=1, batch=8, lr=0.1, momentum=0.9, nesterov=True)
    adamw = sgd.changed({"optimizer": "adamw", "eps": 1e-6})
    assert (adamw.momentum, adamw.nesterov, adamw.betas, adamw.eps) == (0.0, False, (0.9, 0.999), 1e-6)
    assert adamw.changed({"lr": 0.2}).eps == 1e-6
    assert adamw.changed({"optimizer": "sgd"}) == Recipe(epochs=1, batch=8, lr=0.1)
    assert sgd.changed({"optimizer": "sgd", "lr": 0.2}).momentum == 0.9


class SignOfMean(torch.optim.Optimizer):
    """Steps of one size against the sign of a running mean of the gradients."""

    def __init__(self, parameters: list[nn.Parameter], lr: float, stays: float) -> None:
        super().__init__(parameters, {"lr": lr})
        self.stays = stays

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            for weight in group["params"]:
                mean = self.state[weight]["mean"]
                mean.mul_(self.stays).add_(weight.grad, alpha=1 - self.stays)
                weight.sub_(group["lr"] * mean.sign())


def test_an_optimiser_is_one_entry(
    make_data: Callable[..., Data], make_mlp, make_mask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can be named by recipes, says what it takes, keeps its own slot, and can be stopped and gone on with."""
    monkeypatch.setitem(
        OPTIMIZERS,
        "sign",
        Optimizer(
            takes={"momentum": 0.5},
            make=lambda parameters, values: SignOfMean(parameters, values.lr, values.momentum),
            slots=lambda values: {"running": Slot("mean")},
        ),
    )
    with pytest.raises(UsageError, match="sign takes no nesterov; allowed: lr, weight_decay, momentum"):
        Recipe(epochs=1, batch=8, lr=0.1, optimizer="sign", momentum=0.9, nesterov=True)
    values = Recipe(epochs=9, batch=8, lr=0.125, optimizer="sign", momentum=0.9)
    data, net, keeper = make_data(), make_mlp(), Keeper(5)
    start = State.of(net, make_mask(net))
    end = train(net, start, values, data, seed=0, to_step=12, checkpoint=keeper)
    assert same(train(net, keeper.states[5], values, data, seed=0, to_step=12), end)
    for name, kept in start.mask.items():
        moved = end.parameters[name][kept] - start.parameters[name][kept]
        assert torch.allclose(moved * 8, (moved * 8).round(), atol=1e-4)  # whole steps of 1/8
        assert moved.any()
        assert not end.slots["running"][name][~kept].any()
