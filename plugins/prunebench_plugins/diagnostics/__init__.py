"""Built-in diagnostics (docs/measures.md has formulas, units and sources)."""

from __future__ import annotations

from collections.abc import Sequence

from prunebench import Diagnostic, hookimpl
from prunebench_plugins.diagnostics.costs import flops, training_flops, weights_remaining
from prunebench_plugins.diagnostics.paths import disconnected, effective_density
from prunebench_plugins.diagnostics.ratios import ratios_by_epoch
from prunebench_plugins.diagnostics.scored_network import scored_network
from prunebench_plugins.diagnostics.sparsity import collapsed_layers, layer_sparsity, neuron_sparsity
from prunebench_plugins.diagnostics.structure import latency, shrunk
from prunebench_plugins.forms import prunebench_forms  # they come in through the same entry point
from prunebench_plugins.quantities import prunebench_quantities

__all__ = [
    "collapsed_layers",
    "disconnected",
    "effective_density",
    "flops",
    "latency",
    "layer_sparsity",
    "neuron_sparsity",
    "prunebench_diagnostics",
    "prunebench_forms",
    "prunebench_quantities",
    "ratios_by_epoch",
    "scored_network",
    "shrunk",
    "training_flops",
    "weights_remaining",
]

_LAYERS = (
    *("first", "output", "output_excess", "early", "late", "spread"),
    *("shortcuts", "shortcut_excess", "shortcuts_collapsed", "layers.*"),
)
_NEURONS = ("neurons", "collapsed", "channels", "in_pruned_shortcuts", "at_least.*")
_EFFECTIVE = ("density", "effective", "share", "sparsity", "kept", "prunable", "collapsed")
_AREA = ("steps", "area", "relative", "mean", "final")
_RETROACTIVE = tuple(f"retroactive.{name}" for name in _AREA[:-1])
_PARTS = ("", "training.", "scoring.", "relative.")
_SHRUNK = (
    *(f"{what}.{which}" for what in ("parameters", "flops") for which in ("masked", "shrunk", "share")),
    *("filters.kept", "filters.prunable", "filters.share", "seconds.masked", "seconds.shrunk"),
    *("inputs.removed", "inputs.prunable", "inputs.share", "inputs.layers.*"),
)
_FOUND = ("accuracy", "correct", "examples", "loss", "step", "evaluated", "kept", "prunable")
_SCORED = (*_FOUND, *(f"unpruned.{name}" for name in _FOUND))
_COSTS = tuple(f"{part}{how}" for part in _PARTS for how in ("dense", "sparse"))


@hookimpl
def prunebench_diagnostics() -> Sequence[Diagnostic]:
    """Return the built-in diagnostics."""
    return [
        Diagnostic("layer-sparsity", layer_sparsity, version="2", fields=_LAYERS),
        Diagnostic("neuron-sparsity", neuron_sparsity, version="3", fields=_NEURONS),
        Diagnostic("collapsed-layers", collapsed_layers, version="1", fields=("count", "share")),
        Diagnostic("effective-density", effective_density, version="1", fields=_EFFECTIVE),
        Diagnostic("disconnected", disconnected, version="1", fields=("weights", "share", "layers.*")),
        Diagnostic("flops", flops, version="1", fields=("dense", "sparse", "share", "layers.*")),
        Diagnostic(
            "weights-remaining", weights_remaining, of="course", version="2", fields=(*_AREA, *_RETROACTIVE)
        ),
        Diagnostic("training-flops", training_flops, of="course", version="2", fields=_COSTS),
        Diagnostic("shrunk", shrunk, version="1", fields=_SHRUNK, timing=latency),
        Diagnostic("scored-network", scored_network, of="scored", version="1", fields=_SCORED),
        Diagnostic(
            "ratios-by-epoch",
            ratios_by_epoch,
            of="epochs",
            version="1",
            fields=("distance.*", "layers.*", "moved.*"),
        ),
    ]
