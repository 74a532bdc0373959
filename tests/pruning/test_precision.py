"""In which precision a network is scored, and what is told of one that works in its own alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import prunebench
from prunebench.errors import UsageError
from prunebench.pruning import ScoringNetwork
from prunebench.pruning.precision import not_finite


def make_net(*dtypes: torch.dtype) -> nn.Sequential:
    torch.manual_seed(0)
    first, last = dtypes if len(dtypes) == 2 else dtypes * 2
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)).double()
    net[0].to(first)
    net[2].to(last)
    return net


def make_batch() -> tuple[Tensor, Tensor]:
    return torch.randn(9, 6, generator=torch.Generator().manual_seed(1)), torch.arange(9) % 3


@pytest.mark.parametrize("method", ["magnitude", "random", "snip", "grasp", "synflow", "force"])
def test_a_double_network_is_scored_in_double(method: str) -> None:
    """No weight of a float64 network is rounded, whatever the scorer declares."""
    net = make_net(torch.float64)
    scores = prunebench.score(net, method, batch=make_batch())
    assert {score.dtype for score in scores.values()} == {torch.float64}


def test_double_gradients_are_double() -> None:
    """SNIP's scores of a float64 network are those of float64 arithmetic, to its last digits."""
    net, (x, y) = make_net(torch.float64), make_batch()
    found = prunebench.score(net, "snip", batch=(x, y))
    for name in ("0.weight", "2.weight"):
        weight = net.get_parameter(name)
        (gradient,) = torch.autograd.grad(F.cross_entropy(net(x.double()), y), weight)
        torch.testing.assert_close(found[name], (weight * gradient).abs().detach(), rtol=1e-12, atol=1e-15)


def test_weights_that_float32_cannot_tell_apart() -> None:
    """Magnitude ranks float64 weights by all their digits."""
    net = nn.Linear(4, 1, bias=False).double()
    with torch.no_grad():
        net.weight.copy_(1 + torch.tensor([[1.0, 4.0, 2.0, 3.0]], dtype=torch.float64) * 1e-12)
    mask = prunebench.prune(net, "magnitude", density=0.5)
    assert mask["weight"].tolist() == [[False, True, False, True]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("other", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_magnitude_is_exact(dtype: torch.dtype, other: torch.dtype) -> None:
    """In every precision, and in networks of two, scores are the weights' very magnitudes."""
    net = make_net(dtype, other)
    scores = prunebench.score(net, "magnitude")
    for name, score in scores.items():
        assert torch.equal(score.double(), net.get_parameter(name).detach().double().abs())


def test_a_network_in_the_scorers_precision_is_left_as_it_is() -> None:
    """Buffers and attributes of other precisions keep theirs in a float32 network scored in float32."""
    net = make_net(torch.float32)
    net.register_buffer("table", torch.ones(2, dtype=torch.float64) / 3)
    net.constant = torch.ones(2, dtype=torch.float64) / 3
    own = ScoringNetwork(net).module
    assert own.table.dtype == own.constant.dtype == torch.float64
    assert torch.equal(own.table, net.table)


def test_attributes_come_along_into_another_precision() -> None:
    """A tensor that is no buffer, in the network's precision, is converted with the weights."""

    class Whitened(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.white, self.out = torch.eye(6), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(x @ self.white)

    assert prunebench.prune(Whitened(), "synflow", density=0.5, batch=make_batch()).kept == 9
    half = Whitened().half()
    half.white = half.white.half()
    assert prunebench.prune(half, "snip", density=0.5, batch=make_batch()).kept == 9


class Casts(nn.Module):
    """A network that brings its input into a precision of its own."""

    def __init__(self, dtype: torch.dtype, cast: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.a, self.out = nn.Linear(6, 8, dtype=dtype), nn.Linear(8, 3, dtype=dtype)
        self.cast = cast
        self.last: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        self.last = self.a(self.cast(x))
        return self.out(F.relu(self.last))


def ones_of_its_own(x: Tensor) -> Tensor:
    return torch.cat([x[:, :5].float(), torch.ones(len(x), 1)], dim=1)


CASTS = [
    (torch.float32, lambda x: x.float(), "synflow", "float64", "float32 by float"),
    (torch.float32, lambda x: x.to(torch.float32), "synflow", "float64", "float32 by to"),
    (torch.float32, lambda x: x.type(torch.FloatTensor), "synflow", "float64", "float32 by type"),
    (torch.float32, ones_of_its_own, "synflow", "float64", "float32 by float"),
    (torch.float16, lambda x: x.half(), "snip", "float32", "float16 by half"),
    (torch.bfloat16, lambda x: x.bfloat16(), "snip", "float32", "bfloat16 by bfloat16"),
    (torch.bfloat16, lambda x: x.bfloat16(), "synflow", "float64", "bfloat16 by bfloat16"),
]


@pytest.mark.parametrize(("dtype", "cast", "method", "asked", "made"), CASTS)
def test_a_network_that_works_in_its_own_precision_alone(
    dtype: torch.dtype, cast: Callable[[Tensor], Tensor], method: str, asked: str, made: str
) -> None:
    """It is told what is so: which precision the scorer wants, and where the network leaves it."""
    net = Casts(dtype, cast)
    own = str(dtype).removeprefix("torch.")
    with pytest.raises(UsageError) as error:
        prunebench.prune(net, method, density=0.5, batch=make_batch())
    said = str(error.value)
    assert f"scorer '{method}' works in {asked}" in said
    assert f"own precision ({own}) but not in {asked}: it makes {made} in test_precision.py, line " in said
    assert 'precision="own"' in said
    assert "shape" not in said.partition("(mat")[0]
    assert prunebench.prune(net, "magnitude", density=0.5).kept == 36


@pytest.mark.parametrize(("dtype", "cast", "method", "asked", "made"), CASTS)
def test_its_own_precision_when_asked(
    dtype: torch.dtype, cast: Callable[[Tensor], Tensor], method: str, asked: str, made: str
) -> None:
    """With precision="own" the network is scored as it is."""
    net = Casts(dtype, cast)
    mask = prunebench.prune(net, method, density=0.5, batch=make_batch(), precision="own")
    assert mask.kept == 36
    score = prunebench.score(net, "snip", batch=make_batch(), precision="own")["out.weight"]
    x, y = make_batch()
    expected = torch.autograd.grad(F.cross_entropy(net(x), y), net.out.weight)[0] * net.out.weight
    torch.testing.assert_close(score, expected.detach().abs().float(), rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("method", ["snip", "synflow"])
def test_inputs_of_another_shape_are_told_as_such(method: str) -> None:
    """What the network does not take in its own precision either is a matter of the inputs."""
    x, y = torch.ones(9, 5), torch.arange(9) % 3
    for net in (make_net(torch.float32), Casts(torch.float32, lambda x: x.float())):
        with pytest.raises(UsageError, match=r"does not take inputs of shape \(., 5\)"):
            prunebench.prune(net, method, density=0.5, batch=(x, y))


def test_precision_is_one_word() -> None:
    """Other values are refused with what is allowed."""
    wrong: Any = "float32"
    with pytest.raises(UsageError, match=r'precision must be "own".*found \'float32\''):
        prunebench.prune(make_net(torch.float32), "magnitude", density=0.5, precision=wrong)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_not_finite_is_counted(dtype: torch.dtype) -> None:
    """Whatever it comes to together: infinities that cancel, finite numbers whose sum overflows."""
    largest = torch.finfo(dtype).max
    for numbers, bad in (
        ([], 0),
        ([1.0, -2.0], 0),
        ([largest, largest, 1.0], 0),
        ([largest, largest, math.nan], 1),
        ([math.inf, -math.inf, 3.0], 2),
        ([math.nan, 1.0, math.inf], 2),
    ):
        assert not_finite(torch.tensor(numbers, dtype=dtype)) == bad
