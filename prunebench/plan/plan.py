"""The plan: cells, jobs and identities as one plain value; what of it is still to do (imports no torch)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Strict, ValidationError

from prunebench.canonical import digest
from prunebench.plan.job import Job, Kind
from prunebench.plan.planner import PlannedCell

__all__ = ["Plan"]

_OPENED = ("run", "cell")
"""Parameters whose parts, not they themselves, are shared between jobs."""


@dataclass
class Plan:
    """What a suite takes. Frozen to a file when a run starts, so that everyone works on the same plan."""

    suite: Mapping[str, Any]
    """name, version, digest, what the leaderboard needs (baselines, margins, classes, title), and how many
    examples networks are evaluated on (`examples`, by data set and split)."""
    cells: Sequence[PlannedCell]
    jobs: Mapping[str, Job]
    costs: Mapping[str, float]
    identities: Mapping[str, Any]
    missing_data: Mapping[str, str] = field(default_factory=dict)
    """Data sets whose files are not there, and what to put where."""

    @cached_property
    def digest(self) -> str:
        """Identifies the plan: the suite and the keys of its cells."""
        cells = [[cell.id, cell.key, *cell.targets] for cell in self.cells]
        return digest({"suite": self.suite, "cells": cells})

    @property
    def name(self) -> str:
        """The frozen plan's name in the store."""
        return f"{self.suite['name']}-{self.digest[:12]}"

    @cached_property
    def by_id(self) -> dict[str, PlannedCell]:
        """Cells by matrix::name."""
        return {cell.id: cell for cell in self.cells}

    @cached_property
    def readers(self) -> dict[str, list[str]]:
        """For each key, the jobs that read it."""
        found: dict[str, list[str]] = {}
        for job in self.jobs.values():
            for key in job.inputs:
                found.setdefault(key, []).append(job.key)
        return found

    @cached_property
    def earlier(self) -> dict[str, str]:
        """For a state, the next earlier state of the same run that this plan wants, passed on the way."""
        runs: dict[str, list[tuple[int, str]]] = {}
        for job in self.jobs.values():
            if job.kind == "train":
                runs.setdefault(job.params["run_key"], []).append((job.params["step"], job.key))
        found = {}
        for states in runs.values():
            states.sort()
            for (_, before), (_, after) in pairwise(states):
                found[after] = before
        return found

    def needs(self, key: str) -> tuple[str, ...]:
        """Return the keys that must be there before this job runs: inputs, and the run's earlier state."""
        earlier = self.earlier.get(key)
        return (*self.jobs[key].inputs, earlier) if earlier else self.jobs[key].inputs

    def remaining(self, targets: Iterable[str], have: Callable[[str], bool]) -> list[str]:
        """Return the keys still to be made for these targets, inputs first.

        Walks back from missing targets only: what was dropped and nobody needs is not made again.
        """
        order: list[str] = []
        seen: set[str] = set()
        for target in targets:
            stack = [(target, False)]
            while stack:
                key, expanded = stack.pop()
                if expanded:
                    order.append(key)
                    continue
                if key in seen:
                    continue
                seen.add(key)
                if have(key):
                    continue
                stack.append((key, True))
                stack.extend((need, False) for need in reversed(self.needs(key)))
        return order

    def ancestors(self, key: str) -> set[str]:
        """Return a job's key and the keys of everything that it descends from."""
        seen: set[str] = set()
        stack = [key]
        while stack:
            current = stack.pop()
            if current not in seen:
                seen.add(current)
                stack.extend(self.jobs[current].inputs)
        return seen

    def done(self, cell: PlannedCell, have: Callable[[str], bool]) -> bool:
        """Whether all that the cell is asked for is in the store."""
        return all(have(target) for target in cell.targets)

    def lacks(self, cell: PlannedCell) -> str | None:
        """Return which data a cell needs that are not there, and what to put where; None if all are."""
        names = (label.removeprefix("data ") for label in cell.parts if label.startswith("data "))
        return next((self.missing_data[name] for name in names if name in self.missing_data), None)

    # -- the frozen form -------------------------------------------------------------------------------

    def frozen(self) -> dict[str, Any]:
        """Return the plan as plain JSON values; parts that jobs share are written once."""
        table: list[Any] = []
        places: dict[int, int] = {}

        def shared(value: Any) -> Any:
            if isinstance(value, dict) and value:
                if id(value) not in places:
                    places[id(value)] = len(table)
                    table.append(value)
                return {"$": places[id(value)]}
            return value

        def packed(params: Mapping[str, Any]) -> dict[str, Any]:
            out: dict[str, Any] = {}
            for name, value in params.items():
                out[name] = packed(value) if name in _OPENED else shared(value)
            return out

        jobs = [[job.key, job.kind, packed(job.params), job.inputs] for job in self.jobs.values()]
        labels: list[Any] = []
        return {
            "suite": self.suite,
            "identities": self.identities,
            "missing_data": self.missing_data,
            "cells": [
                [
                    *(c.matrix, c.name, c.key, c.targets, _index(labels, c.labels, places)),
                    *(c.density, c.seed, c.kept, c.prunable, c.cost, c.parts),
                ]
                for c in self.cells
            ],
            "labels": labels,
            "jobs": jobs,
            "costs": self.costs,
            "shared": table,
        }

    @classmethod
    def thaw(cls, value: Any) -> Plan:
        """Return the plan that `frozen` wrote.

        Raises: ValueError for what is none: every field's kind is looked at, and that all that is referred to
        is there, inputs before what reads them.
        """
        try:
            frozen = _Frozen.model_validate(value)
            _Suite.model_validate(frozen.suite)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"not a frozen plan: {where}: {first['msg']}") from None
        table = frozen.shared

        def unpacked(params: Mapping[str, Any]) -> dict[str, Any]:
            out = {}
            for name, item in params.items():
                if name in _OPENED:
                    out[name] = unpacked(item)
                elif isinstance(item, dict) and "$" in item:
                    out[name] = table[item["$"]]
                else:
                    out[name] = item
            return out

        jobs: dict[str, Job] = {}
        try:
            for key, kind, params, inputs in frozen.jobs:
                if not all(name in jobs for name in inputs):
                    raise ValueError(f"not a frozen plan: job {key} reads what does not come before it")
                jobs[key] = Job(key, kind, unpacked(params), tuple(inputs))
                if not _complete(jobs[key]) or key not in frozen.costs:
                    raise ValueError(f"not a frozen plan: job {key} is incomplete")
            cells = [_cell(frozen.labels, *cell) for cell in frozen.cells]
        except (IndexError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a frozen plan ({type(error).__name__}: {error})") from None
        for cell in cells:
            if not all(target in jobs for target in (cell.key, *cell.targets)):
                raise ValueError(f"not a frozen plan: cell {cell.id} asks for what is no job of it")
            if jobs[cell.key].kind != "record":
                raise ValueError(f"not a frozen plan: cell {cell.id} has no record")
            named = all(cell.labels.get(name) for name in ("architecture", "dataset", "method"))
            if not named or not 0 < float(cell.density) <= 1:
                raise ValueError(f"not a frozen plan: cell {cell.id} does not say what it is")
        return cls(frozen.suite, cells, jobs, frozen.costs, frozen.identities, frozen.missing_data)


def _complete(job: Job) -> bool:
    """Whether a job says what is asked of it before it runs."""
    params = job.params
    if job.kind == "train":
        run, step, key = params.get("run"), params.get("step"), params.get("run_key")
        start = run.get("start") if isinstance(run, dict) else None
        return isinstance(step, int) and isinstance(key, str) and isinstance(start, int)
    if job.kind == "record":
        return isinstance(params.get("cell"), dict) and bool(job.inputs)
    if job.kind == "measure":
        diagnostic = params.get("diagnostic")
        return isinstance(diagnostic, dict) and isinstance(diagnostic.get("name"), str) and "of" in params
    return True


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


_Cell = tuple[str, str, str, list[str], int, str, int, int, int, float, list[str]]
_Job = tuple[str, Kind, dict[str, Any], list[str]]


class _Frozen(BaseModel):
    """What `Plan.frozen` writes, in JSON's own kinds. A shared part of a job's parameters is {"$": place}."""

    model_config = ConfigDict(strict=True, extra="ignore")

    suite: dict[str, Any]
    identities: dict[str, dict[str, Any]]
    missing_data: dict[str, str]
    cells: list[Annotated[_Cell, Strict(False)]]
    labels: list[dict[str, str]]
    jobs: list[Annotated[_Job, Strict(False)]]
    costs: dict[str, float]
    shared: list[Any]


def _cell(
    labels: list[dict[str, str]],
    matrix: str,
    name: str,
    key: str,
    targets: list[str],
    place: int,
    density: str,
    seed: int,
    kept: int,
    prunable: int,
    cost: float,
    parts: list[str],
) -> PlannedCell:
    return PlannedCell(
        matrix=matrix,
        name=name,
        key=key,
        targets=tuple(targets),
        labels=labels[place],
        density=density,
        seed=seed,
        kept=kept,
        prunable=prunable,
        cost=cost,
        parts=tuple(parts),
    )


def _index(table: list[Any], value: Mapping[str, str], places: dict[int, int]) -> int:
    """Return the place of `value` in the table of labels, written once per object."""
    if id(value) not in places:
        places[id(value)] = len(table)
        table.append(dict(value))
    return places[id(value)]
