"""Initial weights: by parameter, by seed, without touching global random state."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from prunebench.errors import ComponentError
from prunebench.training.initialize import make_network
from prunebench.training.streams import Stream, stream


def normal(module: nn.Module, name: str, parameter: nn.Parameter, rng: Stream) -> torch.Tensor:
    return torch.from_numpy(rng.normal(tuple(parameter.shape)))


def by_torch(module: nn.Module, name: str, parameter: nn.Parameter, rng: Stream) -> torch.Tensor:
    return torch.empty_like(parameter).uniform_()


def two() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 3))


def three() -> nn.Module:
    net = nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 3))
    net.insert(0, nn.Linear(7, 5))
    return nn.ModuleDict({"extra": nn.Linear(9, 9), "0": net[1], "1": net[2]})


def test_each_parameter_is_drawn_from_the_stream_of_its_name():
    """The values are those of stream(seed, "init", full name)."""
    net = make_network(lambda: nn.Sequential(two()), normal, 3)
    for name, parameter in net.named_parameters():
        expected = stream(3, "init", name).normal(tuple(parameter.shape))
        assert np.array_equal(parameter.detach().numpy(), expected)


@pytest.mark.parametrize("draw", [normal, by_torch], ids=["stream", "torch's generator"])
def test_a_layer_does_not_move_when_another_is_added(draw: Callable[..., torch.Tensor]):
    """Not even where the draw uses torch's own generator."""
    small, large = make_network(two, draw, 0), make_network(three, draw, 0)
    values = dict(large.named_parameters())
    for name, parameter in small.named_parameters():
        assert torch.equal(parameter, values[name])


@pytest.mark.parametrize("draw", [None, normal, by_torch], ids=["own", "stream", "torch's generator"])
def test_seeds_and_purposes_differ_and_repeat(draw: Callable[..., torch.Tensor] | None):
    """Same seed and purpose, same weights; another seed or purpose, other weights."""
    first, again = make_network(two, draw, 0), make_network(two, draw, 0)
    other, fresh = make_network(two, draw, 1), make_network(two, draw, 0, "fresh")
    assert torch.equal(first[0].weight, again[0].weight)
    assert not torch.equal(first[0].weight, other[0].weight)
    assert not torch.equal(first[0].weight, fresh[0].weight)


def test_a_draw_may_leave_a_parameter():
    """None keeps the constructor's values, under the seed."""
    net = make_network(two, lambda m, n, p, r: normal(m, n, p, r) if n == "weight" else None, 0)
    own = make_network(two, None, 0)
    assert torch.equal(net[0].bias, own[0].bias)
    assert not torch.equal(net[0].weight, own[0].weight)


def test_tied_parameters_are_drawn_once_under_their_first_name():
    """And stay tied."""

    def tied() -> nn.Module:
        net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
        net[1].weight = net[0].weight
        return net

    asked: list[tuple[str, str]] = []

    def draw(module: nn.Module, name: str, parameter: nn.Parameter, rng: Stream) -> torch.Tensor:
        asked.append((rng.parts[0], name))
        return normal(module, name, parameter, rng)

    net = make_network(tied, draw, 0)
    assert asked == [("0.weight", "weight"), ("0.bias", "bias"), ("1.bias", "bias")]
    assert net[1].weight is net[0].weight


def test_global_random_state_is_untouched():
    """torch, numpy and Python go on as if nothing had been made."""
    torch.manual_seed(5)
    np.random.seed(5)
    random.seed(5)
    expected = (torch.rand(2).tolist(), np.random.rand(), random.random())
    torch.manual_seed(5)
    np.random.seed(5)
    random.seed(5)

    def build() -> nn.Module:
        np.random.rand()
        random.random()
        return two()

    make_network(build, by_torch, 0)
    assert (torch.rand(2).tolist(), np.random.rand(), random.random()) == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (lambda p: torch.zeros(2), "shape"),
        (lambda p: torch.full(p.shape, float("nan")), "not finite"),
        (lambda p: np.zeros(2), "not a tensor"),
    ],
)
def test_a_draw_that_breaks_its_contract_is_named(values: Callable, message: str):
    """Wrong shapes, values that are not finite and other types name the parameter."""
    with pytest.raises(ComponentError, match=f"(?s){message}.*|'0.weight'.*{message}"):
        make_network(two, lambda m, n, p, r: values(p), 0)
