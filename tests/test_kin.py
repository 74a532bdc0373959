"""Processes that one of ours has started are known as its own, also once they are nobody's, and end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prunebench import kin

STARTERS = {
    "forks": "os.fork() == 0 and (os.setsid(), up(), time.sleep(100))",
    "starts a program": "subprocess.Popen(['sleep', '100'], start_new_session=True); up()",
    "forks twice": "os.fork() == 0 and (os.setsid(), os.fork() and os._exit(0), up(), time.sleep(100))",
}

HIDES = """
os.fork() == 0 and (
    os.setsid(), os.fork() and os._exit(0), up(), os.execve('/bin/sleep', ['sleep', '100'], {}))
"""

PROGRAM = """
import os, pathlib, signal, subprocess, sys, time
from prunebench import kin
kin.OWNER, kin._FILE = "PRUNEBENCH_TESTED", "prunebench-tested-"
file = pathlib.Path(sys.argv[1])
def up():
    file.write_text("up")
def wait():
    while not file.exists():
        time.sleep(0.01)
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start Python on some lines, in a folder by which its descendants are known."""
    processes: list[subprocess.Popen[str]] = []

    def start(lines: str, **options: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PROGRAM + lines, "up"]
        processes.append(
            subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload]
        )
        return processes[-1]

    yield start
    for pid in in_folder(tmp_path):
        os.kill(pid, signal.SIGKILL)
    for process in processes:
        process.wait()


@pytest.fixture(autouse=True)
def _marks_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a run of another test on this machine would end what has been left behind."""
    monkeypatch.setattr(kin, "OWNER", "PRUNEBENCH_TESTED")
    monkeypatch.setattr(kin, "_FILE", "prunebench-tested-")


def in_folder(folder: Path) -> list[int]:
    """Return the living processes that work in a folder."""
    there = []
    for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))):
        try:
            if os.readlink(f"/proc/{pid}/cwd") == str(folder):
                there.append(pid)
        except OSError:
            continue
    return there


@pytest.mark.parametrize("starter", STARTERS)
def test_what_a_dead_process_has_started_bears_its_mark(
    program: Callable, tmp_path: Path, starter: str
) -> None:
    """Whether forked or started anew, in whatever session and whoever is its parent now; nobody else does."""
    lines = f"print(kin.put_mark(), flush=True)\n{STARTERS[starter]}\nwait(); os._exit(3)"
    process = program(lines)
    other = program("kin.put_mark(); subprocess.Popen(['sleep', '100']); time.sleep(100)")
    mark = process.stdout.readline().strip()
    assert process.wait(timeout=30) == 3
    (left,) = set(in_folder(tmp_path)) - {other.pid, *kin.children_of(other.pid)}
    assert kin.marked(mark) == {left: kin.started(left)}
    assert left in kin.orphans()
    assert other.pid not in kin.orphans()
    kin.end({left: "another"}, patience=0)  # a number that is another's by now
    assert kin.living({left: kin.started(left)})
    kin.end({left: kin.started(left)}, patience=5)
    until = time.monotonic() + 10
    while kin.started(left) and time.monotonic() < until:
        time.sleep(0.01)
    assert not kin.started(left)


def test_while_a_process_lives_what_it_started_is_no_leftover(program: Callable) -> None:
    """A run beside it ends nothing of its."""
    process = program(f"kin.put_mark()\n{STARTERS['forks']}\nwait(); print(1, flush=True); time.sleep(100)")
    assert process.stdout.readline()
    assert not set(kin.orphans()) & set(kin.descendants_of(process.pid))


@pytest.mark.parametrize("mark", ["another-machine.{pid}.1", "{mark}", ".{pid}.1", "nonsense", ""])
def test_marks_of_other_machines_and_of_the_living_mean_nothing(
    program: Callable, monkeypatch: pytest.MonkeyPatch, mark: str
) -> None:
    """A variable may travel, to a container or by a scheduler, and numbers mean other processes there."""
    own = kin.mark_of(os.getpid())
    monkeypatch.setenv(kin.OWNER, mark.format(pid=os.getpid(), mark=own))
    process = program("print(1, flush=True); time.sleep(100)")
    assert process.stdout.readline()
    assert process.pid not in kin.orphans()
    assert kin.marked(own).keys() == ({process.pid} if mark == "{mark}" else set())


@pytest.mark.parametrize("patience", [0.0, 0.2])
@pytest.mark.parametrize("deaf", [False, True])
def test_who_adopts_ends_what_hides(program: Callable, tmp_path: Path, patience: float, deaf: bool) -> None:
    """With no variable, no memory and no parent left by which it could be known, and deaf to SIGTERM."""
    ignores = "signal.signal(signal.SIGTERM, signal.SIG_IGN)" if deaf else ""
    lines = f"""
kin.adopt()
if os.fork() == 0:
    {ignores}
    {HIDES.strip()}
    os._exit(3)
wait()
print(len(kin.descendants_of(os.getpid())), flush=True)
left = kin.end_all({patience})
print(len(kin.descendants_of(os.getpid())), len(left), flush=True)
os._exit(0)
"""
    process = program(lines)
    out, _ = process.communicate(timeout=30)
    hidden, left, said = map(int, out.split())
    assert hidden > 0 == left == said
    assert in_folder(tmp_path) == []


def test_where_the_kernel_lists_no_children_parents_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every kernel is built to list them."""
    child = subprocess.Popen(["sleep", "100"])
    try:
        listed = kin.descendants_of(os.getpid())
        monkeypatch.setattr(kin, "_lists_children", lambda: False)
        assert child.pid in kin.descendants_of(os.getpid()) == listed
    finally:
        child.kill()
        child.wait()


def test_a_process_is_told_to_stop_before_it_is_killed(program: Callable, tmp_path: Path) -> None:
    """It has time for a checkpoint."""
    lines = """
def stop(*_):
    pathlib.Path("stopped").touch()
    os._exit(0)
if os.fork() == 0:
    signal.signal(signal.SIGTERM, stop)
    up()
    time.sleep(100)
wait()
kin.end_all(patience=20)
"""
    began = time.monotonic()
    assert program(lines).wait(timeout=30) == 0
    assert (tmp_path / "stopped").exists()
    assert time.monotonic() - began < 15, "who has ended is not waited for"
    assert in_folder(tmp_path) == []
