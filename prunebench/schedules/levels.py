"""In levels: trained, pruned, and trained again, level by level (iterative pruning; imports no torch)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_serializer, model_validator

from prunebench.canonical import decimal12
from prunebench.schedules.schedule import Fields, Misfit, Planned, Planning, Schedule, TrainingBetween
from prunebench.training.recipe import Point, without_run

__all__ = ["Between", "Levels"]

MOST = 1000
"""Of so many levels no chain has ever been trained: a density beyond them is a slip."""


class Between(BaseModel):
    """What share of the weights that are left each level removes, and how its network trains.

    train_from, clock: where its weights come from, and where the schedule and the data order begin: points of
    the training under `find`; unless given, those that the form says of the network that is evaluated. In a
    suite the share alone says the same as a table with nothing but `remove`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    takes: ClassVar[str] = "a number above 0 and below 1, or a table with remove, train_from, clock"

    remove: Annotated[float, Field(gt=0, lt=1)]
    train_from: Literal["scored"] | Point | None = None
    clock: Point | None = None

    @model_validator(mode="before")
    @classmethod
    def _share(cls, value: Any) -> Any:
        return value if isinstance(value, dict | Between) else {"remove": value}

    @field_validator("train_from", "clock")
    @classmethod
    def _of_find_anyway(cls, value: Any) -> Any:
        return None if value is None else without_run(value)

    @model_serializer
    def _plain(self) -> Any:
        """Write the share alone where nothing else is said: one spelling, one cell."""
        points = {"train_from": self.train_from, "clock": self.clock}
        written = {name: p.model_dump() if isinstance(p, BaseModel) else p for name, p in points.items() if p}
        return {"remove": self.remove, **written} if written else self.remove


@dataclass(slots=True)
class _Level:
    """A level of a chain: whose network was scored (None: the unpruned one's), and the mask made of that."""

    scored: str | None
    mask: str
    state: str | None = None
    """The state that is scored for the next level, where there is one."""
    asked: bool = False
    """True if it is a cell."""


@dataclass(slots=True)
class _Chain:
    """The levels of a method in one setting with one seed, as far as any density asked for them."""

    between: TrainingBetween
    """Plans how networks train from one level to the next."""
    levels: list[_Level] = field(default_factory=list)
    told: bool = False
    """True once those have been told that no cell asked for."""


class Levels(Schedule):
    """Trained between levels; each removes this share of what is left (iterative magnitude pruning).

    Level k keeps round((1 − share)^k · prunable) weights, chosen among those that level k − 1 has left by the
    scores of its network.
    """

    spelling = "{levels = 0.2}"
    trains_between = True

    levels: Between

    def within(self, form: Fields) -> Levels:
        """Return it without what it says again: how networks train between levels is the form's own."""
        own = self.levels
        train_from = None if own.train_from == without_run(form.train_from) else own.train_from
        clock = None if own.clock == form.clock else own.clock
        if (train_from, clock) == (own.train_from, own.clock):
            return self
        return Levels(levels=Between(remove=own.remove, train_from=train_from, clock=clock))

    def density(self, level: int) -> str:
        """Return the density of a level, a decimal of 12 digits.

        >>> Levels(levels=0.2).density(3)
        '0.512'
        """
        return _density(self.levels.remove, level)

    def level(self, density: str) -> int:
        """Return which level has this density. Raises: Misfit where none has."""
        keep, value = 1 - self.levels.remove, float(density)
        exact = math.log(value) / math.log1p(-self.levels.remove)
        level, below = round(exact), math.floor(exact)
        if level > MOST:
            told = f"{self.called}: density {density} would be level {level}; allowed: {MOST} at most"
            raise Misfit(told, field="density")
        if level and abs(value - keep**level) <= 1e-12:
            return level
        two = " and ".join(f"{self.density(k)} (level {k})" for k in (below, below + 1) if k)
        leaves = f"{self.called} leaves {keep:.12g} of what is left at each level"
        raise Misfit(
            f"found density {density}, which is no level's: {leaves}; the nearest: {two}; allowed: "
            f"sparsities = {{keep = {keep:.12g}, count = n}}",
            field="density",
            powers=f"{leaves}; allowed: {keep:.12g}, or a power of it",
        )

    def mask(self, planning: Planning) -> str:
        """Plan the mask of a level, and the levels before it."""
        return self._level(planning).mask

    def plan(self, planning: Planning) -> Planned:
        """Plan the levels up to the one of this density, and the training that is evaluated.

        Raises: UsageError for a density between two levels, and where nothing is trained between them.
        """
        level, between = self._level(planning), self._chain(planning).between
        level.asked = True
        if between.is_evaluated_run:  # a longer chain goes on from the state that is scored
            state = self._trained(between, level)
            if between.is_evaluated:
                return state, level.mask
        return planning.trained(level.mask, scored=level.scored)

    def passed(self, planning: Planning) -> Iterator[tuple[str, str, str]]:
        """Yield the levels whose networks are trained to their end, though no cell has asked for them."""
        chain = self._chain(planning)
        if chain.told or not chain.between.is_evaluated:
            return
        chain.told = True
        for number, level in enumerate(chain.levels, 1):
            if level.state is not None and not level.asked:
                yield self.density(number), level.state, level.mask

    def _level(self, planning: Planning) -> _Level:
        chain, level = self._chain(planning), self.level(planning.density)
        while len(chain.levels) < level:
            scored = self._trained(chain.between, chain.levels[-1]) if chain.levels else None
            at = planning.at(self.density(len(chain.levels) + 1))
            chain.levels.append(_Level(scored, at.mask_of_scores(state=scored)))
        return chain.levels[level - 1]

    def _trained(self, between: TrainingBetween, level: _Level) -> str:
        if level.state is None:
            level.state = between.trained(level.mask, level.scored)
        return level.state

    def _chain(self, planning: Planning) -> _Chain:
        own = self.levels
        return planning.once(lambda: _Chain(planning.between(own.train_from, own.clock)))


@lru_cache(maxsize=4096)
def _density(remove: float, level: int) -> str:
    return decimal12((1 - remove) ** level)
