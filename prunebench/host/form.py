"""The general form: every pruning method is one value of `Form` (DESIGN §2; imports no torch).

Later work adds values to fields, never fields. `Form.unbuilt` names the values that are understood here
and not built yet; planning refuses them by name.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from prunebench.training.recipe import Point

__all__ = ["Batch", "Form", "Gradual", "Levels", "Like", "Prunable", "Regrowth", "Rounds", "ScorerCall"]


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


class _GradualSpan(_Value):
    from_: Point = Field(alias="from")
    to: Point
    every: Annotated[int, Field(ge=1)]


class Gradual(_Value):
    """Pruned while training, on the cubic schedule of Zhu and Gupta (2018)."""

    gradual: _GradualSpan


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

    def changed(self, **changes: Any) -> Form:
        """Return this form with some fields replaced, validated anew."""
        return Form.model_validate({**self.model_dump(by_alias=True), **changes})

    def unbuilt(self) -> str | None:
        """Return what of this form is understood and not built yet, as "field = value", or None."""
        if self.prunable.of == "filters":
            return "prunable = 'filters'"
        if isinstance(self.schedule, Levels):
            return "schedule = {levels = …}"
        if isinstance(self.schedule, Gradual):
            return "schedule = {gradual = …}"
        if self.regrowth != "none":
            return "regrowth = {scorer = …}"
        return None
