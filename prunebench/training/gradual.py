"""Gradual pruning: the mask shrinks while the network trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from prunebench.training.policy import Along, FixedMask

if TYPE_CHECKING:
    import torch
    from torch import nn

    from prunebench.pruning.mask import Mask
    from prunebench.training.kernels.fused import Updates

__all__ = ["GradualMask", "Select"]


class Shrinking(Protocol):
    """How many weights are left when."""

    @property
    def steps(self) -> Sequence[int]:
        """The steps after which weights are removed, in order."""

    def kept_at(self, step: int) -> int:
        """Return how many weights are left when `step` steps are done."""


Select = Callable[[int, "Mask", int], "Mask"]
"""select(step, mask, kept): which `kept` of the mask's weights stay when `step` steps are done."""


class GradualMask:
    """A mask that loses weights while its network trains; what is removed stays removed.

    After the optimiser's step t of `schedule.steps`, `select` chooses which `schedule.kept_at(t)` of the
    weights stay; the others and their slots are zero from then on. `full` is the mask before the first,
    `along` what goes along with what a mask removes.
    """

    def __init__(self, schedule: Shrinking, full: Mask, select: Select, along: Along | None = None) -> None:
        self._schedule, self._full, self._select = schedule, full, select
        self._steps = frozenset(schedule.steps)
        self._fixed = FixedMask(along)

    @property
    def mask(self) -> Mask | None:
        """The mask as it stands."""
        return self._fixed.mask

    @property
    def kept(self) -> Mapping[str, torch.Tensor] | None:
        """What of the parameters is there."""
        return self._fixed.kept

    def start(self, parameters: Mapping[str, nn.Parameter], optimizer: Updates, mask: Mask | None) -> None:
        """Take up a state's mask; a state without one has lost nothing yet."""
        self._parameters, self._optimizer = parameters, optimizer
        self._fixed.start(parameters, optimizer, self._full if mask is None else mask)

    def before_update(self, step: int) -> bool:
        """Zero the gradients of what is removed."""
        return self._fixed.before_update(step)

    def after_update(self, step: int) -> None:
        """Remove what the schedule says."""
        mask = self._fixed.mask
        assert mask is not None
        if step in self._steps and self._schedule.kept_at(step) < mask.kept:
            chosen = self._select(step, mask, self._schedule.kept_at(step))
            self._fixed.start(self._parameters, self._optimizer, chosen)
