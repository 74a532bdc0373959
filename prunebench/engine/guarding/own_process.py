"""What a process is: a worker that may be killed, or a user's own Python (imports nothing heavy)."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import IO

from prunebench import kin

__all__ = [
    "DEATHS",
    "end_after",
    "file_in_memory",
    "is_expendable",
    "marking",
    "may_be_killed",
    "own_mark",
    "shares_process",
    "until_parent_ends",
]

DEATHS = 2
"""So many processes may die while they work on a job, then it has failed: one may be killed by chance."""


REMINDER = 1.0
"""Seconds after which a process that is to stop is told again: not all code lets an interrupt through."""


class _Process:
    number = 0
    mark = ""
    is_shared = False


def may_be_killed(*, shared: bool = False) -> None:
    """Say that this process is a worker and nothing else: whoever started it starts another when it ends.

    What it starts from now on is marked as its own, and ends when it does. Where it is `shared` with a user's
    own tests, that is so only of what it starts while it is `marking`: what those start is the user's.
    """
    if not is_expendable():
        _Process.number, _Process.is_shared = os.getpid(), shared
        _Process.mark = kin.mark_of(os.getpid()) if shared else kin.put_mark()


def marking() -> AbstractContextManager[None]:
    """Mark what this process starts meanwhile, where it is a worker that does not mark all."""
    return kin.marking() if shares_process() else contextlib.nullcontext()


def shares_process() -> bool:
    """True if this process is a worker that runs a user's own tests, too."""
    return is_expendable() and _Process.is_shared


def own_mark() -> str:
    """Return the mark that what this process starts bears; "" where it bears none."""
    return _Process.mark if is_expendable() else ""


def end_after(gone: Callable[[], object]) -> None:
    """Let this process end once `gone` has returned: with a checkpoint, or killed with all that it started
    where that takes too long. In a thread of its own.
    """
    threading.Thread(target=_end_after, args=(gone,), name="end-with-parent", daemon=True).start()


def _end_after(gone: Callable[[], object]) -> None:
    gone()
    with contextlib.suppress(OSError):  # of this process nobody sees the end any more
        call = "end_after(int(sys.argv[1]), sys.argv[2])"
        kin.beside("prunebench.kin", call, str(os.getpid()), own_mark(), stdin=subprocess.DEVNULL)
    until = time.monotonic() + kin.PATIENCE + REMINDER  # it may have to wait for others that have PATIENCE
    while time.monotonic() < until:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(REMINDER)
    if not shares_process():  # else what bears the mark is ended, by the process beside
        kin.send(kin.descendants_of(os.getpid()), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def until_parent_ends() -> None:
    """Wait until who started this process has ended."""
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError):  # not every system tells
        handle = os.pidfd_open(parent)
        with os.fdopen(handle, "rb", buffering=0):
            select.select([handle], [], [])
    while os.getppid() == parent:
        time.sleep(REMINDER / 2)


def is_expendable() -> bool:
    """True if `may_be_killed` was called in this very process, and not in one that forked it."""
    return _Process.number == os.getpid()


def file_in_memory() -> IO[bytes]:
    """Return a file without a name, in memory where the system has such: a disk may be full."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("prunebench"), "w+b")
    return tempfile.TemporaryFile()
