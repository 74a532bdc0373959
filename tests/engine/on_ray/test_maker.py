"""The process beside one of Ray's that makes its jobs: really started, with a program that makes none."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from prunebench import stopping
from prunebench.engine.on_ray import maker as module
from prunebench.engine.on_ray.maker import Died, Maker

PROGRAM = """
import os, signal, sys, time
from multiprocessing.connection import Connection
pipe = Connection(int(sys.argv[1]))
def told(*_):
    pipe.send("stopped")
    raise SystemExit
signal.signal(signal.SIGTERM, told)
while True:
    try:
        pipe.send(eval(pipe.recv()))
    except EOFError:
        break
"""


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Maker]:
    monkeypatch.setattr(module, "PROGRAM", f"exec({PROGRAM!r})")
    monkeypatch.setattr(module, "LOOK", 0.01)
    one = Maker("3")
    yield one
    one.close()
    assert not one.lives


def test_it_sees_the_gpus_that_it_was_given(maker: Maker) -> None:
    assert maker.ask("os.environ['CUDA_VISIBLE_DEVICES']") == "3"
    assert maker.ask("os.getppid()") == os.getpid()


@pytest.mark.parametrize(
    ("end", "how"),
    [
        ("os._exit(3)", "left with exit code 3"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed by SIGKILL"),
        ("pipe.close()", "left with exit code 1"),
        ("os.fork() and os._exit(4) or time.sleep(0.5)", "left with exit code 4"),
    ],
)
def test_it_is_said_how_it_died(maker: Maker, end: str, how: str) -> None:
    """At once, also where what it has started holds its end of the pipe."""
    with pytest.raises(Died, match=how):
        maker.ask(end)
    assert not maker.lives


def test_told_to_stop_it_passes_that_on_and_waits_for_the_answer(maker: Maker) -> None:
    maker.ask("1")
    timer = threading.Timer(0.05, signal.raise_signal, [signal.SIGINT])
    with stopping.listening(), stopping.held():
        timer.start()
        assert maker.ask("time.sleep(30)") == "stopped"
        stopping.heard()


def test_one_that_has_nothing_to_do_for_long_is_ended(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds memory of a GPU that others work on."""
    monkeypatch.setattr(module, "IDLE", 0.05)
    process = psutil.Process(maker.ask("os.getpid()"))
    gone, _ = psutil.wait_procs([process], timeout=10)
    assert gone
    maker.close()


def test_a_real_one_ends_with_who_started_it(tmp_path: Path) -> None:
    """Whatever it is doing."""
    read, write = os.pipe()
    if os.fork() == 0:
        try:
            one = Maker("")
            os.write(write, str(one._process.pid).encode())
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.wait()
    process = int(os.read(read, 20))
    with pytest.raises(psutil.NoSuchProcess):
        psutil.Process(process).wait(20)
        psutil.Process(process)
    os.close(read)
    os.close(write)
