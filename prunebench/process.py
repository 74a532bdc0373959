"""What a process of ours sets when it starts, and what it was told of its place (imports no torch)."""

from __future__ import annotations

import os
import signal

from prunebench.heap import keep_freed

__all__ = [
    "BY_BUS",
    "CUBLAS",
    "EXIT_REPLACE",
    "ORDER",
    "SHARED_BY",
    "gpus_of_slot",
    "has_slot",
    "how_ended",
    "is_here",
    "prepare_process",
    "set_workspaces",
    "shared_by",
]

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"

_REPEATABLE = (":4096:8", ":16:8")
"""With these workspaces alone cuBLAS gives the same bits twice."""

ORDER = "CUDA_DEVICE_ORDER"
"""By this variable CUDA numbers its GPUs: the fastest first, unless it says that they go by their bus."""

BY_BUS = "PCI_BUS_ID"
"""As the driver and nvidia-smi number them."""

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
    """Set what has to be set before anything is computed: called where a process of ours starts.

    GPUs are numbered as the driver and nvidia-smi number them: where they are unlike, CUDA's own numbers are
    others, and cuda:1 would be another card than the one whose memory was asked for. Memory that a step frees
    is kept for the next.
    """
    set_workspaces()
    keep_freed()
    os.environ.setdefault(ORDER, BY_BUS)


def set_workspaces() -> None:
    """Let cuBLAS repeat its bits: before the first product of matrices on a GPU.

    cuBLAS and torch look at the variable once, at the first product of matrices; set for a job that needs it,
    it would come too late after another's.
    """
    if os.environ.get(CUBLAS) not in _REPEATABLE:
        os.environ[CUBLAS] = _REPEATABLE[0]


def has_slot() -> bool:
    """True if whoever started this worker gave it GPUs of its own (`prunebench.engine.devices.slots`)."""
    return SHARED_BY in os.environ


def gpus_of_slot() -> int:
    """Return how many GPUs this worker was given; 1 where it was given none, or was not told."""
    said = os.environ.get("CUDA_VISIBLE_DEVICES", "") if has_slot() else ""
    return max(1, len(said.split(",")))


def shared_by() -> int:
    """Return how many workers have the GPUs of this one, itself counted."""
    said = os.environ.get(SHARED_BY, "")
    return max(1, int(said)) if said.isdecimal() else 1


def is_here(entry: str) -> bool:
    """True if an entry of sys.path is the working directory."""
    try:
        return entry == "" or entry == os.getcwd()
    except OSError:  # the working directory is gone
        return entry == ""
