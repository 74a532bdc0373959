"""Built-in diagnostics (docs/measures.md has formulas, units and sources)."""

from __future__ import annotations

from collections.abc import Sequence

from prunebench import Diagnostic, hookimpl
from prunebench_plugins.diagnostics.costs import flops, training_flops, weights_remaining
from prunebench_plugins.diagnostics.paths import disconnected, effective_density
from prunebench_plugins.diagnostics.sparsity import collapsed_layers, layer_sparsity, neuron_sparsity

__all__ = [
    "collapsed_layers",
    "disconnected",
    "effective_density",
    "flops",
    "layer_sparsity",
    "neuron_sparsity",
    "prunebench_diagnostics",
    "training_flops",
    "weights_remaining",
]


@hookimpl
def prunebench_diagnostics() -> Sequence[Diagnostic]:
    """Return the built-in diagnostics."""
    return [
        Diagnostic("layer-sparsity", layer_sparsity, version="2"),
        Diagnostic("neuron-sparsity", neuron_sparsity, version="2"),
        Diagnostic("collapsed-layers", collapsed_layers, version="1"),
        Diagnostic("effective-density", effective_density, version="1"),
        Diagnostic("disconnected", disconnected, version="1"),
        Diagnostic("flops", flops, version="1"),
        Diagnostic("weights-remaining", weights_remaining, of="course", version="1"),
        Diagnostic("training-flops", training_flops, of="course", version="1"),
    ]
