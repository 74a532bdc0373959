"""What a process of ours sets when it starts, and what it was told of its place (imports no torch)."""

from __future__ import annotations

import os
import signal

__all__ = [
    "CUBLAS",
    "EXIT_REPLACE",
    "SHARED_BY",
    "gpus_of_slot",
    "has_slot",
    "how_ended",
    "prepare_process",
    "shared_by",
    "usable_cores",
]

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"

_REPEATABLE = (":4096:8", ":16:8")
"""With these workspaces alone cuBLAS gives the same bits twice."""

SHARED_BY = "PRUNEBENCH_GPU_SHARED_BY"
"""The variable by which a worker is told how many workers have the same GPUs."""

EXIT_REPLACE = 75
"""The exit code of a process that another should take the place of, by BSD's sysexits."""


def how_ended(code: int) -> str:
    """Return how a process ended, as a verb for people; `code` is as Python spells it, a signal negative.

    >>> how_ended(3), how_ended(-9)
    ('left with exit code 3', 'was killed by SIGKILL')
    """
    if code >= 0:
        return f"left with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:  # of those for programs' own use few have a name
        return f"was killed by signal {-code}"


def prepare_process() -> None:
    """Set what has to be set before anything runs on a GPU: called where a process of ours starts.

    cuBLAS and torch look at the variable once, at the first product of matrices; set for a job that needs it,
    it would come too late after another's.
    """
    if os.environ.get(CUBLAS) not in _REPEATABLE:
        os.environ[CUBLAS] = _REPEATABLE[0]


def has_slot() -> bool:
    """True if whoever started this worker has given it GPUs of its own (`prunebench.engine.slots`)."""
    return SHARED_BY in os.environ


def gpus_of_slot() -> int:
    """Return how many GPUs this worker was given; 1 where it was given none, or was not told."""
    said = os.environ.get("CUDA_VISIBLE_DEVICES", "") if has_slot() else ""
    return max(1, len(said.split(",")))


def shared_by() -> int:
    """Return how many workers have the GPUs of this one, itself counted."""
    said = os.environ.get(SHARED_BY, "")
    return max(1, int(said)) if said.isdecimal() else 1


def usable_cores() -> int:
    """Return how many cores this process may use: a scheduler may have given it a part of the machine."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1
