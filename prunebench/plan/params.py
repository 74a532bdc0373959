"""What jobs are asked: the parameters of each kind of job, all resolved (imports no torch).

The plain form of each is what its job's key is made of, and what a frozen plan holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from prunebench.errors import UsageError
from prunebench.host.form import Prunable
from prunebench.plan.mask_params import (
    Asked,
    Filters,
    Keep,
    MaskInRounds,
    MaskOfScores,
    MaskOfState,
    RegrowthUse,
    ScoreParams,
    Shares,
    ShuffleParams,
)
from prunebench.plan.plain import Plain, Reader, called
from prunebench.plan.uses import DataUse, DiagnosticUse, Identity, InitUse, NetworkUse, ScorerUse
from prunebench.schedules import Shrinking, shrinking
from prunebench.training.recipe import Recipe

__all__ = [
    "Filters",
    "FromInit",
    "FromState",
    "Policy",
    "MaskInRounds",
    "MaskOfScores",
    "MaskOfState",
    "MeasureParams",
    "Params",
    "RecordParams",
    "RecordedCell",
    "RegrowthUse",
    "Run",
    "ScoreParams",
    "ShuffleParams",
    "TrainParams",
    "components",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FromInit(Plain):
    """A run begins at weights that are drawn."""

    init: InitUse


@dataclass(frozen=True, slots=True, kw_only=True)
class FromState(Plain):
    """A run begins at the weights of a state."""

    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(Plain):
    """Weights are removed while the run trains. Beside these fields a key holds those of `shrinking`."""

    shrinking: Shrinking
    """How many weights are left when: a schedule's own value."""
    keep: Keep
    allocation: Shares
    scoring: ScoreParams
    schedule_version: str | None = None

    @property
    def weights_there(self) -> tuple[int, ...]:
        """How many weights are there each time that they are scored."""
        left = self.shrinking
        return (left.prunable, *map(left.kept_at, left.steps[:-1]))

    def _written(self) -> dict[str, Any]:
        own: dict[str, Any] = {
            "keep": self.keep,
            "allocation": self.allocation,
            "scoring": self.scoring.plain(),
        }
        schedules = self.shrinking.plain()
        if self.schedule_version is not None:
            own["schedule_version"] = self.schedule_version
        if taken := {*own, "schedule_version"} & schedules.keys():
            raise UsageError(
                f"schedule {self.shrinking.kind!r}: a run's key holds {sorted(taken)} of the method already: "
                "call them otherwise"
            )
        return {**schedules, **own}

    @classmethod
    def read(cls, value: Mapping[str, Any], reader: Reader) -> Policy:
        """Return the policy that JSON holds. Raises: ValueError, TypeError or KeyError for another shape."""
        own = {"keep", "allocation", "scoring", "schedule_version"}
        return cls(
            shrinking=shrinking({name: part for name, part in value.items() if name not in own}),
            schedule_version=value.get("schedule_version"),
            keep=value["keep"],
            allocation=value["allocation"],
            scoring=reader.read(ScoreParams, value["scoring"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Plain):
    """One training from its origin on: all that decides its bits."""

    architecture: NetworkUse
    origin: FromInit | FromState
    mask: str | None = None
    """The key of the mask that it trains with."""
    policy: Policy | None = None
    start: int
    """The step of the recipe's schedule at which it begins."""
    carry_momentum: bool
    recipe: Recipe
    """Its initialisation and its rewind point are not the run's, and not in its plain form."""
    data: DataUse
    filters: Prunable | None = None
    """Where the mask, or the policy, removes whole filters: of which layers. What is tied to them (biases,
    BatchNorm, the weights that read them) is zero as they are."""
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainParams(Asked):
    """Train a run to a step. Reads the state that it begins at and the mask, where the run has them."""

    run: Run
    run_key: str
    step: int
    recompute: bool | None = None
    """As the recipe says it. It changes no bits, so neither the run's plain form nor its key has it."""
    goes_on: bool | None = None
    """True if a mask is made of this state from which another network trains, level by level: such a chain
    goes on from its last state. No part of the key either."""

    @property
    def recipe(self) -> Recipe:
        """The run's recipe, with how memory is saved."""
        return self.run.recipe.model_copy(update={"recompute": self.recompute})

    @property
    def network(self) -> NetworkUse | None:
        """The network that is trained."""
        return self.run.architecture

    @property
    def scorers(self) -> Sequence[ScorerUse]:
        """That by which weights are removed while it trains."""
        return () if self.run.policy is None else (self.run.policy.scoring.scorer,)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureParams(Asked):
    """A diagnostic of a mask, a state, a course or masks by epoch. Reads the mask, or the state.

    By epoch it reads the cell's mask, and then those that there would have been at the other epochs; of the
    network that was scored, what tells of it and of the unpruned one.
    """

    diagnostic: DiagnosticUse
    of: str
    architecture: NetworkUse
    course: Mapping[str, Any] | None = None
    epochs: tuple[int, ...] | None = None
    """The epochs of the masks, in order. Where the cell's mask is of an epoch's end, that is the last."""

    def by_epoch(self, inputs: Sequence[str]) -> Mapping[int, str]:
        """Return the keys of the masks by epoch, of what a job with these parameters reads."""
        return dict(zip(self.epochs or (), (*inputs[1:], inputs[0]), strict=False))

    @property
    def network(self) -> NetworkUse | None:
        """The network that is measured."""
        return self.architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCell(Plain):
    """A cell as its record says it."""

    architecture: Mapping[str, Any]
    dataset: str
    split: str
    recipe: Mapping[str, Any]
    form: Mapping[str, Any] | None = None
    """None of the unpruned network."""
    density: str
    target: int = field(metadata=called("kept"))
    prunable: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordParams(Asked):
    """The record of a cell. Reads the end state, and the mask where there is one."""

    cell: RecordedCell


_COMPONENTS = {
    NetworkUse: "architectures",
    InitUse: "initializations",
    DataUse: "datasets",
    ScorerUse: "scorers",
    DiagnosticUse: "diagnostics",
}


def components(value: Plain) -> Iterator[tuple[str, str, Identity]]:
    """Yield kind, name and identity of every component in some parameters."""
    if isinstance(value, NetworkUse | InitUse | DataUse | ScorerUse | DiagnosticUse):
        yield _COMPONENTS[type(value)], value.name, value.identity
    for part in fields(value):  # type: ignore[arg-type]
        if isinstance(inner := getattr(value, part.name), Plain):
            yield from components(inner)


Params = (
    TrainParams
    | ScoreParams
    | MaskOfScores
    | MaskInRounds
    | MaskOfState
    | ShuffleParams
    | MeasureParams
    | RecordParams
)
