"""What a Ray of this machine would leave behind, with processes that only look like Ray's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from prunebench import kin
from prunebench.engine.on_ray import clearing
from prunebench.engine.on_ray.clearing import DRIVER, MARK, PREFIX, cleared_afterwards, sweep

SLEEP = [sys.executable, "-S", "-c", "import sys, time; print(1, flush=True); time.sleep(60)"]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that those of Rays lie in."""
    monkeypatch.setattr(clearing, "_parent", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes, none of which outlives the test."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for one in processes:
        one.kill()
        one.wait()


def marked(folder: Path, started: list[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """Start a process as Ray's raylet is: with the mark."""
    one = subprocess.Popen(SLEEP, env={**os.environ, MARK: str(folder)}, stdout=subprocess.PIPE)
    started.append(one)
    assert one.stdout is not None
    one.stdout.readline()
    one.stdout.close()
    return one


def logging(folder: Path, started: list[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """Start a process as Ray's agents are: with a log open, and no environment that can be read."""
    with (folder / "agent.log").open("wb") as file:
        one = subprocess.Popen(SLEEP, stdout=file)
    started.append(one)
    return one


def test_afterwards_nothing_is_left(started: list[subprocess.Popen[bytes]]) -> None:
    """Neither what has the mark, nor what has a file of its folder open; nothing else is touched."""
    other = subprocess.Popen(SLEEP, stdout=subprocess.DEVNULL)
    started.append(other)
    with cleared_afterwards() as folder:
        assert os.environ[MARK] == str(folder)
        assert folder.stat().st_mode & 0o077 == 0, "nobody else may look into it"
        left = [marked(folder, started), logging(folder, started)]
        assert all(one.poll() is None for one in left)
    assert [one.wait(5) for one in left] == [-signal.SIGKILL] * 2
    assert not folder.exists()
    assert MARK not in os.environ
    assert other.poll() is None


def test_nothing_is_left_of_a_run_that_is_killed(started: list[subprocess.Popen[bytes]]) -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with cleared_afterwards() as folder:
                own = subprocess.Popen(SLEEP, stdout=subprocess.DEVNULL, start_new_session=True)
                os.write(write, json.dumps([own.pid, str(folder)]).encode())
                signal.pause()
        finally:
            os._exit(1)
    process, path = json.loads(os.read(read, 1000))
    os.close(read)
    os.close(write)
    orphan = psutil.Process(process)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    orphan.wait(20)
    for _ in range(200):
        if not Path(path).exists():
            return
        subprocess.run(["sleep", "0.05"], check=True)
    pytest.fail("its folder is there")


def test_the_next_run_clears_away_what_nobody_could(
    temporary: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    """A folder whose run lives, and a new one that does not say yet whose it is, stay."""
    dead = subprocess.Popen([sys.executable, "-S", "-c", ""])
    dead.wait()
    me, mine = os.getpid(), kin.mark_of(os.getpid())
    space, _, since = mine.split(".")
    drivers = {
        "dead": {"pid": dead.pid, "mark": f"{space}.{dead.pid}.{since}"},
        "reused": {"pid": me, "mark": f"{space}.{me}.1"},
        "living": {"pid": me, "mark": mine},
        "elsewhere": {"pid": dead.pid, "mark": f"another.{dead.pid}.{since}"},
    }
    for name in (*drivers, "new", "old"):
        folder = temporary / f"{PREFIX}{name}"
        folder.mkdir()
        if name in drivers:
            (folder / DRIVER).write_text(json.dumps(drivers[name]))
    long_ago = 1_000_000_000
    os.utime(temporary / f"{PREFIX}old", (long_ago, long_ago))
    (temporary / "other").mkdir()
    left = marked(temporary / f"{PREFIX}dead", started)
    kept = marked(temporary / f"{PREFIX}living", started)
    sweep()
    names = {one.name for one in temporary.iterdir()}
    assert names == {f"{PREFIX}living", f"{PREFIX}new", f"{PREFIX}elsewhere", "other"}
    assert left.wait(5) == -signal.SIGKILL
    assert kept.poll() is None


def test_a_clock_that_is_set_ends_no_living_run(
    monkeypatch: pytest.MonkeyPatch, started: list[subprocess.Popen[bytes]]
) -> None:
    """By the clock its process has then begun at another time."""
    with cleared_afterwards() as folder:
        kept = marked(folder, started)
        real = psutil.Process.create_time
        monkeypatch.setattr(psutil.Process, "create_time", lambda self: real(self) + 3600)
        sweep()
        assert folder.exists()
        assert kept.poll() is None
