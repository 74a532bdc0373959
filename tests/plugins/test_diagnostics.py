"""The built-in diagnostics return plain JSON values that agree with a count by hand."""

from __future__ import annotations

import json

import torch
from prunebench_plugins.diagnostics import layer_sparsity, neuron_sparsity, prunebench_diagnostics
from torch import nn

from prunebench import Mask

NET = nn.Sequential(nn.Conv2d(1, 2, 2), nn.Flatten(), nn.Linear(2, 3))
MASK = Mask(
    {
        "0.weight": torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0]], dtype=torch.bool).reshape(2, 1, 2, 2),
        "2.weight": torch.tensor([[1, 1], [1, 0], [1, 1]], dtype=torch.bool),
    }
)


def test_layer_sparsity_counts_each_layer():
    """In module order, kept and prunable as counts."""
    rows = layer_sparsity(NET, MASK)
    assert [(r["name"], r["kept"], r["prunable"]) for r in rows] == [("0.weight", 2, 8), ("2.weight", 5, 6)]
    assert json.loads(json.dumps(rows)) == rows


def test_neuron_sparsity_is_the_removed_share_of_incoming_weights():
    """Rows of a linear layer, output channels of a convolution."""
    shares = neuron_sparsity(NET, MASK)
    assert shares == {"0.weight": [0.5, 1.0], "2.weight": [0.0, 0.5, 0.0]}
    assert json.loads(json.dumps(shares)) == shares


def test_diagnostics_are_versioned_and_described():
    """Both read the mask alone."""
    assert {(d.name, d.of, d.version) for d in prunebench_diagnostics()} == {
        ("layer-sparsity", "mask", "1"),
        ("neuron-sparsity", "mask", "1"),
    }
    assert all(len(d.documentation) > 80 for d in prunebench_diagnostics())
