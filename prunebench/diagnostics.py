"""Measures of a pruned network, for use without the harness: functions of (model, mask, input_shape)."""

from prunebench.pruning.diagnostics import (
    LayerFlops,
    collapsed_layers,
    disconnected,
    effective_density,
    effective_mask,
    flops,
    layer_flops,
    layer_sparsity,
    neuron_share,
    neuron_sparsity,
)

__all__ = [
    "LayerFlops",
    "collapsed_layers",
    "disconnected",
    "effective_density",
    "effective_mask",
    "flops",
    "layer_flops",
    "layer_sparsity",
    "neuron_share",
    "neuron_sparsity",
]
