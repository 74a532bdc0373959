"""Who writes: a process of a host, and whether it is certainly dead."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Owner", "host_name"]


@functools.cache
def host_name() -> str:
    """Return this host's name with a hash of what its process numbers belong to: boot and PID namespace.

    Two containers may share a host name; their process numbers mean different processes.
    """
    name = re.sub(r"[^A-Za-z0-9]+", "-", socket.gethostname()).strip("-")[:32] or "host"
    marks = ""
    with contextlib.suppress(OSError):
        marks += Path("/proc/sys/kernel/random/boot_id").read_text()
    with contextlib.suppress(OSError):
        marks += os.readlink("/proc/self/ns/pid")
    return f"{name}-{hashlib.sha256(marks.encode()).hexdigest()[:8]}"


def _started(pid: int) -> int | None:
    """Return when a process started (good for comparing only); None where it is dead, 0 where unknown.

    A zombie counts as dead: it was killed and only its parent has not looked yet.
    """
    try:
        raw = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return _started_elsewhere(pid)
    fields = raw[raw.rindex(b")") + 1 :].split()  # the command's name may hold blanks and brackets
    # Ticks since boot: unlike a time of day, they do not move when the clock is set.
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def _started_elsewhere(pid: int) -> int | None:
    """As `_started`, where /proc has no such entry: not Linux, dead, or hidden from this user."""
    import psutil

    if not psutil.pid_exists(pid):
        return None
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return int(process.create_time())
    except psutil.NoSuchProcess:
        return None
    except psutil.Error:
        return 0


@dataclass(frozen=True, slots=True)
class Owner:
    """A process: host, number and start, so that a number used again is not taken for the same process."""

    host: str
    pid: int
    start: int

    @classmethod
    def me(cls) -> Owner:
        """Return the calling process (of a forked child, the child)."""
        return _owner_of(os.getpid())

    @property
    def here(self) -> bool:
        """True if its process number means something on this host."""
        return self.host == host_name()

    def dead(self) -> bool:
        """True if it is certainly dead. Of a process of another host nothing is certain."""
        if not self.here:
            return False
        started = _started(self.pid)
        if started is None:
            return True
        return 0 not in (started, self.start) and abs(started - self.start) > 1


@functools.cache
def _owner_of(pid: int) -> Owner:
    started = _started(pid)
    return Owner(host_name(), pid, started or 0)
