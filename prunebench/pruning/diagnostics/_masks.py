"""Masks as callers have them: a Mask, any mapping of bool tensors, or None for the unpruned network."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from prunebench.errors import UsageError, nearest
from prunebench.pruning.mask import Mask
from prunebench.pruning.prunable import named_weights, plain_name, prunable_weights

__all__ = ["checked_mask"]


def checked_mask(model: nn.Module, mask: Mapping[str, Tensor] | None) -> Mask:
    """Return a mask that fits the model; None stands for one that keeps every prunable weight.

    Raises: UsageError for names or shapes that are not the model's, and for a mask of nothing.
    """
    if mask is None:
        return Mask.full(prunable_weights(model))
    if not isinstance(mask, Mapping):
        raise UsageError(
            f"mask is a {type(mask).__name__}; wanted: a mapping from names of weights to bool tensors, "
            "or None"
        )
    plain = mask if isinstance(mask, Mask) else Mask(mask)
    if any(name != plain_name(name) for name in plain):  # one of a compiled module
        plain = Mask({plain_name(name): tensor for name, tensor in plain.items()})
    if not plain.prunable:
        raise UsageError("the mask is for no weight at all")
    weights = named_weights(model)
    for name, tensor in plain.items():
        if name not in weights:
            hint = nearest(name, list(weights))
            raise UsageError(f"the network has no weight '{name}', which the mask is for{hint}")
        if weights[name].shape != tensor.shape:
            raise UsageError(
                f"weight '{name}' has shape {tuple(weights[name].shape)}, the mask {tuple(tensor.shape)}"
            )
    return plain
