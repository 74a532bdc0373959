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
from prunebench.isolation.threads import threads
from prunebench.pruning import nested
from prunebench.pruning.copying import private_copy, undisturbed
from prunebench.pruning.filters.cut import at_zero, take_out
from prunebench.pruning.filters.groups import FilterGroups
from prunebench.pruning.filters.ties import Array
from prunebench.pruning.filters.trace import UNIT, numbers_of, on_cpu, trained_without_chance

__all__ = ["compare"]

_TOLERANCE = 1e-5
"""How much outputs may differ, beside the largest of them."""
_LITTLE = 3 * 128 * 128
"""Up to so many numbers an example one thread is faster than several, which wait for each other."""


def compare(net: nn.Module, groups: FilterGroups, inputs: Any, training: bool = False) -> None:
    """Refuse groups whose removal does not give what setting them to zero gives.

    Of a copy with random weights on random inputs half of the groups of every set of tied layers go; then the
    other half; then all but one, or all of a layer. In training mode, in which dropout draws, the smaller
    network has to run; with `training` its outputs there, without dropout and BatchNorm's batches, are
    compared as well.

    Raises: UsageError that names the layers whose removal makes the difference.
    """
    few = all(tensor.numel() <= _LITTLE * len(tensor) for tensor in nested.tensors(inputs) if tensor.dim())
    with threads(1 if few else torch.get_num_threads()):
        _compare(net, groups, inputs, training)


def _compare(net: nn.Module, groups: FilterGroups, inputs: Any, training: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = _drawn(net, generator)
    x = nested.mapped(lambda tensor: _random(tensor, numbers_of(net), generator), inputs)
    try:
        _outputs(drawn, x)
    except Exception as error:
        raise UsageError(
            f"{UNIT}: outputs are compared before and after removal, and the network does not run on random "
            f"inputs {nested.described(x)}: {told(error)}"
        ) from error
    for kept in _draws(groups, generator):
        wrong = _difference(drawn, groups, kept, x, training)
        if wrong is not None:
            raise _refusal(drawn, groups, kept, x, training, wrong)


def _draws(groups: FilterGroups, generator: torch.Generator) -> list[Array]:
    """Return which groups are kept, comparison by comparison (bool, one a group).

    By luck a half may give the same outputs where groups depend on each other's numbers: the other half then
    does not. The third lets sets of tied layers by turns keep one group, and nothing of a layer.
    """
    half, other, few = np.ones((3, len(groups)), dtype=bool)
    for number, layers in enumerate(groups.sets):
        own = groups.groups_of(layers)
        drawn = own[torch.randperm(len(own), generator=generator).numpy()]
        half[drawn[: len(own) // 2]] = False
        other[drawn[len(own) // 2 :]] = False
        smallest = min((groups.groups[name] for name in layers), key=len)
        few[drawn[1:] if number % 2 == 0 else smallest] = False
    return [half, other, few]


def _refusal(
    net: nn.Module, groups: FilterGroups, kept: Array, x: Any, training: bool, wrong: str
) -> UsageError:
    """Return what to say of groups whose removal is wrong: the layers, where it is one set's alone."""
    for layers in groups.sets:
        own = groups.groups_of(layers)
        alone = np.ones(len(groups), dtype=bool)
        alone[own] = kept[own]
        only = _difference(net, groups, alone, x, training)
        if only is not None:
            tied = f" (tied: {', '.join(layers[1:])})" if len(layers) > 1 else ""
            return UsageError(f"{UNIT}: the filters of layer '{layers[0]}'{tied} cannot be removed: {only}")
    return UsageError(f"{UNIT}: filters of the network cannot be removed: {wrong}")


def _difference(net: nn.Module, groups: FilterGroups, kept: Array, x: Any, training: bool) -> str | None:
    """Return what is wrong once these groups are removed; None where outputs agree."""
    copied = at_zero(net, groups.left(kept))
    modes = [False, True] if training else [False]
    zeros = [_outputs(copied, x, mode) for mode in modes]
    take_out(copied, groups, kept)
    try:
        cut = [_outputs(copied, x, mode) for mode in modes]
    except Exception as error:
        return f"the smaller network does not run: {told(error)}"
    untrained = _does_not_train(copied, x)
    if untrained is not None and _does_not_train(net, x) is None:
        return f"the smaller network does not run in training mode: {told(untrained)}"
    return next(filter(None, map(_apart, zeros, cut)), None)


def _apart(zeros: list[Tensor], cut: list[Tensor]) -> str | None:
    """Return in what the outputs of the smaller network differ from those with filters at zero."""
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


def _does_not_train(net: nn.Module, x: Any) -> Exception | None:
    """Return what a network raises in training mode, whose statistics change."""
    try:
        _run(net.train(), x)
    except Exception as error:
        return error
    return None


def _outputs(net: nn.Module, x: Any, training: bool = False) -> list[Tensor]:
    return _run(trained_without_chance(net) if training else net.eval(), x)


def _run(net: nn.Module, x: Any) -> list[Tensor]:
    with torch.no_grad(), undisturbed(), isolated("the network"):
        return nested.tensors(nested.called(net, x))


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
