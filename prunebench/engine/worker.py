"""A worker: pulls jobs from the store, one after another in this process, until its cells are there.

Which job is next, `choose` decides; how it is computed, `prunebench.jobs.run_job` knows. Several workers may
share a store: claims keep them from doing the same work, and the store from harm where they do.
"""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property

from prunebench import heap, stopping
from prunebench.engine.attempt import Run, attempt
from prunebench.engine.choose import Wait, choose
from prunebench.engine.failures import JobFailed, NotHere, TakenOver, WorkerLost, failing
from prunebench.engine.guarding import own_process
from prunebench.engine.guarding.guard import Guard
from prunebench.engine.intermediates import Intermediates
from prunebench.engine.jobs_left import JobsLeft
from prunebench.engine.progress.telling import Telling
from prunebench.engine.since import Since
from prunebench.errors import DataError
from prunebench.inventory.estimate import assumed_seconds
from prunebench.inventory.snapshot import listed
from prunebench.jobs.context import Context, InputChanged
from prunebench.jobs.run import run_job
from prunebench.plan import Job, Plan, PlannedCell
from prunebench.store import Claim, Damaged, Missing, Store

__all__ = ["Worker"]

log = logging.getLogger("prunebench.jobs")

REMAKES = 5
"""How often an input may turn out missing, damaged or changed before its job counts as failed."""

NAP, LONGEST_NAP = 0.1, 1.0
"""Seconds between two looks at what others hold: at first, and where that goes on for long."""

AGAIN = 5.0
"""Seconds after which a worker looks what others have done; one that waits then tries their claims again."""

HELD = 20.0
"""Seconds after which one that has other work tries a claim again that another held: jobs of the dead would
else be left to the end, however long the chains that they hold up."""


@dataclass
class Worker:
    """Makes cells of one plan."""

    plan: Plan
    context: Context
    keep_states: bool = False
    given_up: dict[str, str] = field(default_factory=dict)
    """Errors of jobs, by key, that ended another process of the same run: they are not tried again in it."""
    selected: Sequence[PlannedCell] = ()
    """The cells of the run: where their chains are long, or its own cells wait for others, it helps to make
    them."""
    workers: int = 1
    """How many workers the run has, itself counted."""
    since: str = ""
    """The run, by its id in the store, or a moment: a job that has failed since then, in any process, is not
    tried again. Empty: only this process's own failures count."""
    on_job: Callable[[Job], None] | None = None
    """Called before a job runs."""
    on_made: Callable[[Job, float], None] | None = None
    """Called when a job has run to its end here, with the seconds that it took."""
    on_failed: Callable[[JobFailed], None] | None = None
    """Called when a job has failed here, or is seen to have failed in another process of the run."""
    on_wait: Callable[[Job], None] | None = None
    """Called when others hold the claims on all that could be done next, with the first of it."""
    run: Run = run_job
    guard: Guard | None = None
    """Ends a job that hangs."""
    made: list[Job] = field(default_factory=list)
    """Jobs that this worker ran to the end."""
    _failed: dict[str, JobFailed] = field(default_factory=dict)
    _wanted: dict[str, None] = field(default_factory=dict)
    """Targets that were asked for, besides those of the selected cells."""
    _held: dict[str, float] = field(default_factory=dict)
    """Jobs that others hold a claim on, and when that was seen."""
    _remakes: Counter[str] = field(default_factory=Counter)
    _known: JobsLeft | None = None
    _sharing: int = 1
    """How many workers share what is left: of this run, or all that the store knows of."""
    _looked: float = -math.inf
    """When this worker last looked around."""

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

    # -- what is asked for -------------------------------------------------------------------------------

    def make(self, cell: PlannedCell) -> int:
        """Make all that a cell is asked for; return the number of its jobs that ran here.

        Raises: JobFailed, naming the job (of this cell or of what it needs) and its error; DataError where
        the cell's data are not there, which is no failed attempt; WorkerLost where this process can go on
        with none.
        """
        before = len(self.made)
        lacks = self.plan.lacks(cell)
        if lacks is not None and not self.plan.done(cell, self.have):
            raise DataError(lacks)
        own = self._pull(cell.targets)
        self._intermediates.drop_of(cell)
        return sum(job.key in own for job in self.made[before:])

    def make_key(self, target: str) -> None:
        """Make one job's output and whatever it needs. Raises: JobFailed, WorkerLost."""
        self._pull([target])

    def help(self, enough: Callable[[], bool] = lambda: False) -> None:
        """Run jobs of the selected cells until none of those is left that can be made, or it is `enough`.

        A job that fails is written down; whoever asks for its cell says so. Raises: WorkerLost.
        """
        while not enough() and (choice := self._choose(())) is not None:
            stopping.check()
            self._follow(choice)

    def make_job(self, key: str) -> bool:
        """Make one job's output where the selected cells still need it, and no other job that can be left to
        others: for engines that order jobs themselves. Return whether the job ran here.

        What it needs is made too where that was lost. Raises: JobFailed, of the job or of what it needs.
        """
        before = len(self.made)
        if key not in self._work:  # never asked for, or lost since this worker looked
            self._known = None
        while True:
            stopping.check()
            own = self.plan.remaining([key], self.have)
            failed = next((one for one in own if one in self._failed or one in self.given_up), None)
            if failed is not None:
                raise self.failure(failed)
            for one in dict.fromkeys((*(need for lacking in own for need in self.plan.needs(lacking)), key)):
                self._learn(one)
            if key not in self._work:
                break
            self._follow(self._choose_among(own))
        if self.plan.jobs[key].kind == "record":
            self._intermediates.drop(sorted(self.plan.ancestors(key)))
        return any(job.key == key for job in self.made[before:])

    def cause(self, cell: PlannedCell) -> JobFailed | None:
        """Return the failure because of which a cell cannot be made in this run, as far as is known here."""
        blocked = self._work.blocked
        return next((self.failure(blocked[target]) for target in cell.targets if target in blocked), None)

    # -- pulling -----------------------------------------------------------------------------------------

    def _choose_among(self, keys: Collection[str]) -> Job | Wait:
        """Return one of these jobs that is ready; Wait where others hold all of those."""
        if time.monotonic() - self._looked > AGAIN:
            self._look_around()
        ready = self._work.ready_of(keys)
        free = next((key for key in ready if key not in self._held), None)
        return Wait(self.plan.jobs[ready[0]]) if free is None else self.plan.jobs[free]

    def _pull(self, targets: Sequence[str]) -> Collection[str]:
        """Run what is chosen until the targets are there; return the keys of all that they lacked."""
        own = frozenset(self.plan.remaining(targets, self.have))
        lacking = [target for target in targets if target in own]
        known, blocked = self._work, self._work.blocked
        if any(target not in known and target not in blocked for target in lacking):
            # not of the selection, or lost since
            self._wanted.update(dict.fromkeys(lacking))
            self._known = None
        while True:
            stopping.check()
            for target in lacking:
                if target in self._work.blocked:
                    raise self.failure(self._work.blocked[target])
            if not any(target in self._work for target in lacking):
                return own
            choice = self._choose(own)
            assert choice is not None, "what is left and not blocked can be made"
            self._follow(choice)

    @property
    def _work(self) -> JobsLeft:
        """What is left to do, as far as this worker knows: it learns of a job before it would run it."""
        if self._known is None:
            able = (cell for cell in self.selected if self.plan.lacks(cell) is None)
            wanted = [target for cell in able for target in cell.targets]
            failed = self._failed.keys() | self.given_up.keys()
            have = listed(self.plan, self.store)
            self._known = JobsLeft(self.plan, [*wanted, *self._wanted], have, failed, self._seconds)
        return self._known

    @cached_property
    def _intermediates(self) -> Intermediates:
        return Intermediates(self.plan, self.store, self._work, self.have, keep=self.keep_states)

    @cached_property
    def _seconds(self) -> Callable[[str], float]:
        return assumed_seconds(self.plan, self.context.device, self.context.threads)

    def _choose(self, own: Collection[str]) -> Job | Wait | None:
        if time.monotonic() - self._looked > AGAIN:
            self._look_around()
        return choose(self._work, self._held, own, self._sharing)

    def _look_around(self) -> bool:
        """Take in what has become of jobs that others held; return whether one can be tried again.

        Whoever held it may be dead, which only trying to take its claim tells.
        """
        for key in list(self._held):
            self._is_settled(key)
        claimed, now = self.store.claimed_keys(), time.monotonic()
        to_try = [key for key, seen in self._held.items() if key not in claimed or now - seen > HELD]
        for key in to_try:
            del self._held[key]
        self._sharing = max(self.workers, len(claimed) + 1)
        self._looked = now
        return bool(to_try)

    def _follow(self, choice: Job | Wait) -> None:
        """Run the job that was chosen, or wait a moment."""
        if isinstance(choice, Wait):
            self._wait(choice.job)
        elif not self._is_settled(choice.key):
            self._take(choice)

    def _take(self, job: Job) -> None:
        """Claim a job and run it, unless another holds the claim or has just made it."""
        with self._claimed(job) as claim:
            if claim is None:
                self._held[job.key] = time.monotonic()
                return
            stopping.check()  # a signal that came while the claim was taken has raised nothing
            if not self._is_settled(job.key):
                with self._counted(job):
                    self._run(job, claim)

    def _wait(self, job: Job) -> None:
        """Sleep until what others hold changes, or for so long that a claim of theirs may have gone stale."""
        if self.on_wait is not None:
            self.on_wait(job)
        heap.give_back()  # the other may need it
        nap, work, left = NAP, self._work, len(self._work)
        began = time.monotonic()
        while time.monotonic() - began < AGAIN:
            time.sleep(nap)
            stopping.check()
            if self._look_around() or len(work) < left:
                return
            nap = min(LONGEST_NAP, 1.5 * nap)
        self._held.clear()

    @contextmanager
    def _claimed(self, job: Job) -> Iterator[Claim | None]:
        """Claim a job; yields None where another holds it."""
        claim: Claim | None = None
        try:
            with stopping.held():  # a claim that nobody knows of would be left behind
                claim = self.store.claim(job.key)
            yield claim
        finally:
            if claim is not None:
                with stopping.held():
                    claim.release()

    # -- what others have done -----------------------------------------------------------------------------

    def _is_settled(self, key: str) -> bool:
        """True if a job is not to be run: it is there, or has been and is needed no more, or has failed."""
        work = self._work
        self._learn(key)
        if key in work and (failed := self.failed_elsewhere(key)) is not None:
            self._fails(failed)
        if key in work:
            return False
        self._held.pop(key, None)
        return True

    def _learn(self, key: str) -> None:
        """Take in that a job's output is there, or that all that was to be made of it is."""
        work, stack, seen = self._work, [key], {key}
        while stack:
            at = stack.pop()
            if self.have(at):
                work.made(at)
            elif self.plan.passes(at):  # it may have been made, read and dropped
                readers = [one for one in work.readers(at) if one not in seen]
                seen.update(readers)
                stack += readers

    def failed_elsewhere(self, key: str) -> JobFailed | None:
        """Return how a job failed in another process since the run began, None where it has not."""
        tried = self.since and self.store.has_attempts(key)
        last = failing(self.store.attempts(key), self._since) if tried else None
        if last is None:
            return None
        at = str((last["job"] or {}).get("at", ""))
        log_path = str(self.store.log_path(key))
        return JobFailed(self.plan.jobs[key], str(last["error"]), at=at, log_path=log_path)

    @cached_property
    def _since(self) -> Since:
        return Since(self.since, self.store)

    def failure(self, key: str) -> JobFailed:
        """Return why a job cannot be made in this run."""
        if key not in self._failed:
            log_path = str(self.store.log_path(key))
            self._failed[key] = JobFailed(self.plan.jobs[key], self.given_up[key], log_path=log_path)
        return self._failed[key]

    # -- running -----------------------------------------------------------------------------------------

    @contextmanager
    def _counted(self, job: Job) -> Iterator[None]:
        """Count a job, which this worker has a claim on, as its own where a stop comes after its commit."""
        try:
            yield
        except stopping.Stopped:
            with stopping.held():
                if self.made[-1:] != [job] and self.have(job.key):
                    self.made.append(job)
            raise

    def _run(self, job: Job, claim: Claim) -> None:
        """Run a job; what it read and nothing needs any more is dropped."""
        if self.on_job is not None:
            self.on_job(job)
        if job.key in self.plan.parts:
            self.context.identities = {name: self.plan.identities[name] for name in self.plan.parts[job.key]}
        began = time.monotonic()
        try:
            with Telling(job, self.plan, self.context, claim):
                attempt(job, self.context, self._guarded)
        except JobFailed as failed:
            self._fails(failed)
        except TakenOver:
            self._held[job.key] = time.monotonic()
        except NotHere as error:
            log.warning("%s", error)
            self._fails(JobFailed(job, str(error)))
        except (Missing, Damaged, InputChanged) as error:
            self._remakes[job.key] += 1
            if self._remakes[job.key] > REMAKES:
                self._fails(JobFailed(job, f"an input is made again and again: {error}"))
                return
            log.warning("%s: made again", error)
            self._known = None
        else:
            self.made.append(job)
            self._work.made(job.key)
            if self.on_made is not None:
                self.on_made(job, time.monotonic() - began)
            self._intermediates.drop(self.plan.needs(job.key))

    def _guarded(self, job: Job, context: Context) -> None:
        with (
            own_process.marking(),
            nullcontext() if self.guard is None else self.guard.over(job, self.workers),
        ):
            self.run(job, context)

    def _fails(self, failed: JobFailed) -> None:
        """Take in that a job failed. Raises: WorkerLost where no other can be done in this process."""
        self._failed[failed.job.key] = failed.with_traceback(None)
        self._work.failed(failed.job.key)
        if self.on_failed is not None:
            self.on_failed(failed)
        if failed.device_lost:
            raise WorkerLost(failed)
