"""Collects jobs: each once, under its key, with its cost and the components that it used."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from prunebench.canonical import digest
from prunebench.host.registry import Host
from prunebench.plan.alone import CostsAlone
from prunebench.plan.facts import Facts
from prunebench.plan.job import JOB_VERSIONS, Job, kind_of
from prunebench.plan.params import Params, TrainParams

__all__ = ["FORWARD_AND_BACKWARD", "Builder"]

FORWARD_AND_BACKWARD = 3
"""A training pass costs about three forward passes: forward, gradient of inputs, gradient of weights."""

T = TypeVar("T")


@dataclass
class Builder:
    """What planning works on. `jobs` holds every job once, inputs before what reads them; `costs` in MACs."""

    host: Host
    data_root: Path
    jobs: dict[str, Job] = field(default_factory=dict)
    costs: dict[str, float] = field(default_factory=dict)
    identities: dict[str, Any] = field(default_factory=dict)
    """What keys depend on: "scorer snip" → its identity, "data mnist" → its fingerprint, …"""
    missing_data: dict[str, str] = field(default_factory=dict)
    fewest: dict[str, int] = field(default_factory=dict)
    """By record's key how many weights its mask of whole filters keeps at least."""
    may_keep_none: dict[str, str] = field(default_factory=dict)
    """Why the masks of cells may keep no filter, by the cell's key."""
    facts: Facts = field(init=False)
    alone: CostsAlone = field(init=False)
    """What cells cost as if nothing were cached."""
    _memo: dict[Hashable, tuple[Any, tuple[Any, ...]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.facts = Facts(self.host, self.data_root)
        self.alone = CostsAlone(self.jobs, self.costs)

    def add(self, params: Params, inputs: tuple[str, ...], *, cost: float = 0.0) -> str:
        """Add a job under the digest of all that it is, and return its key."""
        kind = kind_of(params)
        asked = {"kind": kind, "version": JOB_VERSIONS[kind], "params": params.plain(), "inputs": inputs}
        key = digest(asked)
        if key not in self.jobs:
            self.add_under(key, params, inputs, cost=cost)
        return key

    def add_under(self, key: str, params: Params, inputs: tuple[str, ...], *, cost: float) -> None:
        """Add a job under a key that was made elsewhere (a state's: its run's and the step)."""
        self.jobs[key] = Job(key, params, inputs)
        self.costs[key] = cost

    def goes_on(self, key: str) -> None:
        """Note that a chain goes on from a state, whoever has asked for that state first."""
        job = self.jobs[key]
        params = job.params_as(TrainParams)
        if params.goes_on is None:
            self.jobs[key] = Job(key, replace(params, goes_on=True), job.inputs)

    def part(self, kind: str, name: str) -> tuple[str, Mapping[str, Any]]:
        """Return the label of a component in the table of identities, and its identity."""
        label = f"{kind[:-1]} {name}"
        if label not in self.identities:
            self.identities[label] = self.host.identity(kind, name)
        return label, self.identities[label]

    def once(
        self, what: str, objects: tuple[Any, ...], values: tuple[Hashable, ...], make: Callable[[], T]
    ) -> T:
        """Return what `make` returned for these very objects and these values, the first time.

        Objects are told apart by identity, which is quick, and kept alive so that it stays so.
        """
        key = (what, *map(id, objects), *values)
        made = self._memo.get(key)
        if made is None:
            made = self._memo[key] = (make(), objects)
        value: T = made[0]
        return value
