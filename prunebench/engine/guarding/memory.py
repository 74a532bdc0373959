"""How much memory is left, and how much processes take (imports nothing heavy)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from prunebench.cgroups import groups_around
from prunebench.kin import PROC

__all__ = ["available_memory", "is_within", "memory_of", "tightest_memory"]


def _number(path: str) -> int | None:
    """Return the number that a file of the kernel's holds; None where it says "max", or is not there."""
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):
        return None


def _meminfo() -> tuple[int, int]:
    """Return (available, total) bytes of the machine's memory."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        values = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
        return values["MemAvailable"], values["MemTotal"]
    except (OSError, ValueError, KeyError, IndexError):
        import psutil

        memory = psutil.virtual_memory()
        return memory.available, memory.total


def _cgroups() -> Iterator[tuple[int, int, str]]:
    """Yield (available, limit, name) of each control group around this process that has a limit."""
    old, new = ("memory.limit_in_bytes", "memory.usage_in_bytes"), ("memory.max", "memory.current")
    for group in groups_around("memory"):
        limit, used = (_number(f"{group.folder}/{name}") for name in (old if group.old else new))
        if limit is not None and used is not None:
            yield limit - used + _reclaimable(f"{group.folder}/memory.stat"), limit, group.name


def _reclaimable(path: str) -> int:
    """Return the bytes of files that a control group keeps in memory and would give up."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path(path).read_text().splitlines():
            name, value = line.split()
            if name in ("inactive_file", "total_inactive_file"):
                return int(value)
    return 0


def tightest_memory() -> tuple[int, int, str]:
    """Return (available, total, where) of what has least left: the machine (""), or a control group around
    this process, by its name, as of a container, that has less than the machine in all.
    """
    available, total = _meminfo()
    within = [group for group in _cgroups() if group[1] <= total]
    return min([(available, total, ""), *within], key=lambda one: one[0])


def available_memory() -> tuple[int, int]:
    """Return (available, total) bytes of memory: the machine's, or of a container that has less."""
    return tightest_memory()[:2]


def is_within(pid: int, group: str) -> bool:
    """True if a process is in a control group, or in one within it; of "", the machine, any is."""
    try:
        lines = Path(f"{PROC}/{pid}/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    paths = (line.split(":", 2)[-1] for line in lines)
    return group in ("", "/") or any(path == group or path.startswith(f"{group}/") for path in paths)


def _resident(pid: int) -> int:
    """Return a process's resident memory in bytes; 0 where it is gone."""
    try:
        return int(Path(f"{PROC}/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        pass
    if os.path.exists("/proc/self"):  # the process is gone, or /proc is another namespace's
        return 0
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def _own_part(pid: int) -> int:
    """Return a process's memory, what several share counted in parts; as resident where that is not said."""
    try:
        for line in Path(f"{PROC}/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (OSError, IndexError, ValueError):
        pass
    return _resident(pid)


def memory_of(pids: Collection[int], limit: float) -> int:
    """Return the memory of processes, as exactly as is needed to know if it is over a limit.

    Forked processes share most of theirs: added up it is too much, and counted exactly only where it matters.
    """
    total = sum(map(_resident, pids))
    return total if total <= limit or len(pids) == 1 else sum(map(_own_part, pids))
