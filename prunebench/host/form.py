"""The general form: every pruning method is one value of `Form` (imports no torch).

Later work adds values to fields, never fields. `Form.unbuilt` names the values that are understood here
and not built yet; planning refuses them by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from prunebench.errors import nearest
from prunebench.host.told import misfits
from prunebench.schedules import OneShot, Schedule, parsed, regrowing
from prunebench.training.recipe import Point, of_find, without_run
from prunebench.values import Value

__all__ = [
    "Batch",
    "Form",
    "Like",
    "Pattern",
    "Prunable",
    "Regrowth",
    "ScorerCall",
]


class _Value(Value):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="wrap")
    @classmethod
    def _nearest_field(cls, value: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        """Tell the nearest field where one is misspelt: `Form(alocation="erk")`."""
        try:
            return validate(value)
        except ValidationError as error:
            slips = error.errors(include_url=False)
            if any(slip["type"] != "extra_forbidden" or len(slip["loc"]) != 1 for slip in slips):
                raise
            fields = [field.alias or name for name, field in cls.model_fields.items()]
            said = [
                InitErrorDetails(
                    type=PydanticCustomError(
                        "extra_forbidden",
                        "is no field of {kind}{nearest}",
                        {"kind": cls.__name__, "nearest": nearest(str(slip["loc"][0]), fields)},
                    ),
                    loc=slip["loc"],
                    input=slip["input"],
                )
                for slip in slips
            ]
            raise ValidationError.from_exception_data(error.title, said) from None


class Batch(_Value):
    """The scoring batch: so many examples of every class, or so many examples of any.

    All methods draw the same one at a seed; with `draw` = n the n-th other one, independent of that.
    """

    per_class: Annotated[int, Field(ge=1)] | None = None
    examples: Annotated[int, Field(ge=1)] | None = None
    draw: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Batch:
        if (self.per_class is None) == (self.examples is None):
            raise ValueError("give either per_class or examples")
        return self

    @model_serializer(mode="wrap")
    def _without_what_came_later(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out `draw` where it is None: it came later, and no key may change by it."""
        fields: dict[str, Any] = write(self)
        return {name: value for name, value in fields.items() if name != "draw" or value is not None}


class ScorerCall(_Value):
    """A scorer by name, its parameters, its batch, and the device it works on.

    In a suite: `"snip"`, or `{name = "grasp", temperature = 200, batch = {per_class = 10}}`, where every
    key but name, batch and device is a parameter of the scorer.
    """

    name: str
    parameters: dict[str, Any] = Field(default={})
    batch: Batch | None = None
    device: str = "cpu"

    @model_validator(mode="before")
    @classmethod
    def _spellings(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, dict) and isinstance(value.get("parameters", {}), dict):
            own = {k: v for k, v in value.items() if k in ("name", "batch", "device")}
            rest = {k: v for k, v in value.items() if k not in ("name", "batch", "device", "parameters")}
            return {**own, "parameters": {**value.get("parameters", {}), **rest}}
        return value


class Like(_Value):
    """Each layer keeps as many weights as another method's mask: a method's name, or changes to this form."""

    like: str | dict[str, Any]


class Prunable(_Value):
    """Which weights can be pruned: of convolutions and linear layers, or of convolutions."""

    of: Literal["weights", "convolutions"] = "weights"
    except_: tuple[str, ...] = Field(default=(), alias="except")

    @model_validator(mode="before")
    @classmethod
    def _spellings(cls, value: Any) -> Any:
        if value == "filters":
            raise ValueError("prunable = 'filters' is spelled unit = 'filter'")
        return {"of": value} if isinstance(value, str) else value


class Pattern(_Value):
    """Of every m neighbouring weights, along the inputs, n stay."""

    n: Annotated[int, Field(ge=1, strict=True)]
    m: Annotated[int, Field(ge=2, strict=True)]

    @model_validator(mode="after")
    def _some_go(self) -> Pattern:
        if self.n >= self.m:
            raise ValueError(f"n must be below m; found n = {self.n}, m = {self.m}")
        return self


class Regrowth(_Value):
    """Removed weights that may return: a scorer, how often, which share."""

    scorer: ScorerCall
    every: Annotated[int, Field(ge=1)] | None = None
    fraction: Annotated[float, Field(gt=0, lt=1)] | None = None


class Form(_Value):
    """How a mask is made and what is trained with it. `scorer = None` is the unpruned network."""

    scorer: ScorerCall | None = None
    score_at: Point = "init"
    find: dict[str, Any] = Field(default={})
    keep: Literal["high", "low", "far", "near"] = "high"
    allocation: Literal["global", "uniform", "erk"] | Like = "global"
    prunable: Prunable = Prunable()
    unit: Literal["weight", "filter"] | Pattern = "weight"
    """What is removed at once."""
    schedule: Annotated[SerializeAsAny[Schedule], BeforeValidator(parsed)] = OneShot()
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
        if self.whole_filters and isinstance(self.regrowth, Regrowth):
            raise ValueError("unit = 'filter' takes no regrowth: filters that are removed stay removed")
        self.schedule.fits(self)
        object.__setattr__(self, "schedule", self.schedule.within(self))  # a frozen value, while it is made
        if isinstance(self.regrowth, Regrowth) and not self.schedule.regrows:
            raise ValueError(f"regrowth takes {regrowing()}")
        return self

    @model_serializer(mode="wrap")
    def _without_what_came_later(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out a field that keys and records do not know, where it has the value that they imply."""
        written: dict[str, Any] = write(self)
        if self.unit == "weight":
            written.pop("unit", None)
        return written

    @classmethod
    def told(cls, error: ValidationError, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield the fields that are wrong of what was given, and what is wrong with each."""
        slips = {
            one["loc"][0]: one["msg"]
            for one in error.errors(include_url=False)
            if one["type"] == "extra_forbidden"
        }
        for location, text in misfits(error, given):
            slip = slips.get(location[0], "") if location else ""
            yield ".".join(location), slip or text

    def changed(self, **changes: Any) -> Form:
        """Return this form with some fields replaced, validated anew. Raises: pydantic.ValidationError."""
        return Form.model_validate({**self.model_dump(by_alias=True), **changes})

    @property
    def whole_filters(self) -> bool:
        """True if whole filters are removed, with all that is tied to them."""
        return self.unit == "filter"

    def unbuilt(self) -> str | None:
        """Return what of this form is understood and not built yet, as "field = value", or None."""
        if isinstance(self.unit, Pattern):
            return f"unit = {{n = {self.unit.n}, m = {self.unit.m}}}"
        if isinstance(self.regrowth, Regrowth) and self.regrowth.fraction is not None:
            return "regrowth = {fraction = …}"
        return None


def _plain(point: Point) -> Point:
    plain: Point = without_run(point)
    return plain
