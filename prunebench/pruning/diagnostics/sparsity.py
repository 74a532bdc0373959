"""How sparse a mask is: layer by layer, neuron by neuron; layers that are gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvTransposeNd

from prunebench.errors import UsageError
from prunebench.pruning.diagnostics._masks import checked_mask
from prunebench.pruning.prunable import named_weights, own_weight

__all__ = ["collapsed_layers", "layer_sparsity", "neuron_share", "neuron_sparsity"]


def layer_sparsity(
    model: nn.Module, mask: Mapping[str, Tensor] | None, input_shape: Sequence[int] | None = None
) -> list[dict[str, Any]]:
    """Return one dict a layer, in module order: name, kept, prunable (counts), sparsity (removed / prunable).

    Frankle et al. 2021, App. J, Fig. 15. The sparsity of a layer without weights is 0: nothing is removed.
    `input_shape` is not needed.

    Raises: UsageError where the mask is not for this model.
    """
    return [
        {
            "name": layer["name"],
            "kept": layer["kept"],
            "prunable": layer["prunable"],
            "sparsity": _removed(layer["kept"], layer["prunable"]),
        }
        for layer in checked_mask(model, mask).layers()
    ]


def neuron_sparsity(
    model: nn.Module, mask: Mapping[str, Tensor] | None, input_shape: Sequence[int] | None = None
) -> dict[str, list[float]]:
    """Return for each layer the sparsity of each neuron's incoming weights: 1 is a neuron without any.

    A neuron is an output channel of a convolution or a unit of a linear layer: the first dimension of its
    weight, in transposed convolutions the second. One that has no incoming weights unpruned has lost none: 0.
    Frankle et al. 2021, §5, Fig. 5. `input_shape` is not needed.

    Raises: UsageError where the mask is not for this model.
    """
    weights = named_weights(model)
    groups = {
        id(own_weight(layer)): layer.groups
        for layer in model.modules()
        if isinstance(layer, _ConvTransposeNd)
    }
    result = {}
    for name, tensor in checked_mask(model, mask).items():
        transposed = groups.get(id(weights[name]))
        rows = tensor.flatten(1) if transposed is None else _by_output(tensor, transposed)
        incoming = rows.shape[1]
        result[name] = [_removed(kept, incoming) for kept in rows.sum(dim=1).tolist()]
    return result


def _removed(kept: int, whole: int) -> float:
    """Return the share removed; of nothing it is 0."""
    return (whole - kept) / whole if whole else 0.0


def _by_output(tensor: Tensor, groups: int) -> Tensor:
    """Turn a transposed convolution's (in, out / groups, …) into (out, incoming weights)."""
    grouped = tensor.reshape(groups, tensor.shape[0] // groups, *tensor.shape[1:])
    return grouped.transpose(1, 2).flatten(0, 1).flatten(1)


def neuron_share(neurons: Mapping[str, Sequence[float]], sparsity: float) -> float:
    """Return the share of neurons, over all layers, whose sparsity is at least `sparsity` (0 to 1).

    `neurons` is what `neuron_sparsity` returns. At 1 it is the share of neurons without any incoming weight
    (Frankle et al. 2021, §5: "neuron collapse"; Fig. 5 is this share against `sparsity`).

    >>> neuron_share({"conv": [0.5, 1.0], "fc": [0.0, 1.0]}, 1.0)
    0.5

    Raises: UsageError where there are no neurons, or for what `neuron_sparsity` does not return.
    """
    given: object = neurons
    if not isinstance(given, Mapping):
        kind = type(given).__name__
        raise UsageError(f"neurons must be what neuron_sparsity returns, a dict of lists; found {kind}")
    every = [value for layer in neurons.values() for value in layer]
    if not every:
        raise UsageError("there are no neurons to take a share of")
    return sum(value >= sparsity - 1e-12 for value in every) / len(every)


def collapsed_layers(
    model: nn.Module, mask: Mapping[str, Tensor] | None, input_shape: Sequence[int] | None = None
) -> list[str]:
    """Return the names of the layers of which no weight is kept, though they have some.

    `input_shape` is not needed.

    Raises: UsageError where the mask is not for this model.
    """
    return [
        layer["name"]
        for layer in checked_mask(model, mask).layers()
        if layer["kept"] == 0 < layer["prunable"]
    ]
