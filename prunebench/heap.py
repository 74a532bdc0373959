"""What the C library does with memory that is freed: by default it gives large pieces back at once.

A training step frees its activations and takes as many again in the next. Given back, every page of them is
made anew by the system, zeroed: 4–10 % of the time of a step of ResNet-20 on a CPU. Kept, memory is what it
was at its largest, until `give_back`.

Only glibc is told so; other C libraries, and a glibc whose user has set its thresholds, are left as they are.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import cache
from typing import Any

__all__ = ["give_back", "keep_freed"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
_MIB = 1 << 20

LARGEST = 256 * _MIB
"""A larger piece is still taken from the system alone, and given back at once: kept, its place might never
fit again. Of ResNet-20 with a batch of 128 the largest has 8 MiB, of ResNet-50 on TinyImageNet 256."""

LARGEST_BEFORE = 32 * _MIB
"""What glibc up to 2.34 allows."""

KEPT = 2048 * _MIB - 1
"""So much may stay free at the end of the heap: what mallopt's int can say."""

USERS_OWN = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_", "MALLOC_TOP_PAD_")


def keep_freed() -> bool:
    """Let this process keep what it frees for what it takes next. True if it will."""
    libc = _glibc()
    if libc is None or any(name in os.environ for name in USERS_OWN):
        return False
    if "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    told: Callable[[int, int], int] = libc.mallopt
    pieces = told(_MMAP_THRESHOLD, LARGEST) or told(_MMAP_THRESHOLD, LARGEST_BEFORE)
    return bool(pieces and told(_TRIM_THRESHOLD, KEPT))


def give_back() -> None:
    """Give the system all that is free: where nothing is trained for the moment."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


@cache
def _glibc() -> Any:
    """Return the C library if it is glibc; else None."""
    try:
        libc = ctypes.CDLL(None)
        _ = libc.gnu_get_libc_version, libc.mallopt, libc.malloc_trim
    except (AttributeError, OSError, TypeError):  # TypeError: Windows has no library without a name
        return None
    libc.malloc_trim.argtypes = [ctypes.c_size_t]
    return libc
