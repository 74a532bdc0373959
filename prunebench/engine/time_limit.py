"""How long a worker may work: it is told to stop a little before that, as by a signal."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from prunebench import stopping

__all__ = ["TimeLimit"]

MARGIN, PART = 60.0, 0.1
"""A worker leaves so many seconds before its time is over, or this part of its time where that is less: a
checkpoint takes a step and a write."""

REMINDER = 1.0
"""Seconds after which it is told again: not all code lets an exception through that comes from nowhere."""


class TimeLimit:
    """Tells this process to stop a little before so many seconds are over."""

    def __init__(self, seconds: float | None, began: float) -> None:
        self._leave = math.inf if seconds is None else began + seconds - min(MARGIN, PART * seconds)
        self._ended = threading.Event()

    @property
    def over(self) -> bool:
        """True if it is time to leave."""
        return time.monotonic() >= self._leave

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Watch the time meanwhile; where no signals are listened to, `over` has to be looked at."""
        if self._leave == math.inf or not stopping.is_listening():
            yield
            return
        thread = threading.Thread(target=self._remind, name="time-limit", daemon=True)
        with stopping.timed():
            try:
                thread.start()  # which may be stopped itself
                yield
            finally:
                self._ended.set()
                if thread.ident is not None:
                    thread.join()

    def _remind(self) -> None:
        wait = max(0.0, self._leave - time.monotonic())
        while not self._ended.wait(wait):
            stopping.time_is_over()
            wait = REMINDER
