"""A job: one piece of work with a key. What it is, not where or when it runs (imports no torch)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from prunebench.errors import StoreError
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
from prunebench.plan.plain import Reader

__all__ = ["JOB_VERSIONS", "PARAMS", "FrozenJob", "Job", "Kind", "kind_of", "state_key"]

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


class FrozenJob(Job):
    """A job of a frozen plan: what it is asked is read when that is first wanted, of most jobs never."""

    __slots__ = ("_source",)
    _source: tuple[Kind, Any, Reader]

    def __init__(self, key: str, kind: Kind, params: Any, inputs: tuple[str, ...], reader: Reader) -> None:
        """Make a job of its row in the plan's file; `reader` knows what rows share."""
        put = object.__setattr__
        put(self, "key", key)
        put(self, "inputs", inputs)
        put(self, "_source", (kind, params, reader))

    def __getattr__(self, name: str) -> Any:
        """Return the parameters, the first time. Raises: StoreError for none that a job of its kind has."""
        if name != "params":
            raise AttributeError(name)
        kind, row, reader = self._source
        try:
            params = reader.one_of(PARAMS[kind], row)
        except (IndexError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise StoreError(f"not a frozen plan: job {self.key} is incomplete") from error
        object.__setattr__(self, "params", params)
        return params

    @property
    def kind(self) -> Kind:
        """What is done, as the plan's file says it."""
        return self._source[0]


def kind_of(params: Params) -> Kind:
    """Return the kind of the jobs that take these parameters."""
    return _KINDS[type(params)]  # type: ignore[return-value]


def state_key(run: str, step: int) -> str:
    """Return the key of the state of a run at a step: the run's own key and the step.

    So the states of a run can be listed without an index that could disagree with them.
    """
    return f"{run}@{step}"
