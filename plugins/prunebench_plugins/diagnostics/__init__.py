"""Built-in diagnostics."""

from __future__ import annotations

from collections.abc import Sequence

from prunebench import Diagnostic, hookimpl
from prunebench_plugins.diagnostics.sparsity import layer_sparsity, neuron_sparsity

__all__ = ["layer_sparsity", "neuron_sparsity", "prunebench_diagnostics"]


@hookimpl
def prunebench_diagnostics() -> Sequence[Diagnostic]:
    """Return the built-in diagnostics."""
    return [
        Diagnostic("layer-sparsity", layer_sparsity, version="1"),
        Diagnostic("neuron-sparsity", neuron_sparsity, version="1"),
    ]
