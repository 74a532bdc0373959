"""The process that watches over a worker: ends it where its job hangs, or where it takes too much memory.

A process of its own, since code in C may keep the worker's threads from running; and a small one: it
imports the store only once it has something to write down. It reads a page of memory that it shares
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
from pathlib import Path
from typing import Any

from prunebench import kin
from prunebench.engine.guarding.memory import is_within, memory_of, tightest_memory

__all__ = ["Page", "main"]

LOOK = 0.1
"""Seconds between two looks at the worker."""

LONG = 1.0
"""Seconds that a look counts at most as silence of a job: after more this process was asleep itself."""

KIN = 1.0
"""Seconds between two looks at what processes the worker has started."""

WAIT = 2.0
"""Seconds in which the largest worker ends where memory runs out, before the next largest ends too."""

RESERVE = 0.05
"""The part of the machine's memory that must be left: below that it may come to a standstill."""

SIZE = 32_768
"""Bytes: room for a path of 4096 characters, each spelled in six."""

_HEAD = struct.Struct("=ddII")


class Page:
    """What a worker and its guard share: the last sign of life, and the job that is being run, with where its
    results go and what it may take.
    """

    def __init__(self, descriptor: int, access: int = mmap.ACCESS_WRITE) -> None:
        self._page = mmap.mmap(descriptor, SIZE, access=access)
        self._number = 0

    def beat(self, at: float) -> None:
        """Note a sign of life; at 8 bytes a look never meets half of it."""
        struct.pack_into("=d", self._page, 0, at)

    def begin(self, job: dict[str, Any]) -> None:
        """Note that a job begins."""
        now = time.monotonic()
        self._number += 1
        content = json.dumps(job).encode()[: SIZE - _HEAD.size]
        _HEAD.pack_into(self._page, 0, now, now, 0, 0)
        self._page[_HEAD.size : _HEAD.size + len(content)] = content
        _HEAD.pack_into(self._page, 0, now, now, self._number, len(content))

    def end(self) -> None:
        """Note that no job is being run; what the last one was stays there."""
        now = time.monotonic()
        length = _HEAD.unpack_from(self._page)[3]
        _HEAD.pack_into(self._page, 0, now, now, 0, length)

    def last(self) -> dict[str, Any]:
        """Return the job that is being run, or was; nothing where none was, or another is written there."""
        length = _HEAD.unpack_from(self._page)[3]
        try:
            job: dict[str, Any] = json.loads(self._page[_HEAD.size : _HEAD.size + length])
        except ValueError:
            return {}
        return job

    def read(self) -> tuple[float, int, dict[str, Any]] | None:
        """Return (last sign, number, job) of the job that is being run; None where there is none."""
        beat, began, number, _ = _HEAD.unpack_from(self._page)
        job = self.last() if number else {}
        if not job or _HEAD.unpack_from(self._page)[2] != number:  # another is being written there
            return None
        return max(beat, began), number, job


# -- processes -------------------------------------------------------------------------------------------


def _told_to(pid: int) -> dict[str, Any]:
    """Return what a process was told that watches over a worker; nothing where it is none."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        *command, said, _ = Path(f"{kin.PROC}/{pid}/cmdline").read_bytes().split(b"\0")
        if any(__name__.encode() in word for word in command):
            return dict(json.loads(said))
    return {}


class _Kin:
    """The processes that a worker has started, and what those have: remembered, as orphans are nobody's.

    Those that watch over it, or over workers among them, are none: each ends with whom it watches.
    """

    def __init__(self, worker: int, mark: str, shared: bool = False) -> None:
        """`shared`: it runs a user's own tests, too, and only what bears the mark is of its jobs."""
        self._worker, self._mark, self._shared = worker, mark, shared
        self._known: dict[int, str] = {}
        self._looked = 0.0

    def look(self, *, now: bool = False) -> list[int]:
        """Return those that live."""
        if now or time.monotonic() - self._looked > KIN:
            self._looked = time.monotonic()
            for pid in [self._worker, *kin.living(self._known)]:
                of = kin.descendants_of(pid)
                if self._shared and pid == self._worker:
                    of = {one: since for one, since in of.items() if kin.bears(one, self._mark)}
                self._known |= of
            self._known = self._without_who_watches()
        return kin.living(self._known)

    def _without_who_watches(self) -> dict[int, str]:
        return {pid: since for pid, since in self._known.items() if not _told_to(pid)}

    def kill(self) -> None:
        """Kill them, and, once the worker is dead, all that it has started since and left to nobody."""
        kin.send(self._without_who_watches(), signal.SIGKILL)
        kin.end_marked(self._mark)


def _others_of(worker: int, group: str) -> list[int]:
    """Return the workers that share a memory with one, that of a control group, or the machine's, and are
    ended where it runs out: whoever started them, they are known by who watches them.
    """
    others = []
    for pid in kin.processes():
        told = _told_to(pid)
        if not told or kin.parent_of(pid) != told["worker"] or told["worker"] == worker:
            continue
        if _memory_limit(pid, told) == "auto":
            others.append(int(told["worker"]))
    return [one for one in others if is_within(one, group)]


def _memory_limit(pid: int, told: dict[str, Any]) -> Any:
    """Return what the worker may take that a process watches: in its job, or the last one; as it was in the
    first where the page that they share is another user's.
    """
    with contextlib.suppress(OSError, ValueError), open(f"{kin.PROC}/{pid}/fd/{told['page']}", "rb") as file:
        return Page(file.fileno(), mmap.ACCESS_READ).last().get("memory", told["memory"])
    return told["memory"]


# -- watching --------------------------------------------------------------------------------------------


class _Watch:
    """Watches one worker until it ends."""

    def __init__(self, page: Page, said: dict[str, Any]) -> None:
        self._page, self._said = page, said
        self._worker = int(said["worker"])
        self._kin = _Kin(self._worker, said.get("mark", ""), said.get("shared", False))
        self._open = True
        self._job: dict[str, Any] = {}
        """What the worker is at."""
        self._sign = self._silent = 0.0
        self._looked = time.monotonic()
        self._left = self._total = self._took = 0
        self._short_since: float | None = None
        """Since when there is no memory left."""

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
            if kin.parent_of(self._worker) not in (self._said["parent"], None):
                self._end_orphan()
            kindred, doing = self._kin.look(), self._page.read()
            self._listen(doing)
            if doing is None:
                continue
            self._job = doing[2]
            late, large = self._is_late(doing[0]), self._is_large([self._worker, *kindred])
            if (late or large) and self._lives():
                self._end(doing[1], late)
        self._kin.kill()

    def _listen(self, doing: tuple[float, int, dict[str, Any]] | None) -> None:
        """Count for how long there was no sign, without the time for which the worker, or this process, was
        suspended.
        """
        now = time.monotonic()
        passed, self._looked = min(now - self._looked, LONG), now
        if doing is None or doing[0] != self._sign:
            self._sign, self._silent = (0.0, 0.0) if doing is None else (doing[0], 0.0)
        elif not kin.is_stopped(self._worker):
            self._silent += passed

    def _is_late(self, sign: float) -> bool:
        timeout: float | None = self._job["timeout"]
        late = timeout is not None and self._silent > timeout + self._job["grace"]
        return late and sign == self._sign

    def _is_large(self, pids: list[int]) -> bool:
        """True if the worker takes more than it may, or than its share of a memory that runs out."""
        limit = self._job["memory"]
        if limit is None:
            return False
        if limit != "auto":
            self._took = memory_of(pids, float(limit))
            return self._took > float(limit)
        self._left, self._total, group = tightest_memory()
        if self._left > RESERVE * self._total:
            self._short_since = None
            return False
        self._short_since = self._short_since or time.monotonic()
        others = _others_of(self._worker, group)
        share = (1 - 2 * RESERVE) * self._total / max(self._job["workers"], len(others) + 1)
        self._took = memory_of(pids, share)
        if self._took <= share:
            return False
        if time.monotonic() - self._short_since > WAIT:
            return True
        larger = ((memory_of([one, *kin.descendants_of(one)], share), one) for one in others)
        return max(larger, default=(0, 0)) < (self._took, self._worker)

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
        until = time.monotonic() + kin.PATIENCE
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
            store = Store.open(job["store"], create=False)
            details = {"kind": job["kind"], "at": "", "traceback": ""}
            tail = store.log_tail(job["key"])
            store.write_attempt(job["key"], self._why(late), tail, "SIGKILL", details, worker=self._worker)

    def _why(self, late: bool) -> str:
        from prunebench.amounts import spelled_bytes
        from prunebench.engine.guarding.limits import hanging

        if late:
            return f"{hanging(self._job['timeout'])}; nothing could interrupt it, so its process was killed"
        limit, took = self._job["memory"], spelled_bytes(self._took)
        if limit != "auto":
            return f"it took {took} of memory, and --memory-limit allows {spelled_bytes(limit)}"
        left, total = spelled_bytes(self._left), spelled_bytes(self._total)
        return f"the memory ran out, {left} of {total} were left, and it took {took} (--memory-limit auto)"


def main() -> None:
    """Watch over the worker that the first argument tells of."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # it ends with its worker, whoever is told to stop
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    said = json.loads(sys.argv[1])
    _Watch(Page(said["page"]), said).run()
