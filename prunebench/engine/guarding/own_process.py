"""What a process is: a worker that may be killed, or a user's own Python (imports nothing heavy)."""

from __future__ import annotations

import os
import tempfile
from typing import IO

__all__ = ["DEATHS", "file_in_memory", "is_expendable", "may_be_killed"]

DEATHS = 2
"""So many processes may die while they work on a job, then it has failed: one may be killed by chance."""


class _Process:
    number = 0


def may_be_killed() -> None:
    """Say that this process is a worker and nothing else: whoever started it starts another when it ends."""
    _Process.number = os.getpid()


def is_expendable() -> bool:
    """True if `may_be_killed` was called in this very process, and not in one that forked it."""
    return _Process.number == os.getpid()


def file_in_memory() -> IO[bytes]:
    """Return a file without a name, in memory where the system has such: a disk may be full."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("prunebench"), "w+b")
    return tempfile.TemporaryFile()
