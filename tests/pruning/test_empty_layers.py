"""Layers of zero weights: nothing divides by their size."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import prunebench
from prunebench import Form, Mask, diagnostics
from prunebench.errors import UsageError


def make_net() -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 0), nn.Linear(0, 4), nn.ReLU(), nn.Linear(4, 3))
    nn.init.uniform_(net[1].bias)  # alone it makes outputs that are not constant zeros
    return net


BATCH = (torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 3)


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize(
    "form",
    [
        {"scorer": "magnitude"},
        {"scorer": "random"},
        {"scorer": "snip"},
        {"scorer": "snip", "schedule": {"rounds": 3}, "allocation": "uniform"},
        {"scorer": "snip", "schedule": {"rounds": 3}, "allocation": "erk", "alter": ["shuffle"]},
        {"scorer": "grasp", "allocation": {"like": "magnitude"}},
        {"scorer": "synflow", "schedule": {"rounds": 3}},
        {"scorer": "force", "schedule": {"rounds": 3}, "regrowth": {"scorer": "force"}},
    ],
)
def test_every_way_of_pruning(form: dict[str, Any]) -> None:
    """Scores, allocations, rounds and shuffles pass such layers by; the count is exact."""
    mask = prunebench.prune(make_net(), Form.model_validate(form), density=0.5, batch=BATCH)
    assert [layer["kept"] for layer in mask.layers()] == [0, 0, 6]
    assert (mask.density, mask.sparsity, repr(mask)) == (
        0.5,
        0.5,
        "<Mask: 6 of 12 weights kept in 3 layers>",
    )
    again = prunebench.prune(make_net(), Form.model_validate(form), density=0.25, batch=BATCH, mask=mask)
    assert again.kept == 3


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_measures() -> None:
    """They have no sparsity, have lost no neuron, and are no collapsed layers."""
    net = make_net()
    mask = prunebench.prune(net, "magnitude", density=0.5)
    assert [layer["sparsity"] for layer in diagnostics.layer_sparsity(net, mask)] == [0, 0, 0.5]
    neurons = diagnostics.neuron_sparsity(net, mask)
    assert neurons["0.weight"] == []
    assert neurons["1.weight"] == [0, 0, 0, 0]
    assert diagnostics.collapsed_layers(net, mask) == []
    assert diagnostics.effective_density(net, mask, (4,)) == 0.5
    assert diagnostics.flops(net, mask, (4,)) == {"dense": 24, "sparse": 12, "share": 0.5}
    emptied = Mask({**mask, "3.weight": torch.zeros(3, 4, dtype=torch.bool)})
    assert diagnostics.collapsed_layers(net, emptied) == ["3.weight"]


def test_transposed_convolutions_without_channels() -> None:
    """A transposed convolution from no channel, or to none, has no weights and no sparsity."""
    for weight, neurons in ((torch.empty(0, 2, 3, 3), 2), (torch.empty(4, 0, 3, 3), 0)):
        net = nn.Sequential(nn.ConvTranspose2d(1, 1, 3), nn.Linear(2, 2))
        net[0].weight = nn.Parameter(weight)
        assert diagnostics.neuron_sparsity(net, None)["0.weight"] == [0.0] * neurons


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize("method", ["magnitude", "snip", "synflow"])
def test_a_network_of_such_layers_alone(method: str) -> None:
    """There is nothing to prune, which is said."""
    net = nn.Sequential(nn.Linear(4, 0), nn.Linear(0, 4))
    with pytest.raises(UsageError, match=r"nothing to prune: the weights of 2 .* have no entries"):
        prunebench.prune(net, method, density=0.5, batch=BATCH)


def test_a_mask_of_nothing() -> None:
    """Nothing is removed of it: density 1, sparsity 0."""
    for mask in (Mask({}), Mask({"a": torch.ones(0, 3, dtype=torch.bool)})):
        assert (mask.kept, mask.prunable, mask.density, mask.sparsity) == (0, 0, 1.0, 0.0)
        assert Mask.unpack(mask.pack(), {name: mask[name].shape for name in mask}) == mask
