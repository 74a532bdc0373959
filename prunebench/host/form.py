"""The general form: every pruning method is one value of `Form` (imports no torch).

Later work adds values to fields, never fields. `Form.unbuilt` names the values that are understood here
and not built yet; planning refuses them by name.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from prunebench.training.recipe import AtName, Point, of_find

__all__ = [
    "Batch",
    "Form",
    "Gradual",
    "GradualSpan",
    "Levels",
    "Like",
    "Prunable",
    "Regrowth",
    "Rounds",
    "ScorerCall",
]


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Batch(_Value):
    """The scoring batch: so many examples of every class, or so many examples of any."""

    per_class: Annotated[int, Field(ge=1)] | None = None
    examples: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Batch:
        if (self.per_class is None) == (self.examples is None):
            raise ValueError("give either per_class or examples")
        return self


class ScorerCall(_Value):
    """A scorer by name, its parameters, its batch, and the device it works on.

    In a suite: `"snip"`, or `{name = "grasp", temperature = 200, batch = {per_class = 10}}`, where every
    key but name, batch and device is a parameter of the scorer.
    """

    name: str
    parameters: dict[str, Any] = {}
    batch: Batch | None = None
    device: str = "cpu"

    @model_validator(mode="before")
    @classmethod
    def _spellings(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, dict):
            own = {k: v for k, v in value.items() if k in ("name", "batch", "device")}
            rest = {k: v for k, v in value.items() if k not in ("name", "batch", "device", "parameters")}
            return {**own, "parameters": {**value.get("parameters", {}), **rest}}
        return value


class Like(_Value):
    """Each layer keeps as many weights as another method's mask: a method's name, or changes to this form."""

    like: str | dict[str, Any]


class Prunable(_Value):
    """Which weights can be pruned: of convolutions and linear layers, of convolutions, or whole filters."""

    of: Literal["weights", "convolutions", "filters"] = "weights"
    except_: tuple[str, ...] = Field(default=(), alias="except")

    @model_validator(mode="before")
    @classmethod
    def _spellings(cls, value: Any) -> Any:
        return {"of": value} if isinstance(value, str) else value


class Rounds(_Value):
    """Scored again in each of n rounds; after round k the density is d^(k/n)."""

    rounds: Annotated[int, Field(ge=1)]


class Levels(_Value):
    """Trained between levels; each removes this share of what is left (iterative magnitude pruning)."""

    levels: Annotated[float, Field(gt=0, lt=1)] | dict[str, Any]


class GradualSpan(_Value):
    """Points of the run between which weights are removed, and every how many steps."""

    from_: Point = Field(alias="from")
    to: Point
    every: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _of_this_run(self) -> GradualSpan:
        if of_find(self.from_) or of_find(self.to):
            raise ValueError("from and to are points of the run that is pruned")
        return self


class Gradual(_Value):
    """Pruned while training, on the cubic schedule of Zhu and Gupta (2018)."""

    gradual: GradualSpan


class Regrowth(_Value):
    """Removed weights that may return: a scorer, how often, which share."""

    scorer: ScorerCall
    every: Annotated[int, Field(ge=1)] | None = None
    fraction: Annotated[float, Field(gt=0, lt=1)] | None = None


class Form(_Value):
    """How a mask is made and what is trained with it. `scorer = None` is the unpruned network."""

    scorer: ScorerCall | None = None
    score_at: Point = "init"
    find: dict[str, Any] = {}
    keep: Literal["high", "low", "far", "near"] = "high"
    allocation: Literal["global", "uniform", "erk"] | Like = "global"
    prunable: Prunable = Prunable()
    schedule: Literal["one-shot"] | Rounds | Levels | Gradual = "one-shot"
    regrowth: Literal["none"] | Regrowth = "none"
    train_from: Literal["scored"] | Point = "scored"
    clock: Point = "init"
    alter: tuple[Literal["shuffle", "reinit"], ...] = ()

    @field_validator("alter")
    @classmethod
    def _alter_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError(f"each alteration once, found {list(value)}")
        return tuple(sorted(value, reverse=True))  # they commute: one spelling, one cell

    @field_validator("score_at")
    @classmethod
    def _of_find_anyway(cls, value: Point) -> Point:
        """Every scored network is of the run under `find`: saying so is the same form."""
        return _plain(value)

    @field_validator("train_from")
    @classmethod
    def _one_spelling(cls, value: Point) -> Point:
        return value if of_find(value) else _plain(value)

    @field_validator("clock")
    @classmethod
    def _of_the_recipe(cls, value: Point) -> Point:
        if of_find(value):
            raise ValueError("clock is a point of the recipe's own schedule")
        return _plain(value)

    @model_validator(mode="after")
    def _fits_its_schedule(self) -> Form:
        if isinstance(self.schedule, Gradual):
            if self.alter:
                raise ValueError(
                    f"schedule = {{gradual = …}} has no mask before it trains: {self.alter[0]} alters one"
                )
            if isinstance(self.allocation, Like):
                raise ValueError("schedule = {gradual = …} takes allocation 'global', 'uniform' or 'erk'")
        if isinstance(self.regrowth, Regrowth) and not isinstance(self.schedule, Rounds):
            raise ValueError("regrowth takes schedule = {rounds = n}")
        return self

    def changed(self, **changes: Any) -> Form:
        """Return this form with some fields replaced, validated anew."""
        return Form.model_validate({**self.model_dump(by_alias=True), **changes})

    def unbuilt(self) -> str | None:
        """Return what of this form is understood and not built yet, as "field = value", or None."""
        if self.prunable.of == "filters":
            return "prunable = 'filters'"
        if isinstance(self.schedule, Levels):
            return "schedule = {levels = …}"
        if isinstance(self.regrowth, Regrowth) and self.regrowth.fraction is not None:
            return "regrowth = {fraction = …}"
        return None


def _plain(point: Point) -> Point:
    """Return a point without the name of its run, in its shortest spelling."""
    if isinstance(point, AtName):
        return point.at
    return point if isinstance(point, str) else point.model_copy(update={"run": None})
