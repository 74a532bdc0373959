"""What a measured network went through: scorings and trainings, in order (imports no torch).

Planning writes a course, diagnostics of it count weights remaining and FLOPs. A course is that of the method
alone, as if nothing were shared with other cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Change", "Course", "Phase"]


@dataclass(frozen=True, slots=True)
class Phase:
    """A training, or a scoring, with the weights that were there.

    kind "train": optimiser steps `start` … `start + steps` of the schedule, over `examples` examples in all;
    a step costs `passes` (3: forward, gradient of inputs, gradient of weights) forward passes per example.
    kind "score": `rounds` scorings of `examples` examples each, `passes` forward passes per example and
    round; `kept` is the number of prunable weights there in each round.
    """

    kind: Literal["train", "score"]
    examples: int
    passes: float
    start: int = 0
    steps: int = 0
    rounds: int = 0
    weights: Literal["dense", "mask", "history"] = "dense"
    """All weights; those of the cell's mask; or those of the course's `history` (pruned while training)."""
    kept: tuple[int, ...] = ()
    evaluated: bool = False
    """True if this is (the end of) the run whose accuracy is recorded."""
    before: int = 0
    """Steps of training, in other runs, that the weights which it starts from had behind them."""

    def plain(self) -> dict[str, Any]:
        """Return the phase as plain JSON values."""
        return {name: getattr(self, name) for name in self.__slots__} | {"kept": list(self.kept)}


@dataclass(frozen=True, slots=True)
class Change:
    """The mask of a run from `step` on: how many weights each layer keeps."""

    step: int
    kept: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Course:
    """The phases of a cell in order of time, and the changes of the mask in its evaluated run."""

    phases: tuple[Phase, ...]
    history: tuple[Change, ...] = ()

    @classmethod
    def of(cls, planned: Mapping[str, Any], history: Iterable[Mapping[str, Any]]) -> Course:
        """Return the course that planning wrote, with what a policy did to the mask while training."""
        return cls(
            phases=tuple(Phase(**{**phase, "kept": tuple(phase["kept"])}) for phase in planned["phases"]),
            history=tuple(Change(change["step"], change["kept"]) for change in history),
        )
