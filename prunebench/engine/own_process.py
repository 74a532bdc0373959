"""Whether this process may be killed when a job of it hangs: a worker's may, a user's own Python not."""

from __future__ import annotations

import os

__all__ = ["is_expendable", "may_be_killed"]


class _Process:
    number = 0


def may_be_killed() -> None:
    """Say that this process is a worker and nothing else: whoever started it starts another when it ends."""
    _Process.number = os.getpid()


def is_expendable() -> bool:
    """True if `may_be_killed` was called in this very process, and not in one that forked it."""
    return _Process.number == os.getpid()
