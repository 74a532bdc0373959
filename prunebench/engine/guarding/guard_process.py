"""The process that watches over a worker: ends it where its job hangs, or where it takes too much memory.

A process of its own, since code in C may keep the worker's threads from running; and a small one: run as a
file, it imports the store only once it has something to write down. It reads a page of memory that it shares
with the worker (`Page`), so that whatever foreign code closes, the worker can still be seen.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import select
import signal
import struct
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["Page", "available_memory", "memory_of"]

LOOK = 0.1
"""Seconds between two looks at the worker."""

KIN = 1.0
"""Seconds between two looks at what processes the worker has started."""

PATIENCE = 4.0
"""Seconds in which a worker whose parent was killed may commit a checkpoint and end."""

RESERVE = 0.05
"""The part of the machine's memory that must be left: below that it may come to a standstill."""

PROC = "/proc" if os.path.exists("/proc/self") and os.readlink("/proc/self") == str(os.getpid()) else "/none"
"""Where processes are described; nowhere, if /proc numbers them as another PID namespace does."""

SIZE = 8192
_HEAD = struct.Struct("=ddII")


class Page:
    """What a worker and its guard share: the last sign of life, and the job that is being run."""

    def __init__(self, descriptor: int) -> None:
        self._page = mmap.mmap(descriptor, SIZE)

    def beat(self, at: float) -> None:
        """Note a sign of life; at 8 bytes a look never meets half of it."""
        struct.pack_into("=d", self._page, 0, at)

    def begin(self, number: int, job: dict[str, Any]) -> None:
        """Note that a job begins."""
        now = time.monotonic()
        content = json.dumps(job).encode()[: SIZE - _HEAD.size]
        _HEAD.pack_into(self._page, 0, now, now, 0, 0)
        self._page[_HEAD.size : _HEAD.size + len(content)] = content
        _HEAD.pack_into(self._page, 0, now, now, number, len(content))

    def end(self) -> None:
        """Note that no job is being run."""
        now = time.monotonic()
        _HEAD.pack_into(self._page, 0, now, now, 0, 0)

    def read(self) -> tuple[float, int, dict[str, Any]] | None:
        """Return (last sign, number, job) of the job that is being run; None where there is none."""
        beat, began, number, length = _HEAD.unpack_from(self._page)
        if not number:
            return None
        try:
            job = json.loads(self._page[_HEAD.size : _HEAD.size + length])
        except ValueError:  # another is being written there
            return None
        return (max(beat, began), number, job) if _HEAD.unpack_from(self._page)[2] == number else None


# -- memory ----------------------------------------------------------------------------------------------


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


def _cgroups() -> Iterator[tuple[int, int]]:
    """Yield (available, limit) of each control group around this process that has a limit (a container's)."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top = "/sys/fs/cgroup/memory" if controllers else "/sys/fs/cgroup"
        old, new = ("memory.limit_in_bytes", "memory.usage_in_bytes"), ("memory.max", "memory.current")
        names = old if controllers else new
        for folder in (path, *map(str, Path(path).parents)):
            limit, used = (_number(f"{top}{folder}/{name}") for name in names)
            if limit is not None and used is not None:
                yield limit - used + _reclaimable(f"{top}{folder}/memory.stat"), limit


def _reclaimable(path: str) -> int:
    """Return the bytes of files that a control group keeps in memory and would give up."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path(path).read_text().splitlines():
            name, value = line.split()
            if name in ("inactive_file", "total_inactive_file"):
                return int(value)
    return 0


def available_memory() -> tuple[int, int]:
    """Return (available, total) bytes of memory: the machine's, or of a container that has less."""
    machine = _meminfo()
    within = [group for group in _cgroups() if group[1] <= machine[1]]
    return min([machine, *within], key=lambda one: one[0])


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


def memory_of(pids: list[int], limit: float) -> int:
    """Return the memory of processes, as exactly as is needed to know if it is over a limit.

    Forked processes share most of theirs: added up it is too much, and counted exactly only where it matters.
    """
    total = sum(map(_resident, pids))
    return total if total <= limit or len(pids) == 1 else sum(map(_own_part, pids))


# -- processes -------------------------------------------------------------------------------------------


def _started(pid: int) -> str:
    """Return what tells a process from a later one of the same number; "" where it is gone."""
    try:
        raw = Path(f"{PROC}/{pid}/stat").read_bytes()
        return raw[raw.rindex(b")") + 1 :].split()[19].decode()
    except (OSError, ValueError, IndexError):
        return ""


def _parent(pid: int) -> int | None:
    """Return the number of a process's parent; None where that is not known."""
    try:
        raw = Path(f"{PROC}/{pid}/stat").read_bytes()
        return int(raw[raw.rindex(b")") + 1 :].split()[1])
    except (OSError, ValueError, IndexError):
        return None


def _children(pid: int) -> list[int]:
    """Return the processes that a process has started and that are its own still."""
    children: list[int] = []
    try:
        tasks = os.listdir(f"{PROC}/{pid}/task")
    except OSError:
        return children
    for task in tasks:
        with contextlib.suppress(OSError):
            children += map(int, Path(f"{PROC}/{pid}/task/{task}/children").read_text().split())
    return children


class _Kin:
    """The processes that a worker has started, and what those have: remembered, as orphans are nobody's."""

    def __init__(self, worker: int) -> None:
        self._worker = worker
        self._known: dict[int, str] = {}
        self._looked = 0.0

    def look(self, *, now: bool = False) -> list[int]:
        """Return those that live."""
        if now or time.monotonic() - self._looked > KIN:
            self._looked = time.monotonic()
            stack = [self._worker, *self._living()]
            while stack:
                for child in _children(stack.pop()):
                    if child not in self._known and child != os.getpid():
                        self._known[child] = _started(child)
                        stack.append(child)
            self._known = {pid: self._known[pid] for pid in self._living()}
        return list(self._known)

    def _living(self) -> list[int]:
        return [pid for pid, started in self._known.items() if started and _started(pid) == started]

    def kill(self) -> None:
        """Kill them."""
        for pid in self._living():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


# -- watching --------------------------------------------------------------------------------------------


class _Watch:
    """Watches one worker until it ends."""

    def __init__(self, page: Page, said: dict[str, Any]) -> None:
        self._page, self._said = page, said
        self._worker = int(said["worker"])
        self._kin = _Kin(self._worker)
        self._open = True
        self._left = self._total = self._took = 0

    def _lives(self) -> bool:
        return os.getppid() == self._worker

    def _sleep(self) -> None:
        """Wait a moment, or until the worker ends: that closes our standard input, if nobody has done so."""
        if not self._open:
            time.sleep(LOOK)
            return
        readable, _, _ = select.select([0], [], [], LOOK)
        if readable and not os.read(0, 100):
            self._open = False

    def run(self) -> None:
        """Watch until the worker ends; then end what it has left behind."""
        while self._lives():
            self._sleep()
            if _parent(self._worker) not in (self._said["parent"], None):
                self._end_orphan()
            kin, doing = self._kin.look(), self._page.read()
            if doing is None:
                continue
            late, large = self._is_late(doing[0]), self._is_large([self._worker, *kin])
            if (late or large) and self._lives():
                self._end(doing[1], late)
        self._kin.kill()

    def _is_late(self, sign: float) -> bool:
        timeout: float | None = self._said["timeout"]
        return timeout is not None and time.monotonic() - sign > timeout + self._said["grace"]

    def _is_large(self, pids: list[int]) -> bool:
        """True if the worker takes more than it may, or than its share of a memory that runs out."""
        limit = self._said["memory"]
        if limit is None:
            return False
        if limit == "auto":
            self._left, self._total = available_memory()
            if self._left > RESERVE * self._total:
                return False
            limit = (1 - 2 * RESERVE) * self._total / self._said["workers"]
        self._took = memory_of(pids, float(limit))
        return self._took > float(limit)

    def _end(self, number: int, late: bool) -> None:
        """Write down why, and kill the worker with all that it has started."""
        with contextlib.suppress(OSError):  # it takes no more memory then, and its job does not end meanwhile
            os.kill(self._worker, signal.SIGSTOP)
        doing = self._page.read()
        if doing is None or doing[1] != number or (late and not self._is_late(doing[0])):
            with contextlib.suppress(OSError):
                os.kill(self._worker, signal.SIGCONT)
            return
        note = threading.Thread(target=self._write_down, args=(doing[2], late), daemon=True)
        note.start()
        note.join(5.0)  # where the file system hangs it has to do without
        self._kin.look(now=True)
        with contextlib.suppress(OSError):
            os.kill(self._worker, signal.SIGKILL)
        while self._lives():
            time.sleep(0.01)

    def _end_orphan(self) -> None:
        """Tell a worker whose parent was killed to stop, as that can no more; kill it if it does not."""
        until = time.monotonic() + PATIENCE
        while self._lives() and time.monotonic() < until:
            with contextlib.suppress(OSError):
                os.kill(self._worker, signal.SIGTERM)
            for _ in range(10):
                if self._lives():
                    time.sleep(0.05)
        self._kin.look(now=True)
        with contextlib.suppress(OSError):
            if self._lives():
                os.kill(self._worker, signal.SIGKILL)

    def _write_down(self, job: dict[str, Any], late: bool) -> None:
        """Write the job's failure to the store, in the worker's name."""
        sys.path[:] = self._said["path"]
        from prunebench.store import Store

        with contextlib.suppress(Exception):
            store = Store.open(self._said["store"], create=False)
            details = {"kind": job["kind"], "at": "", "traceback": ""}
            tail = store.log_tail(job["key"])
            store.write_attempt(job["key"], self._why(late), tail, "SIGKILL", details, worker=self._worker)

    def _why(self, late: bool) -> str:
        from prunebench.amounts import spelled_bytes
        from prunebench.engine.guarding.limits import hanging

        if late:
            return f"{hanging(self._said['timeout'])}; nothing could interrupt it, so its process was killed"
        limit, took = self._said["memory"], spelled_bytes(self._took)
        if limit != "auto":
            return f"it took {took} of memory, and --memory-limit allows {spelled_bytes(limit)}"
        left, total = spelled_bytes(self._left), spelled_bytes(self._total)
        return f"the memory ran out, {left} of {total} were left, and it took {took} (--memory-limit auto)"


def _main() -> None:
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # it ends with its worker, whoever is told to stop
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    said = json.loads(sys.argv[1])
    _Watch(Page(said["page"]), said).run()


if __name__ == "__main__":
    _main()
