"""How sparse a mask is, layer by layer and neuron by neuron."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

import prunebench

if TYPE_CHECKING:
    from torch import nn

    from prunebench import Mask

__all__ = ["collapsed_layers", "layer_sparsity", "neuron_sparsity"]

_SHORTCUTS = ("shortcut", "downsample")


def layer_sparsity(net: nn.Module, mask: Mask | None, input_shape: Sequence[int]) -> dict[str, Any]:
    """Sparsity of each layer (removed / prunable), and what sums the profile up.

    Frankle et al. 2021, App. J.

    layers: name, kept, prunable, sparsity of each prunable weight, in the network's order (Fig. 15).
    first, output: sparsity of the first and the last layer. output_excess: the last less the least pruned
    other one; at most 0 where the output layer is pruned least.
    early, late: mean sparsity over the first and the last third of the layers between the first layer and the
    output, shortcuts left out; spread: the largest less the smallest of all these.
    shortcuts: mean sparsity of layers called "shortcut" or "downsample"; shortcut_excess: mean of each one's
    sparsity less that of the other layers of its block; shortcuts_collapsed: how many of them keep nothing.
    A field of layers that are not there is null.
    """
    layers = prunebench.diagnostics.layer_sparsity(net, mask, input_shape)
    values = {layer["name"]: float(layer["sparsity"]) for layer in layers}
    shortcuts = [name for name in values if _shortcut(name)]
    chain = [name for name in values if name not in shortcuts]
    inner = [values[name] for name in chain[1:-1]]
    third = -(-len(inner) // 3)
    others = list(values.values())[:-1]
    output = list(values.values())[-1]
    return {
        "layers": layers,
        "first": values[chain[0]] if chain else None,
        "output": output,
        "output_excess": output - min(others) if others else None,
        "early": fmean(inner[:third]) if inner else None,
        "late": fmean(inner[-third:]) if inner else None,
        "spread": max(inner) - min(inner) if inner else None,
        "shortcuts": fmean(values[name] for name in shortcuts) if shortcuts else None,
        "shortcut_excess": _excess(values, shortcuts),
        "shortcuts_collapsed": sum(
            layer["kept"] == 0 < layer["prunable"] for layer in layers if layer["name"] in shortcuts
        ),
    }


def _shortcut(name: str) -> bool:
    return any(word in name for word in _SHORTCUTS)


def _excess(values: Mapping[str, float], shortcuts: Sequence[str]) -> float | None:
    """Return the mean of each shortcut's sparsity less that of the other layers under its parent module."""
    excesses = []
    for name in shortcuts:
        at = min(name.find(word) for word in _SHORTCUTS if word in name)
        block = name[:at]
        beside = [value for n, value in values.items() if n.startswith(block) and n not in shortcuts]
        if beside:
            excesses.append(values[name] - fmean(beside))
    return fmean(excesses) if excesses else None


def neuron_sparsity(net: nn.Module, mask: Mask | None, input_shape: Sequence[int]) -> dict[str, Any]:
    """Sparsity of each neuron's incoming weights: output channels of convolutions, units of linear layers.

    neurons: how many there are. collapsed: the share of them without any input ("neuron collapse", Frankle et
    al. 2021, §5); channels: that share of convolutions' output channels alone, as the paper counts them;
    in_pruned_shortcuts: the share of the collapsed channels that lies in shortcuts of which nothing is kept
    (footnote 6). at_least: the share with a sparsity of at least 0, 1, … 100 percent, by percent (Fig. 5).
    A share of nothing is null.
    layers: for each prunable weight the sparsity of every neuron, in order.
    """
    layers = prunebench.diagnostics.neuron_sparsity(net, mask, input_shape)
    share = prunebench.diagnostics.neuron_share
    weights = dict(net.named_parameters(remove_duplicate=False))
    channels = {name: values for name, values in layers.items() if weights[name].ndim > 2}
    collapsed = {name: sum(value == 1 for value in values) for name, values in channels.items()}
    whole = (n for name, n in collapsed.items() if _shortcut(name) and n == len(channels[name]))
    return {
        "neurons": sum(map(len, layers.values())),
        "collapsed": share(layers, 1.0),
        "channels": share(channels, 1.0) if channels else None,
        "in_pruned_shortcuts": sum(whole) / sum(collapsed.values()) if sum(collapsed.values()) else None,
        "at_least": {str(percent): share(layers, percent / 100) for percent in range(101)},
        "layers": layers,
    }


def collapsed_layers(net: nn.Module, mask: Mask | None, input_shape: Sequence[int]) -> dict[str, Any]:
    """Layers of which nothing is kept: how many, their share of all layers, and their names.

    Such a layer cuts a chain in two ("layer collapse", Tanaka et al. 2020); a shortcut may go around it
    (Frankle et al. 2021, App. J: SynFlow prunes three of ResNet-50's downsampling shortcuts wholly).
    """
    names = prunebench.diagnostics.collapsed_layers(net, mask, input_shape)
    count = len(prunebench.diagnostics.layer_sparsity(net, mask, input_shape))
    return {"count": len(names), "share": len(names) / count, "layers": names}
