"""The fields of records, measures, attempts and artifacts' metadata: their kinds and bounds."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from prunebench.store._bounds import shown

__all__ = [
    "AttemptFields",
    "CellResult",
    "Hash",
    "MeasureResult",
    "Meta",
    "OldCellResult",
    "OldMeasureResult",
    "Provenance",
    "explained",
]

LARGEST = 2**53 - 1
"""The largest whole number that every reader of JSON reads exactly."""

Hash = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Key = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}(@(0|[1-9][0-9]{0,15}))?$")]
Text = Annotated[str, StringConstraints(max_length=1000)]
Long = Annotated[str, StringConstraints(max_length=1_000_000)]
Count = Annotated[int, Field(ge=0, le=LARGEST)]
Several = Annotated[int, Field(ge=1, le=LARGEST)]
Real = Annotated[float, Field(allow_inf_nan=False)]
Scalar = bool | Annotated[int, Field(ge=-LARGEST, le=LARGEST)] | Real | Text | None


def explained(error: ValidationError) -> str:
    """Return where the first fault is, what it is, and what was found."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if not where:
        return shown(first["msg"])
    return f"{shown(where)}: {shown(first['msg'])} (found {shown(repr(first['input']), 80)})"


class _Known(BaseModel):
    """Known fields are checked, others are let through: what an older or a newer writer says besides."""

    model_config = ConfigDict(strict=True, extra="allow")


class _Whole(BaseModel):
    """All fields are known."""

    model_config = ConfigDict(strict=True, extra="forbid")


def _possible(correct: int | None, examples: int | None) -> None:
    if correct is not None and examples is not None and correct > examples:
        raise ValueError(f"{correct} correct of {examples} examples")


class Where(_Known):
    """Where a run diverged: the first step whose loss was not finite."""

    run: Key
    step: Count


class Counts(_Known):
    """What was counted on the evaluation part."""

    correct: Count
    examples: Several
    loss: Real | None = None

    @model_validator(mode="after")
    def _check(self) -> Counts:
        _possible(self.correct, self.examples)
        return self


class Point(_Known):
    """A point of a run's curve."""

    step: Count
    train_loss: Real | None = None
    correct: Count | None = None
    examples: Count | None = None
    loss: Real | None = None

    @model_validator(mode="after")
    def _check(self) -> Point:
        _possible(self.correct, self.examples)
        return self


class _Filters(BaseModel):
    """How many whole filters a mask keeps of a layer."""

    model_config = ConfigDict(strict=True, extra="forbid")

    kept: Count
    prunable: Several


class Layer(_Known):
    """What a mask keeps of one layer, and where whole filters are removed, how many of these."""

    name: Text
    kept: Count
    prunable: Count
    filters: _Filters | None = None

    @model_validator(mode="after")
    def _check(self) -> Layer:
        if (whole := self.filters) and whole.kept * self.prunable != self.kept * whole.prunable:
            raise ValueError(
                f"layer {self.name[:60]!r} keeps {self.kept} of {self.prunable} weights, which are not "
                f"{whole.kept} of its {whole.prunable} filters"
            )
        return self


class OldMask(_Known):
    """A mask, as schema 1 says."""

    key: str | None = None
    kept: Count | None = None
    prunable: Count | None = None
    layers: list[Layer] | None = None


class OldCellResult(_Known):
    """A finished cell, as schema 1 says."""

    cell: dict[str, Any]
    outcome: Literal["finished", "diverged"]
    test: Counts | None = None
    diverged: Where | None = None
    curve: list[Point] = []
    mask: OldMask | None = None
    state: str | None = None

    @model_validator(mode="after")
    def _check(self) -> OldCellResult:
        _outcome(self.outcome, self.test, self.diverged, "test")
        return self


def _outcome(outcome: str, found: object, where: Where | None, name: str) -> None:
    if outcome == "finished" and found is None:
        raise ValueError(f"finished, and nothing counted in '{name}'")
    if outcome == "diverged" and where is None:
        raise ValueError("diverged, and 'diverged' does not say where")


class _ExactWhere(Where):
    model_config = ConfigDict(strict=True, extra="forbid")


class _ExactCounts(Counts):
    model_config = ConfigDict(strict=True, extra="forbid")


class _ExactPoint(_Whole):
    step: Count
    train_loss: Real | None = None
    correct: Count
    examples: Several
    loss: Real | None = None


class _ExactLayer(Layer):
    model_config = ConfigDict(strict=True, extra="forbid")


class Mask(_Whole):
    """A mask and what it keeps, in all and of each layer."""

    key: Hash
    kept: Count
    prunable: Several
    layers: list[_ExactLayer]

    @model_validator(mode="after")
    def _check(self) -> Mask:
        kept = [self.kept, *(layer.kept for layer in self.layers)]
        prunable = [self.prunable, *(layer.prunable for layer in self.layers)]
        for some, every in zip(kept, prunable, strict=True):
            if some > every:
                raise ValueError(f"{some} kept of {every} weights")
        for name, (whole, *parts) in {"kept": kept, "prunable": prunable}.items():
            if parts and sum(parts) != whole:
                raise ValueError(f"its layers have {sum(parts)} weights {name}, it says {whole}")
        return self


class CellResult(_Whole):
    """A finished cell: what was counted last is the last point of its curve, at the step of its state."""

    cell: dict[str, Any]
    outcome: Literal["finished", "diverged"]
    state: Key | None = None
    test: _ExactCounts | None = None
    diverged: _ExactWhere | None = None
    curve: list[_ExactPoint]
    mask: Mask | None = None

    @model_validator(mode="after")
    def _check(self) -> CellResult:
        _outcome(self.outcome, self.test, self.diverged, "test")
        if (self.test is None) == (self.diverged is None):
            raise ValueError("it both finished and diverged")
        for point in self.curve:
            _possible(point.correct, point.examples)
        for before, after in pairwise(self.curve):
            if before.step >= after.step:
                raise ValueError(f"its curve goes from step {before.step} to step {after.step}")
        if self.test is not None:
            self._check_end(self.test)
        return self

    def _check_end(self, test: Counts) -> None:
        if not self.curve:
            raise ValueError("finished, and its curve has no point")
        last = self.curve[-1]
        for name in ("correct", "examples", "loss"):
            if getattr(last, name) != getattr(test, name):
                raise ValueError(
                    f"its curve ends with {name} {getattr(last, name)}, 'test' says {getattr(test, name)}"
                )
        if any(point.examples != test.examples for point in self.curve):
            raise ValueError("the points of its curve count different numbers of examples")
        step = self.state.partition("@")[2] if self.state else ""
        if step and int(step) != last.step:
            raise ValueError(f"its curve ends at step {last.step}, its state is of step {step}")


class OldMeasureResult(_Known):
    """A measure, as schema 1 says."""

    diagnostic: Text
    of: Text | None = None
    made_from: dict[Key, Hash] | None = None
    outcome: Literal["finished", "diverged"]
    diverged: Where | None = None


class MeasureResult(_Whole):
    """A diagnostic of a mask, a state, a course, masks by epoch, or the network that was scored.

    made_from: the keys and digests of what it was made from: of one, by epoch of all the masks, and
        of a scored network of up to two masks and the unpruned network's state
    """

    diagnostic: Text
    of: Text
    made_from: Annotated[dict[Key, Hash], Field(min_length=1)]
    outcome: Literal["finished", "diverged"]
    diverged: _ExactWhere | None = None
    value: Any = None

    @model_validator(mode="after")
    def _check(self) -> MeasureResult:
        finished = self.outcome == "finished"
        if ("value" in self.model_fields_set) != finished or (self.diverged is None) != finished:
            raise ValueError("a finished measure has a 'value', one that diverged says where in 'diverged'")
        if len(self.made_from) > 1 and self.of not in ("epochs", "scored"):
            raise ValueError(f"a measure of a {self.of} is made from one mask or state: 'made_from' has more")
        return self


class _Normalization(_Known):
    mean: list[Real]
    std: list[Real]


class _Time(_Known):
    finished: Text | None = None
    train_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    trained_steps: Count | None = None
    scoring_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class Provenance(_Known):
    """How a result came about; what else is said there is bounded, and read by nobody."""

    suite: dict[Text, Scalar] = {}
    components: dict[Text, dict[Text, Any]] = {}
    plugins: list[dict[Text, Any]] = []
    software: dict[Text, Text] = {}
    numerics: Text | None = None
    normalization: _Normalization | None = None
    hardware: dict[Text, Scalar] = {}
    time: _Time = _Time()
    commit: Text | None = None
    by_position: Count | None = None
    seconds: dict[Text, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}


class _Meter(_Known):
    loss: Real
    examples: Count


class _Change(_Known):
    step: Count
    kept: dict[Text, Count]


class _Scored(_Known):
    key: Key
    digest: Hash


class Meta(_Known):
    """What an artifact says of itself, as far as it says it."""

    kind: Text | None = None
    run: Hash | None = None
    step: Count | None = None
    made_from: dict[Key, Hash] = {}
    scored: _Scored | None = None
    diverged: Where | None = None
    curve: list[Point] = []
    meter: _Meter | None = None
    history: list[_Change] = []
    mask_shapes: dict[Text, list[Count]] | None = None
    kept: Count | None = None
    prunable: Count | None = None
    layers: list[Layer] | None = None
    provenance: dict[str, Any] = {}


class AttemptFields(_Known):
    """One failure."""

    key: Text
    time: Text
    host: Text = ""
    pid: Annotated[int, Field(ge=0, le=2**31)] = 0
    error: Long
    log_tail: Long = ""
    signal: Annotated[int, Field(ge=-LARGEST, le=LARGEST)] | Text | None = None
    job: dict[str, Any] | None = None
