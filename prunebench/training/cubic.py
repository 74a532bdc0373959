"""The cubic schedule of gradual pruning, in whole numbers (imports no torch)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from prunebench.errors import UsageError

__all__ = ["Cubic"]


@dataclass(frozen=True)
class Cubic:
    """How many weights are there when: s_t = s_f · (1 − (1 − (t − t₀) / (t₁ − t₀))³), s_f the last sparsity.

    Zhu and Gupta (2018), To prune, or not to prune, Eq. 1, with an initial sparsity of 0.

    start, stop: t₀ and t₁, in optimiser steps that are done
    every: weights are removed at t₀ + every, t₀ + 2 · every, … and at t₁
    prunable, kept: how many weights there are before t₀, and from t₁ on

    Raises: UsageError where nothing lies between start and stop.
    """

    start: int
    stop: int
    every: int
    prunable: int
    kept: int

    def __post_init__(self) -> None:
        if self.start >= self.stop:
            raise UsageError(
                f"schedule = {{gradual = …}} goes from step {self.start} to step {self.stop}: "
                "its end must lie behind its beginning"
            )

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """The steps after which weights are removed, in order."""
        return (*range(self.start + self.every, self.stop, self.every), self.stop)

    def kept_at(self, step: int) -> int:
        """Return how many weights are kept at t = `step`: to the nearest, halves to even; exact.

        >>> Cubic(0, 10, 1, prunable=1000, kept=100).kept_at(5)
        212
        """
        if step <= self.start:
            return self.prunable
        if step >= self.stop:
            return self.kept
        left = Fraction(self.stop - step, self.stop - self.start)
        return self.prunable - round((self.prunable - self.kept) * (1 - left**3))
