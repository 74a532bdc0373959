"""While training: weights are removed on the cubic schedule of Zhu and Gupta (2018) (imports no torch)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from prunebench.errors import UsageError
from prunebench.schedules.schedule import Planned, Planning, Schedule
from prunebench.training.recipe import Point, of_find, spelled

__all__ = ["Cubic", "Gradual", "GradualSpan"]


class GradualSpan(BaseModel):
    """Points of the run between which weights are removed, and every how many steps."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    from_: Point = Field(alias="from")
    to: Point
    every: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _of_this_run(self) -> GradualSpan:
        if of_find(self.from_) or of_find(self.to):
            raise ValueError("from and to are points of the run that is pruned")
        if self.from_ == "end" or self.to == "init" or _not_behind(self.from_, self.to):
            raise ValueError(f"to = {spelled(self.to)} must lie behind from = {spelled(self.from_)}")
        return self


@dataclass(frozen=True)
class Cubic:
    """How many weights are there when: s_t = s_f · (1 − (1 − (t − t₀) / (t₁ − t₀))³), s_f the last sparsity.

    Zhu and Gupta (2018), To prune, or not to prune, Eq. 1, with an initial sparsity of 0.

    start, stop: t₀ and t₁, in optimiser steps that are done
    every: weights are removed at t₀ + every, t₀ + 2 · every, … and at t₁
    prunable, kept: how many weights there are before t₀, and from t₁ on

    Raises: UsageError where nothing lies between start and stop.
    """

    kind: ClassVar[str] = "gradual"

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

    def plain(self) -> dict[str, Any]:
        """Return the schedule as a run's key holds it."""
        counts = [self.prunable, self.kept]
        return {"kind": self.kind, "from": self.start, "to": self.stop, "every": self.every, "kept": counts}

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Cubic:
        """Return the schedule that a run's key holds."""
        if value.keys() != {"kind", "from", "to", "every", "kept"}:
            raise ValueError(f"a gradual schedule has no {sorted(value)}")
        prunable, kept = value["kept"]
        numbers = (value["from"], value["to"], value["every"], prunable, kept)
        if not all(isinstance(number, int) for number in numbers):
            raise TypeError(f"steps and counts are whole numbers; found {numbers}")
        return cls(*numbers)


class Gradual(Schedule):
    """Pruned while training, on the cubic schedule of Zhu and Gupta (2018)."""

    spelling = "{gradual = {from = …, to = …, every = n}}"
    shrinking = Cubic

    gradual: GradualSpan

    def points(self) -> tuple[Point, ...]:
        """Return where it begins and where it ends."""
        return self.gradual.from_, self.gradual.to

    def plan(self, planning: Planning) -> Planned:
        """Plan one training. Raises: UsageError where it ends before it begins, or begins before its run."""
        span = self.gradual
        start = self._step(planning, "from", span.from_)
        stop = self._step(planning, "to", span.to)
        if start >= stop:
            raise UsageError(
                f"{self.called}: to = {spelled(span.to)} is step {stop}, from = {spelled(span.from_)} is "
                f"step {start}; to must lie behind from"
            )
        if start < planning.clock:
            raise UsageError(
                f"{self.called}: from = {spelled(span.from_)} begins at step {start}, but the run at step "
                f"{planning.clock} (clock)"
            )
        return planning.trained_while(Cubic(start, stop, span.every, planning.prunable, planning.target))

    def _step(self, planning: Planning, name: str, point: Point) -> int:
        try:
            return planning.step_of(point)
        except UsageError as error:
            raise UsageError(f"{self.called}: {name} = {spelled(point)}: {error}") from None


def _not_behind(first: Point, second: Point) -> bool:
    """True if two points are told in the same unit, and the second does not lie behind the first."""
    if isinstance(first, str) or isinstance(second, str) or type(first) is not type(second):
        return first == second
    (one,), (other,) = first.model_dump().values(), second.model_dump().values()
    return not isinstance(one, str) and bool(other <= one)
