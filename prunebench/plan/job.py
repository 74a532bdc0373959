"""A job: one piece of work with a key. What it is, not where or when it runs (imports no torch).

Kinds and their `params` (all resolved; `inputs` lists the keys that a job reads, in the order named here):

train    {run: {...}, step}                    reads the origin state, the mask (where the run has them)
score    {scorer, prunable, data, seed}        reads a state
mask     {keep, allocation, kept, prunable, …} reads scores, or a state (rounds); for `like` also a mask
mask     {taken: "state"}                      reads a state pruned while training: its mask
shuffle  {seed}                                reads a mask
measure  {diagnostic, …}                       reads a mask or a state
record   {cell}                                reads the end state, and the mask where there is one
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["JOB_VERSIONS", "Job", "Kind", "state_key"]

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


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work: `key` names its output in the store, `inputs` the keys of what it reads."""

    key: str
    kind: Kind
    params: Mapping[str, Any]
    inputs: tuple[str, ...] = ()

    @property
    def prunes(self) -> bool:
        """Whether this trains a pruned network: with a mask, or with a policy that makes one."""
        return self.kind == "train" and ("mask" in self.params["run"] or "policy" in self.params["run"])


def state_key(run: str, step: int) -> str:
    """Return the key of the state of a run at a step: the run's own key and the step.

    So the states of a run can be listed without an index that could disagree with them.
    """
    return f"{run}@{step}"
