"""How many cores this process may use: of the machine a scheduler or a container may leave it a part."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from prunebench.cgroups import groups_around

__all__ = ["cores_allowed", "physical_cores", "usable_cores"]

ROOT = Path("/")
"""Below which the kernel's files are read."""


def usable_cores() -> int:
    """Return how many cores this process can keep busy, at least 1.

    The least of the physical cores that its affinity leaves it (two threads of a core compute hardly faster
    than one) and of the time that a container's quota allows.
    """
    reached, allowed = physical_cores(), cores_allowed()
    return reached if allowed is None else max(1, min(reached, int(allowed)))


def physical_cores() -> int:
    """Return how many physical cores the affinity of this process reaches."""
    try:
        threads = os.sched_getaffinity(0)
    except AttributeError:  # not on every system
        import psutil

        return psutil.cpu_count(logical=False) or os.cpu_count() or 1
    siblings = {_siblings(thread) for thread in threads}
    return len(threads) if None in siblings else len(siblings)


def _siblings(thread: int) -> str | None:
    """Return the threads of the same core, as the kernel lists them; None where it does not."""
    try:
        folder = ROOT / f"sys/devices/system/cpu/cpu{thread}/topology"
        return (folder / "thread_siblings_list").read_text().strip()
    except OSError:
        return None


def cores_allowed() -> float | None:
    """Return how much of the time of cores the control groups around this process allow; None: all of it."""
    return min(_quotas(), default=None)


def _quotas() -> Iterator[float]:
    """Yield the quota of each control group (version 1 or 2) around this process that has one, in cores."""
    for group in groups_around("cpu", ROOT):
        quota = _of_version_1(group.folder) if group.old else _of_version_2(group.folder)
        if quota is not None:
            yield quota


def _of_version_2(folder: Path) -> float | None:
    """Return what cpu.max says: "max 100000", or the microseconds of time in a period of so many."""
    try:
        quota, period = map(int, (folder / "cpu.max").read_text().split())
    except (OSError, ValueError):
        return None
    return quota / period


def _of_version_1(folder: Path) -> float | None:
    try:
        quota, period = (int((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
    except (OSError, ValueError):
        return None
    return quota / period if quota > 0 else None  # -1 is no limit
