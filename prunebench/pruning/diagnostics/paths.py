"""Which kept weights lie on a path from the input to the outputs (Frankle et al. 2021, App. M).

The paper sends ones through a network of ones and zeros, adds up the outputs, and calls a kept weight without
a gradient disconnected. The sum counts paths, and there are too many to count: 1e47 in VGG-16, 1e271 in
ResNet-110. Whether there is one is enough: what passes is 1 or 0 after every layer, and so on the way back.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from prunebench.errors import UsageError
from prunebench.pruning.copying import private_copy, undisturbed
from prunebench.pruning.diagnostics._masks import checked_mask
from prunebench.pruning.diagnostics._signals import COUNTED, Signals
from prunebench.pruning.mask import Mask
from prunebench.pruning.precision import converted

__all__ = ["disconnected", "effective_density", "effective_mask"]


def effective_density(
    model: nn.Module, mask: Mapping[str, Tensor] | None, input_shape: Sequence[int]
) -> float:
    """Return the share of all prunable weights that are kept and lie on a path from input to output.

    Exactly 1 for an unpruned network, at most the mask's density, and 0 where no path is left.
    `input_shape` is that of one input, without the batch: (channels, height, width).

    Frankle et al. 2021, App. M (1 − "effective sparsity"); `effective_mask` says how it is found.

    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    >>> mask = {"1.weight": torch.tensor([[True, True], [False, False]]),
    ...         "3.weight": torch.tensor([[True, True]])}
    >>> effective_density(net, mask, (1, 1, 2))  # the second unit has no input: its outgoing weight is idle
    0.5

    Raises: UsageError where the mask is not for this model, or the model does not take such inputs.
    """
    effective = effective_mask(model, mask, input_shape)
    return effective.kept / effective.prunable


def disconnected(
    model: nn.Module, mask: Mapping[str, Tensor] | None, input_shape: Sequence[int]
) -> dict[str, Tensor]:
    """Return, by name of the weight, bool tensors: True where it is kept and lies on no path.

    Removing these too changes the network's outputs by nothing, but for what biases do.
    Frankle et al. 2021, App. M. Raises: as `effective_density`.
    """
    mask = checked_mask(model, mask)
    effective = effective_mask(model, mask, input_shape)
    return {name: kept & ~effective[name] for name, kept in mask.items()}


def effective_mask(model: nn.Module, mask: Mapping[str, Tensor] | None, input_shape: Sequence[int]) -> Mask:
    """Return the mask of the kept weights that lie on a path from the input to an output.

    A path leads through kept weights, skip connections, and any pixel that a convolution or a pooling reads.
    Normalisations and activations let everything pass. Biases are no source: a unit without a live input is
    dead whatever its bias. Weights that are not in the mask are there.

    What pruning has not cut off counts as connected: a weight that lies on no path in the unpruned network
    either (the border of a kernel that only ever meets padding, a layer that the outputs do not use) stays
    while its channels are connected.

    The model may be in any precision, on any device, and in any mode; a copy is looked at, on the CPU.
    Frankle et al. 2021, App. M. Raises: as `effective_density`.
    """
    mask = checked_mask(model, mask)
    probe = _Probe(model, mask, input_shape)
    connected = probe.connected(mask)
    lacking = [name for name, kept in mask.items() if bool((kept & ~connected[name]).any())]
    if lacking:
        beside = {name: probe.beside(name) for name in lacking}
        never = probe.connected(Mask.full(mask))
        for name in lacking:
            connected[name] |= ~never[name] & beside[name]
    return Mask.adopt({name: kept & connected[name] for name, kept in mask.items()})


class _Probe:
    """A copy of a network that lets signals of 1 and 0 through."""

    def __init__(self, model: nn.Module, mask: Mask, input_shape: Sequence[int]) -> None:
        if not input_shape or any(not isinstance(size, int) or size < 1 for size in input_shape):
            raise UsageError(
                f"input_shape is {tuple(input_shape)}; wanted: positive sizes of one input, "
                "without the batch, such as (3, 32, 32)"
            )
        self._shape = tuple(input_shape)
        self._module = _copied(model)
        parameters = dict(self._module.named_parameters(remove_duplicate=False))
        self._weights = {name: parameters[name] for name in mask}
        with torch.no_grad():
            for name, tensor in itertools.chain(parameters.items(), self._module.named_buffers()):
                if tensor.is_floating_point():
                    tensor.requires_grad_(False)
                    tensor.fill_(0 if "bias" in name.rpartition(".")[2] else 1)
        for weight in self._weights.values():
            weight.requires_grad_(True)
        self._layers = {
            name: layer
            for layer in self._module.modules()
            if isinstance(layer, _ConvNd)
            for name in mask
            if layer._parameters.get("weight") is self._weights[name]
        }
        self._signals: Signals

    def connected(self, mask: Mask) -> dict[str, Tensor]:
        """Return, for each weight of the mask, whether it is kept and lies on a path."""
        with torch.no_grad():
            for name, weight in self._weights.items():
                weight.copy_(mask[name])
        self._signals = Signals(self._weights)
        with (
            undisturbed(),
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.random.fork_rng(devices=[]),
            torch.autocast("cpu", enabled=False),
        ):
            try:
                with self._signals:
                    outputs = self._module(torch.ones((1, *self._shape)))
            except Exception as error:
                raise UsageError(
                    f"the network cannot be run on an input of shape {self._shape}: "
                    f"{type(error).__name__}: {error}"
                ) from error
            total = sum((tensor.sum() for tensor in _floats(outputs)), torch.zeros(()))
            gradients: Sequence[Tensor | None] = [None] * len(self._weights)
            if total.requires_grad:
                gradients = torch.autograd.grad(total, list(self._weights.values()), allow_unused=True)
        return {
            name: torch.zeros(mask[name].shape, dtype=torch.bool) if gradient is None else gradient > COUNTED
            for name, gradient in zip(self._weights, gradients, strict=True)
        }

    def beside(self, name: str) -> Tensor:
        """Return True for weights whose input and output channels were both connected when signals last ran.

        True for all of a layer that they did not pass, and for all of one that is no convolution: it meets
        no padding.
        """
        weight = self._weights[name]
        layer = self._layers.get(name)
        sent, returned = self._signals.sent.get(name), self._signals.returned.get(name)
        if layer is None or sent is None:
            return torch.ones(weight.shape, dtype=torch.bool)
        if returned is None:
            return torch.zeros(weight.shape, dtype=torch.bool)
        groups = layer.groups
        if isinstance(layer, _ConvTransposeNd):  # weight: in, out / groups, …
            rows, columns = sent, returned.reshape(groups, -1)
        else:
            rows, columns = returned, sent.reshape(groups, -1)
        columns = columns.repeat_interleave(len(rows) // groups, dim=0)
        pairs = rows[:, None] & columns
        return pairs.reshape(*pairs.shape, *[1] * (weight.dim() - 2)).expand(weight.shape)


def _copied(model: nn.Module) -> nn.Module:
    copied = private_copy(model, purpose="looked at")
    meta = any(parameter.is_meta for parameter in model.parameters())
    copied = copied.to_empty(device="cpu") if meta else copied.cpu()
    copied._apply(converted(torch.float32))  # type: ignore[no-untyped-call]
    return copied.eval()


def _floats(value: Any) -> Iterator[Tensor]:
    """Yield the floating-point tensors in what a network returns."""
    if isinstance(value, Tensor):
        if value.is_floating_point():
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _floats(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _floats(item)
