"""The plan: cells, jobs and identities as one plain value; what of it is still to do (imports no torch)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

from prunebench.canonical import digest
from prunebench.plan.cells import PlannedCell
from prunebench.plan.job import Job
from prunebench.plan.params import MeasureParams, RecordParams, TrainParams

__all__ = ["Plan"]


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
    unable: Mapping[str, str] = field(default_factory=dict)
    """Why cells cannot be made on this machine for another reason, by key; no part of the frozen plan."""
    may_keep_none: Mapping[str, str] = field(default_factory=dict)
    """Why masks of cells may keep no filter, as the scores decide, by key; no part of the frozen plan."""

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
        readers: dict[str, list[str]] = {}
        for job in self.jobs.values():
            for key in job.inputs:
                readers.setdefault(key, []).append(job.key)
        return readers

    @cached_property
    def earlier(self) -> dict[str, str]:
        """For a state, the next earlier state of the same run that this plan wants, passed on the way."""
        runs: dict[str, list[tuple[int, str]]] = {}
        for job in self.jobs.values():
            if isinstance(job.params, TrainParams):
                runs.setdefault(job.params.run_key, []).append((job.params.step, job.key))
        before_it = {}
        for states in runs.values():
            states.sort()
            for (_, before), (_, after) in pairwise(states):
                before_it[after] = before
        return before_it

    @cached_property
    def later(self) -> dict[str, str]:
        """For a state, the next later state of the same run that this plan wants."""
        return {before: after for after, before in self.earlier.items()}

    @cached_property
    def along(self) -> dict[str, str]:
        """For a scoring of a pruned network, that network's record: made first, it lets the state go soon.

        So the levels before a cell that is asked for have their records with it.
        """
        records = {job.inputs[0]: job.key for job in self.jobs.values() if job.kind == "record"}
        scorings = [job for job in self.jobs.values() if job.kind == "score" and job.inputs[0] in records]
        return {job.key: records[job.inputs[0]] for job in scorings if self.jobs[job.inputs[0]].prunes}

    @cached_property
    def _masks_by_epoch(self) -> frozenset[str]:
        """The masks that nothing but measures by epoch reads."""
        several = (job for job in self.jobs.values() if job.kind == "measure" and len(job.inputs) > 1)
        measures = {job.key for job in several if job.params_as(MeasureParams).epochs is not None}
        listed = {key for measure in measures for key in self.jobs[measure].inputs[1:]}
        return frozenset(key for key in listed if measures.issuperset(self.readers[key]))

    @cached_property
    def snapshots(self) -> dict[str, tuple[str, ...]]:
        """The states that a run passes for measures by epoch alone, and the masks that are made of each.

        A network of 100 epochs leaves 100 of them: so each is scored before the run goes on from the next.
        """
        masks, of_state = self._masks_by_epoch, dict[str, list[str]]()
        for mask in sorted(masks):
            of_state.setdefault(self._state_of(self.jobs[mask].inputs[0]), []).append(mask)
        return {
            state: tuple(made)
            for state, made in of_state.items()
            if masks.issuperset(reader for one in self.readers[state] for reader in self._masks_of(one))
        }

    def _state_of(self, key: str) -> str:
        """Return the state that scores are of; a state's own key."""
        return self.jobs[key].inputs[0] if self.jobs[key].kind == "score" else key

    def _masks_of(self, key: str) -> Sequence[str]:
        """Return what is made of scores; the key of anything else."""
        return self.readers.get(key, ()) if self.jobs[key].kind == "score" else (key,)

    @cached_property
    def ends(self) -> frozenset[str]:
        """The last states of chains of levels, as far as this plan goes: a longer chain goes on from them."""
        levels = [j for j in self.jobs.values() if isinstance(j.params, TrainParams) and j.params.goes_on]
        return frozenset(level.key for level in levels) - {self._before(level) for level in levels}

    def _before(self, level: Job) -> str:
        """Return the state that was scored for the mask of a level."""
        mask = level.params_as(TrainParams).run.mask
        assert mask is not None
        return self.jobs[self.jobs[mask].inputs[0]].inputs[0]

    def needs(self, key: str) -> tuple[str, ...]:
        """Return the keys that must be there before this job runs.

        They are its inputs, the run's earlier state with the masks by epoch that are made of it, and the
        record of a level before the next.
        """
        earlier = self.earlier.get(key)
        more = (earlier, *self.snapshots.get(earlier or "", ()), self.along.get(key))
        return (*self.jobs[key].inputs, *(one for one in more if one))

    def passes(self, key: str) -> bool:
        """Return True if a job's output is only passed through: scores, and states of pruned runs.

        And states and masks that nothing but measures by epoch reads. The last state of a chain of levels
        stays.
        """
        return self.is_passed(key) and key not in self.ends

    def is_passed(self, key: str) -> bool:
        """Return the same, though chains may go on from the last state of one."""
        job = self.jobs[key]
        of_epochs = key in self.snapshots or key in self._masks_by_epoch
        return job.kind == "score" or job.prunes or of_epochs

    def all_read(self, keys: Iterable[str], have: Callable[[str], bool]) -> bool:
        """True if what all these jobs make is there, or was passed through: made, read and dropped."""
        stack = list(keys)
        seen = set(stack)
        while stack:
            key = stack.pop()
            if have(key):
                continue
            further = self.readers.get(key, ())
            if not further or not self.passes(key):
                return False
            stack += [one for one in further if one not in seen]
            seen.update(further)
        return True

    @cached_property
    def _needed_by(self) -> dict[str, list[str]]:
        """For each key, the jobs that need it, however."""
        needed_by: dict[str, list[str]] = {}
        for key in self.jobs:
            for need in self.needs(key):
                needed_by.setdefault(need, []).append(key)
        return needed_by

    @cached_property
    def _targets(self) -> frozenset[str]:
        return frozenset(target for cell in self.cells for target in cell.targets)

    def still_needs(self, key: str, have: Callable[[str], bool]) -> bool:
        """True if what a job makes is needed to make what cells are asked for and is not there."""
        stack, seen = [key], {key}
        while stack:
            for one in self._needed_by.get(stack.pop(), ()):
                if one in seen or have(one):
                    continue
                if one in self._targets:
                    return True
                seen.add(one)
                stack.append(one)
        return False

    @cached_property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """For each record and measure, the components that its cell depends on."""
        parts = {target: cell.parts for cell in self.cells for target in cell.targets}
        if untold := self.along.values() - parts.keys():  # of levels that are no cells of the suite
            alike = {self._method_of(cell.key): cell.parts for cell in self.cells}
            parts |= {key: alike[self._method_of(key)] for key in untold}
        return parts

    def _method_of(self, record: str) -> str:
        """Return what is the same of all densities' records."""
        cell = self.jobs[record].params_as(RecordParams).cell
        return digest({**cell.plain(), "density": "", "kept": 0})

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
        """True if all that the cell is asked for is in the store."""
        return all(have(target) for target in cell.targets)

    def lacks(self, cell: PlannedCell) -> str | None:
        """Return what a cell needs that is not there, and what to do; None if all is."""
        if cell.key in self.unable:
            return self.unable[cell.key]
        names = (label.removeprefix("data ") for label in cell.parts if label.startswith("data "))
        return next((self.missing_data[name] for name in names if name in self.missing_data), None)

    def all_lack(self, cells: Iterable[PlannedCell]) -> str:
        """Return what cells lack where none of them has all, a line each; empty where one has, or none is."""
        lacking = [self.lacks(cell) for cell in cells]
        return "" if None in lacking else "\n".join(dict.fromkeys(map(str, lacking)))
