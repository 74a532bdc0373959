"""What every schedule says of itself, and what planning gives it to plan with (imports no torch)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal, Protocol, Self, TypeVar

from pydantic import BaseModel, ConfigDict

from prunebench.errors import UsageError
from prunebench.training.recipe import Point

__all__ = [
    "Fields",
    "Misfit",
    "Planned",
    "Planning",
    "Removal",
    "Schedule",
    "Shrinking",
    "TrainingBetween",
]

T = TypeVar("T")

Planned = tuple[str, str]
"""The keys of a method's end state and of the mask that its record names."""


class Misfit(UsageError):
    """A cell that its schedule cannot be planned for.

    field: what of it does not fit: a field of its form, or its "density"
    powers: of a density, what is to be said where it is one of the powers of a number
    """

    def __init__(self, told: str, *, field: str, powers: str = "") -> None:
        super().__init__(told)
        self.field, self.powers = field, powers


class Fields(Protocol):
    """What a schedule looks at in a form."""

    @property
    def regrowth(self) -> Any:
        """The word "none", or what scores removed weights that may return."""

    @property
    def alter(self) -> Sequence[str]:
        """What is done to the evaluated network before it trains."""

    @property
    def allocation(self) -> Any:
        """How many weights each layer keeps: a word, or `Like` another method."""

    @property
    def train_from(self) -> Any:
        """Where the weights of the pruned network come from: the word "scored", or a point."""

    @property
    def clock(self) -> Any:
        """The point at which the recipe's schedule begins for it."""


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


class TrainingBetween(Protocol):
    """How networks train between one mask and the next that is made of their scores."""

    @property
    def is_evaluated_run(self) -> bool:
        """True if the network that is scored is on the way to that of its own cell: one training is both."""

    @property
    def is_evaluated(self) -> bool:
        """True if it is that network, at the end of that training."""

    def trained(self, mask: str, scored: str | None) -> str:
        """Train a network with a mask as far as it is scored; return the key of that state.

        scored: the state of which the mask was made, which trains on where weights are to come from it;
            None: that of the unpruned network
        """


class Planning(Protocol):
    """What a schedule plans with: one method in one setting, at one density, with one seed.

    Every call adds jobs and returns keys; a job that is there already is not added again.
    """

    @property
    def density(self) -> str:
        """The share of weights that is to stay, a decimal of 12 digits."""

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

    def at(self, density: str) -> Planning:
        """Return what plans the same at another density."""

    def once(self, make: Callable[[], T]) -> T:
        """Return what `make` returned the first time for this method, setting and seed, at any density."""

    def between(self, train_from: Any, clock: Any) -> TrainingBetween:
        """Return what plans trainings between masks: under `find`, unaltered, as far as `score_at`.

        train_from, clock: as of a form; None: as the form has them. Raises: Misfit where nothing is trained.
        """

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

    def trained(self, mask: str, *, scored: str | None = None) -> Planned:
        """Alter the mask as the form says, and train the network with it.

        scored: the state of which the mask was made, unless that is the one that the form scores
        """

    def trained_while(self, shrinking: Shrinking) -> Planned:
        """Train the network and prune it on the way, scored anew for each removal."""


class Schedule(BaseModel):
    """When a method scores and removes: before training, once, unless a subclass says otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    spelling: ClassVar[str]
    """How a suite spells it, for messages."""
    version: ClassVar[str] = "1"
    """Raised whenever it prunes otherwise: what it makes has another key then."""
    regrows: ClassVar[bool] = False
    """True if removed weights may return between its rounds (a form's `regrowth`)."""
    trains_between: ClassVar[bool] = False
    """True if networks train between its masks: no network as it is can be pruned so."""
    shrinking: ClassVar[type[Shrinking] | None] = None
    """What its runs' keys hold, where it prunes while the network trains; None where it does before."""

    @classmethod
    def key(cls) -> str:
        """Return the key of its table in suites, that of its first field."""
        name, field = next(iter(cls.model_fields.items()))
        return field.alias or name

    @classmethod
    def is_spelled(cls, value: Any) -> bool:
        """Return True if a suite's value is meant to be this schedule: a table with its key."""
        return isinstance(value, dict) and cls.key() in value

    @property
    def prunes_in_training(self) -> bool:
        """True if there is no mask before the network trains."""
        return self.shrinking is not None

    @property
    def called(self) -> str:
        """What messages about it begin with."""
        return f"schedule = {{{self.key()} = …}}"

    def fits(self, form: Fields) -> None:
        """Refuse what no schedule of its kind takes, and what `check` refuses. Raises: ValueError."""
        if self.prunes_in_training:
            self._needs_no_mask(form)
        self.check(form)

    def _needs_no_mask(self, form: Fields) -> None:
        if form.alter:
            raise ValueError(f"{self.called} has no mask before it trains: {form.alter[0]} alters one")
        if not isinstance(form.allocation, str):
            raise ValueError(f"{self.called} takes allocation 'global', 'uniform' or 'erk'")
        if form.regrowth != "none":
            raise ValueError(f"{self.called} has no rounds between which weights could return: no regrowth")

    def within(self, form: Fields) -> Schedule:
        """Return this schedule in its shortest spelling in a form: one spelling, one cell."""
        return self

    def check(self, form: Fields) -> None:
        """Look at the other fields of a form. Raises: ValueError where one does not go with this schedule."""

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
        if not self.prunes_in_training:
            return None
        if changed == "mask":
            return f"{self.key()} pruning makes its mask in it"
        return f"{self.key()} pruning has but one network"

    def mask(self, planning: Planning) -> str:
        """Plan the mask alone. Raises: UsageError where there is none before training."""
        if self.prunes_in_training:
            raise UsageError(f"{self.called} has no mask before it trains")
        if self.counts(planning.removal) is None:
            return planning.mask_of_scores()
        return planning.mask_in_rounds()

    def plan(self, planning: Planning) -> Planned:
        """Plan the mask and the training of the pruned network. Raises: UsageError."""
        return planning.trained(self.mask(planning))

    def passed(self, planning: Planning) -> Iterable[tuple[str, str, str]]:
        """Return what is trained to its end on the way to cells and is none: the density, state and mask.

        Asked when all cells are planned. A record is made of each, so that nobody has to train it again; each
        is told once.
        """
        return ()
