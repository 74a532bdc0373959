"""What a mask does to a network: sparsities, weights on no path, arithmetic (formulas: docs/measures.md).

Every function takes (model, mask, input_shape) and needs nothing of the harness. `mask` maps names of
weights to bool tensors, True where a weight is kept; None is the unpruned network. The model is left as it
was.
"""

from prunebench.pruning.diagnostics.flops import LayerFlops, flops, layer_flops
from prunebench.pruning.diagnostics.paths import disconnected, effective_density, effective_mask
from prunebench.pruning.diagnostics.sparsity import (
    collapsed_layers,
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
