"""What a training run is told: a recipe, and points of a run (imports no torch)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_serializer,
    model_validator,
)

from prunebench.errors import UsageError, nearest
from prunebench.training.optimizers import OPTIMIZERS
from prunebench.values import Value

__all__ = [
    "AtEpoch",
    "AtName",
    "AtShare",
    "AtStep",
    "Named",
    "Point",
    "Recipe",
    "of_find",
    "spelled",
    "without_run",
]

Named = Literal["init", "end", "rewind"]


class _Point(BaseModel):
    """A point of a run. `run = "find"`: of the run whose network is scored, where the form has its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    run: Literal["find"] | None = None

    @model_serializer
    def _spelled(self) -> dict[str, Any]:
        """Write down the values as they were given: pydantic 2.8 would write the epoch 1 as 1.0, another key.

        A run is written down only where one is named: keys of points without one are as they always were.
        """
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in values.items() if name != "run" or value is not None}


class AtName(_Point):
    """The first step, the last, or the recipe's rewind step."""

    at: Named


class AtStep(_Point):
    """After so many optimiser steps."""

    step: Annotated[int, Field(ge=0)]


class AtEpoch(_Point):
    """After so many epochs."""

    epoch: Annotated[float | int, Field(ge=0)]


class AtShare(_Point):
    """After this share of the schedule, rounded to a whole step."""

    share: Annotated[float | int, Field(ge=0, le=1)]


Point = Named | AtName | AtStep | AtEpoch | AtShare


def of_find(point: Point) -> bool:
    """True if a point is of the run under `find`."""
    return isinstance(point, _Point) and point.run == "find"


def spelled(point: Point) -> str:
    """Return a point as a suite spells it.

    >>> spelled("end"), spelled(AtStep(step=5))
    ("'end'", '{step = 5}')
    """
    if isinstance(point, str):
        return f"'{point}'"
    return "{" + ", ".join(f"{key} = {value!r}" for key, value in point.model_dump().items()) + "}"


def without_run(point: Any) -> Any:
    """Return a point, or a word instead of one, without the name of its run, in its shortest spelling."""
    if isinstance(point, AtName):
        return point.at
    return point if isinstance(point, str) else point.model_copy(update={"run": None})


def _check_augmentation(name: str) -> None:
    if re.fullmatch(r"flip|shift[1-9][0-9]*", name):
        return
    if name.startswith("resized-crop"):
        from prunebench.training.images.patches import parse_patch  # numpy only where it is wanted

        try:
            if parse_patch(name):
                return
        except UsageError as error:
            raise ValueError(str(error)) from None
    raise ValueError(
        f"augment: found '{name}'; allowed: 'flip', 'shift4' (or any other width), 'resized-crop', "
        "'resized-crop[a,b,c,d]' (areas a–b, aspect ratios c–d)"
    )


def _optimizer_fields() -> set[str]:
    """Return the fields that some optimiser takes and others may not."""
    return {name for optimizer in OPTIMIZERS.values() for name in optimizer.takes}


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1


_Share = Annotated[float, Field(ge=0, lt=1)]


class Recipe(Value):
    """How a network is trained: everything that training reads, as plain values.

    Epochs count passes over the training set; learning rates are per step. A field added later must have
    the default None and mean "as before" then: `run_fields` leaves None out, so that no old key changes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: Annotated[float, Field(gt=0, le=100_000)]
    batch: Annotated[int, Field(ge=1)]
    optimizer: str = "sgd"
    """A name of `OPTIMIZERS`; a field that only others take has its default."""
    lr: Annotated[float, Field(gt=0)]
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    nesterov: bool = False
    betas: tuple[_Share, _Share] | None = None
    """AdamW's: how much of the running means of gradients and of their squares stays at each step."""
    eps: Annotated[float, Field(ge=1e-30)] | None = None
    """AdamW's, added to the root of the mean square."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    decay: Literal["drops", "cosine"] = "drops"
    drops: tuple[float, ...] = ()
    """Epochs at which the learning rate is multiplied by `drop_factor`."""
    drop_factor: Annotated[float, Field(gt=0, le=1)] = 0.1
    warmup: Annotated[float, Field(ge=0)] = 0.0
    """Epochs over which the learning rate rises linearly from 0 to `lr`."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    init: str = "kaiming-normal"
    rewind: Point = "init"
    """Where methods that rewind go back to (lottery ticket rewinding)."""
    augment: tuple[str, ...] = ()
    """Augmentations in order: "flip", "shift4" (up to four pixels in each direction), "resized-crop" (patches
    of area 0.1–1 and aspect ratio 0.8–1.25, or of others: "resized-crop[0.08,1,0.75,1.3333]")."""
    evaluate: Annotated[int, Field(ge=1)] = 1
    """The split is evaluated every so many epochs, and at the last step always."""
    last_batch: Literal["keep", "drop"] = "keep"
    precision: Literal["float32", "tf32"] = "float32"
    """tf32: products of matrices and convolutions read 10 bits of a number's fraction; on a GPU alone."""
    micro_batch: Annotated[int, Field(ge=1)] | None = None
    """Examples per forward pass where a batch does not fit; BatchNorm sees it, so it is part of the run."""
    devices: Annotated[int, Field(ge=2, le=1024)] | None = None
    """Devices that train the network together, each on its part of every batch; None: one. Sums are rounded
    otherwise, so it is part of the run."""
    batch_norm: Literal["per-device", "synchronized"] | None = None
    """With several devices: BatchNorm's statistics are of each device's examples, or of the whole batch."""
    recompute: bool | None = None
    """Only what goes into a network's blocks is kept for the backward pass, the rest is computed again: less
    memory, more time, the same bits (`prunebench.training.recompute`). It is part of no cell."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Of a smoke run: so many examples at most are trained on, and evaluated on. No suite can say it."""

    @model_validator(mode="before")
    @classmethod
    def _resolved(cls, values: Any) -> Any:
        """Write down what the optimiser takes where nothing is said: keys hold resolved values."""
        if not isinstance(values, Mapping):
            return values
        optimizer = OPTIMIZERS.get(str(values.get("optimizer", "sgd")))
        takes = optimizer.takes if optimizer else {}
        unsaid = [name for name in takes if values.get(name, cls.model_fields[name].default) is None]
        if values.get("devices") is not None and values.get("batch_norm") is None:
            values = {**values, "batch_norm": "per-device"}
        return {**values, **{name: takes[name] for name in unsaid}}

    @field_validator("optimizer", mode="before")
    @classmethod
    def _known(cls, name: Any) -> Any:
        if not isinstance(name, str) or name not in OPTIMIZERS:
            raise ValueError(f"found {name!r}{nearest(str(name), OPTIMIZERS)}")
        return name

    @field_validator("betas", mode="before")
    @classmethod
    def _two(cls, betas: Any) -> Any:
        given = betas if isinstance(betas, list | tuple) else []
        if betas is not None and [_is_share(beta) for beta in given] != [True, True]:
            shown = list(betas) if isinstance(betas, tuple) else betas
            raise ValueError(f"found {shown!r}; allowed: two numbers from 0 up to, but not including, 1")
        return betas

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        takes = OPTIMIZERS[self.optimizer].takes
        for name in _optimizer_fields() - takes.keys():
            if getattr(self, name) != type(self).model_fields[name].default:
                allowed = ", ".join(["lr", "weight_decay", *takes])
                raise ValueError(f"{self.optimizer} takes no {name}; allowed: {allowed}")
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")
        self._check_devices()
        if list(self.drops) != sorted(set(self.drops)):
            raise ValueError(f"drops must rise, found {list(self.drops)}")
        if self.decay == "cosine" and self.drops:
            raise ValueError("decay = 'cosine' takes no drops")
        for name in self.augment:
            _check_augmentation(name)
        if self.rewind == "rewind" or isinstance(self.rewind, AtName) or of_find(self.rewind):
            raise ValueError(
                "rewind is itself a point of every run: give 'init', 'end', {step = k}, {epoch = k} or "
                "{share = x}"
            )
        return self

    def _check_devices(self) -> None:
        if self.devices is None:
            if self.batch_norm is not None:
                raise ValueError(f"batch_norm = {self.batch_norm!r} needs devices = 2 or more")
        elif self.devices > self.batch:
            raise ValueError(f"devices = {self.devices} cannot share batches of {self.batch}")
        elif self.micro_batch == 1:
            raise ValueError("devices need a micro_batch of 2 or more: some have an example less than others")

    def changed(self, changes: Mapping[str, Any]) -> Recipe:
        """Return the recipe with changes, validated anew; another optimiser begins with its own defaults.

        Raises: pydantic.ValidationError.
        """
        values = self.model_dump(mode="json")
        if changes.get("optimizer", self.optimizer) != self.optimizer:
            values = {name: value for name, value in values.items() if name not in _optimizer_fields()}
        return type(self).model_validate({**values, **changes})

    def limited(self, examples: int) -> int:
        """Return how many of so many examples are used: all, but in a smoke run."""
        return examples if self.limit is None else min(examples, self.limit)

    def steps_per_epoch(self, examples: int) -> int:
        """Return the optimiser steps in a pass over `examples` training examples."""
        whole, rest = divmod(self.limited(examples), self.batch)
        return whole + (1 if rest and (self.last_batch == "keep" or not whole) else 0)

    def batch_at(self, position: int, examples: int) -> int:
        """Return how many examples the batch number `position` of an epoch has."""
        return min(self.batch, self.limited(examples) - position * self.batch)

    def check_shares(self, examples: int) -> None:
        """Raise UsageError where the last batch of an epoch has fewer examples than there are devices."""
        last = self.batch_at(self.steps_per_epoch(examples) - 1, examples)
        if self.devices is not None and last < self.devices:
            raise UsageError(
                f"the last batch of an epoch has {last} of {self.limited(examples)} examples, too few for "
                f"devices = {self.devices}: another batch, or last_batch = 'drop'"
            )

    def total_steps(self, examples: int) -> int:
        """Return the optimiser steps of the whole schedule; a part epoch is rounded up."""
        return math.ceil(round(self.epochs * self.steps_per_epoch(examples), 6))

    def step_of(self, point: Point, examples: int) -> int:
        """Resolve a point to a step of this recipe's schedule.

        The schedule of a smoke run is shorter: a point told in steps lies in the same share of it, rounded
        down, so that what lay before the end still does.

        Raises: UsageError where the point lies beyond the schedule.
        """
        total = self.total_steps(examples)
        if isinstance(point, AtName):
            point = point.at
        if point == "init":
            return 0
        if point == "end":
            return total
        if point == "rewind":
            return self.step_of(self.rewind, examples)
        if isinstance(point, AtEpoch):
            step = round(point.epoch * self.steps_per_epoch(examples))
        elif isinstance(point, AtShare):
            step = round(point.share * total)
        else:
            assert isinstance(point, AtStep)
            step, total = point.step, self._whole.total_steps(examples)
        if step > total:
            epochs = f"{self.epochs:g} epoch{'' if self.epochs == 1 else 's'}"
            if isinstance(point, AtEpoch):
                raise UsageError(f"epoch {point.epoch:g} lies beyond the schedule of {epochs}")
            raise UsageError(f"step {step} lies beyond the schedule of {total} steps ({epochs})")
        if isinstance(point, AtStep) and self.limit is not None:
            return step * self.total_steps(examples) // total
        return step

    @property
    def _whole(self) -> Recipe:
        """The recipe on all examples."""
        return self if self.limit is None else self.model_copy(update={"limit": None})

    def examples_between(self, start: int, stop: int, examples: int) -> int:
        """Return how many training examples the optimiser steps from `start` to `stop` see."""
        per_epoch = self.steps_per_epoch(examples)
        whole = min(self.limited(examples), per_epoch * self.batch)

        def seen(step: int) -> int:
            epochs, position = divmod(step, per_epoch)
            return epochs * whole + min(position * self.batch, whole)

        return max(0, seen(stop) - seen(start))

    def learning_rate(self, step: int, examples: int) -> float:
        """Return the learning rate of the optimiser step that starts at `step` (0 is the first)."""
        per_epoch = self.steps_per_epoch(examples)
        warmup = round(self.warmup * per_epoch)
        if step < warmup:
            return self.lr * step / warmup
        if self.decay == "cosine":
            total = self.total_steps(examples)
            done = (step - warmup) / max(1, total - warmup)
            return self.lr * 0.5 * (1 + math.cos(math.pi * done))
        passed = sum(step >= round(epoch * per_epoch) for epoch in self.drops)
        return self.lr * self.drop_factor**passed

    def evaluates_at(self, step: int, examples: int) -> bool:
        """True if the split is evaluated when `step` steps are done."""
        if step == 0:
            return False
        return (
            step == self.total_steps(examples) or step % (self.evaluate * self.steps_per_epoch(examples)) == 0
        )

    def cell_fields(self) -> dict[str, Any]:
        """Return what decides results, for the cell's record: all but how memory is saved."""
        return self.model_dump(mode="json", exclude_none=True, exclude={"recompute"})

    def run_fields(self) -> dict[str, Any]:
        """Return what training reads, for the run's key: less the initialisation and the rewind point."""
        fields = self.cell_fields()
        del fields["init"], fields["rewind"]
        return fields
