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
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from prunebench import kin, pulse
from prunebench.engine.guarding import guard_process
from prunebench.engine.guarding.limits import Limits, Memory, hanging
from prunebench.engine.guarding.own_process import file_in_memory, is_expendable, own_mark, shares_process
from prunebench.isolation import running
from prunebench.plan import Job

__all__ = ["Guard", "TimedOut"]

log = logging.getLogger("prunebench.jobs")

GRACE = 3.0
"""Seconds after its time is up for which a job is left to end by itself, before its process is killed."""

BRIEF = 0.05
"""Seconds for which a job whose time is up is waited for once more: a process that was suspended hears of its
alarm first, and then that it goes on."""

LATE = 1.0
"""Seconds by which an alarm is late where the process was frozen; or was in C, and has come back."""

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
        self._armed = self._waited = False
        self._due = 0.0

    @contextlib.contextmanager
    def over(self, job: Job, workers: int = 1) -> Iterator[None]:
        """Watch over a job meanwhile; `workers` of this machine share its memory. Raises: TimedOut."""
        page = self._told(workers)
        pulse.beat()
        if page is not None:
            page.begin(
                {
                    "key": job.key,
                    "kind": job.kind,
                    "store": str(self._store),
                    "timeout": self.limits.timeout,
                    "grace": GRACE,
                    "memory": self.limits.memory,
                    "workers": workers,
                }
            )
        try:
            with pulse.felt_in_imports(), self._alarm():
                yield
        finally:
            if page is not None:
                page.end()

    # -- interrupting ------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _alarm(self) -> Iterator[None]:
        timeout = self.limits.timeout
        if timeout is None or threading.current_thread() is not threading.main_thread():
            yield
            return
        handlers = {
            signal.SIGALRM: signal.signal(signal.SIGALRM, self._ring),
            signal.SIGCONT: signal.signal(signal.SIGCONT, lambda *_: pulse.beat()),
        }
        left, interval = self._ring_in(timeout)
        self._armed, self._waited = True, False
        try:
            yield
        finally:
            self._armed = False
            signal.setitimer(signal.ITIMER_REAL, left, interval)
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _ring_in(self, seconds: float) -> tuple[float, float]:
        self._due = time.monotonic() + seconds
        return signal.setitimer(signal.ITIMER_REAL, seconds)

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        """Interrupt the job, if there was no sign of life for so long; else look again when that may be.

        Time for which the process was suspended is no silence: it counts anew from where it goes on.
        """
        timeout = self.limits.timeout
        if not self._armed or timeout is None:
            return
        if time.monotonic() > self._due + LATE:
            pulse.beat()
        left = pulse.last() + timeout - time.monotonic()
        if left > 0 or not self._waited:
            self._waited = left <= 0
            self._ring_in(max(left, BRIEF))
            return
        self._ring_in(REMINDER)
        who = running()
        raise TimedOut(f"{f'{who}: ' if who else ''}{hanging(timeout)}")

    # -- the process beside ------------------------------------------------------------------------------

    def _told(self, workers: int) -> guard_process.Page | None:
        """Return what this process shares with the one that watches it, where there is something to kill it
        for.
        """
        limits = self.limits
        if not is_expendable() or os.name != "posix" or (limits.timeout is None and limits.memory is None):
            return None
        return _Beside.page_of_one_that_lives(limits.memory)


class _Beside:
    """The process that watches over this one: one, whatever number of stores and plans this one works on."""

    worker = 0
    """The process that it watches; another where that one has forked us."""
    page: guard_process.Page | None = None
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def page_of_one_that_lives(cls, memory: Memory) -> guard_process.Page | None:
        """Return what is shared with it; it is started where there is none. None where that cannot be."""
        if cls.worker == os.getpid() and (cls.process is None or cls.process.poll() is None):
            return cls.page
        cls.worker, cls.page, cls.process = os.getpid(), None, None
        with file_in_memory() as file:
            file.truncate(guard_process.SIZE)
            said: dict[str, Any] = {
                "worker": os.getpid(),
                "parent": os.getppid(),
                "memory": memory,
                "page": file.fileno(),
                "mark": own_mark(),
                "shared": shares_process(),
                "path": sys.path,
            }
            try:
                cls.process = kin.beside(
                    "prunebench.engine.guarding.guard_process",
                    "main()",
                    json.dumps(said),
                    stdin=subprocess.PIPE,
                    pass_fds=(file.fileno(),),
                )
            except OSError as error:  # too many processes; or this user may not run it
                log.warning("nobody watches this process: %s", error)
                return None
            cls.page = guard_process.Page(file.fileno())
        pulse.felt_by(cls.page.beat)
        _offer_to_the_kernel()
        return cls.page


def _offer_to_the_kernel() -> None:
    """Let the kernel end this process first where memory runs out before anybody has looked."""
    with contextlib.suppress(OSError, ValueError):
        score = Path("/proc/self/oom_score_adj")
        if int(score.read_text()) < LIKELY:
            score.write_text(str(LIKELY))
