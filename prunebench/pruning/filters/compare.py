"""The outputs of a network with removed filters at zero, against those of the really smaller one."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from prunebench.errors import UsageError
from prunebench.faults import told
from prunebench.isolation import isolated
from prunebench.pruning import nested
from prunebench.pruning.copying import private_copy, undisturbed
from prunebench.pruning.filters.cut import at_zero, smaller
from prunebench.pruning.filters.groups import FilterGroups
from prunebench.pruning.filters.ties import Array
from prunebench.pruning.filters.trace import UNIT, numbers_of, on_cpu

__all__ = ["compare"]

_TOLERANCE = 1e-5
"""How much outputs may differ, beside the largest of them."""


def compare(net: nn.Module, groups: FilterGroups, inputs: Any) -> None:
    """Refuse groups whose removal does not give what setting them to zero gives.

    Half of the groups of every set of tied layers go, of a copy with random weights on random inputs.

    Raises: UsageError that names the layers whose removal makes the difference.
    """
    generator = torch.Generator().manual_seed(0)
    drawn = _drawn(net, generator)
    x = nested.mapped(lambda tensor: _random(tensor, numbers_of(net), generator), inputs)
    half = np.ones(len(groups), dtype=bool)
    for layers in groups.sets:
        own = groups.groups_of(layers)
        chosen = torch.randperm(len(own), generator=generator)[: len(own) // 2]
        half[own[chosen.numpy()]] = False
    try:
        _outputs(drawn, x)
    except Exception as error:
        raise UsageError(
            f"{UNIT}: outputs are compared before and after removal, and the network does not run on random "
            f"inputs {nested.described(x)}: {told(error)}"
        ) from error
    wrong = _difference(drawn, groups, half, x)
    if wrong is None:
        return
    for layers in groups.sets:
        own = groups.groups_of(layers)
        alone = np.ones(len(groups), dtype=bool)
        alone[own] = half[own]
        only = _difference(drawn, groups, alone, x)
        if only is not None:
            tied = f" (tied: {', '.join(layers[1:])})" if len(layers) > 1 else ""
            raise UsageError(f"{UNIT}: the filters of layer '{layers[0]}'{tied} cannot be removed: {only}")
    raise UsageError(f"{UNIT}: filters of the network cannot be removed: {wrong}")


def _difference(net: nn.Module, groups: FilterGroups, kept: Array, x: Any) -> str | None:
    """Return what is wrong once these groups are removed; None where outputs agree."""
    stays = groups.taken_along(groups.mask(kept))
    zeros = _outputs(at_zero(net, stays), x)
    try:
        cut = _outputs(smaller(net, groups, kept), x)
    except Exception as error:
        return f"the smaller network does not run: {told(error)}"
    if [t.shape for t in zeros] != [t.shape for t in cut]:
        return "the smaller network's outputs have another shape"
    for one, other in zip(zeros, cut, strict=True):
        there = one.isfinite()
        if not one.is_floating_point() or not there.any():
            continue
        if not torch.equal(there, other.isfinite()):
            return "other outputs are finite"
        size = float(one[there].abs().max())
        apart = float((one - other)[there].abs().max())
        if not apart <= _TOLERANCE * max(size, 1e-30):
            return (
                f"outputs differ by {apart:.3g}, where the largest is {size:.3g}, between the network with "
                "removed filters at zero and the smaller one: something depends on how many channels there "
                "are, or on their numbers"
            )
    return None


def _outputs(net: nn.Module, x: Any) -> list[Tensor]:
    with torch.no_grad(), undisturbed(), isolated("the network"):
        return nested.tensors(nested.called(net.eval(), x))


def _random(tensor: Tensor, dtype: torch.dtype, generator: torch.Generator) -> Tensor:
    if tensor.is_floating_point():
        return torch.randn(tensor.shape, generator=generator, dtype=torch.float32).to(dtype)
    return torch.zeros(tensor.shape, dtype=tensor.dtype)


def _drawn(net: nn.Module, generator: torch.Generator) -> nn.Module:
    """Return a copy on the CPU with random values, of sizes that keep outputs in range."""
    copied = private_copy(net, on_cpu, purpose="compared")
    if any(tensor.is_meta for tensor in copied.parameters()):
        copied.to_empty(device="cpu")
    copied.cpu().eval()
    copied.to(numbers_of(net))  # outputs in half precision would differ by rounding
    with torch.no_grad():
        for parameter in copied.parameters():
            inputs = max(1, parameter[0].numel() if parameter.dim() > 1 else 1)
            draws = torch.randn(parameter.shape, generator=generator)
            scaled = draws * (2 / inputs) ** 0.5 if parameter.dim() > 1 else draws * 0.2
            parameter.copy_(scaled)
        for layer in copied.modules():
            if isinstance(layer, _NormBase):
                _draw_norm(layer, generator)
    return copied


def _draw_norm(layer: _NormBase, generator: torch.Generator) -> None:
    """Give a normalisation factors about 1 and statistics of its own."""
    for tensor, low, high in (
        (layer.weight, 0.5, 1.5),
        (layer.running_mean, -0.5, 0.5),
        (layer.running_var, 0.5, 1.5),
    ):
        if tensor is not None:
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)
