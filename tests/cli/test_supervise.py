"""The process that was started and the one that works: signals, deaths, and what they leave behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from prunebench import kin
from prunebench.cli import _supervise

PROGRAM = """
import os, pathlib, signal, subprocess, sys, time
from prunebench import kin
from prunebench.cli._supervise import supervised

if MODE == "alone":  # else a run of another test on this machine would end what has been left behind
    kin.OWNER, kin._FILE = "PRUNEBENCH_TESTED", "prunebench-tested-"
if MODE == "no /proc":  # or it numbers other processes
    kin.PROC = "/none"
work = supervised()
from prunebench import stopping
from prunebench.engine.guarding.own_process import may_be_killed

may_be_killed()
def leave_behind():
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        if MODE == "hides, deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if "hides" in MODE:
            os.execve("/bin/sleep", ["sleep", "100"], {})
        time.sleep(100)
def up():
    pathlib.Path("up").touch()
    time.sleep(100)
def run(body):
    try:
        with stopping.listening():
            body()
    except stopping.Stopped:
        stopping.heard()
        pathlib.Path("checkpoint").touch()
        work.end_at_once(stopping.exit_code())
    work.end_at_once(0)
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a program of two processes in a folder by which all that it starts are known."""
    processes: list[subprocess.Popen[str]] = []

    def begin(body: str, mode: str = "plain", by: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        code = f"MODE = {mode!r}\n{PROGRAM}\ndef body():\n    {body}\nrun(body)"
        processes.append(
            subprocess.Popen(
                [*by, sys.executable, "-c", code],
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
                preexec_fn=lambda: [signal.signal(n, signal.SIG_DFL) for n in (signal.SIGINT, signal.SIGHUP)],
            )
        )
        return processes[-1]

    yield begin
    for pid in there(tmp_path):
        os.kill(pid, signal.SIGKILL)
    for process in processes:
        process.communicate()


def there(folder: Path) -> list[int]:
    """Return the living processes that work in a folder."""
    pids = []
    for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))):
        try:
            if os.readlink(f"/proc/{pid}/cwd") == str(folder):
                pids.append(pid)
        except OSError:
            continue
    return pids


def until(true: Callable[[], Any], seconds: float = 20.0) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("mode", "ends", "code", "said"),
    [
        (
            "hides",
            "os._exit(3)",
            1,
            "Error: a plugin's code ended the run: the process left with exit code 3 before it",
        ),
        (
            "hides, deaf",
            "os.kill(os.getpid(), 11)",
            1,
            "Error: a plugin's code ended the run: the process was killed by SIGSEGV",
        ),
        ("plain", "return", 0, ""),
    ],
    ids=["leaves", "crashes", "is through"],
)
def test_what_it_started_a_moment_before_its_end_ends_too(
    start: Start, tmp_path: Path, mode: str, ends: str, code: int, said: str
) -> None:
    """It is nobody's child then, in a session of its own, perhaps deaf, and nobody has seen it before."""
    process = start(f"leave_behind(); {ends}", mode)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == code
    assert out.startswith(said)
    assert there(tmp_path) == []


@pytest.mark.parametrize("whom", ["first", "second"])
def test_whichever_is_killed_the_other_ends_with_all_it_started(
    start: Start, tmp_path: Path, whom: str
) -> None:
    """The one that works may write a checkpoint when the other is killed."""
    process = start("leave_behind(); up()")
    until((tmp_path / "up").exists)
    second = next(pid for pid in there(tmp_path) if parent(pid) == process.pid)
    os.kill(process.pid if whom == "first" else second, signal.SIGKILL)
    until(lambda: not there(tmp_path))
    assert (tmp_path / "checkpoint").exists() == (whom == "first")


def parent(pid: int) -> int:
    return int(re.search(r"^PPid:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[1])  # type: ignore[index]


SERVICE = """
starter() {
    while [ ! -e up ]; do sleep 0.02; done
    setsid sh -c 'echo $$ > new; mv new service; exec sleep 100' &
}
starter > /dev/null 2>&1 &
exec "$@"
"""
"""A script that starts a service before it becomes the program; that one starts another meanwhile, and ends."""


@pytest.mark.parametrize("ends", ["return", "os._exit(3)", "up()"], ids=["well", "dead", "stopped"])
def test_what_was_there_before_may_start_processes_which_stay(
    start: Start, tmp_path: Path, ends: str
) -> None:
    """Those of a service are the user's own, though they too come to who adopts; what the run started ends."""
    process = start(
        f"leave_behind(); pathlib.Path('up').touch(); "
        f"[time.sleep(0.02) for _ in range(500) if not os.path.exists('service')]; time.sleep(0.1); {ends}",
        "hides",
        by=("sh", "-c", SERVICE, "sh"),
    )
    until((tmp_path / "service").exists)
    if ends == "up()":
        time.sleep(0.3)
        os.kill(process.pid, signal.SIGTERM)
    process.wait(timeout=30)
    assert process.returncode == {"return": 0, "os._exit(3)": 1, "up()": 143}[ends]
    assert there(tmp_path) == [int((tmp_path / "service").read_text())]


def test_where_it_has_children_from_before_it_ends_with_all_when_it_is_killed(
    start: Start, tmp_path: Path
) -> None:
    """Another process watches then, which is killed with it; the one that works may write a checkpoint."""
    process = start("leave_behind(); up()", by=("sh", "-c", 'sleep 1 & exec "$@"', "sh"))
    until((tmp_path / "up").exists)
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: not there(tmp_path))
    assert (tmp_path / "checkpoint").exists()


def test_started_with_ends_of_children_ignored_it_ends_as_ever(start: Start, tmp_path: Path) -> None:
    """As some that start programs at given times leave it to those."""
    ignoring = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    process = start("leave_behind()", by=(sys.executable, "-c", ignoring))
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "")
    assert there(tmp_path) == []


def test_what_killed_runs_have_left_the_next_one_ends(start: Start, tmp_path: Path) -> None:
    """All at once: nobody is left to end what they have started."""
    process = start("leave_behind(); up()", "alone")
    until((tmp_path / "up").exists)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert there(tmp_path)
    next_one = start("return", "alone")
    next_one.communicate(timeout=30)
    assert next_one.returncode == 0
    assert there(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=lambda one: str(one),
)
def test_told_to_stop_it_says_so_and_how(start: Start, tmp_path: Path, number: int, code: int) -> None:
    """Ctrl-C goes to both, as a terminal sends it; the others to the one that was started. A checkpoint first."""
    process = start("up()")
    until((tmp_path / "up").exists)
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (code, "stopping…\n")
    assert (tmp_path / "checkpoint").exists()


def test_a_second_ctrl_c_kills_all_at_once(start: Start, tmp_path: Path) -> None:
    """Also what heeds none, with all that it has started."""
    deaf = "leave_behind(); signal.pthread_sigmask(signal.SIG_BLOCK, [2, 15]); up()"
    process = start(deaf)
    until((tmp_path / "up").exists)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.5)  # sooner it would be the same Ctrl-C, which may come twice
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=10)
    assert process.returncode == 130
    assert out == "stopping…\nStopped at once.\n"
    assert not (tmp_path / "checkpoint").exists()
    assert there(tmp_path) == []


def test_where_nothing_tells_of_processes_a_second_ctrl_c_kills_the_one_that_works(
    start: Start, tmp_path: Path
) -> None:
    """It is a child, and needs no looking for."""
    process = start("signal.pthread_sigmask(signal.SIG_BLOCK, [2, 15]); up()", "no /proc")
    until((tmp_path / "up").exists)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130
    assert there(tmp_path) == []


def test_what_cannot_be_ended_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """The run's end waits for it no longer than some seconds."""
    child = subprocess.Popen(["sleep", "100"])
    try:
        with monkeypatch.context() as patched:  # as the kernel keeps one that waits for a disk
            patched.setattr(kin, "send", lambda those, number: None)
            patched.setattr(kin, "PATIENCE", 0.1)
            patched.setattr(kin, "descendants_of", lambda pid: {child.pid: kin.started(child.pid)})
            left = kin.end_all()
        _supervise._say_what_stays(left)
    finally:
        child.kill()
        child.wait()
    assert capsys.readouterr().err.split()[-4:] == ["not", "be", "ended:", str(child.pid)]
