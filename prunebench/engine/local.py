"""The local engine: makes what cells need, in this process, one job after another.

A job and where it runs are two things: this module decides what is next, `prunebench.jobs.run_job` does it.
Other engines take the place of this one. Several local engines may share a store: claims keep them from
doing the same work, and the store from harm where they do.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from prunebench import stopping
from prunebench.engine.streams import printed_to
from prunebench.errors import DataError, PrunebenchError, readable
from prunebench.faults import place_of, said
from prunebench.jobs.context import Context, InputChanged, InputRefused
from prunebench.jobs.run import run_job
from prunebench.plan import Job, Plan, PlannedCell
from prunebench.store import Claim, Damaged, Missing, Store, Unwritable, writing

__all__ = ["JobFailed", "LocalEngine"]

log = logging.getLogger("prunebench.jobs")

FULL = (errno.ENOSPC, errno.EDQUOT)

REMAKES = 5
"""How often an input may turn out missing, damaged or changed before its job counts as failed."""


class JobFailed(Exception):
    """A job failed; what descends from it cannot be made. The attempt is in the store, with the traceback.

    As text: the job and the error; the line of the user's own file in which it arose; the log.
    """

    def __init__(self, job: Job, message: str, *, at: str = "", log_path: str = "") -> None:
        message = readable(message)  # it travels to the controller, and names of files may be no UTF-8
        super().__init__(message)
        self.job, self.message, self.at, self.log_path = job, message, at, log_path

    def __str__(self) -> str:
        first, *rest = self.message.splitlines() or [""]
        at = [f"  at {self.at}"] if self.at and self.at not in self.message else []
        log = [f"  log: {self.log_path}"] if self.log_path else []
        return "\n".join([f"{self.job.kind} {self.job.key[:12]} failed: {first}", *rest, *at, *log])


def cause_of(error: str) -> str:
    """Return the text of a `JobFailed` without the job that met it: one damaged file fails many jobs."""
    found = re.fullmatch(r"\w+ [0-9a-f]{12} failed: (.*?)(\n  log: [^\n]*)?", error, re.DOTALL)
    return found[1] if found else error


@dataclass
class LocalEngine:
    """Makes cells of one plan."""

    plan: Plan
    context: Context
    keep_states: bool = False
    given_up: dict[str, str] = field(default_factory=dict)
    """Errors of jobs, by key, that ended another process of the same run: they are not tried again in it."""
    on_job: Callable[[Job], None] | None = None
    """Called before a job runs."""
    on_wait: Callable[[Job], None] | None = None
    """Called when somebody else holds the claim on a job that is next."""
    run: Callable[[Job, Context], None] = run_job
    made: list[Job] = field(default_factory=list)
    """Jobs that this engine ran to the end."""
    _failed: dict[str, JobFailed] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        """The store that everything is read from and written to."""
        return self.context.store

    def have(self, key: str) -> bool:
        """Whether a job's output is in the store."""
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
        while not self.have(target):
            try:
                for key in self.plan.remaining([target], self.have):
                    self._one(key, target)
            except (Missing, Damaged, InputChanged) as error:
                remakes += 1
                if remakes > REMAKES:
                    raise JobFailed(
                        self.plan.jobs[target], f"an input is made again and again: {error}"
                    ) from error
                log.warning("%s: made again", error)

    def _needed(self, key: str, target: str) -> bool:
        """Whether a job still has to run for a target, after what others have made and dropped meanwhile.

        A state is dropped after its record is there: so the target is looked for last.
        """
        return key in self.plan.remaining([target], self.have) and not self.have(target)

    def _one(self, key: str, target: str) -> None:
        job = self.plan.jobs[key]
        stopping.check()
        if key in self._failed:
            raise self._failed[key]
        if key in self.given_up:
            raise self._note_failure(job, self.given_up[key])
        with self._claimed(job, target) as mine:
            if mine:
                stopping.check()  # a signal that came while the claim was taken has raised nothing
                self._run(job)

    @contextmanager
    def _claimed(self, job: Job, target: str) -> Iterator[bool]:
        """Wait for this job's claim; yields False where it is not needed any more."""
        claim: Claim | None = None
        waiting = False
        try:
            while self._needed(job.key, target):
                with stopping.held():  # a claim that nobody knows of would be left behind
                    claim = self.store.claim(job.key)
                if claim is not None:
                    break
                if not waiting and self.on_wait is not None:
                    self.on_wait(job)
                waiting = True
                time.sleep(0.1)
            yield claim is not None and self._needed(job.key, target)
        finally:
            if claim is not None:
                with stopping.held():
                    claim.release()

    def _note_failure(self, job: Job, message: str, at: str = "") -> JobFailed:
        failed = JobFailed(job, message, at=at, log_path=str(self.store.log_path(job.key)))
        self._failed[job.key] = failed
        return failed

    def _run(self, job: Job) -> None:
        if self.on_job is not None:
            self.on_job(job)
        path = self.store.log_path(job.key)
        with _JobLog(path) as job_log:
            try:
                with printed_to(path):
                    self.run(job, self.context)
            except (Missing, Damaged, InputChanged, Unwritable):
                raise
            except BaseException as error:  # a component may raise anything, SystemExit and its like too
                if stopping.requested() or stopping.is_signal(error):
                    stopping.heard()
                    log.warning("stopped")
                    raise stopping.Stopped from error
                if (full := _full_disk(error)) is not None:
                    with writing(path):
                        raise full from None
                message = str(error) if isinstance(error, PrunebenchError | InputRefused) else said(error)
                at = str(place_of(error) or "")
                log.error("failed: %s", message)
                job_log.write(traceback.format_exc())
                self.store.write_attempt(
                    job.key,
                    error=message,
                    log_tail=job_log.tail(),
                    job={"kind": job.kind, "at": at, "traceback": traceback.format_exc()},
                )
                raise self._note_failure(job, message, at) from error
            log.info("done")
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
    """Whether a job's output is only passed through: scores, and states of pruned runs."""
    return job.kind == "score" or job.prunes


def _full_disk(error: BaseException | None) -> OSError | None:
    """Return the error of a full disk that an exception comes from, perhaps a component's; else None."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return error
        error = error.__cause__
    return None


class _LogFile(logging.FileHandler):
    """A file that cannot be written, as on a full disk, is an error, and no traceback on the screen."""

    def __init__(self, path: Path) -> None:
        with writing(path):
            super().__init__(path, encoding="utf-8", errors="backslashreplace")

    def handleError(self, record: logging.LogRecord) -> None:
        """Raise Unwritable for an OSError; what a component logs wrongly is its own affair."""
        error = sys.exception()
        if isinstance(error, OSError):
            with writing(Path(self.baseFilename)):
                raise error
        super().handleError(record)

    def close(self) -> None:
        """Close the file; what cannot be written any more is lost."""
        with contextlib.suppress(OSError):
            super().close()


class _JobLog:
    """Writes what is logged meanwhile to a job's file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._logger = logging.getLogger("prunebench")
        self._level = self._logger.level

    def __enter__(self) -> _JobLog:
        self._handler = _LogFile(self._path)
        self._handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        self._logger.setLevel(logging.INFO)
        self._logger.addHandler(self._handler)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self._handler)
        self._logger.setLevel(self._level)
        self._handler.close()

    def write(self, text: str) -> None:
        """Write text to the file alone: a traceback is for whoever looks into the log."""
        self._handler.emit(
            logging.makeLogRecord({"msg": text, "levelname": "ERROR", "levelno": logging.ERROR})
        )

    def tail(self) -> str:
        """Return the file's last lines."""
        self._handler.flush()
        return "\n".join(self._path.read_text("utf-8", errors="replace").splitlines()[-50:])
