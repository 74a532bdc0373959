"""What is said of a job that failed."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prunebench.engine.guarding.own_process import DEATHS
from prunebench.engine.since import Since
from prunebench.errors import PrunebenchError, UsageError, readable

if TYPE_CHECKING:
    from prunebench.plan import Job

__all__ = ["JobFailed", "NotHere", "TakenOver", "WorkerLost", "cause_of", "failing", "full_disk"]

_FULL = (errno.ENOSPC, errno.EDQUOT)


class TakenOver(Exception):
    """Another process has taken over a job that this one was on, which ends here: no failure."""


class NotHere(UsageError):
    """This process has not what a job takes, and another may have it: no attempt of the job is written."""


class JobFailed(Exception):
    """A job failed; what descends from it cannot be made. The attempt is in the store, with the traceback.

    As text: the job and the error; the line of the user's own file in which it arose; the log.
    """

    def __init__(
        self, job: Job, message: str, *, at: str = "", log_path: str = "", device_lost: bool = False
    ) -> None:
        message = readable(message)  # it travels to the controller, and names of files may be no UTF-8
        super().__init__(message)
        self.job, self.message, self.at, self.log_path = job, message, at, log_path
        self.device_lost = device_lost
        """True if the process cannot use its GPU any more."""

    def __str__(self) -> str:
        first, *rest = self.message.splitlines() or [""]
        at = [f"  at {self.at}"] if self.at and self.at not in self.message else []
        log = [f"  log: {self.log_path}"] if self.log_path else []
        return "\n".join([f"{self.job.kind} {self.job.key[:12]} failed: {first}", *rest, *at, *log])


class WorkerLost(PrunebenchError):
    """This process cannot use its GPU any more: `failed` says of which job that came, and is written down.

    Whoever started the process ends it and starts another in its place; there the job has failed.
    """

    def __init__(self, failed: JobFailed) -> None:
        super().__init__(
            f"this process cannot use its GPU any more, since {failed.job.kind} {failed.job.key[:12]} "
            f"failed: {failed.message.splitlines()[0]}"
        )
        self.failed = failed


def cause_of(error: str) -> str:
    """Return the text of a `JobFailed` without the job that met it: one damaged file fails many jobs."""
    spoken = re.fullmatch(r"\w+ [0-9a-f]{12} failed: (.*?)(\n  log: [^\n]*)?", error, re.DOTALL)
    return spoken[1] if spoken else error


def full_disk(error: BaseException | None) -> OSError | None:
    """Return the error of a full disk that an exception comes from, perhaps a component's; else None."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return error
        error = error.__cause__
    return None


def failing(attempts: Sequence[Mapping[str, Any]], since: Since) -> Mapping[str, Any] | None:
    """Return the attempt by which a job has failed since a moment; None where it has not failed.

    `attempts` are all of the job, newest last. A process that died
    may have been killed by chance; the second that dies of a job is no chance.
    """
    ours = [one for one in attempts if since.has(one)]
    failures = [one for one in ours if one["job"] is not None]
    if not failures and len(ours) < DEATHS:
        return None
    return (failures or ours)[-1]
