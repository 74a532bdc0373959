"""What a mask looks like: sparsities of layers and neurons, layers that are gone."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvTransposeNd

from prunebench.pruning.mask import Mask

__all__ = ["collapsed_layers", "layer_sparsity", "neuron_sparsity"]


def layer_sparsity(mask: Mask) -> list[dict[str, Any]]:
    """Return one dict a layer, in module order: name, kept, prunable (counts), sparsity (share removed)."""
    return [
        {
            "name": layer["name"],
            "kept": layer["kept"],
            "prunable": layer["prunable"],
            "sparsity": (layer["prunable"] - layer["kept"]) / layer["prunable"],
        }
        for layer in mask.layers()
    ]


def neuron_sparsity(mask: Mask, module: nn.Module | None = None) -> dict[str, list[float]]:
    """Return for each layer the sparsity of each neuron's incoming weights.

    A neuron is an output channel of a convolution or a unit of a linear layer: the first dimension of its
    weight. In transposed convolutions it is the second, which only `module` can tell.
    """
    groups = {
        f"{name}.weight": layer.groups
        for name, layer in (module.named_modules() if module is not None else ())
        if isinstance(layer, _ConvTransposeNd)
    }
    result = {}
    for name, tensor in mask.items():
        rows = _by_output(tensor, groups[name]) if name in groups else tensor.flatten(1)
        incoming = rows.shape[1]
        result[name] = [(incoming - kept) / incoming for kept in rows.sum(dim=1).tolist()]
    return result


def _by_output(tensor: Tensor, groups: int) -> Tensor:
    """Turn a transposed convolution's (in, out / groups, …) into (out, incoming weights)."""
    grouped = tensor.reshape(groups, -1, *tensor.shape[1:])
    return grouped.transpose(1, 2).flatten(0, 1).flatten(1)


def collapsed_layers(mask: Mask) -> list[str]:
    """Return the layers of which nothing is kept."""
    return [layer["name"] for layer in mask.layers() if layer["kept"] == 0]
