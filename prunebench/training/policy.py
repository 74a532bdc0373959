"""Mask policies: which weights a run trains, and when that changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import torch
from torch import nn

from prunebench.errors import ComponentError, UsageError, nearest

if TYPE_CHECKING:
    from prunebench.pruning.mask import Mask
    from prunebench.training.kernels.fused import Updates

__all__ = ["Along", "DivergedError", "FixedMask", "MaskPolicy", "check_pruned", "zero_pruned"]

Along = Callable[["Mask"], Mapping[str, torch.Tensor]]
"""What goes along with what a mask removes: bool tensors of parameters, by name; True stays."""


class DivergedError(Exception):
    """Raised by a policy that finds weights, or a loss, that are not finite: the run ends there."""


class MaskPolicy(Protocol):
    """What the loop asks of a policy, in this order for every step.

    A policy keeps nothing between calls of `start` that is not in the mask or follows from the step: the mask
    is part of the state, and a run goes on from a state as if it had never stopped. Where it removes a weight
    it zeroes the weight, and what the optimiser keeps of it, at once (`zero_pruned`).
    """

    @property
    def mask(self) -> Mask | None:
        """The mask as it stands, for the state."""

    @property
    def kept(self) -> Mapping[str, torch.Tensor] | None:
        """What of the parameters may be anything but zero: the mask, less what goes along with it."""

    def start(self, parameters: Mapping[str, nn.Parameter], optimizer: Updates, mask: Mask | None) -> None:
        """Take up a state's mask; the parameters (on the device) and the optimiser hold that state."""

    def before_update(self, step: int) -> bool:
        """Gradients of the step that starts at `step` are complete and not masked yet.

        Return True if the optimiser is to make the step. Else weights and slots stay as they are; the step
        counts all the same, for the data, the learning rate and the curve. Raises: DivergedError.
        """

    def after_update(self, step: int) -> None:
        """The step is through, made or not; `step` steps are done. Raises: DivergedError."""


class FixedMask:
    """The mask that a run begins with, to its end. Without one the run is dense.

    along: what of other parameters (biases, BatchNorm, the weights that read a removed filter) goes with what
        the mask removes; unless given, nothing
    """

    def __init__(self, along: Along | None = None) -> None:
        self._along = along
        self._mask: Mask | None = None
        self._kept: Mapping[str, torch.Tensor] | None = None
        self._weights: list[nn.Parameter] = []
        self._factors: list[torch.Tensor] = []

    @property
    def mask(self) -> Mask | None:
        """The mask that `start` was given."""
        return self._mask

    @property
    def kept(self) -> Mapping[str, torch.Tensor] | None:
        """The mask; with `along`, what both leave."""
        return self._kept

    def start(self, parameters: Mapping[str, nn.Parameter], optimizer: Updates, mask: Mask | None) -> None:
        """Zero the pruned weights and their slots: masked gradients keep them zero from here on."""
        self._mask, self._weights, self._factors = mask, [], []
        self._kept = mask if mask is None or self._along is None else _both(mask, self._along(mask))
        if self._kept is None:
            return
        zero_pruned(parameters, optimizer, self._kept)
        for name, kept in self._kept.items():
            weight = parameters[name]
            self._weights.append(weight)
            self._factors.append(torch.empty_like(weight, requires_grad=False).copy_(kept))

    def before_update(self, step: int) -> bool:
        """Zero the gradients of pruned weights, in one fused multiplication."""
        gradients, factors = [], []
        for weight, factor in zip(self._weights, self._factors, strict=True):
            if weight.grad is not None:  # None in a layer that this forward pass did not reach
                gradients.append(weight.grad)
                factors.append(factor)
        if gradients:
            torch._foreach_mul_(gradients, factors)
        return True

    def after_update(self, step: int) -> None:
        """Nothing changes."""


def _both(mask: Mask, along: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return what stays of every parameter that one of them names."""
    kept = dict(mask)
    for name, stays in along.items():
        kept[name] = kept[name] & stays.cpu() if name in kept else stays.cpu()
    return kept


def zero_pruned(
    parameters: Mapping[str, nn.Parameter], optimizer: Updates, mask: Mapping[str, torch.Tensor]
) -> None:
    """Set pruned weights, and what the optimiser keeps for each of them, to exactly zero.

    Raises: UsageError where the mask names no parameter, or one of another shape.
    """
    with torch.no_grad():
        for name, kept in mask.items():
            if name not in parameters:
                raise UsageError(f"the mask names '{name}', no parameter{nearest(name, parameters)}")
            weight = parameters[name]
            if weight.shape != kept.shape:
                raise UsageError(
                    f"the mask of '{name}' has shape {tuple(kept.shape)}, the weight {tuple(weight.shape)}"
                )
            pruned = ~kept.to(weight.device)
            weight.masked_fill_(pruned, 0.0)
            if weight in optimizer.state:  # asking for the entry would make it
                for kept_value in optimizer.state[weight].values():
                    if isinstance(kept_value, torch.Tensor) and kept_value.shape == weight.shape:
                        kept_value.masked_fill_(pruned, 0.0)


def check_pruned(parameters: Mapping[str, torch.Tensor], mask: Mapping[str, torch.Tensor]) -> None:
    """Raise ComponentError if a pruned weight is anything but zero.

    NaN is let through: an overflow spreads it over the whole network, and the next loss ends the run.
    """
    for name, kept in mask.items():
        weight = parameters[name]
        moved = int(((weight != 0) & ~weight.isnan() & ~kept.to(weight.device)).sum())
        if moved:
            raise ComponentError(
                f"{moved} of {int((~kept).sum())} pruned weights of '{name}' are not zero after training"
            )
