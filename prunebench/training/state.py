"""A network at one step of a run: all that going on from it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from prunebench.errors import UsageError

if TYPE_CHECKING:
    from prunebench.pruning.mask import Mask
    from prunebench.training.kernels import Kernels

__all__ = ["State", "new_meter", "plain_copy"]


def new_meter() -> dict[str, Any]:
    """Return the meter of a curve point to come: no examples seen."""
    return {"loss": 0.0, "examples": 0}


@dataclass(eq=False)
class State:
    """Weights, buffers, the optimiser's slots, mask, the position in the schedule and the curve so far.

    Tensors are on the CPU, contiguous and the state's own; names are those of `named_parameters` and
    `named_buffers` (tied ones once, under the first name).
    """

    parameters: dict[str, torch.Tensor]
    buffers: dict[str, torch.Tensor]
    slots: dict[str, dict[str, torch.Tensor]] = field(default_factory=dict)
    """What the optimiser keeps, {slot: {parameter: tensor}}, as "momentum"; empty before the first step."""
    mask: Mask | None = None
    step: int = 0
    """Steps of the schedule that are done."""
    curve: list[dict[str, Any]] = field(default_factory=list)
    """A point for each evaluation: step, train_loss (mean since the last point), correct, examples, loss."""
    meter: dict[str, Any] = field(default_factory=new_meter)
    """Sum of the training loss over examples and their number since the curve's last point."""
    history: list[dict[str, Any]] = field(default_factory=list)
    """What a policy did to the mask while training: {"step", "kept": {layer: weights}} for each change."""
    diverged: int | None = None
    """The step (the first is 1) whose loss was not finite; the tensors are then those before it."""
    kernels: Kernels = "dense"
    """What computed the steps that led here last; no part of what is stored of a state."""

    @classmethod
    def of(cls, module: nn.Module, mask: Mask | None = None, step: int = 0) -> State:
        """Return the state of a network as it stands, without slots or curve; the tensors are copied."""
        return cls(
            parameters={name: plain_copy(p) for name, p in module.named_parameters()},
            buffers={name: plain_copy(b) for name, b in module.named_buffers()},
            mask=mask,
            step=step,
        )

    def load_into(self, module: nn.Module) -> nn.Module:
        """Copy parameters and buffers into `module`, wherever it lies, and return it.

        Raises: UsageError naming the first tensor that one has and the other lacks, or of another shape.
        """
        _copy_all(self.parameters, dict(module.named_parameters()), "parameter")
        _copy_all(self.buffers, dict(module.named_buffers()), "buffer")
        return module


def plain_copy(tensor: torch.Tensor) -> torch.Tensor:
    """Return a copy on the CPU in the plain layout (files hold no channels_last)."""
    return tensor.detach().to("cpu").clone(memory_format=torch.contiguous_format)


def _copy_all(source: Mapping[str, torch.Tensor], target: Mapping[str, torch.Tensor], what: str) -> None:
    for name in [*target, *source]:
        if name not in source:
            raise UsageError(f"the state holds no {what} '{name}', which the network has")
        if name not in target:
            raise UsageError(f"the state holds a {what} '{name}', which the network has not")
        if source[name].shape != target[name].shape:
            raise UsageError(
                f"{what} '{name}' has shape {tuple(source[name].shape)} in the state and "
                f"{tuple(target[name].shape)} in the network"
            )
    with torch.no_grad():
        for name, tensor in target.items():
            tensor.copy_(source[name])
