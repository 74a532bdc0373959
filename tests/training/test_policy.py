"""A policy that moves weights about by their gradients, in steps without an update (as RigL does)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
import torch
from states import same
from torch import nn
from torch.nn import functional

from prunebench.pruning.mask import Mask
from prunebench.training import loop
from prunebench.training.images.data import Data
from prunebench.training.loop import train
from prunebench.training.policy import DivergedError, FixedMask
from prunebench.training.recipe import Recipe
from prunebench.training.state import State
from prunebench.training.streams import stream

STEPS = 40
RECIPE = Recipe(
    epochs=8, batch=8, lr=0.05, momentum=0.9, weight_decay=1e-3, drops=(3,), warmup=1
)  # 7 steps an epoch


def changes_at(step: int) -> bool:
    """True if the step that starts here moves weights, and updates none."""
    return step % 6 == 4


class Moving(FixedMask):
    """Every sixth step moves two weights of each layer to where the gradient is largest, and updates nothing."""

    def start(
        self, parameters: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer, mask: Mask | None
    ) -> None:
        self.parameters, self.optimizer = parameters, optimizer
        super().start(parameters, optimizer, mask)

    def before_update(self, step: int) -> bool:
        if not changes_at(step):
            return super().before_update(step)
        moved = {}
        for name, kept in self.mask.items():
            weight = self.parameters[name]
            held = weight.detach().abs().masked_fill(~kept, float("inf")).flatten()
            wanted = weight.grad.abs().masked_fill(kept, -1.0).flatten()
            layer = kept.flatten().clone()
            layer[held.topk(2, largest=False).indices] = False
            layer[wanted.topk(2).indices] = True
            moved[name] = layer.view(kept.shape)
        self.start(self.parameters, self.optimizer, Mask(moved))
        return False


def plainly(net: nn.Module, data: Data, masks: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Train as the formulas say, moving weights one by one; returns the masks at the end."""
    weights = dict(net.named_parameters())
    velocity = {name: torch.zeros_like(w) for name, w in weights.items()}
    masks = {name: kept.clone() for name, kept in masks.items()}
    images = (data.images.double() / 255 - data.mean[0]) / data.std[0]
    for name, kept in masks.items():
        weights[name].data[~kept] = 0.0
    for step in range(STEPS):
        epoch, position = divmod(step, 7)
        chosen = stream(3, "order", epoch).permutation(50)[position * 8 : position * 8 + 8]
        net.zero_grad()
        functional.cross_entropy(net(images[chosen].float()), data.labels[chosen]).backward()
        if changes_at(step):
            for name, kept in masks.items():
                size, slope = weights[name].detach().abs().flatten(), weights[name].grad.abs().flatten()
                there = kept.flatten().clone()
                out = sorted(there.nonzero().flatten().tolist(), key=lambda i: float(size[i]))[:2]
                into = sorted((~there).nonzero().flatten().tolist(), key=lambda i: -float(slope[i]))[:2]
                kept.view(-1)[out] = False
                kept.view(-1)[into] = True
                weights[name].data[~kept] = 0.0
                velocity[name][~kept] = 0.0
            continue
        rate = 0.05 * (step / 7 if epoch < 1 else 1) * (0.1 if epoch >= 3 else 1)
        with torch.no_grad():
            for name, w in weights.items():
                factor = masks.get(name, 1.0)
                velocity[name] = 0.9 * velocity[name] + w.grad * factor + 1e-3 * w
                w -= rate * velocity[name]
    return masks


@pytest.fixture
def run(make_data: Callable[..., Data], make_mlp: Callable[..., nn.Module], make_mask):
    """Return a function that trains an MLP under the policy from a state (by default the first) to a step."""
    data, net = make_data(), make_mlp()
    start = State.of(net, make_mask(net))

    def to(step: int, state: State = start, policy: FixedMask | None = None) -> State:
        return train(net, state, RECIPE, data, seed=3, to_step=step, policy=policy or Moving())

    return to


def test_a_step_without_an_update_is_one_in_everything_else(
    run, make_data: Callable[..., Data], make_mlp: Callable[..., nn.Module], make_mask
) -> None:
    """A plain loop with its own moves: weights to 1e-6, masks to the bit; every change is in the history."""
    state, net = run(STEPS), make_mlp()
    masks = plainly(net, make_data(), dict(make_mask(net)))
    for name, weight in net.named_parameters():
        assert torch.allclose(state.parameters[name], weight, atol=1e-6, rtol=1e-5), name
    assert all(torch.equal(state.mask[name], masks[name]) for name in masks)
    assert not torch.equal(state.mask["1.weight"], make_mask(make_mlp())["1.weight"])
    assert [change["step"] for change in state.history] == [5, 11, 17, 23, 29, 35]
    assert [point["step"] for point in state.curve] == [7, 14, 21, 28, 35]


def test_it_leaves_weights_and_momentum_as_they_were(run) -> None:
    """But for what was removed; the step, its examples and its loss count."""
    before, after = run(4), run(5)
    for name, kept in after.mask.items():
        assert torch.equal(after.parameters[name], before.parameters[name] * kept)
        assert torch.equal(after.slots["momentum"][name], before.slots["momentum"][name] * kept)
    assert torch.equal(after.parameters["1.bias"], before.parameters["1.bias"])
    assert (after.step, after.meter["examples"]) == (5, before.meter["examples"] + 8)


@pytest.mark.parametrize("at", [3, 4, 5, 7, 10, 11, 22, 35])
def test_going_on_from_any_state_gives_the_same_bits(run, at: int) -> None:
    """Before, at and after a step that moves weights."""
    assert same(run(STEPS, run(at)), run(STEPS))


def test_looking_at_losses_in_blocks_changes_nothing(run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on an accelerator."""
    expected = run(STEPS)
    monkeypatch.setattr(loop, "_block", lambda device: 9)
    assert same(run(STEPS), expected)


@pytest.mark.parametrize("block", [1, 9])
def test_gradients_that_are_not_finite_end_the_run(run, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    """The step that was to choose by them is the one that diverged; the state is the one before it."""

    class Refusing(Moving):
        def before_update(self, step: int) -> bool:
            if step == 16:
                raise DivergedError
            return super().before_update(step)

    monkeypatch.setattr(loop, "_block", lambda device: block)
    state, before = run(STEPS, policy=Refusing()), run(16)
    assert (state.diverged, state.step) == (17, 16)
    assert all(torch.equal(state.parameters[name], before.parameters[name]) for name in before.parameters)
