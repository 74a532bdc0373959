"""A worker: pulls the jobs that cells need from the store, one after another in this process.

Which job is next, `choose` decides; how it is computed, `prunebench.jobs.run_job` knows. Several workers may
share a store: claims keep them from doing the same work, and the store from harm where they do.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from prunebench import stopping
from prunebench.engine.attempt import Run, attempt
from prunebench.engine.choose import Wait, Work, choose
from prunebench.engine.failures import JobFailed
from prunebench.errors import DataError
from prunebench.jobs.context import Context, InputChanged
from prunebench.jobs.run import run_job
from prunebench.plan import Job, Plan, PlannedCell
from prunebench.store import Claim, Damaged, Missing, Store

__all__ = ["Worker"]

log = logging.getLogger("prunebench.jobs")

REMAKES = 5
"""How often an input may turn out missing, damaged or changed before its job counts as failed."""

NAP = 0.1
"""Seconds between two looks at what others hold."""


@dataclass
class Worker:
    """Makes cells of one plan."""

    plan: Plan
    context: Context
    keep_states: bool = False
    given_up: dict[str, str] = field(default_factory=dict)
    """Errors of jobs, by key, that ended another process of the same run: they are not tried again in it."""
    on_job: Callable[[Job], None] | None = None
    """Called before a job runs."""
    on_wait: Callable[[Job], None] | None = None
    """Called when others hold the claims on all that could be done next, with the first of it."""
    run: Run = run_job
    made: list[Job] = field(default_factory=list)
    """Jobs that this worker ran to the end."""
    _failed: dict[str, JobFailed] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        """The store that everything is read from and written to."""
        return self.context.store

    def have(self, key: str) -> bool:
        """True if a job's output is in the store."""
        kind = self.plan.jobs[key].kind
        if kind == "record":
            return self.store.has_record(key)
        if kind == "measure":
            return self.store.has_measure(key)
        return self.store.has_artifact(key)

    def make(self, cell: PlannedCell) -> int:
        """Make all that a cell is asked for; return the number of jobs that this took here.

        Raises: JobFailed, naming the job (of this cell or of what it needs) and its error; DataError where
        the cell's data are not there, which is no failed attempt.
        """
        before = len(self.made)
        lacks = self.plan.lacks(cell)
        if lacks is not None and not self.plan.done(cell, self.have):
            raise DataError(lacks)
        self.context.identities = {label: self.plan.identities[label] for label in cell.parts}
        for target in cell.targets:
            self.make_key(target)
        if not self.keep_states:
            self._drop_unneeded(cell)
        return len(self.made) - before

    def make_key(self, target: str) -> None:
        """Make one job's output and whatever it needs. Raises: JobFailed."""
        remakes = 0
        while True:
            try:
                return self._pull(target)
            except (Missing, Damaged, InputChanged) as error:
                remakes += 1
                if remakes > REMAKES:
                    raise JobFailed(
                        self.plan.jobs[target], f"an input is made again and again: {error}"
                    ) from error
                log.warning("%s: made again", error)

    def _pull(self, target: str) -> None:
        """Run what is chosen until the target is there."""
        work, refused, awaited = self._work(target), set[str](), None
        while True:
            stopping.check()
            if work.blocked:
                raise self._failure(work.blocked[target])
            match choose(work, refused):
                case None:
                    return
                case Wait(job):
                    if job is not awaited and self.on_wait is not None:
                        self.on_wait(job)
                    awaited = job
                    time.sleep(NAP)
                    work, refused = self._work(target), set()
                case job:
                    left = self._take(job, target)
                    if left is None:
                        refused.add(job.key)
                    else:
                        work = left

    def _take(self, job: Job, target: str) -> Work | None:
        """Claim and run a job; return what is left to do, None where another holds the claim."""
        with self._claimed(job) as mine:
            if not mine:
                return None
            stopping.check()  # a signal that came while the claim was taken has raised nothing
            work = self._work(target)  # others may have made it, and dropped what it needs, meanwhile
            if job.key in work.ready():
                self._run(job)
                work.made(job.key)
            return work

    def _work(self, target: str) -> Work:
        """Return what a target still needs, as the store stands.

        A state is dropped after its record is there: so of all, the target is looked for last.
        """
        work = Work(self.plan, [target], self.have, self._failed.keys() | self.given_up.keys())
        if self.have(target):
            work.made(target)
        return work

    @contextmanager
    def _claimed(self, job: Job) -> Iterator[bool]:
        """Claim a job; yields False where another holds it."""
        claim: Claim | None = None
        try:
            with stopping.held():  # a claim that nobody knows of would be left behind
                claim = self.store.claim(job.key)
            yield claim is not None
        finally:
            if claim is not None:
                with stopping.held():
                    claim.release()

    def _failure(self, key: str) -> JobFailed:
        """Return why a job cannot be made in this run."""
        if key not in self._failed:
            log_path = str(self.store.log_path(key))
            self._failed[key] = JobFailed(self.plan.jobs[key], self.given_up[key], log_path=log_path)
        return self._failed[key]

    def _run(self, job: Job) -> None:
        if self.on_job is not None:
            self.on_job(job)
        try:
            attempt(job, self.context, self.run)
        except JobFailed as failed:
            self._failed[job.key] = failed
            raise
        self.made.append(job)

    def _drop_unneeded(self, cell: PlannedCell) -> None:
        """Drop scores, and states of pruned runs, that nothing in the plan still has to read."""
        seen: set[str] = set()
        stack = list(cell.targets)
        while stack:
            key = stack.pop()
            if key in seen:
                continue
            seen.add(key)
            job = self.plan.jobs[key]
            stack.extend(job.inputs)
            if not _passing(job) or not self.store.has_artifact(key):
                continue
            if all(self.have(reader) for reader in self.plan.readers.get(key, ())):
                self.store.drop_artifact(key)


def _passing(job: Job) -> bool:
    """True if a job's output is only passed through: scores, and states of pruned runs."""
    return job.kind == "score" or job.prunes
