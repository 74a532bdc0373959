"""What is left of a network when whole filters are really taken out of it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import prunebench

if TYPE_CHECKING:
    from torch import Tensor, nn

    from prunebench import Mask
    from prunebench.pruning.filters import FilterGroups

__all__ = ["latency", "shrunk"]

_WARM, _TIMED = 3, 15
"""Forward passes before the clock counts, and so many that are timed, of each network in turn."""


def shrunk(net: nn.Module, mask: Mask | None, input_shape: Sequence[int]) -> dict[str, Any]:
    """The really smaller network that a mask of whole filters leaves, beside the masked one.

    parameters, flops: masked, shrunk (counts), share (shrunk / masked). Parameters are all of the network's,
    biases and BatchNorm among them; FLOPs are those of a forward pass of one image (measure `flops`).
    filters: kept, prunable, share: of the layers whose filters may go; null where the mask is of weights.
    inputs: what layers that stay lose of the inputs that they read: removed (weights), prunable, share, and
    the same by layer. These weights are in no density, which is of filters' own weights.
    seconds: masked, shrunk: what a forward pass of one image takes on the CPU, the median of 15, measured in
    turn. They differ from run to run, so they are told with the measure, and are no part of it.

    A mask of single weights leaves no smaller network: shrunk is masked then.
    """
    from prunebench.pruning.filters import shrink

    groups = _groups(net, mask, input_shape)
    smaller = net if groups is None or mask is None else shrink(net, mask, groups)
    parameters = [sum(p.numel() for p in one.parameters()) for one in (net, smaller)]
    flops = [
        sum(layer.dense for layer in prunebench.diagnostics.layer_flops(one, None, input_shape))
        for one in (net, smaller)
    ]
    return {
        "parameters": _beside(*parameters),
        "flops": _beside(*flops),
        "filters": None if groups is None or mask is None else _filters(groups, mask),
        "inputs": None if groups is None or mask is None else _inputs(net, groups, mask),
    }


def latency(net: nn.Module, mask: Mask | None, input_shape: Sequence[int]) -> dict[str, float]:
    """Return the seconds of a forward pass of one image: of the masked network, and of the smaller one."""
    import torch

    from prunebench.pruning.filters import shrink

    masked = deepcopy(net).eval()
    if mask is not None:
        mask.apply(masked)
    groups = _groups(net, mask, input_shape)
    smaller = masked if groups is None or mask is None else shrink(masked, mask, groups)
    networks = {"masked": masked, "shrunk": smaller.eval()}
    image = torch.zeros(1, *input_shape)
    times: dict[str, list[float]] = {name: [] for name in networks}
    with torch.no_grad():
        for number in range(_WARM + _TIMED):
            for name, network in networks.items():  # in turn: what disturbs one disturbs both
                began = time.perf_counter()
                network(image)
                if number >= _WARM:
                    times[name].append(time.perf_counter() - began)
    return {name: statistics.median(each) for name, each in times.items()}


def _groups(net: nn.Module, mask: Mask | None, input_shape: Sequence[int]) -> FilterGroups | None:
    """Return which filters go together, of a mask of whole filters that removes some; None of others."""
    from prunebench.pruning.filters import filter_groups
    from prunebench.pruning.filters.known import known_groups, remember
    from prunebench.pruning.prunable import prunable_weights

    if mask is None or mask.kept == mask.prunable or not _may_be_whole(mask):
        return None
    groups = known_groups(net, mask)
    others = [name for name in prunable_weights(net) if name not in mask]
    try:
        if groups is None:
            groups = filter_groups(net, input_shape=input_shape, except_=others, check=False)
            remember(net, groups)
        groups.kept(mask)
    except prunebench.UsageError:
        # A mask of filters was made of these very groups. This one is of weights, and whole by chance: it
        # removes a whole layer, or has one whose outputs stay, or breaks what is tied.
        return None
    return groups


def _may_be_whole(mask: Mask) -> bool:
    """Return False if a mask cuts a filter apart, which is seen without tracing the network."""
    return all(_is_of_slices(kept, 0) or _is_of_slices(kept, 1) for kept in mask.values())


def _is_of_slices(kept: Tensor, dimension: int) -> bool:
    if kept.dim() <= dimension:
        return False
    slices = kept.movedim(dimension, 0).flatten(1)
    return bool((slices.any(1) == slices.all(1)).all())


def _filters(groups: FilterGroups, mask: Mask) -> dict[str, Any]:
    kept = groups.kept(mask)
    counts = [int(kept[own].sum()) for own in groups.groups.values()]
    prunable = sum(map(len, groups.groups.values()))
    return {"kept": sum(counts), "prunable": prunable, "share": sum(counts) / prunable}


def _inputs(net: nn.Module, groups: FilterGroups, mask: Mask) -> dict[str, Any]:
    """Return what the filters that stay, and layers that keep all of theirs, lose of their inputs."""
    from prunebench.pruning.prunable import prunable_weights

    along = groups.taken_along(mask)
    layers: dict[str, dict[str, Any]] = {}
    for name, weight in prunable_weights(net).items():
        own = mask.get(name)
        there = weight.numel() if own is None else int(own.count_nonzero())
        stays = along.get(name)
        left = there if stays is None else int((stays if own is None else stays & own).count_nonzero())
        if there:
            layers[name] = {"removed": there - left, "prunable": there, "share": 1 - left / there}
    removed, there = (int(sum(one[what] for one in layers.values())) for what in ("removed", "prunable"))
    return {
        "removed": removed,
        "prunable": there,
        "share": removed / there if there else 0.0,
        "layers": layers,
    }


def _beside(masked: int, smaller: int) -> dict[str, Any]:
    return {"masked": masked, "shrunk": smaller, "share": smaller / masked if masked else 1.0}
