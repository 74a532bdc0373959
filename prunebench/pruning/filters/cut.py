"""Networks with removed filters: at zero, or really smaller."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from prunebench.pruning.copying import private_copy
from prunebench.pruning.filters.groups import FilterGroups
from prunebench.pruning.filters.ties import Array
from prunebench.pruning.prunable import plain_name

__all__ = ["at_zero", "smaller", "take_out"]


def at_zero(net: nn.Module, stays: Mapping[str, Tensor]) -> nn.Module:
    """Return a copy of a network in which everything that does not stay is zero."""
    copied = private_copy(net, purpose="pruned")
    set_zero(copied, stays)
    return copied


def set_zero(net: nn.Module, stays: Mapping[str, Tensor]) -> None:
    """Set what does not stay to zero, in place."""
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            own = stays.get(plain_name(name))
            if own is not None and not parameter.is_meta:
                parameter.masked_fill_(~own.to(parameter.device), 0)


def smaller(net: nn.Module, groups: FilterGroups, kept: Array) -> nn.Module:
    """Return a copy of a network without the groups that are not kept (bool, one a group).

    Of a layer of which no group is kept the first one stays, at zero, in all layers that it is tied to.
    """
    copied = at_zero(net, groups.left(kept))
    take_out(copied, groups, kept)
    return copied


def take_out(net: nn.Module, groups: FilterGroups, kept: Array) -> None:
    """Take the groups that are not kept out of every tensor, in place, and tell the layers their sizes."""
    kept = kept.copy()
    for numbers in groups.groups.values():
        if not kept[numbers].any():
            kept[numbers.min()] = True
    places: dict[str, dict[int, Tensor]] = {}
    for follower in groups.followers:
        own = np.flatnonzero((follower.groups < 0) | kept[follower.groups])
        if len(own) < len(follower.groups):
            places.setdefault(follower.name, {})[follower.dim] = torch.from_numpy(own)
    made: dict[int, Tensor] = {}
    names = _first_names(net)
    for layer in net.modules():
        changed = False
        for held in (layer._parameters, layer._buffers):
            for key, tensor in held.items():
                name = None if tensor is None else names.get(id(tensor))
                if tensor is None or name not in places:
                    continue
                if id(tensor) not in made:
                    made[id(tensor)] = _selected(tensor, places[name])
                held[key] = made[id(tensor)]  # type: ignore[assignment]
                changed = True
        if changed:
            _tell_sizes(layer)


def _first_names(net: nn.Module) -> dict[int, str]:
    """Return the name of each parameter and buffer, by id."""
    return {id(tensor): plain_name(name) for name, tensor in (*net.named_parameters(), *net.named_buffers())}


def _selected(tensor: Tensor, places: Mapping[int, Tensor]) -> Tensor:
    """Return a tensor, or parameter, of these places along some dimensions alone."""
    with torch.no_grad():
        chosen = tensor.detach()
        for dim, own in places.items():
            chosen = chosen.index_select(dim, own.to(tensor.device))
        chosen = chosen.contiguous(memory_format=_layout(tensor))
    return nn.Parameter(chosen, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else chosen


def _tell_sizes(layer: nn.Module) -> None:
    """Let a layer's attributes say how large its tensors are."""
    weight = layer._parameters.get("weight")
    if isinstance(layer, _ConvNd) and weight is not None:
        ahead, behind = (1, 0) if layer.transposed else (0, 1)
        if layer.groups > 1 and layer.in_channels == layer.groups:  # depthwise: a group an input
            per_group = layer.out_channels // layer.groups
            outputs = weight.shape[0] * (weight.shape[1] if layer.transposed else 1)
            layer.groups = outputs // per_group
        layer.in_channels = weight.shape[behind] * (1 if layer.transposed else layer.groups)
        layer.out_channels = weight.shape[ahead] * (layer.groups if layer.transposed else 1)
    elif isinstance(layer, nn.Linear) and weight is not None:
        layer.out_features, layer.in_features = weight.shape
    elif isinstance(layer, _NormBase):
        tensors = (weight, layer.running_mean)
        layer.num_features = next(len(tensor) for tensor in tensors if tensor is not None)
    elif isinstance(layer, nn.PReLU) and weight is not None:
        layer.num_parameters = len(weight)


def _layout(tensor: Tensor) -> torch.memory_format:
    """Return how a tensor lies in memory: channels last, or in the order of its dimensions."""
    last = {4: torch.channels_last, 5: torch.channels_last_3d}.get(tensor.dim())
    if last is None or tensor.is_contiguous() or not tensor.is_contiguous(memory_format=last):
        return torch.contiguous_format
    return last
