"""Masks that are on a network already: the caller's, and those that torch.nn.utils.prune has put on."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils.prune import BasePruningMethod

__all__ = ["bake", "masked_by_torch", "remove_too", "torch_masks"]


def masked_by_torch(layer: nn.Module) -> BasePruningMethod | None:
    """Return what torch.nn.utils.prune has put on a layer's weight, if anything.

    The layer then has the parameter `weight_orig` and the buffer `weight_mask`; `weight` is their product,
    made anew before each forward pass.
    """
    for hook in layer._forward_pre_hooks.values():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == "weight":
            return hook if "weight_orig" in layer._parameters and "weight_mask" in layer._buffers else None
    return None


def torch_masks(module: nn.Module) -> dict[int, Tensor]:
    """Return the masks that torch.nn.utils.prune has put on, by the id of the parameter they are for."""
    return {
        id(layer._parameters["weight_orig"]): layer.get_buffer("weight_mask") != 0
        for layer in module.modules()
        if masked_by_torch(layer)
    }


def remove_too(module: nn.Module, masks: Mapping[int, Tensor]) -> None:
    """Narrow the masks of torch.nn.utils.prune to these, by the id of the parameter they are for."""
    for layer in module.modules():
        method = masked_by_torch(layer)
        mask = None if method is None else masks.get(id(layer._parameters["weight_orig"]))
        if method is None or mask is None:
            continue
        own = layer.get_buffer("weight_mask")
        with torch.no_grad():
            own.masked_fill_(~mask.to(own.device), 0)
        with torch.enable_grad():
            method(layer, None)  # makes the product anew


def bake(module: nn.Module) -> None:
    """Make plain weights of those that torch.nn.utils.prune has masked, in place: removed ones are zero."""
    for layer in module.modules():
        if masked_by_torch(layer):
            nn.utils.prune.remove(layer, "weight")  # type: ignore[no-untyped-call]
