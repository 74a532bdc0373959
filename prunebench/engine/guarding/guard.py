"""What keeps a job from hanging for ever, and from taking all memory: the worker's side.

A job that gives no sign of life is interrupted by an alarm, which Python's code heeds: the job has failed,
and the worker goes on. A process beside the worker (`guard_process`) kills it where that does not help, as
in code in C, and where it takes too much memory: whoever started the worker starts another.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from prunebench import kin, pulse
from prunebench.engine.guarding import guard_process
from prunebench.engine.guarding.limits import Limits, hanging
from prunebench.engine.guarding.own_process import file_in_memory, is_expendable, own_mark, shares_process
from prunebench.isolation import running
from prunebench.plan import Job

__all__ = ["Guard", "TimedOut"]

log = logging.getLogger("prunebench.jobs")

GRACE = 3.0
"""Seconds after its time is up for which a job is left to end by itself, before its process is killed."""

REMINDER = 1.0
"""Seconds after which a job that was interrupted, and did not heed it, is interrupted again."""

LIKELY = 500
"""How much more likely than others (of 1000) the kernel ends a worker where memory runs out at once: so it
takes the worker, and not who started it, which would end them all."""


class TimedOut(BaseException):
    """A job gave no sign of life for too long. No component's `except Exception` takes it for its own."""


class Guard:
    """Watches over the jobs of this process, one at a time."""

    def __init__(self, limits: Limits, store: Path) -> None:
        self.limits = limits
        self._store = store
        self._number = 0
        self._armed = self._alone = False
        self._page: guard_process.Page | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @contextlib.contextmanager
    def over(self, job: Job, workers: int = 1) -> Iterator[None]:
        """Watch over a job meanwhile; `workers` of this machine share its memory. Raises: TimedOut."""
        self._start(workers)
        pulse.beat()
        self._number += 1
        if self._page is not None:
            self._page.begin(self._number, {"key": job.key, "kind": job.kind})
        try:
            with self._alarm():
                yield
        finally:
            if self._page is not None:
                self._page.end()

    # -- interrupting ------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _alarm(self) -> Iterator[None]:
        timeout = self.limits.timeout
        if timeout is None or threading.current_thread() is not threading.main_thread():
            yield
            return
        handler = signal.signal(signal.SIGALRM, self._ring)
        left, interval = signal.setitimer(signal.ITIMER_REAL, timeout)
        self._armed = True
        try:
            yield
        finally:
            self._armed = False
            signal.setitimer(signal.ITIMER_REAL, left, interval)
            signal.signal(signal.SIGALRM, handler)

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        """Interrupt the job, if there was no sign of life for so long; else look again when that may be."""
        timeout = self.limits.timeout
        if not self._armed or timeout is None:
            return
        left = pulse.last() + timeout - time.monotonic()
        if left > 0:
            signal.setitimer(signal.ITIMER_REAL, left)
            return
        signal.setitimer(signal.ITIMER_REAL, REMINDER)
        who = running()
        raise TimedOut(f"{f'{who}: ' if who else ''}{hanging(timeout)}")

    # -- the process beside ------------------------------------------------------------------------------

    def _start(self, workers: int) -> None:
        """Start the process that watches this one, where there is something to kill it for."""
        if self._process is not None or self._alone or not is_expendable() or os.name != "posix":
            return
        if self.limits.timeout is None and self.limits.memory is None:
            return
        with file_in_memory() as file:
            file.truncate(guard_process.SIZE)
            self._page = guard_process.Page(file.fileno())
            said: dict[str, Any] = {
                "worker": os.getpid(),
                "parent": os.getppid(),
                "store": str(self._store),
                "timeout": self.limits.timeout,
                "grace": GRACE,
                "memory": self.limits.memory,
                "workers": workers,
                "page": file.fileno(),
                "mark": own_mark(),
                "shared": shares_process(),
                "path": sys.path,
            }
            try:
                self._process = kin.beside(
                    "prunebench.engine.guarding.guard_process",
                    "main()",
                    json.dumps(said),
                    stdin=subprocess.PIPE,
                    pass_fds=(file.fileno(),),
                )
            except OSError as error:  # too many processes; or this user may not run it
                log.warning("nobody watches this process: %s", error)
                self._alone = True
                return
        # not at exit: then it has to look for what the worker leaves behind
        weakref.finalize(self, _dismiss, self._process).atexit = False
        pulse.felt_by(self._page.beat)
        _offer_to_the_kernel()


def _dismiss(process: subprocess.Popen[bytes]) -> None:
    """End the process that watched, once no job is to come: it would stay as long as this one."""
    process.kill()
    process.wait()
    with contextlib.suppress(OSError):  # foreign code may have closed it
        if process.stdin is not None:
            process.stdin.close()


def _offer_to_the_kernel() -> None:
    """Let the kernel end this process first where memory runs out before anybody has looked."""
    with contextlib.suppress(OSError, ValueError):
        score = Path("/proc/self/oom_score_adj")
        if int(score.read_text()) < LIKELY:
            score.write_text(str(LIKELY))
