"""The loop against a plain one written here, and what it promises of states."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from states import Keeper, same
from torch import nn
from torch.nn import functional

from prunebench.errors import ComponentError, UsageError
from prunebench.pruning.mask import Mask
from prunebench.training import loop
from prunebench.training.evaluate import evaluate
from prunebench.training.images.data import Data
from prunebench.training.loop import train
from prunebench.training.policy import FixedMask, check_pruned
from prunebench.training.recipe import Recipe
from prunebench.training.state import State
from prunebench.training.streams import stream

Make = Callable[..., nn.Module]
MakeData = Callable[..., Data]
EXAMPLES = 50


def recipe(**changes: object) -> Recipe:
    """Return a recipe of 7 steps an epoch (the last of two examples) for 50 examples."""
    values = {"epochs": 9, "batch": 8, "lr": 0.05, "momentum": 0.9, "weight_decay": 1e-3, "drops": (4, 8)}
    return Recipe(**{**values, **changes})


def plain(
    net: nn.Module,
    data: Data,
    steps: int,
    seed: int,
    mask: Mask | None = None,
    smoothing: float = 0.0,
    nesterov=False,
) -> None:
    """Train in float32 as the formulas say: own batches, own momentum, own weight decay, own schedule."""
    weights = list(net.named_parameters())
    velocity = {name: torch.zeros_like(w) for name, w in weights}
    factor = {
        name: mask[name].float() if mask and name in mask else torch.ones_like(w) for name, w in weights
    }
    for name, w in weights:
        w.data *= factor[name]
    n, done = len(data.images), 0
    images = (data.images.double() / 255 - data.mean[0]) / data.std[0]
    net.train()
    for epoch in range(100):
        raw = stream(seed, "order", epoch).raw(n)
        order = sorted(range(n), key=lambda i: int(raw[i]))
        for start in range(0, n, 8):
            if done == steps:
                return
            chosen = order[start : start + 8]
            logs = functional.log_softmax(net(images[chosen].float()), dim=1)
            target = functional.one_hot(data.labels[chosen], logs.shape[1]) * (1 - smoothing)
            target = target + smoothing / logs.shape[1]
            loss = -(target * logs).sum(1).mean()
            net.zero_grad()
            loss.backward()
            lr = 0.05 * (0.1 if epoch >= 4 else 1) * (0.1 if epoch >= 8 else 1)
            with torch.no_grad():
                for name, w in weights:
                    gradient = w.grad * factor[name] + 1e-3 * w
                    velocity[name] = 0.9 * velocity[name] + gradient
                    w -= lr * (gradient + 0.9 * velocity[name] if nesterov else velocity[name])
            done += 1


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    ("smoothing", "nesterov"), [(0.0, False), (0.1, False), (0.0, True)], ids=["sgd", "smoothing", "nesterov"]
)
@pytest.mark.parametrize("network", ["make_mlp", "make_convnet"])
def test_training_equals_a_plain_loop(
    make_data: MakeData, make_mask, network: str, masked: bool, smoothing: float, nesterov: bool, request
):
    """Sixty steps of SGD by hand, with its own data order, give the same weights to 1e-6."""
    make, data = request.getfixturevalue(network), make_data(EXAMPLES)
    ours, theirs = make(0), make(0)
    for net in (ours, theirs):
        for part in net.modules():
            if isinstance(part, nn.Dropout):
                part.p = 0.0
    mask = make_mask(ours) if masked else None
    values = recipe(label_smoothing=smoothing, nesterov=nesterov)
    state = train(ours, State.of(ours, mask), values, data, seed=3, to_step=60)
    plain(theirs, data, 60, 3, mask, smoothing, nesterov)
    start = State.of(make(0)).parameters
    assert max(float((state.parameters[n] - start[n]).abs().max()) for n in start) > 0.05
    for name, value in theirs.named_parameters():
        assert torch.allclose(state.parameters[name], value, atol=1e-6, rtol=1e-5), name
    for name, value in theirs.named_buffers():
        assert torch.allclose(state.buffers[name], value, atol=1e-5, rtol=1e-5), name


@pytest.mark.parametrize("network", ["make_mlp", "make_convnet"])
@pytest.mark.parametrize("masked", [False, True])
def test_going_on_from_any_state_gives_the_same_bits(
    make_data: MakeData, make_mask, network: str, masked: bool, request
):
    """Stopped anywhere, mid-epoch too, in a fresh network: tensors and curve are equal to the bit."""
    make, data = request.getfixturevalue(network), make_data(EXAMPLES)
    values = recipe(augment=("flip", "shift1"), evaluate=2, drops=(2,), epochs=5)
    start = State.of(make(0), make_mask(make(0)) if masked else None)
    keeper = Keeper(1, 7, 14, 17, 33)
    end = train(make(1), start, values, data, seed=0, to_step=35, checkpoint=keeper)
    assert [point["step"] for point in end.curve] == [14, 28, 35]
    assert sorted(keeper.states) == [1, 7, 14, 17, 33]
    for step, saved in keeper.states.items():
        stopped = train(make(2), start, values, data, seed=0, to_step=step)
        assert same(stopped, saved)
        torch.manual_seed(step)
        assert same(train(make(3), stopped, values, data, seed=0, to_step=35), end)
    assert start.step == 0
    assert start.curve == []


def test_one_step_at_a_time_is_the_whole_run(make_data: MakeData, make_convnet: Make):
    """Fourteen calls of a step each equal one call."""
    data, net = make_data(EXAMPLES), make_convnet()
    start = state = State.of(net)
    for step in range(1, 15):
        state = train(net, state, recipe(), data, seed=0, to_step=step)
    assert same(state, train(net, start, recipe(), data, seed=0, to_step=14))


@pytest.mark.parametrize("block", [2, 5, 1000])
def test_looking_at_losses_in_blocks_changes_nothing(
    make_data: MakeData, make_convnet: Make, make_mask, block: int, monkeypatch: pytest.MonkeyPatch
):
    """As on an accelerator: the same bits as looking at each."""
    data, net = make_data(EXAMPLES), make_convnet()
    start = State.of(net, make_mask(net))
    expected = train(net, start, recipe(), data, seed=0, to_step=17)
    in_blocks(monkeypatch, block)
    keeper = Keeper(3)
    assert same(train(net, start, recipe(), data, seed=0, to_step=17, checkpoint=keeper), expected)
    assert keeper.states[3].meter["examples"] == 24


def in_blocks(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(loop, "_block", lambda device: block)


class Bomb(nn.Module):
    """A network whose outputs overflow once its weight has passed a bound."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4, 72))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.at = at

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.seen += 1
        out = functional.linear(x.flatten(1), self.weight)
        return out * torch.where(self.seen >= self.at, float("inf"), 1.0)


@pytest.mark.parametrize("at", [1, 2, 13, 20])
def test_the_first_loss_that_is_not_finite_ends_the_run(
    make_data: MakeData, at: int, monkeypatch: pytest.MonkeyPatch
):
    """`diverged` is its step; the state is the one before it, in blocks as step by step."""
    data, net, calls = make_data(EXAMPLES), Bomb(at), []
    start = State.of(net)
    state = train(net, start, recipe(), data, seed=0, to_step=21, on_step=lambda *s: calls.append(s))
    assert (state.diverged, state.step) == (at, at - 1)
    assert calls == [(step, 21) for step in range(1, at)]
    assert [point["step"] for point in state.curve] == [step for step in (7, 14) if step < at]
    before = train(net, start, recipe(), data, seed=0, to_step=at - 1)
    assert all(torch.equal(before.parameters[n], p) for n, p in state.parameters.items())
    assert before.meter == state.meter
    assert same(train(net, before, recipe(), data, seed=0, to_step=21), state)
    assert train(net, state, recipe(), data, seed=0, to_step=63) is state
    in_blocks(monkeypatch, 5)
    assert same(train(net, start, recipe(), data, seed=0, to_step=21), state)


def test_a_run_that_explodes_diverges(make_data: MakeData, make_mlp: Make, make_mask):
    """With an absurd learning rate, masked weights and all; no point of the curve is not finite."""
    net = make_mlp()
    state = train(
        net, State.of(net, make_mask(net)), recipe(lr=1e30), make_data(EXAMPLES), seed=0, to_step=63
    )
    assert state.diverged is not None
    assert all(np.isfinite(list(point.values())).all() for point in state.curve)


def test_pruned_weights_and_their_momentum_are_exactly_zero(
    make_data: MakeData, make_convnet: Make, make_mask
):
    """After training with momentum and weight decay; from a dense state with momentum too."""
    data, net = make_data(EXAMPLES), make_convnet()
    dense = train(net, State.of(net), recipe(), data, seed=0, to_step=5)
    dense.mask = make_mask(net)
    state = train(net, dense, recipe(), data, seed=0, to_step=30)
    for name, kept in dense.mask.items():
        assert int(state.parameters[name][~kept].count_nonzero()) == 0
        assert int(state.slots["momentum"][name][~kept].count_nonzero()) == 0
        assert int(state.parameters[name][kept].count_nonzero()) == int(kept.sum())
    assert state.mask == dense.mask


class Leaky(FixedMask):
    """A policy that forgets the gradients."""

    def before_update(self, step: int) -> bool:
        return True


def test_a_policy_that_lets_pruned_weights_move_is_caught(make_data: MakeData, make_mlp: Make, make_mask):
    """At the end of the call, naming the layer."""
    net = make_mlp()
    with pytest.raises(ComponentError, match=r"pruned weights of '1.weight' are not zero"):
        train(net, State.of(net, make_mask(net)), recipe(), make_data(), seed=0, to_step=1, policy=Leaky())


def test_checking_pruned_weights_counts_them():
    """A negative zero is zero; NaN belongs to divergence."""
    mask = {"w": torch.tensor([True, False, False, False])}
    check_pruned({"w": torch.tensor([1.0, 0.0, -0.0, float("nan")])}, mask)
    with pytest.raises(ComponentError, match="1 of 3"):
        check_pruned({"w": torch.tensor([1.0, 0.0, 1e-30, 0.0])}, mask)


@pytest.mark.parametrize("micro", [1, 3, 8, 100])
def test_micro_batches_give_the_whole_batchs_gradient(make_data: MakeData, make_mlp: Make, micro: int):
    """Without BatchNorm: parts of unequal size are weighted by their size."""
    data, net = make_data(EXAMPLES), make_mlp()
    start = State.of(net)
    whole = train(net, start, recipe(), data, seed=0, to_step=14)
    parts = train(net, start, recipe(micro_batch=micro), data, seed=0, to_step=14)
    for name, value in whole.parameters.items():
        assert torch.allclose(parts.parameters[name], value, atol=1e-6), name
    assert parts.curve[1]["train_loss"] == pytest.approx(whole.curve[1]["train_loss"], abs=1e-6)


def test_batchnorm_sees_the_micro_batches(make_data: MakeData, make_convnet: Make):
    """Its counter counts them."""
    net = make_convnet()
    state = train(net, State.of(net), recipe(micro_batch=4), make_data(EXAMPLES), seed=0, to_step=3)
    assert int(state.buffers["1.num_batches_tracked"]) == 6


def test_momentum_is_saved_and_decides(make_data: MakeData, make_mlp: Make):
    """Without it, going on gives other weights; without momentum in the recipe there is none."""
    data, net = make_data(EXAMPLES), make_mlp()
    half = train(net, State.of(net), recipe(), data, seed=0, to_step=10)
    assert half.slots.keys() == {"momentum"}
    assert half.slots["momentum"].keys() == half.parameters.keys()
    end = train(net, half, recipe(), data, seed=0, to_step=12)
    half.slots = {}
    assert not same(train(net, half, recipe(), data, seed=0, to_step=12), end)
    none = train(net, State.of(net), recipe(momentum=0.0), data, seed=0, to_step=2)
    assert none.slots == {}


def test_the_curve_says_what_happened(make_data: MakeData, make_mlp: Make):
    """Train loss is the mean over the examples since the last point; counts and loss are evaluate's."""
    data, net = make_data(EXAMPLES), make_mlp()
    frozen = recipe(lr=1e-30, weight_decay=0.0)
    state = train(net, State.of(net), frozen, data, seed=0, to_step=7)
    (point,) = state.curve
    with torch.no_grad():
        x = (data.images / 255 - 0.4) / 0.25
        expected = float(functional.cross_entropy(net(x), data.labels))
    assert point["train_loss"] == pytest.approx(expected, rel=1e-5)
    found = evaluate(net, data.evaluation_images, data.evaluation_labels, mean=data.mean, std=data.std)
    assert (point["step"], point["correct"], point["examples"], point["loss"]) == (7, *found)


def test_seeds_differ(make_data: MakeData, make_mlp: Make):
    """Another seed is another data order."""
    data, net = make_data(EXAMPLES), make_mlp()
    start = State.of(net)
    zero, one = (train(net, start, recipe(), data, seed=seed, to_step=5) for seed in (0, 1))
    assert not torch.equal(zero.parameters["1.weight"], one.parameters["1.weight"])


def test_dropout_differs_from_step_to_step(make_data: MakeData):
    """Each step has its own noise."""

    class Spy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.drop, self.masks = nn.Linear(72, 4), nn.Dropout(0.5), []

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                self.masks.append(tuple(self.drop(torch.ones(64)).tolist()))
            return self.fc(x.flatten(1))

    net = Spy()
    train(net, State.of(net), recipe(), make_data(EXAMPLES), seed=0, to_step=20)
    assert len(set(net.masks)) == 20


def test_global_state_is_untouched(make_data: MakeData, make_convnet: Make):
    """Random generators, gradient mode and torch's switches are as before."""
    data, net = make_data(EXAMPLES), make_convnet()

    def numbers() -> tuple[object, ...]:
        return torch.rand(2).tolist(), np.random.rand(), random.random()

    def seed() -> None:
        torch.manual_seed(5)
        np.random.seed(5)
        random.seed(5)

    seed()
    expected = numbers()
    seed()
    with torch.no_grad():
        train(net, State.of(net), recipe(augment=("flip",)), data, seed=0, to_step=8)
        assert not torch.is_grad_enabled()
    assert numbers() == expected
    assert not torch.are_deterministic_algorithms_enabled()


def test_layers_that_a_forward_pass_does_not_reach_stay(make_data: MakeData):
    """Their gradient is none: no decay, no error, masked or not."""

    class Partial(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Linear(72, 4), nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.used(x.flatten(1))

    net = Partial()
    before = net.unused.weight.detach().clone()
    mask = Mask({n: torch.ones(p.shape, dtype=torch.bool) for n, p in net.named_parameters() if p.ndim > 1})
    state = train(net, State.of(net, mask), recipe(), make_data(EXAMPLES), seed=0, to_step=3)
    assert torch.equal(state.parameters["unused.weight"], before)


@pytest.mark.parametrize(
    ("start", "to_step", "message"),
    [(5, 4, "at step 5 cannot be trained to step 4"), (0, 64, "schedule of 63 steps")],
)
def test_steps_that_do_not_fit_are_refused(
    make_data: MakeData, make_mlp: Make, start: int, to_step: int, message: str
):
    """Backwards, or beyond the schedule."""
    net = make_mlp()
    with pytest.raises(UsageError, match=message):
        train(net, State.of(net, step=start), recipe(), make_data(EXAMPLES), seed=0, to_step=to_step)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ({"1.weigth": (16, 72)}, "did you mean '1.weight'"),
        ({"1.weight": (72, 16)}, r"\(72, 16\), the weight"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(make_data: MakeData, make_mlp: Make, mask: dict, message: str):
    """Naming the weight."""
    net = make_mlp()
    wrong = Mask({name: torch.ones(shape, dtype=torch.bool) for name, shape in mask.items()})
    with pytest.raises(UsageError, match=message):
        train(net, State.of(net, wrong), recipe(), make_data(), seed=0, to_step=1)


def test_no_steps_return_the_state(make_data: MakeData, make_mlp: Make):
    """With the mask applied."""
    net = make_mlp()
    start = State.of(net, step=3)
    assert same(train(net, start, recipe(momentum=0.0), make_data(EXAMPLES), seed=0, to_step=3), start)


@pytest.mark.parametrize("batch", [1, 7, 23, 500])
def test_evaluation_does_not_depend_on_the_batch(make_data: MakeData, make_convnet: Make, batch: int):
    """Counts and loss are exact; modes are restored, statistics untouched."""
    data, net = make_data(EXAMPLES), make_convnet()
    net(torch.randn(9, 2, 6, 6))
    net[1].eval()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    correct, examples, loss = evaluate(
        net, data.evaluation_images, data.evaluation_labels, mean=data.mean, std=data.std, batch=batch
    )
    assert [part.training for part in net] == [True, False, *[True] * 7]
    assert all(torch.equal(net.state_dict()[name], tensor) for name, tensor in before.items())
    net.eval()
    with torch.no_grad():
        outputs = net((data.evaluation_images / 255 - 0.4) / 0.25).double()
    labels = data.evaluation_labels
    assert (correct, examples) == (
        sum(int(o.argmax() == y) for o, y in zip(outputs, labels, strict=True)),
        23,
    )
    expected = np.mean([-float(o[y] - o.logsumexp(0)) for o, y in zip(outputs, labels, strict=True)])
    assert loss == pytest.approx(expected, abs=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_trains_like_the_cpu(make_data: MakeData, make_convnet: Make, make_mask):
    """Close to the CPU's weights, repeatable to the bit, also when stopped on the way."""
    data, net = make_data(EXAMPLES), make_convnet()
    net[7].p = 0.0
    start = State.of(net, make_mask(net))
    cpu = train(net, start, recipe(), data, seed=0, to_step=17)
    gpu = train(net, start, recipe(), data, seed=0, to_step=17, device="cuda")
    for name, value in cpu.parameters.items():
        assert torch.allclose(gpu.parameters[name], value, atol=1e-4), name
    half = train(net, start, recipe(), data, seed=0, to_step=9, device="cuda")
    assert same(train(net, half, recipe(), data, seed=0, to_step=17, device="cuda"), gpu)
