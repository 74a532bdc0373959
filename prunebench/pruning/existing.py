"""The mask that is on a network already, before it is pruned (further)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from prunebench.errors import UsageError, nearest
from prunebench.pruning.mask import Mask
from prunebench.pruning.prunable import named_weights, plain_name
from prunebench.pruning.torch_masks import torch_masks

__all__ = ["existing_mask"]


def existing_mask(
    module: nn.Module, weights: Mapping[str, nn.Parameter], mask: Mapping[str, Tensor] | None
) -> Mask | None:
    """Return the mask that these prunable weights have already: the given one and torch.nn.utils.prune's.

    Layers that are in neither are whole. None where nothing is on. Weights that are zero by themselves are
    not removed: nothing says that they have to stay so.

    Raises: UsageError for a mask of other names, shapes or types.
    """
    given = _checked(module, weights, mask)
    by_torch = torch_masks(module)
    if mask is None and not any(id(weight) in by_torch for weight in weights.values()):
        return None
    tensors = {}
    for name, weight in weights.items():
        kept = torch.ones(weight.shape, dtype=torch.bool)
        if name in given:
            kept &= given[name]
        if id(weight) in by_torch:
            kept &= by_torch[id(weight)].cpu()
        tensors[name] = kept
    return Mask(tensors)


def _checked(
    module: nn.Module, weights: Mapping[str, nn.Parameter], mask: Mapping[str, Tensor] | None
) -> dict[str, Tensor]:
    if mask is None:
        return {}
    if not isinstance(mask, Mapping):
        raise UsageError(
            f"mask is a {type(mask).__name__}; wanted: a Mask, or a mapping from names of weights to bool "
            "tensors"
        )
    every = named_weights(module)
    first = {id(weight): name for name, weight in weights.items()}
    masks: dict[str, Tensor] = {}
    for given, tensor in Mask(mask).items():
        name = plain_name(str(given))
        if name not in every:
            hint = nearest(name, list(weights))
            raise UsageError(f"the network has no weight '{name}', which the mask is for{hint}")
        name = first.get(id(every[name]), name)  # of a shared weight any of its names will do
        if name not in weights:
            raise UsageError(
                f"the mask is for '{name}', which is not pruned here: leave it out of mask, or out of except_"
            )
        if tensor.shape != weights[name].shape:
            raise UsageError(
                f"weight '{name}' has shape {tuple(weights[name].shape)}, the mask {tuple(tensor.shape)}"
            )
        masks[name] = masks[name] & tensor if name in masks else tensor
    return masks
