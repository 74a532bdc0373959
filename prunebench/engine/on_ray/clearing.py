"""What a Ray of this machine leaves behind where the run is killed, and who clears it away (imports no Ray).

Most of Ray's processes end with the one that started them, but not all: its agents may stay. So a process
waits until the run is gone, whatever became of that, then ends all that Ray was and removes its files. Where
that one was killed too, the next run does so.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from prunebench import kin

__all__ = ["clear", "cleared_afterwards", "sweep"]

PREFIX = "prunebench-ray-"

MARK = "PRUNEBENCH_RAY_FOLDER"
"""Set in the environment of all that a Ray of ours starts. Some of it writes its title over that, but has its
logs open."""

DRIVER = "driver.json"
"""The file in a Ray's folder that says whose it is."""

ROUNDS, PAUSE = 50, 0.1
"""How often processes are looked for until none is left, and the seconds between."""

OLD = 86_400.0
"""Seconds without a change after which a folder is a dead run's whose run is not known here: it does not say
whose it is, or says so of a process of another container or boot."""

LONGEST_PATH = 40
"""Characters of a temporary folder, beyond which the sockets that Ray makes below it have names too long."""

APART = "import os; os.fork() and os._exit(0)"
"""Makes a process nobody's child."""

PROGRAM = "from prunebench.engine.on_ray.clearing import wait_and_clear; wait_and_clear()"


@contextmanager
def cleared_afterwards() -> Iterator[Path]:
    """Yield a new folder for a Ray of one's own, and set the mark of what it starts meanwhile; afterwards, or
    when this process is killed, nothing of all that is left.
    """
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_parent())).resolve()
    (folder / DRIVER).write_text(json.dumps({"pid": os.getpid(), "mark": kin.mark_of(os.getpid())}))
    start = f"{APART}; import sys; sys.path[:] = {sys.path!r}; sys.argv = ['', {str(folder)!r}]; {PROGRAM}"
    keeper = subprocess.Popen(
        [sys.executable, "-P", "-c", start],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,  # closed when it has done all
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # what ends this process's group, or all its kin, is not to end that one
        env={name: value for name, value in os.environ.items() if name != kin.OWNER},
    )
    os.environ[MARK] = str(folder)
    try:
        yield folder
    finally:
        os.environ.pop(MARK, None)
        keeper.communicate()  # closes its standard input, and waits


def wait_and_clear() -> None:
    """The process that waits: until standard input is closed, as it is when whoever started it is gone."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    os.chdir("/")
    sys.stdin.buffer.read()
    clear(Path(sys.argv[1]))


def clear(folder: Path) -> None:
    """End all processes of the Ray that has this folder, but the one whose Ray it is, and remove it."""
    driver, _ = _driver(folder)
    for _ in range(ROUNDS):
        left = [one for one in _processes_of(folder) if one.pid != driver]
        for one in left:
            with contextlib.suppress(psutil.Error):
                one.kill()
        if not left:
            break
        time.sleep(PAUSE)
    shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Clear away what runs of this user that were killed have left."""
    for folder in _parent().glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_uid == os.getuid() and _is_left(folder):
                clear(folder.resolve())


def _parent() -> Path:
    """Return the folder for temporary files, if what lies in it is not too far down."""
    usual = tempfile.gettempdir()
    return Path(usual if len(usual) <= LONGEST_PATH else "/tmp")


def _driver(folder: Path) -> tuple[int | None, str]:
    """Return whose Ray it is that has this folder: the process's number, and its mark, which holds when it
    started by a clock that nobody sets.
    """
    try:
        said = json.loads((folder / DRIVER).read_text())
        return int(said["pid"]), str(said["mark"])
    except (OSError, ValueError, KeyError, TypeError):
        return None, ""


def _is_left(folder: Path) -> bool:
    """True if the process whose Ray it is has ended."""
    _, mark = _driver(folder)
    lives = kin.lives(mark)
    if lives is None:
        return time.time() - max(map(_changed, (folder, *folder.rglob("*")))) > OLD
    return not lives


def _changed(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.lstat().st_mtime
    return 0.0


def _processes_of(folder: Path) -> list[psutil.Process]:
    """Return the processes that have the mark of a Ray, or a file in its folder open; not this one."""
    return [one for one in psutil.process_iter() if one.pid != os.getpid() and _is_of(one, folder)]


def _is_of(process: psutil.Process, folder: Path) -> bool:
    try:
        if process.environ().get(MARK) == str(folder):
            return True
        return any(Path(file.path).is_relative_to(folder) for file in process.open_files())
    except (psutil.Error, OSError):  # it is gone, or another user's
        return False
