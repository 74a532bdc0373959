"""Processes that one of ours has started: found while it lives, and once it is dead (imports nothing heavy).

Foreign code starts processes and forgets them, and a process whose parent is dead is nobody's. So what a
worker starts bears its mark: a variable in its environment where it was started anew, and a small file in its
memory where it was only forked. And who starts workers adopts whatever they leave (`adopt`), mark or none.
"""

from __future__ import annotations

import contextlib
import functools
import mmap
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import psutil

__all__ = [
    "OWNER",
    "PATIENCE",
    "adopt",
    "bears",
    "beside",
    "children_of",
    "descendants_of",
    "end",
    "end_after",
    "end_all",
    "end_marked",
    "end_with_parent",
    "is_stopped",
    "living",
    "lives",
    "mark_of",
    "marked",
    "marking",
    "orphans",
    "parent_of",
    "processes",
    "put_mark",
    "send",
    "started",
]

OWNER = "PRUNEBENCH_OWNER"
"""The variable that says which process of ours has started a process, or has started who did."""

PATIENCE = 4.0
"""Seconds that a process which is told to stop has for a checkpoint."""

NAP = 0.02
"""Seconds between two looks whether processes have ended."""

PROC = "/proc" if os.path.exists("/proc/self") and os.readlink("/proc/self") == str(os.getpid()) else "/none"
"""Where processes are described; nowhere, if /proc numbers them as another PID namespace does."""

AGAIN = 100
"""So often processes are looked for that are to end: what starts others faster than that goes on."""

_BESIDE = """import sys
others = [place for place, entry in enumerate(sys.path) if entry.endswith("-packages")]
sys.path.insert(min(others, default=len(sys.path)), sys.argv.pop(1))  # after Python's own
from {module} import *
{call}
"""

_FILE = "prunebench-"
"""How the file is called that a worker's memory holds; the mark follows."""

_SUBREAPER, _DEATH_SIGNAL = 36, 1
"""Of prctl: orphans among its descendants become a process's children; a signal once its parent is dead."""


# -- what /proc tells ------------------------------------------------------------------------------------


def _fields(pid: int) -> list[bytes]:
    """Return what the kernel tells of a process, from its state on; nothing where it is gone."""
    try:
        raw = Path(f"{PROC}/{pid}/stat").read_bytes()
        return raw[raw.rindex(b")") + 1 :].split()
    except (OSError, ValueError):
        return []


def _as_psutil_says(pid: int) -> psutil.Process | None:
    """Return a process where there is no /proc; None where there is one, or the process is gone."""
    if os.path.exists("/proc/self"):
        return None
    import psutil

    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    return None


def started(pid: int) -> str:
    """Return what tells a process from a later one of the same number; "" where it has ended."""
    if (process := _as_psutil_says(pid)) is not None:
        return str(process.create_time())
    fields = _fields(pid)
    return fields[19].decode() if len(fields) > 19 and fields[0] not in (b"Z", b"X") else ""


def is_stopped(pid: int) -> bool:
    """True if a process is suspended: stopped by a signal, or by a debugger."""
    if (process := _as_psutil_says(pid)) is not None:
        return str(process.status()) in ("stopped", "tracing-stop")
    return _fields(pid)[:1] in ([b"T"], [b"t"])


def parent_of(pid: int) -> int | None:
    """Return the number of a process's parent; None where that is not known."""
    if (process := _as_psutil_says(pid)) is not None:
        return process.ppid()
    fields = _fields(pid)
    return int(fields[1]) if fields else None


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started, or adopted, and that are its own still."""
    if (process := _as_psutil_says(pid)) is not None:
        return [child.pid for child in process.children()]
    if not _lists_children():
        return [child for child in _numbers() if child != pid and parent_of(child) == pid]
    children: list[int] = []
    try:
        tasks = os.listdir(f"{PROC}/{pid}/task")
    except OSError:
        return children
    for task in tasks:
        with contextlib.suppress(OSError):
            children += map(int, Path(f"{PROC}/{pid}/task/{task}/children").read_text().split())
    return children


def _lists_children() -> bool:
    """True if the kernel lists the children of a process: not every one is built to."""
    return os.path.exists(f"{PROC}/self/task/{os.getpid()}/children")


def descendants_of(pid: int) -> dict[int, str]:
    """Return the living processes that come from a process, each with what `started` says of it."""
    every: dict[int, str] = {}
    stack = [pid]
    while stack:
        for child in children_of(stack.pop()):
            since = started(child)
            if child not in every:
                stack.append(child)  # of one that has ended too: its threads may have children
                if since:
                    every[child] = since
    return every


# -- marks -----------------------------------------------------------------------------------------------


@functools.cache
def _space() -> str:
    """Return what tells the process numbers here from those of another machine, container or boot; "" if
    nothing does: a variable may travel to where they mean other processes.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")
        return f"{boot}-{os.readlink(f'{PROC}/self/ns/pid').strip('pid:[]')}"
    except OSError:
        return ""


def mark_of(pid: int) -> str:
    """Return a process's mark: where its number means it, the number and start, so that it is no other's."""
    return f"{_space()}.{pid}.{started(pid)}"


def lives(mark: str) -> bool | None:
    """Return whether the process lives that a mark is of; None where that cannot be told here: the number is
    of another machine, container or boot, or is none.
    """
    of, _, rest = mark.partition(".")
    owner, _, since = rest.partition(".")
    if of != _space() or not owner.isdecimal() or not since:
        return None
    return started(int(owner)) == since


class _Own:
    page: mmap.mmap | None = None
    """A file in this process's memory, by which those are known that it has forked."""
    number = 0
    """The process that it is of."""
    inherited: ClassVar[list[mmap.mmap]] = []
    """Those of the processes that this one was forked from."""


def put_mark() -> str:
    """Mark all that this process starts from now on as its own; return the mark."""
    mark = mark_of(os.getpid())
    os.environ[OWNER] = mark
    if _Own.page is not None and _Own.number != os.getpid():  # who forked this one is told by it
        _Own.inherited.append(_Own.page)
    _Own.number = os.getpid()
    if hasattr(os, "memfd_create"):
        with contextlib.suppress(OSError), os.fdopen(os.memfd_create(_FILE + mark), "w+b") as file:
            file.truncate(mmap.PAGESIZE)
            _Own.page = mmap.mmap(file.fileno(), mmap.PAGESIZE)
    return mark


@contextlib.contextmanager
def marking() -> Iterator[None]:
    """Mark what this process starts meanwhile, and nothing that it starts afterwards."""
    before = os.environ.get(OWNER)
    put_mark()
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(OWNER, None)
        else:
            os.environ[OWNER] = before
        page, _Own.page = _Own.page, None
        if page is not None:
            page.close()


def bears(pid: int, mark: str) -> bool:
    """True if a process bears a mark."""
    return mark in _marks_of(pid)


def _marks_of(pid: int) -> set[str]:
    """Return the marks that a process bears; none where that cannot be read."""
    marks: set[str] = set()
    with contextlib.suppress(OSError):
        for variable in Path(f"{PROC}/{pid}/environ").read_bytes().split(b"\0"):
            if variable.startswith(OWNER.encode() + b"="):
                marks.add(variable.partition(b"=")[2].decode("ascii", "replace"))
    with contextlib.suppress(OSError):
        if os.readlink(f"{PROC}/{pid}/exe") != os.readlink(f"{PROC}/self/exe"):
            return marks  # not forked from one of ours: its memory is its own
        for line in Path(f"{PROC}/{pid}/maps").read_bytes().splitlines():
            _, its, name = line.partition(b"/memfd:" + _FILE.encode())
            if its:
                marks.add(name.decode("ascii", "replace").removesuffix(" (deleted)"))
    return marks


def processes() -> Iterator[int]:
    """Yield the numbers of all processes but this one."""
    yield from (pid for pid in _numbers() if pid != os.getpid())


def _numbers() -> list[int]:
    try:
        return [int(name) for name in os.listdir(PROC) if name.isdecimal()]
    except OSError:
        return []


def _own_processes() -> Iterator[int]:
    """Yield this user's."""
    for pid in processes():
        with contextlib.suppress(OSError):
            if os.stat(f"{PROC}/{pid}").st_uid == os.geteuid():
                yield pid


def marked(mark: str) -> dict[int, str]:
    """Return the processes that bear a mark, but not the one that it is the mark of."""
    owner = int(mark.split(".")[1])
    return {pid: started(pid) for pid in _own_processes() if pid != owner and bears(pid, mark)}


def orphans() -> dict[int, str]:
    """Return the processes that were started by ones of ours that are dead: nobody else ends them."""
    left: dict[int, str] = {}
    for pid in _own_processes() if _space() else ():
        if any(lives(mark) is False for mark in _marks_of(pid)):
            left[pid] = started(pid)
    return left


# -- ending them -----------------------------------------------------------------------------------------


def adopt() -> None:
    """Let orphans among the descendants of this process become its children, where the system can (Linux)."""
    _prctl(_SUBREAPER, 1)


def end_with_parent(wanted: bool = True) -> None:
    """Let this process be killed when its parent is dead, or no longer, where the system can (Linux)."""
    _prctl(_DEATH_SIGNAL, signal.SIGKILL if wanted else 0)


def _prctl(option: int, value: int) -> None:
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def living(those: Mapping[int, str]) -> list[int]:
    """Return the numbers of those that have not ended."""
    return [pid for pid, since in those.items() if since and started(pid) == since]


def send(those: Mapping[int, str], number: int) -> None:
    """Send a signal to those that have not ended: of the others the number may be another's by now."""
    for pid in living(those):
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def end(those: Mapping[int, str], patience: float = PATIENCE) -> None:
    """Tell processes to stop, and kill those that have not ended in time."""
    send(those, signal.SIGTERM)
    until = time.monotonic() + patience
    while living(those) and time.monotonic() < until:
        time.sleep(NAP)
    send(those, signal.SIGKILL)


def end_marked(mark: str) -> None:
    """Kill all that bears a mark, and what that starts meanwhile; nothing for none."""
    for _ in range(AGAIN if mark else 0):
        left = marked(mark)
        if not living(left):
            return
        send(left, signal.SIGKILL)
        time.sleep(NAP)


def end_after(pid: int, mark: str) -> None:
    """Wait until a process has ended, and kill all that bears its mark."""
    while started(pid):
        time.sleep(NAP)
    end_marked(mark)


def beside(module: str, call: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start a function of prunebench's in a small process of its own, which looks after this one.

    It imports nothing of the user's, is in a session of its own, so that it ends last also where the whole
    group is killed, and finds its `arguments` in sys.argv. Raises: OSError where it cannot be started.
    """
    root = str(Path(__file__).parents[1])
    program = _BESIDE.format(module=module, call=call)
    unmarked = {name: value for name, value in os.environ.items() if name != OWNER}
    return subprocess.Popen(
        [sys.executable, "-I", "-c", program, root, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=unmarked,
        **options,
    )


def end_all(patience: float = 0.0) -> list[int]:
    """End all that comes from this process: told to stop first, where there is some patience.

    What they start meanwhile ends too. Those that this process has adopted are reaped: it must have no
    children of its own left. Return those that the kernel does not let go of.
    """
    until = time.monotonic() + patience
    told: set[tuple[int, str]] = set()
    while left := descendants_of(os.getpid()):
        late = time.monotonic() >= until
        new = {pid: since for pid, since in left.items() if late or (pid, since) not in told}
        send(new, signal.SIGKILL if late else signal.SIGTERM)
        told |= set(new.items())
        if time.monotonic() > until + PATIENCE:
            return living(left)
        _reap()
        time.sleep(NAP)
    return []


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
