"""One attempt at a job: what it logs and prints goes to its log, its error into the store."""

from __future__ import annotations

import contextlib
import logging
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from prunebench import stopping
from prunebench.engine.devices.errors import advice, forget, is_device_lost
from prunebench.engine.failures import JobFailed, NotHere, TakenOver, full_disk
from prunebench.engine.guarding.guard import TimedOut
from prunebench.engine.printed import printed_to
from prunebench.errors import PrunebenchError
from prunebench.faults import place_of, said
from prunebench.isolation import same_process
from prunebench.jobs.context import Context, InputChanged, InputRefused
from prunebench.plan import Job
from prunebench.store import Damaged, Missing, Store, Unwritable, writing

__all__ = ["Run", "attempt"]

log = logging.getLogger("prunebench.jobs")

Run = Callable[[Job, Context], None]
"""What runs a job: `prunebench.jobs.run_job`."""


def attempt(job: Job, context: Context, run: Run) -> None:
    """Run a job to its end.

    Raises: JobFailed, once the attempt is written down; Missing, Damaged or InputChanged where something that
    it reads has to be made again; NotHere where another process may be able to; Unwritable where the store
    cannot be written; Stopped.
    """
    path = context.store.begin_log(job.key)
    with _JobLog(path) as job_log:
        failed = _failure_of(job, context, run, job_log)
        if failed is not None:  # raised out here, it holds nothing of what the job worked with
            raise failed
        log.info("done")


def _failure_of(job: Job, context: Context, run: Run, job_log: _JobLog) -> JobFailed | None:
    """Run a job; return how it failed, written down, or None where it did not."""
    path = context.store.log_path(job.key)
    try:
        with printed_to(path), same_process():
            run(job, context)
    except (Missing, Damaged, InputChanged, NotHere, TakenOver, Unwritable):
        raise
    except BaseException as error:  # a component may raise anything, SystemExit and its like too
        _raise_if_no_failure(error, path)
        failed = _written_down(job, error, context.store, job_log)
        forget(error)
        return failed
    return None


def _raise_if_no_failure(error: BaseException, path: Path) -> None:
    """Raise where an exception means that the run was stopped, or that the disk is full."""
    if stopping.requested() or stopping.is_signal(error):
        stopping.heard()
        log.warning("stopped")
        raise stopping.Stopped from error
    if (full := full_disk(error)) is not None:
        with writing(path):
            raise full from None


def _written_down(job: Job, error: BaseException, store: Store, job_log: _JobLog) -> JobFailed:
    """Write a failed attempt to the store and return what is said of it."""
    plain = isinstance(error, PrunebenchError | InputRefused | TimedOut)
    message = str(error) if plain else said(error)
    message += advice(job, error)
    lost = is_device_lost(error)
    at = str(place_of(error) or "")
    log.error("failed: %s", message)
    job_log.write(traceback.format_exc())
    store.write_attempt(
        job.key,
        error=message,
        log_tail=job_log.tail(),
        job={"kind": job.kind, "at": at, "traceback": traceback.format_exc()},
    )
    return JobFailed(job, message, at=at, log_path=str(store.log_path(job.key)), device_lost=lost)


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
