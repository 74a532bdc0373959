"""The process that makes jobs for one of Ray's: its child, bound to the GPUs of its tasks (imports no torch).

A process of its own, since CUDA reads once which GPUs it may use, and Ray gives the tasks of one process now
these, now others. What ends it (a crash in C, its guard, a GPU that is lost) ends no process of Ray's, which
would count that against the task, and sees how it ended. Ray's threads and handlers of signals are not in it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from multiprocessing import Pipe
from typing import Any

from prunebench import stopping
from prunebench.engine.devices.gpus import VISIBLE
from prunebench.process import how_ended

__all__ = ["Died", "Maker"]

PROGRAM = "from prunebench.engine.on_ray.maker_process import main; main()"
"""What the process runs, once it has our path."""

LOOK = 0.1
"""Seconds between two looks whether this process was told to stop, or that one has died."""

REMINDER = 1.0
"""Seconds after which a job that was told to stop is told again: not all code lets that through."""

LEAVING = 30.0
"""Seconds that a job has to end at a checkpoint."""

IDLE = 60.0
"""Seconds after which a process without work is ended: what it holds of a GPU lacks those that have work."""


class Died(Exception):
    """The process ended while it was to answer; as text, how."""

    def __init__(self, pid: int, code: int) -> None:
        super().__init__(how_ended(code))
        self.pid, self.code = pid, code


class Maker:
    """A process that answers questions, one at a time."""

    def __init__(self, gpus: str) -> None:
        """`gpus` is the CUDA_VISIBLE_DEVICES that it has for good."""
        self.gpus = gpus
        self._pipe, theirs = Pipe()
        number = theirs.fileno()
        start = f"import sys; sys.path[:] = {sys.path!r}; sys.argv = ['', '{number}']; {PROGRAM}"
        self._process = subprocess.Popen(
            # -P: nothing is imported from where it happens to be; its path is ours
            [sys.executable, "-P", "-c", start],
            stdin=subprocess.DEVNULL,
            env={**os.environ, VISIBLE: gpus},
            pass_fds=(number,),
            start_new_session=True,  # it is this process that signals are passed on by
        )
        theirs.close()
        self._asks = threading.Lock()
        self._timer: threading.Timer | None = None

    @property
    def lives(self) -> bool:
        """True if it can be asked."""
        return not self._pipe.closed and self._process.poll() is None

    def ask(self, question: Any) -> Any:
        """Return its answer; where this process is told to stop, it is, and answers then.

        Raises: Died; Stopped where it ends without an answer, having been told to.
        """
        with self._asks:
            if self._timer is not None:
                self._timer.cancel()
            try:
                self._pipe.send(question)
                answer = self._answer()
            except (OSError, EOFError):
                with contextlib.suppress(subprocess.TimeoutExpired):  # it may have closed the pipe alone
                    self._process.wait(2 * LOOK)
                code = self._end()
                stopping.check()
                raise Died(self._process.pid, code) from None
            self._timer = threading.Timer(IDLE, self._end_if_idle)
            self._timer.daemon = True
            self._timer.start()
            return answer

    def close(self) -> None:
        """End it."""
        with self._asks:
            self._end()

    def _answer(self) -> Any:
        """Raises: OSError, EOFError where the process has ended, or the pipe is closed."""
        told = reminded = 0.0
        while not self._pipe.poll(LOOK):
            if self._process.poll() is not None and not self._pipe.poll(0):  # others may hold its end
                raise EOFError
            now = time.monotonic()
            if stopping.requested() and now - reminded > REMINDER:
                told, reminded = told or now, now
                self._process.terminate()
                if now - told > LEAVING:
                    raise EOFError
        return self._pipe.recv()

    def _end_if_idle(self) -> None:
        if self._asks.acquire(blocking=False):  # else it is being asked
            try:
                self._end()
            finally:
                self._asks.release()

    def _end(self) -> int:
        """End the process; return its exit code, which is that of its own end if it had ended before."""
        if self._timer is not None:
            self._timer.cancel()
        self._process.kill()
        code = self._process.wait()
        self._pipe.close()
        return code
