"""A worker ends with who started it, from its first moment on: while it imports, with no job and no guard."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from prunebench import kin
from prunebench.engine.guarding import own_process
from prunebench.engine.guarding.guard_process import _Kin
from prunebench.engine.on_pytest import plugin

WORKER = """
import os, pathlib, signal, sys, time
from prunebench import kin
from prunebench.engine.guarding import own_process

kin.PATIENCE, own_process.REMINDER = 0.3, 0.1
own_process.may_be_killed()
own_process.end_after(own_process.until_parent_ends)
if os.fork() == 0:
    os.setsid()
    time.sleep(100)
signal.signal(signal.SIGTERM, {hears})
pathlib.Path({up!r}).write_text(str(os.getpid()))
time.sleep(100)
"""

SHARED = """
import json, os, subprocess, sys, time
from prunebench.engine.guarding import own_process

def forked():
    pid = os.fork()
    return pid if pid else time.sleep(100)
def started():
    return subprocess.Popen(["sleep", "100"], start_new_session=True).pid
own_process.may_be_killed(shared=True)
before = [forked(), started()]
with own_process.marking():
    of_job = [forked(), started()]
after = [forked(), started()]
print(json.dumps([own_process.own_mark(), of_job, before + after]), flush=True)
time.sleep(100)
"""


def test_of_a_worker_that_runs_a_users_tests_only_what_jobs_start_is_its_own() -> None:
    """A service that a test has started for the tests to come is the user's, whoever ends the worker."""
    worker = subprocess.Popen([sys.executable, "-c", SHARED], stdout=subprocess.PIPE)
    assert worker.stdout is not None
    mark, of_job, others = json.loads(worker.stdout.readline())
    try:
        assert sorted(kin.marked(mark)) == sorted(of_job)
        assert sorted(_Kin(worker.pid, mark, shared=True).look(now=True)) == sorted(of_job)
        assert sorted(_Kin(worker.pid, mark).look(now=True)) == sorted([*of_job, *others])
        worker.kill()
        worker.wait()
        kin.end_marked(mark)
        assert not set(of_job) & set(kin.orphans())
        assert [pid for pid in others if kin.started(pid)] == others
    finally:
        worker.kill()
        worker.wait()
        worker.stdout.close()
        kin.send({pid: kin.started(pid) for pid in [*of_job, *others]}, signal.SIGKILL)


@pytest.mark.parametrize("request_", ["", "{}"])
def test_pytests_own_workers_are_shared_and_those_of_a_run_are_not(
    monkeypatch: pytest.MonkeyPatch, request_: str
) -> None:
    told: list[bool] = []
    monkeypatch.setattr(own_process, "may_be_killed", lambda *, shared=False: told.append(shared))
    monkeypatch.setattr(own_process, "end_after", lambda gone: told.append(False) or 1 / 0)
    config = SimpleNamespace(workerinput={"prunebench": "{}"}, getoption=lambda name: request_)
    with pytest.raises(ZeroDivisionError):
        plugin.pytest_configure(config)  # type: ignore[arg-type]
    assert told == [not request_, False]


HEARS = {
    "ends by default": "signal.SIG_DFL",
    "ends with a checkpoint": "lambda *_: (pathlib.Path({told!r}).touch(), os._exit(0))",
    "goes on": "lambda *_: pathlib.Path({told!r}).touch()",
}


@pytest.mark.parametrize("how", HEARS)
def test_a_worker_whose_parent_is_killed_ends_with_all_it_started(tmp_path: Path, how: str) -> None:
    """It is told to stop, and killed if it goes on."""
    told, up = tmp_path / "told", tmp_path / "up"
    code = WORKER.format(hears=HEARS[how].format(told=str(told)), up=str(up))
    starts = [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])"]
    parent = subprocess.Popen([*starts, sys.executable, "-c", code])
    until = time.monotonic() + 20
    while not (up.exists() and up.read_text()):
        assert time.monotonic() < until
        time.sleep(0.01)
    worker = int(up.read_text())
    all_of_it = {worker: kin.started(worker), **kin.descendants_of(worker)}
    assert len(all_of_it) == 2
    parent.kill()
    parent.wait()
    while kin.living(all_of_it):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert told.exists() == (how != "ends by default")


def test_a_worker_whose_parent_lives_goes_on() -> None:
    """And what it starts bears its mark."""
    code = WORKER.format(hears="signal.SIG_DFL", up="/dev/null")
    worker = subprocess.Popen([sys.executable, "-c", code])
    until = time.monotonic() + 20
    while not (children := kin.descendants_of(worker.pid)):
        assert time.monotonic() < until
        time.sleep(0.01)
    time.sleep(0.3)
    assert worker.poll() is None
    assert kin.marked(kin.mark_of(worker.pid)) == children
    kin.send({worker.pid: kin.started(worker.pid)}, signal.SIGKILL)
    os.waitpid(worker.pid, 0)
    kin.send(children, signal.SIGKILL)
