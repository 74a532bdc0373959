"""The plan as plain JSON values, and back: what a run writes to the store when it starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Strict, ValidationError

from prunebench.checks.claims import Claim
from prunebench.checks.grammar import Check
from prunebench.errors import StoreError
from prunebench.plan.cells import PlannedCell
from prunebench.plan.job import FrozenJob, Job, Kind
from prunebench.plan.plain import Reader
from prunebench.plan.plan import Plan
from prunebench.plan.uncollected import uncollected

__all__ = ["frozen", "thawed"]

_OPENED = ("run", "cell")
"""Parameters whose parts, not they themselves, are shared between jobs."""


class _Table:
    """What several jobs or cells share, each object once."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[int, int] = {}

    def place(self, value: Any) -> int:
        """Return the place of an object, which is put there the first time."""
        if id(value) not in self._places:
            self._places[id(value)] = len(self.values)
            self.values.append(value)
        return self._places[id(value)]

    def packed(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return parameters with their places for the objects in them."""
        packed: dict[str, Any] = {}
        for name, value in params.items():
            if name in _OPENED:
                packed[name] = self.packed(value)
            else:
                packed[name] = {"$": self.place(value)} if isinstance(value, dict) and value else value
        return packed


@uncollected()
def frozen(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain JSON values; parts that jobs share are written once."""
    shared, labels = _Table(), _Table()
    return {
        "suite": plan.suite,
        "identities": plan.identities,
        "missing_data": plan.missing_data,
        "cells": [
            [
                *(c.matrix, c.name, c.key, c.targets, labels.place(c.labels)),
                *(c.density, c.seed, c.target, c.prunable, c.cost, c.parts),
            ]
            for c in plan.cells
        ],
        "labels": [dict(one) for one in labels.values],
        "jobs": [
            [job.key, job.kind, shared.packed(job.params.plain()), job.inputs] for job in plan.jobs.values()
        ],
        "costs": plan.costs,
        "shared": shared.values,
    }


def thawed(value: Any, *, whole: bool = True) -> Plan:
    """Return the plan that `frozen` wrote.

    Raises: ValueError for what is none: every field's kind is looked at, and that all that is referred to is
    there, inputs before what reads them. The parameters of jobs are looked at where the plan is to be read as
    a `whole`; else when they are first asked for (see `FrozenJob`): there are tens of thousands.
    """
    try:
        read = _Frozen.model_validate(value)
        _Suite.model_validate(read.suite)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"not a frozen plan: {where}: {first['msg']}") from None
    jobs = _jobs(read)
    try:
        _ = [job.params for job in jobs.values()] if whole else []
    except StoreError as error:
        raise ValueError(str(error)) from error
    try:
        cells = [_cell(read.labels, cell) for cell in read.cells]
    except (IndexError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a frozen plan ({type(error).__name__}: {error})") from None
    for cell in cells:
        _check_cell(cell, jobs)
    return Plan(
        suite=read.suite,
        cells=cells,
        jobs=jobs,
        costs=read.costs,
        identities=read.identities,
        missing_data=read.missing_data,
    )


def _jobs(read: _Frozen) -> dict[str, Job]:
    reader, jobs = Reader(read.shared), dict[str, Job]()
    for key, kind, params, inputs in read.jobs:
        if [name for name in inputs if name not in jobs]:
            raise ValueError(f"not a frozen plan: job {key} reads what does not come before it")
        if key not in read.costs or (kind == "record" and not inputs):
            raise ValueError(f"not a frozen plan: job {key} is incomplete")
        jobs[key] = FrozenJob(key, kind, params, tuple(inputs), reader)
    return jobs


def _cell(labels: list[dict[str, str]], row: _Cell) -> PlannedCell:
    """Return the cell of a row, whose values are in the order of its fields."""
    matrix, name, key, targets, place, density, seed, target, prunable, cost, parts = row
    named = (matrix, name, key, tuple(targets), labels[place])
    return PlannedCell(*named, density, seed, target, prunable, cost, tuple(parts))


def _check_cell(cell: PlannedCell, jobs: Mapping[str, Job]) -> None:
    if not all(target in jobs for target in (cell.key, *cell.targets)):
        raise ValueError(f"not a frozen plan: cell {cell.id} asks for what is no job of it")
    if jobs[cell.key].kind != "record":
        raise ValueError(f"not a frozen plan: cell {cell.id} has no record")
    named = all(cell.labels.get(name) for name in ("architecture", "dataset", "method"))
    if not named or not 0 < float(cell.density) <= 1:
        raise ValueError(f"not a frozen plan: cell {cell.id} does not say what it is")


class _Suite(BaseModel):
    """What of a plan's suite is read without asking what kind it is."""

    model_config = ConfigDict(strict=True, extra="allow")

    name: str
    version: str
    digest: str
    examples: dict[str, dict[str, int]] = {}
    classes: dict[str, int] = {}
    baselines: dict[str, str] = {}
    margins: dict[str, float] = {}
    leaderboard: dict[str, Any] = {}
    checks: list[Check] = []
    claims: list[Claim] = []
    steps: list[list[str | int]] = []


_Cell = tuple[str, str, str, list[str], int, str, int, int, int, float, list[str]]
_Job = tuple[str, Kind, Any, list[str]]  # whoever reads the parameters looks at them


class _Frozen(BaseModel):
    """What `frozen` writes, in JSON's own kinds. A shared part of a job's parameters is {"$": place}."""

    model_config = ConfigDict(strict=True, extra="ignore")

    suite: dict[str, Any]
    identities: dict[str, dict[str, Any]]
    missing_data: dict[str, str]
    cells: list[Annotated[_Cell, Strict(False)]]
    labels: list[dict[str, str]]
    jobs: list[Annotated[_Job, Strict(False)]]
    costs: dict[str, float]
    shared: list[Any]
