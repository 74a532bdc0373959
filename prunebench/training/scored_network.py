"""The networks by whose scores a mask was made: what is known of them beside it (imports no torch)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Finding", "ScoredNetwork"]


@dataclass(frozen=True, slots=True)
class ScoredNetwork:
    """A network as it was when it was scored for a mask, and how accurate it was when last evaluated.

    `evaluated` is the step of that evaluation: `step` itself of every unpruned network, and of others at the
    end of their run and at the epochs at which their recipe evaluates; else an earlier one. Before the first
    of them `correct`, `examples` and `loss` are None, and `evaluated` is too.
    """

    step: int
    """The optimiser steps of its schedule that were done."""
    kept: int
    prunable: int
    evaluated: int | None = None
    correct: int | None = None
    examples: int | None = None
    loss: float | None = None
    """The mean cross entropy of the examples."""

    @classmethod
    def of(cls, said: Mapping[str, Any], *, kept: int, prunable: int) -> ScoredNetwork:
        """Return the network that a mask's provenance tells of: `step`, and `last`, a point of its curve."""
        last = said.get("last") or {}
        return cls(
            said["step"],
            kept,
            prunable,
            last.get("step"),
            *(last.get(name) for name in ("correct", "examples", "loss")),
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """The network that was scored for a mask, and the unpruned one that everything began with.

    They are one network in one shot; in levels the first has the mask of the level before.
    """

    scored: ScoredNetwork
    unpruned: ScoredNetwork
