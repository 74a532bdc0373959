"""Sparsities of layers and neurons, layers that are gone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import prunebench
from prunebench import diagnostics
from prunebench.errors import UsageError
from prunebench.pruning import Mask

TWO = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1, bias=False))
HALF = Mask({"0.weight": torch.tensor([[True, False], [False, False]]), "1.weight": torch.ones(1, 2).bool()})


def test_diagnostics_can_be_imported_by_name() -> None:
    """`prunebench.diagnostics` is an attribute and a module."""
    from prunebench.diagnostics import effective_density

    assert prunebench.diagnostics.effective_density is effective_density
    assert all(callable(getattr(diagnostics, name)) for name in diagnostics.__all__)


def test_layer_sparsity() -> None:
    """Removed over prunable, layer by layer, in order."""
    assert diagnostics.layer_sparsity(TWO, HALF) == [
        {"name": "0.weight", "kept": 1, "prunable": 4, "sparsity": 0.75},
        {"name": "1.weight", "kept": 2, "prunable": 2, "sparsity": 0.0},
    ]


def test_no_mask_is_the_unpruned_network() -> None:
    """None stands for a mask that keeps every prunable weight."""
    assert [layer["sparsity"] for layer in diagnostics.layer_sparsity(TWO, None)] == [0, 0]
    assert diagnostics.neuron_sparsity(TWO, None) == {"0.weight": [0, 0], "1.weight": [0]}
    assert diagnostics.collapsed_layers(TWO, None) == []


def test_neuron_sparsity_of_rows_and_output_channels() -> None:
    """A neuron's incoming weights are a row of a linear layer, an output channel of a convolution."""
    model = nn.ModuleDict({"fc": nn.Linear(2, 2), "conv": nn.Conv2d(3, 2, (1, 2))})
    conv = torch.zeros(2, 3, 1, 2, dtype=torch.bool)
    conv[1, 0] = True
    mask = {"fc.weight": torch.tensor([[True, False], [False, False]]), "conv.weight": conv}
    assert diagnostics.neuron_sparsity(model, mask) == {
        "fc.weight": [0.5, 1.0],
        "conv.weight": [1.0, 4 / 6],
    }


@pytest.mark.parametrize("groups", [1, 2])
def test_neuron_sparsity_of_transposed_convolutions(groups: int) -> None:
    """A transposed convolution's output channel is found by what it computes."""
    layer = nn.ConvTranspose2d(4, 6, 2, groups=groups, bias=False)
    mask = torch.rand(layer.weight.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    # an output channel's kept incoming weights: with weights of 1 and one pixel of 1, what it sums to
    with torch.no_grad():
        layer.weight.copy_(mask)
        sums = layer(torch.ones(1, 4, 1, 1)).sum((0, 2, 3))
    incoming = 4 // groups * 4
    found = diagnostics.neuron_sparsity(nn.Sequential(layer), Mask({"0.weight": mask}))
    assert found["0.weight"] == pytest.approx([(incoming - s) / incoming for s in sums.tolist()])


def test_share_of_neurons_falls_from_all_to_those_without_any_input() -> None:
    """At 0 it is all neurons, at 1 the collapsed ones; a third of three counts as a third."""
    neurons = {"a": [0.0, 1 / 3, 1.0], "b": [1.0, 0.5]}
    shares = [diagnostics.neuron_share(neurons, s) for s in (0, 1 / 3, 0.34, 0.5, 0.51, 1)]
    assert shares == [1, 0.8, 0.6, 0.6, 0.4, 0.4]


def test_collapsed_layers_are_seen() -> None:
    """Layers without a single weight left are named: they may cut the network in two."""
    gone = Mask({"0.weight": torch.zeros(2, 2).bool(), "1.weight": torch.ones(1, 2).bool()})
    assert diagnostics.collapsed_layers(TWO, gone) == ["0.weight"]
    assert diagnostics.collapsed_layers(TWO, HALF) == []


@pytest.mark.parametrize("measure", [
    diagnostics.layer_sparsity, diagnostics.neuron_sparsity, diagnostics.collapsed_layers,
    diagnostics.effective_density, diagnostics.disconnected, diagnostics.flops,
])  # fmt: skip
@pytest.mark.parametrize(
    ("mask", "match"),
    [
        ({"2.weight": torch.ones(2).bool()}, "no weight '2.weight'.*did you mean '1.weight'"),
        ({"0.weight": torch.ones(2, 3).bool()}, r"shape \(2, 2\), the mask \(2, 3\)"),
        ({"0.weight": torch.ones(2, 2)}, "bool tensors"),
        (torch.ones(2, 2).bool(), "mask is a Tensor"),
        ({}, "no weight at all"),
    ],
    ids=["name", "shape", "type", "tensor", "empty"],
)
def test_a_mask_of_something_else_is_refused(measure, mask, match) -> None:  # type: ignore[no-untyped-def]
    """Every measure says what does not fit, and names the nearest weight."""
    with pytest.raises(UsageError, match=match):
        measure(TWO, mask, (2,))
