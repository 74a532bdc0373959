"""A job: one piece of work with a key. What it is, not where or when it runs (imports no torch)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

from prunebench.plan.params import (
    MaskInRounds,
    MaskOfScores,
    MaskOfState,
    MeasureParams,
    Params,
    RecordParams,
    ScoreParams,
    ShuffleParams,
    TrainParams,
)

__all__ = ["JOB_VERSIONS", "PARAMS", "Job", "Kind", "kind_of", "state_key"]

Kind = Literal["train", "score", "mask", "shuffle", "measure", "record"]

JOB_VERSIONS: dict[str, int] = {
    "train": 1,
    "score": 1,
    "mask": 1,
    "shuffle": 1,
    "measure": 1,
    "record": 1,
}
"""Raised when what a kind of job computes changes: its keys, and those of its descendants, change then."""

PARAMS: dict[str, tuple[type[Params], ...]] = {
    "train": (TrainParams,),
    "score": (ScoreParams,),
    "mask": (MaskOfScores, MaskInRounds, MaskOfState),
    "shuffle": (ShuffleParams,),
    "measure": (MeasureParams,),
    "record": (RecordParams,),
}
"""What the jobs of each kind are asked."""

_KINDS = {params: kind for kind, shapes in PARAMS.items() for params in shapes}

P = TypeVar("P", bound=Params)


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work: `key` names its output in the store, `inputs` the keys that it reads, in order."""

    key: str
    params: Params
    inputs: tuple[str, ...] = ()

    @property
    def kind(self) -> Kind:
        """What is done, as its key says it."""
        return kind_of(self.params)

    @property
    def prunes(self) -> bool:
        """True if this trains a pruned network: with a mask, or with a policy that makes one."""
        if not isinstance(self.params, TrainParams):
            return False
        return self.params.run.mask is not None or self.params.run.policy is not None

    def params_as(self, kind: type[P]) -> P:
        """Return the parameters, which are of this kind. Raises: TypeError where they are not."""
        if not isinstance(self.params, kind):
            raise TypeError(f"{self.kind} job {self.key[:12]} has no {kind.__name__}")
        return self.params


def kind_of(params: Params) -> Kind:
    """Return the kind of the jobs that take these parameters."""
    return _KINDS[type(params)]  # type: ignore[return-value]


def state_key(run: str, step: int) -> str:
    """Return the key of the state of a run at a step: the run's own key and the step.

    So the states of a run can be listed without an index that could disagree with them.
    """
    return f"{run}@{step}"
