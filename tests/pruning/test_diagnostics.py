"""Sparsities of layers and neurons, layers that are gone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from prunebench import diagnostics
from prunebench.pruning import Mask


def test_layer_sparsity() -> None:
    """Removed over prunable, layer by layer, in order."""
    mask = Mask({"b": torch.tensor([[True, False], [False, False]]), "a": torch.ones(3, dtype=torch.bool)})
    assert diagnostics.layer_sparsity(mask) == [
        {"name": "b", "kept": 1, "prunable": 4, "sparsity": 0.75},
        {"name": "a", "kept": 3, "prunable": 3, "sparsity": 0.0},
    ]


def test_neuron_sparsity_of_rows_and_output_channels() -> None:
    """A neuron's incoming weights are a row of a linear layer, an output channel of a convolution."""
    conv = torch.zeros(2, 3, 1, 2, dtype=torch.bool)
    conv[1, 0] = True
    mask = Mask({"fc": torch.tensor([[True, False], [False, False]]), "conv": conv})
    assert diagnostics.neuron_sparsity(mask) == {"fc": [0.5, 1.0], "conv": [1.0, 4 / 6]}


@pytest.mark.parametrize("groups", [1, 2])
def test_neuron_sparsity_of_transposed_convolutions(groups: int) -> None:
    """With the network at hand, a transposed convolution's output channel is found by what it computes."""
    layer = nn.ConvTranspose2d(4, 6, 2, groups=groups, bias=False)
    mask = torch.rand(layer.weight.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    # an output channel's kept incoming weights: with weights of 1 and one pixel of 1, what it sums to
    with torch.no_grad():
        layer.weight.copy_(mask)
        sums = layer(torch.ones(1, 4, 1, 1)).sum((0, 2, 3))
    incoming = 4 // groups * 4
    found = diagnostics.neuron_sparsity(Mask({"0.weight": mask}), nn.Sequential(layer))
    assert found["0.weight"] == pytest.approx([(incoming - s) / incoming for s in sums.tolist()])


def test_collapsed_layers_are_seen() -> None:
    """Layers without a single weight left are named: they cut the network in two."""
    gone = torch.zeros(2, 2, dtype=torch.bool)
    mask = Mask({"a": ~gone, "shortcut": gone, "b": ~gone})
    assert diagnostics.collapsed_layers(mask) == ["shortcut"]
    assert diagnostics.collapsed_layers(Mask({"a": ~gone})) == []
