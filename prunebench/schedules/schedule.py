"""What every schedule says of itself, and what planning gives it to plan with (imports no torch)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict

from prunebench.errors import UsageError
from prunebench.training.recipe import Point

__all__ = ["Fields", "Planned", "Planning", "Removal", "Schedule", "Shrinking"]

Planned = tuple[str, str]
"""The keys of a method's end state and of the mask that its record names."""


class Fields(Protocol):
    """What a schedule looks at in a form."""

    @property
    def alter(self) -> Sequence[str]:
        """What is done to the evaluated network before it trains."""

    @property
    def allocation(self) -> Any:
        """How many weights each layer keeps: a word, or `Like` another method."""


@dataclass(frozen=True, slots=True)
class Removal:
    """From how many weights to how many a network is pruned before it trains.

    prunable: how many weights can be pruned
    there: how many of them are there: all, or what a mask keeps that is on already
    target: how many are to stay
    density: target / prunable before it was rounded
    """

    prunable: int
    there: int
    target: int
    density: float | str


class Shrinking(Protocol):
    """How many weights a network has left while it trains: part of its run's key.

    Each removal costs a scoring.
    """

    kind: ClassVar[str]
    """Its name in keys, unlike any other schedule's."""

    @property
    def steps(self) -> Sequence[int]:
        """The steps after which weights are removed, in order."""

    @property
    def prunable(self) -> int:
        """How many weights there are before the first of them."""

    def kept_at(self, step: int) -> int:
        """Return how many weights are left when `step` steps are done."""

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON values, with its `kind`."""

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        """Return what `plain` wrote. Raises: ValueError, TypeError or KeyError for anything else."""


class Planning(Protocol):
    """What a schedule plans with: one method in one setting, at one density, with one seed.

    Every call adds jobs and returns keys; a job that is there already is not added again.
    """

    @property
    def prunable(self) -> int:
        """How many weights can be pruned."""

    @property
    def target(self) -> int:
        """How many of them are to stay. Raises: UsageError where none is."""

    @property
    def removal(self) -> Removal:
        """From how many weights to how many the network is pruned before it trains."""

    @property
    def clock(self) -> int:
        """The step of the recipe's schedule at which the pruned network begins to train."""

    def step_of(self, point: Point) -> int:
        """Return a point's step in the training of the pruned network. Raises: UsageError beyond its end."""

    def mask_of_scores(self, *, state: str | None = None, target: int | None = None) -> str:
        """Score a network once; the mask keeps so many of these scores (unless given: the cell's `target`).

        state: whose network; unless given, the state that the form scores. What its mask removed stays
            removed
        """

    def mask_in_rounds(self, *, rounds: int | None = None) -> str:
        """Score and prune the network that the form scores as often as the schedule's `counts` say.

        rounds: n, where they are n equal ratios: then the job's key holds n and the density, else the counts
        """

    def mask_of_state(self, state: str) -> str:
        """Take the mask of a state whose network was pruned while it trained."""

    def trained(self, mask: str) -> Planned:
        """Alter the mask as the form says, and train the network with it."""

    def trained_while(self, shrinking: Shrinking) -> Planned:
        """Train the network and prune it on the way, scored anew for each removal."""


class Schedule(BaseModel):
    """When a method scores and removes: before training, once, unless a subclass says otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    spelling: ClassVar[str]
    """How a suite spells it, for messages."""
    regrows: ClassVar[bool] = False
    """True if removed weights may return (a form's `regrowth`)."""
    prunes_in_training: ClassVar[bool] = False
    """True if there is no mask before the network trains."""
    shrinking: ClassVar[type[Shrinking] | None] = None
    """What its runs' keys hold, where it prunes in training."""

    @classmethod
    def is_spelled(cls, value: Any) -> bool:
        """Return True if a suite's value is meant to be this schedule: a table with its first key."""
        name, field = next(iter(cls.model_fields.items()))
        return isinstance(value, dict) and (field.alias or name) in value

    def check(self, form: Fields) -> None:
        """Look at the other fields of a form. Raises: ValueError where one does not go with this schedule."""

    def unbuilt(self) -> str | None:
        """Return this schedule as "field = value" where it is understood and not built yet, else None."""
        return None

    def points(self) -> tuple[Point, ...]:
        """Return the points of the recipe's schedule that it names."""
        return ()

    def counts(self, removal: Removal) -> Sequence[int] | None:
        """Return how many weights are kept after each round of scoring anew, the last of them the target.

        None where the network is scored once. Each round costs a scoring.
        """
        return None

    def checked_counts(self, removal: Removal) -> tuple[int, ...] | None:
        """Return `counts`. Raises: UsageError where they rise, or do not end at the target."""
        counts = self.counts(removal)
        if counts is None:
            return None
        falling = (removal.there, *counts)
        if not counts or counts[-1] != removal.target or any(a < b for a, b in pairwise(falling)):
            raise UsageError(
                f"schedule = {self.spelling} keeps {list(counts)!s:.80} weights; its counts must fall from "
                f"{removal.there} to {removal.target}"
            )
        return tuple(counts)

    def lacks(self, changed: Literal["mask", "scored network"]) -> str | None:
        """Return why a method of this schedule has not what an ablation changes; None where it has.

        "mask": one that is there before the network trains; "scored network": another one than that trains.
        """
        return None

    def mask(self, planning: Planning) -> str:
        """Plan the mask alone. Raises: UsageError where there is none before training."""
        if self.counts(planning.removal) is None:
            return planning.mask_of_scores()
        return planning.mask_in_rounds()

    def plan(self, planning: Planning) -> Planned:
        """Plan the mask and the training of the pruned network. Raises: UsageError."""
        return planning.trained(self.mask(planning))
