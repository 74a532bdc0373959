"""Arithmetic of one forward pass, as the network is and if its zeros cost nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from prunebench.errors import UsageError
from prunebench.pruning.copying import private_copy, undisturbed
from prunebench.pruning.diagnostics._beside import UsesBeside
from prunebench.pruning.diagnostics._masks import checked_mask

__all__ = ["LayerFlops", "flops", "layer_flops"]


@dataclass(frozen=True, slots=True)
class LayerFlops:
    """One prunable weight: how often each of its entries is used for one input, and what that costs."""

    name: str
    uses: int
    """Positions at which each entry is multiplied: output pixels of a convolution, 1 in a linear layer."""
    kept: int
    prunable: int

    @property
    def dense(self) -> int:
        """FLOPs of one input with all weights: two (a multiplication and an addition) a weight and use."""
        return 2 * self.uses * self.prunable

    @property
    def sparse(self) -> int:
        """FLOPs of one input with the kept weights alone."""
        return 2 * self.uses * self.kept


def flops(
    model: nn.Module, mask: Mapping[str, Tensor] | None, input_shape: Sequence[int]
) -> dict[str, int | float]:
    """Return the FLOPs of a forward pass of one input: dense, sparse (counts) and share (sparse / dense).

    Two FLOPs for each multiply-add of a weight: in convolutions (those with padding included) and linear
    layers, and in whatever else multiplies a parameter as a matrix or a kernel (attention's projections,
    recurrent layers, a layer's weight used by a function). Biases, normalisations, activations, poolings,
    products of activations and additions of branches are not counted. `sparse` is what the kept weights alone
    would take: what hardware that skips every zero could reach, not what masks save on today's. Weights that
    the mask does not speak of count as kept. `input_shape` is that of one input.

    Raises: UsageError where the mask is not for this model, the model does not take such inputs, or it uses a
    layer's weight in a way that cannot be counted, which is named.

    >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 5))
    >>> flops(net, None, (1, 4, 4))["dense"] == 2 * (4 * 18 + 40)
    True
    """
    layers = layer_flops(model, mask, input_shape)
    dense, sparse = sum(layer.dense for layer in layers), sum(layer.sparse for layer in layers)
    return {"dense": dense, "sparse": sparse, "share": sparse / dense if dense else 1.0}


def layer_flops(
    model: nn.Module, mask: Mapping[str, Tensor] | None, input_shape: Sequence[int]
) -> list[LayerFlops]:
    """Return what `flops` adds up, a weight each, in module order.

    A weight that is used by several layers, or several times, stands once with all its uses. Weights of
    convolutions and linear layers are all listed, others where they are multiplied.
    """
    mask = checked_mask(model, mask)
    model = private_copy(model, purpose="looked at").eval()
    uses = _uses(model, input_shape)
    weights = {name: weight for name, weight in model.named_parameters() if id(weight) in uses}
    every = dict(model.named_parameters(remove_duplicate=False))
    kept = {id(every[name]): mask.kept_in(name) for name in mask}
    return [
        LayerFlops(name, uses[id(weight)], kept.get(id(weight), weight.numel()), weight.numel())
        for name, weight in weights.items()
    ]


def _uses(model: nn.Module, input_shape: Sequence[int]) -> dict[int, int]:
    """Run one input of zeros through the network and count each weight's uses, by the weight's id."""
    layers = [layer for layer in model.modules() if isinstance(layer, _ConvNd | nn.Linear)]
    uses = {id(layer._parameters["weight"]): 0 for layer in layers if "weight" in layer._parameters}
    beside = UsesBeside(model, uses.keys())

    def count(layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        weight = layer._parameters.get("weight")
        beside.leave(weight)
        if id(weight) not in uses:
            return
        if isinstance(layer, _ConvTransposeNd):  # each input pixel meets the kernel
            uses[id(weight)] += _positions(inputs[0], layer.in_channels)
        else:
            channels = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
            uses[id(weight)] += _positions(output, channels)

    first = next(model.parameters(), None)
    if first is None:
        raise UsageError("the network has no weights")
    for layer in layers:
        layer.register_forward_pre_hook(lambda layer, _: beside.enter(layer._parameters.get("weight")))
        layer.register_forward_hook(count)
    try:
        with undisturbed(), torch.no_grad(), torch.random.fork_rng(devices=[]), beside:
            model(torch.zeros((1, *input_shape), device=first.device, dtype=first.dtype))
    except Exception as error:
        raise UsageError(
            f"the network cannot be run on an input of shape {tuple(input_shape)}: "
            f"{type(error).__name__}: {error}"
        ) from error
    for weight, more in beside.uses().items():
        uses[weight] = uses.get(weight, 0) + more
    return uses


def _positions(values: Tensor, channels: int) -> int:
    """Return how many positions values in so many channels have; without channels there is nothing to use."""
    return values.numel() // channels if channels else 0
