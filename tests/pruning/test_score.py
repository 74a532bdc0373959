"""Running a scorer: what it gets, what is checked, what is left as it was."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from shorthand import score_network
from torch import Tensor, nn

from prunebench.errors import ComponentError, UsageError
from prunebench.pruning import Mask, Product, ScoringNetwork
from prunebench.training.streams import stream


class Net(nn.Module):
    """Convolution, BatchNorm, dropout, a linear layer; mixed flags, as users have them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, padding=1)
        self.bn = nn.BatchNorm2d(3)
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.dropout(torch.relu(self.bn(self.conv(x)))).mean((2, 3)))


def make_net() -> Net:
    generator = torch.Generator().manual_seed(0)
    net = Net()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return net


def make_batch() -> tuple[Tensor, Tensor]:
    x = torch.randn(6, 1, 5, 5, generator=torch.Generator().manual_seed(1))
    return x, torch.tensor([0, 1, 0, 1, 0, 1])


def ones(net: ScoringNetwork, batch: Any, rng: Any) -> dict[str, Tensor]:
    return {name: torch.ones_like(w) for name, w in net.weights.items()}


def gradients(net: ScoringNetwork, batch: Any, rng: Any) -> dict[str, Tensor]:
    found = torch.autograd.grad(net.loss(batch), list(net.weights.values()))
    return dict(zip(net.weights, found, strict=True))


def snapshot(net: nn.Module) -> dict[str, Any]:
    return {
        "state": {name: tensor.clone() for name, tensor in net.state_dict().items()},
        "addresses": [tensor.data_ptr() for tensor in net.state_dict().values()],
        "gradients": [None if p.grad is None else (id(p.grad), p.grad.clone()) for p in net.parameters()],
        "flags": [p.requires_grad for p in net.parameters()],
        "modes": [module.training for module in net.modules()],
        "torch": torch.get_rng_state(),
        "numpy": np.random.get_state()[1].copy(),  # type: ignore[index, union-attr]
        "python": random.getstate(),
        "grad mode": torch.is_grad_enabled(),
        "dtype": torch.get_default_dtype(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        "threads": torch.get_num_threads(),
    }


def assert_same(one: Any, other: Any) -> None:
    if isinstance(one, Mapping):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    elif isinstance(one, Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, np.ndarray):
        assert np.array_equal(one, other)
    else:
        assert one == other


def vandal(net: ScoringNetwork, batch: Any, rng: Any) -> dict[str, Tensor]:
    """A scorer that does everything a scorer should not have to think of."""
    scores = gradients(net, batch, rng)
    net.loss(batch).backward()
    net.module.eval()
    for tensor in (*net.module.parameters(), *net.module.buffers()):
        tensor.requires_grad_(False)
        tensor.zero_()
    torch.manual_seed(99)
    np.random.seed(99)
    random.seed(99)
    torch.set_grad_enabled(False)
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = True
    torch.set_num_threads(2)
    return scores


def failing_vandal(net: ScoringNetwork, batch: Any, rng: Any) -> dict[str, Tensor]:
    vandal(net, batch, rng)
    raise ZeroDivisionError("on purpose")


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("function", [vandal, failing_vandal])
def test_nothing_is_changed(function: Any, mode: Any, training: bool) -> None:
    """Weights, statistics, gradients, flags, modes, generators and settings stay, also after an error."""
    net = make_net().train(training)
    net.bn.eval()
    net.fc.weight.requires_grad_(False)
    net.conv.weight.grad = torch.full_like(net.conv.weight, 3.0)
    before = snapshot(net)
    try:
        score_network(net, function, mode=mode, batch=make_batch(), rng=stream(0, "scores"))
    except ComponentError:
        assert function is failing_vandal
    assert_same(snapshot(net), before)


def test_modes_of_the_caller_do_not_matter() -> None:
    """Scores are the same under no_grad, inference mode and autocast, for frozen and eval networks."""
    expected = score_network(make_net(), gradients, mode="train", batch=make_batch(), rng=stream(0, "scores"))
    net = make_net().eval().requires_grad_(False)
    for context in (torch.no_grad(), torch.inference_mode(), torch.autocast("cpu", torch.bfloat16)):
        with context:
            batch = make_batch()
            found = score_network(net, gradients, mode="train", batch=batch, rng=stream(0, "scores"))
        assert_same(found, expected)


def test_dropout_repeats_with_the_seed() -> None:
    """Random numbers that the network draws while it is scored are the stream's, not the global state's."""

    def run(seed: int, state: int) -> Tensor:
        torch.manual_seed(state)
        arguments = {"mode": "train", "batch": make_batch(), "rng": stream(seed, "scores")}
        return score_network(make_net(), gradients, **arguments)["conv.weight"]  # type: ignore[arg-type]

    assert torch.equal(run(0, 1), run(0, 2))
    assert not torch.equal(run(0, 1), run(1, 1))


def test_what_a_scorer_gets() -> None:
    """The copy has the mode and precision, removed weights are zero, dense ones at hand, x is cast."""
    model = make_net()
    mask = Mask({"conv.weight": torch.rand(3, 1, 3, 3) < 0.5, "fc.weight": torch.rand(2, 3) < 0.5})

    def look(net: ScoringNetwork, batch: Any, rng: Any) -> dict[str, Tensor]:
        assert all(module.training for module in net.module.modules())
        assert all(p.dtype == torch.float64 for p in net.module.parameters())
        assert net.module.bn.running_mean.dtype == batch[0].dtype == torch.float64
        assert batch[1].dtype == torch.int64
        assert net.input_shape == (1, 5, 5)
        assert net.mask == mask
        assert list(net.weights) == list(net.dense) == ["conv.weight", "fc.weight"]
        for name, weight in net.weights.items():
            original = model.get_parameter(name).detach().double()
            assert weight.requires_grad
            assert torch.equal(net.dense[name], original)
            assert torch.equal(weight, original * mask[name])
        return ones(net, batch, rng)

    score_network(model, look, mode="train", precision="float64", batch=make_batch(), mask=mask)


def test_own_loss_and_default_loss() -> None:
    """The loss is the caller's, or the mean cross entropy of the outputs."""
    model, (x, y) = make_net(), make_batch()
    expected = nn.functional.cross_entropy(model.eval()(x), y)
    assert torch.equal(ScoringNetwork(model).loss((x, y)), expected)
    net = ScoringNetwork(model, loss=lambda outputs, targets: (outputs[:, 0] * targets).sum())
    assert torch.equal(net.loss((x, y)), (model(x)[:, 0] * y).sum())


@pytest.mark.parametrize("loss", [lambda outputs, y: outputs, lambda outputs, y: 3.0])
def test_loss_must_be_a_number(loss: Any) -> None:
    """A loss that is no scalar tensor is the caller's mistake, and said."""
    with pytest.raises(UsageError, match="loss must return a tensor with one number"):
        ScoringNetwork(make_net(), loss=loss).loss(make_batch())


def test_outputs_without_logits_need_a_loss() -> None:
    """A network that returns a dict is told to bring its loss."""

    class Dict(Net):
        def forward(self, x: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
            return {"logits": super().forward(x)}

    with pytest.raises(UsageError, match="give loss="):
        score_network(Dict(), gradients, batch=make_batch())
    scores = score_network(
        Dict(), gradients, batch=make_batch(), loss=lambda o, y: nn.functional.cross_entropy(o["logits"], y)
    )
    assert list(scores) == ["conv.weight", "fc.weight"]


def test_input_shape_unknown() -> None:
    """A scorer that needs the input's shape says how to give it."""

    def shape(net: ScoringNetwork, batch: Any, rng: Any) -> Any:
        return net.input_shape

    with pytest.raises(UsageError, match="input_shape="):
        score_network(make_net(), shape)


FULL = {"conv.weight": torch.ones(3, 1, 3, 3), "fc.weight": torch.ones(2, 3)}


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ([1], "returned a list; a mapping"),
        (
            {"conv.weight": FULL["conv.weight"]},
            r"no scores for fc\.weight; expected: conv\.weight, fc\.weight",
        ),
        ({**FULL, "bn.weight": torch.ones(3)}, r"scores for bn\.weight, which is no prunable weight"),
        ({**FULL, "fc.weight": torch.ones(3, 2)}, r"shape \(3, 2\) for 'fc\.weight'; expected \(2, 3\)"),
        ({**FULL, "fc.weight": torch.tensor(1.0)}, r"shape \(\) for 'fc\.weight'"),
        ({**FULL, "fc.weight": np.ones((2, 3))}, r"returned ndarray for 'fc\.weight'"),
        (
            {**FULL, "fc.weight": torch.ones(2, 3, dtype=torch.int64)},
            r"returned torch\.int64 for 'fc\.weight'",
        ),
        ({**FULL, "fc.weight": torch.full((2, 3), torch.nan)}, r"6 of 6 scores of 'fc\.weight' are NaN"),
        (
            {**FULL, "fc.weight": torch.full((2, 3), torch.inf)},
            r"6 of 6 scores of 'fc\.weight' are NaN or inf",
        ),
    ],
)
def test_wrong_scores_are_refused(returned: Any, message: str) -> None:
    """Missing, unknown, misshaped, mistyped and not finite scores are errors that name scorer and layer."""
    with pytest.raises(ComponentError, match=f"scorer 'mine'.*{message}"):
        score_network(make_net(), lambda net, batch, rng: returned, who="scorer 'mine'")


def test_a_failing_scorer_is_named() -> None:
    """What a scorer raises is told with the scorer's name, and the cause is kept."""
    with pytest.raises(ComponentError, match="scorer 'mine' failed: ZeroDivisionError: on purpose") as error:
        score_network(make_net(), failing_vandal, batch=make_batch(), who="scorer 'mine'")
    assert isinstance(error.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("error", [MemoryError, torch.OutOfMemoryError])
def test_too_little_memory_is_not_the_inputs_shape(error: type[Exception]) -> None:
    """Where scoring and the plain forward pass both run out of it, the scorer's failure is told."""

    class Large(Net):
        def forward(self, x: Tensor) -> Tensor:
            raise error("full")

    net = Large()
    with pytest.raises(ComponentError, match=f"scorer 'mine' failed: {error.__name__}: full"):
        score_network(
            net, lambda net, batch, rng: net.outputs(batch[0]), batch=make_batch(), who="scorer 'mine'"
        )


def test_inputs_that_are_no_tensor_are_the_scorers_to_open() -> None:
    """Examples that a scorer is to make chunk by chunk say nothing of the network when the scorer fails."""
    batch = (["an example", "another"], torch.tensor([0, 1]))

    def failing(batch: Any) -> dict[str, Tensor]:
        raise ZeroDivisionError("on purpose")

    with pytest.raises(ComponentError, match="scorer 'mine' failed: ZeroDivisionError: on purpose"):
        score_network(make_net(), lambda net, batch, rng: failing(batch), batch=batch, who="scorer 'mine'")


@pytest.mark.parametrize("code", [None, 3, "gone"])
def test_a_scorer_that_exits_has_failed(code: Any) -> None:
    """A scorer cannot end the program: its exit is a failure with its name."""

    def leave(net: ScoringNetwork, batch: Any, rng: Any) -> dict[str, Tensor]:
        raise SystemExit(code)

    with pytest.raises(ComponentError, match="scorer 'mine' failed: SystemExit"):
        score_network(make_net(), leave, who="scorer 'mine'")


def test_an_interrupt_is_no_failure_of_the_scorer() -> None:
    """Ctrl-C while scoring stays what it is, and the network is left as it was."""

    def interrupted(net: ScoringNetwork, batch: Any, rng: Any) -> dict[str, Tensor]:
        vandal(net, batch, rng)
        raise KeyboardInterrupt

    net = make_net()
    before = snapshot(net)
    with pytest.raises(KeyboardInterrupt):
        score_network(net, interrupted, batch=make_batch())
    assert_same(snapshot(net), before)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (torch.tensor([0, 1, 0, 1, 0, 2]), "labels run from 0 to 2; the network has 2 outputs: 0 to 1"),
        (torch.tensor([0, 1, 0, 1, 0, -1]), "labels run from -1 to 1"),
        (torch.zeros(5, dtype=torch.int64), "give loss="),
        (torch.zeros(6, 7), "give loss="),
    ],
)
def test_targets_that_do_not_fit_the_outputs(y: Tensor, message: str) -> None:
    """Labels beyond the classes, and targets of other shapes, are told with what is wanted."""
    with pytest.raises(UsageError, match=message):
        score_network(make_net(), gradients, batch=(make_batch()[0], y))


def test_products_become_tensors() -> None:
    """A scorer may return products; what comes out are tensors of the caller's own."""

    def products(net: ScoringNetwork, batch: Any, rng: Any) -> dict[str, Product]:
        return {name: Product(w.detach(), torch.full_like(w, -2)) for name, w in net.weights.items()}

    model = make_net()
    scores = score_network(model, products)
    for name, score in scores.items():
        assert torch.equal(score, 2 * model.get_parameter(name).detach().abs())


@pytest.mark.parametrize(
    ("dtype", "found"),
    [
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
    ],
)
def test_scores_keep_their_precision(dtype: torch.dtype, found: torch.dtype) -> None:
    """Scores come as plain CPU tensors of the scorer's precision; halves become float32."""
    scores = score_network(make_net(), lambda n, b, r: {k: (w * 1).to(dtype) for k, w in n.weights.items()})
    assert {score.dtype for score in scores.values()} == {found}
    assert not any(score.requires_grad for score in scores.values())


def test_parameters_reach_the_scorer() -> None:
    """A scorer's parameters are passed by keyword."""

    def scaled(net: ScoringNetwork, batch: Any, rng: Any, *, factor: float = 1.0) -> dict[str, Tensor]:
        return {name: torch.full_like(w, factor) for name, w in net.weights.items()}

    assert score_network(make_net(), scaled, parameters={"factor": 2.5})["fc.weight"].unique().item() == 2.5


def test_mask_of_another_network() -> None:
    """A mask of other layers is refused."""
    with pytest.raises(UsageError, match="prunable weights are"):
        ScoringNetwork(make_net(), Mask({"a": torch.ones(1, dtype=torch.bool)}))


def test_networks_without_values_or_copies() -> None:
    """Networks on the meta device, or that cannot be copied, are refused in words."""
    with pytest.raises(UsageError, match="meta device"):
        ScoringNetwork(nn.Linear(2, 2, device="meta"))
    net = make_net()
    net.cache = open(os.devnull)  # noqa: SIM115
    with pytest.raises(UsageError, match="cannot be copied"):
        ScoringNetwork(net)


@pytest.mark.parametrize("use", [lambda net, batch: net.loss(batch), lambda net, batch: batch[0]])
def test_a_scorer_that_uses_a_batch_that_it_was_not_given_is_told_so(use: Any) -> None:
    """Python's own error says only that None is no pair."""

    def undeclared(net: Any, batch: Any, rng: Any) -> Any:
        return {name: weight * use(net, batch) for name, weight in net.weights.items()}

    with pytest.raises(ComponentError, match=r"given no batch \(see needs=\"batch\"\), failed: TypeError"):
        score_network(nn.Linear(4, 3), undeclared)


@pytest.mark.parametrize("function", [lambda net: {}, lambda net, batch, rng, extra: {}, dict])
def test_a_scorer_of_other_arguments_is_told_which_are_given(function):
    """The sentence has the arguments that a scoring function takes, and what Python said."""
    with pytest.raises(ComponentError, match=r"must be a function of \(net, batch, rng\).*argument"):
        score_network(nn.Linear(2, 2), function)


def test_a_type_error_within_a_scorer_is_its_own():
    """Another call that fails inside is no fault of the scorer's arguments."""
    with pytest.raises(ComponentError, match="failed: TypeError"):
        score_network(nn.Linear(2, 2), lambda net, batch, rng: sorted(3))
