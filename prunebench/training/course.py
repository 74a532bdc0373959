"""What a measured network went through: scorings and trainings, in order (imports no torch).

Planning writes a course, diagnostics of it count weights remaining and FLOPs. A course is that of the method
alone, as if nothing were shared with other cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

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
    """Whether this is (the end of) the run whose accuracy is recorded."""


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
