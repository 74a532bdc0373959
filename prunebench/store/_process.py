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
from typing import NamedTuple

__all__ = ["Owner", "host_name", "process_name"]


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


class _State(NamedTuple):
    """What is known of a living process."""

    start: int
    """When it started, good for comparing only; 0 where unknown."""
    stopped: bool = False
    """True if it was suspended (Ctrl-Z): it does nothing, and may never again."""


def _look(pid: int) -> _State | None:
    """Return what is known of a process; None where it is dead.

    A zombie counts as dead: it was killed and only its parent has not looked yet.
    """
    if pid <= 0:
        return None
    try:
        if not _proc_is_ours():
            return _look_elsewhere(pid)
        raw = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return _look_elsewhere(pid)
    fields = raw[raw.rindex(b")") + 1 :].split()  # the command's name may hold blanks and brackets
    if fields[0] in (b"Z", b"X"):
        return None
    # Ticks since boot: unlike a time of day, they do not move when the clock is set.
    return _State(int(fields[19]), stopped=fields[0] == b"T")


def _proc_is_ours() -> bool:
    """True if /proc numbers processes as this one does: in a PID namespace it may be another's."""
    return os.readlink("/proc/self") == str(os.getpid())


def _look_elsewhere(pid: int) -> _State | None:
    """As `_look`, where /proc has no such entry: not Linux, dead, or hidden from this user (hidepid)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass  # another user's
    if Path("/proc/self").exists():
        return _State(0)
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return _State(int(process.create_time()), stopped=process.status() == psutil.STATUS_STOPPED)
    except psutil.NoSuchProcess:
        return None
    except psutil.Error:
        return _State(0)


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
        state = _look(self.pid)
        return state is None or (0 not in (state.start, self.start) and not self._is(state))

    def works(self) -> bool:
        """True if it certainly lives and is not suspended: never certain of another host's process."""
        state = _look(self.pid) if self.here else None
        return state is not None and self._is(state) and not state.stopped

    def _is(self, state: _State) -> bool:
        return 0 not in (state.start, self.start) and abs(state.start - self.start) <= 1


def process_name(pid: int | None = None) -> str:
    """Return what a living process of this host (None: this one) is called: host, number and start."""
    owner = _owner_of(os.getpid() if pid is None else pid)
    return f"{owner.host}-{owner.pid}-{owner.start}"


@functools.cache
def _owner_of(pid: int) -> Owner:
    state = _look(pid)
    return Owner(host_name(), pid, 0 if state is None else state.start)
