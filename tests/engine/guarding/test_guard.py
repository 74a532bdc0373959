"""A job that hangs is interrupted, or its process killed; one that takes too much memory is killed; others go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from prunebench import pulse
from prunebench.engine.failures import JobFailed
from prunebench.engine.guarding import guard, guard_process, memory
from prunebench.engine.guarding.guard import Guard, TimedOut
from prunebench.engine.guarding.limits import Limits
from prunebench.store import Store

KEY = "ab" * 32

SCORER = '''
import time
import prunebench

def score(net, batch, rng):
    """Takes its time."""
    {fault}
    return {{name: weight.detach().abs() for name, weight in net.weights.items()}}

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("mine", score)]
'''


def slow(project: Any, fault: str, timeout: float) -> Any:
    """Return an engine on a suite whose scorer "mine" does something first, with all but its scores made."""
    plugin = project.folder / "mine.py"
    plugin.write_text(SCORER.format(fault=fault))
    engine = project.engine(project.suite(["mine", "magnitude"]), plugins=(str(plugin),))
    engine.make(engine.plan.cells[2])
    engine.guard = Guard(Limits(timeout=timeout), engine.store.root)
    return engine


# -- interrupted -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        "time.sleep(60)",
        "while True: pass",
        "while True:\n        try:\n            time.sleep(60)\n        except Exception:\n            pass",
    ],
    ids=["sleeps", "spins", "catches exceptions"],
)
def test_a_scorer_that_hangs_is_a_failed_job_and_its_line_is_named(project: Any, fault: str) -> None:
    """The other cells are made in the same process; asking again tries again."""
    engine = slow(project, fault, 0.2)
    with pytest.raises(JobFailed) as failed:
        engine.make(engine.plan.cells[1])
    said = "scorer 'mine' ({}): no sign of life for 0.2 s (--job-timeout)".format(project.folder / "mine.py")
    assert failed.value.message == said
    assert "mine.py:" in failed.value.at
    (attempt,) = engine.store.attempts(failed.value.job.key)
    assert attempt["error"] == said
    assert "TimedOut" in attempt["job"]["traceback"]
    assert not list((engine.store.root / "claims").iterdir())


def test_scoring_that_goes_on_in_chunks_is_not_interrupted(project: Any) -> None:
    """Each batch that is asked for is a sign of life, however long it all takes."""
    fault = """from prunebench import pulse
    for _ in range(3):
        before = pulse.last()
        net.moved(rng)
        assert pulse.last() > before"""
    engine = slow(project, fault, 600)
    engine.make(engine.plan.cells[1])


def test_training_that_goes_on_is_not_interrupted(project: Any) -> None:
    """The limit is of a time without a step, and not of the whole: each is a sign."""
    engine = project.engine(project.suite(["magnitude"], epochs=1))
    signs: list[float] = []
    engine.context.progress = lambda *_: signs.append(pulse.last())
    engine.make(engine.plan.cells[0])
    assert len(set(signs)) == len(signs) > 5


def test_somebodys_own_alarm_is_there_again_afterwards(tmp_path: Path) -> None:
    """Handler and time; without a limit neither is touched."""
    job: Any = SimpleNamespace(key=KEY, kind="score")
    handler: Callable[..., None] = lambda *_: None  # noqa: E731
    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 50.0)
    try:
        for timeout in (None, 10.0):
            with Guard(Limits(timeout=timeout), tmp_path).over(job):
                assert (signal.getsignal(signal.SIGALRM) is handler) == (timeout is None)
        assert signal.getsignal(signal.SIGALRM) is handler
        assert 49 < signal.getitimer(signal.ITIMER_REAL)[0] <= 50
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_code_that_swallows_it_is_interrupted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "REMINDER", 0.05)
    job: Any = SimpleNamespace(key=KEY, kind="score")
    swallowed = 0
    with pytest.raises(TimedOut), Guard(Limits(timeout=0.05), tmp_path).over(job):
        for _ in range(3):
            try:
                time.sleep(10)
            except BaseException:
                swallowed += 1
        time.sleep(10)
    assert swallowed == 3


def test_a_users_own_python_is_never_killed(tmp_path: Path) -> None:
    """Only a process that somebody replaces is watched by another: this one here is not."""
    watching = Guard(Limits(timeout=0.05, memory=1), tmp_path)
    job: Any = SimpleNamespace(key=KEY, kind="score")
    with pytest.raises(TimedOut), watching.over(job):
        time.sleep(10)
    assert guard._Beside.worker != os.getpid()


# -- killed ----------------------------------------------------------------------------------------------


WORKER = """
import ctypes, os, re, signal, sys, time
from pathlib import Path
from types import SimpleNamespace
from prunebench.engine.guarding import guard
from prunebench.engine.guarding.limits import Limits
from prunebench.engine.guarding.own_process import may_be_killed
from prunebench.store import Store

guard.GRACE = 0.3
may_be_killed()
store = Store.open(sys.argv[1])
key = "ab" * 32
claim = store.claim(key)
def job(**limits):
    watching = guard.Guard(Limits(**limits), store.root)
    return watching.over(SimpleNamespace(key=key, kind="score"))
def eat():
    held = []
    while True:
        held.append(b"x" * 2**24)
        time.sleep(0.01)
"""


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Start a process that claims a job and then does something."""
    started: list[subprocess.Popen[bytes]] = []

    def start(body: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", WORKER + textwrap.dedent(body), str(tmp_path / "store")]
        started.append(subprocess.Popen(command))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def kin_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def appears(file: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a process has made a file."""
    until = time.monotonic() + 60
    while not file.exists():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)


def all_gone(processes: list[psutil.Process]) -> bool:
    """Wait until processes have ended."""
    _, alive = psutil.wait_procs(processes, timeout=10)
    return not [one for one in alive if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize(
    "body",
    [
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM]); time.sleep(60)",
        "os.closerange(3, 1000); ctypes.PyDLL(None).usleep.argtypes = None\n"
        "    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM]); ctypes.PyDLL(None).sleep(60)",
    ],
    ids=["hears no signal", "holds the interpreter, has closed all files"],
)
def test_what_cannot_be_interrupted_is_killed(worker: Any, tmp_path: Path, body: str) -> None:
    """The attempt says why, in the killed process's name, and once; its claim is free at once."""
    process = worker(f"with job(timeout=0.3):\n    {body}\n")
    assert process.wait(timeout=30) == -signal.SIGKILL
    store = Store.open(tmp_path / "store")
    assert [path.stem for path in store.bury()] == [KEY]
    (attempt,) = store.attempts(KEY)
    assert attempt["error"] == (
        "no sign of life for 0.3 s (--job-timeout); nothing could interrupt it, so its process was killed"
    )
    assert (attempt["pid"], attempt["signal"], attempt["job"]["kind"]) == (process.pid, "SIGKILL", "score")


@pytest.mark.parametrize(
    "body",
    ["eat()", "os.fork() or eat()\n    time.sleep(60)"],
    ids=["itself", "a process that it forked"],
)
def test_what_takes_too_much_memory_is_killed(worker: Any, tmp_path: Path, body: str) -> None:
    """With all that it has started; the attempt says how much it took."""
    process = worker(f"with job(memory=300 * 2**20):\n    {body}\n")
    kin: list[psutil.Process] = []
    until = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < until:
        kin = kin_of(process) or kin
        time.sleep(0.02)
    assert process.returncode == -signal.SIGKILL
    assert all_gone(kin)
    store = Store.open(tmp_path / "store")
    (attempt,) = store.attempts(KEY)
    assert attempt["error"].startswith("it took ")
    assert attempt["error"].endswith(" of memory, and --memory-limit allows 300 MiB")
    took = float(attempt["error"].split()[2])
    assert 300 <= took < 600  # as it is said, rounded


def test_what_a_killed_worker_has_started_ends_with_it(worker: Any, tmp_path: Path) -> None:
    """Whoever kills it: its forked children, in whatever session, and the process that watches it."""
    body = f"""
    with job():
        if os.fork() == 0:
            os.setsid()
            time.sleep(60)
        time.sleep(1.5)
        Path({str(tmp_path / "up")!r}).touch()
        time.sleep(60)
    """
    process = worker(body)
    appears(tmp_path / "up", process)
    kin = kin_of(process)
    assert len(kin) == 2
    process.kill()
    process.wait()
    assert all_gone(kin)


def test_what_a_worker_starts_just_before_its_end_ends_too(worker: Any, tmp_path: Path) -> None:
    """The process that watches has not seen it, and it is nobody's child by then: it bears the worker's mark."""
    body = f"""
    folder = Path({str(tmp_path)!r})
    with job():
        for number in range(2):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    (folder / f"new{{number}}").write_text(str(os.getpid()))
                    (folder / f"new{{number}}").rename(folder / f"up{{number}}")
                    number and os.execvp("sleep", ["sleep", "60"])
                    time.sleep(60)
                os._exit(0)
            os.wait()
        until = time.monotonic() + 20
        while len(list(folder.glob("up*"))) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        os._exit(3)
    """
    process = worker(body)
    assert process.wait(timeout=30) == 3
    pids = [int(file.read_text()) for file in tmp_path.glob("up*")]
    assert len(pids) == 2
    left = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    assert all_gone(left)


def test_within_its_limits_a_worker_is_left_alone(worker: Any, tmp_path: Path) -> None:
    """Between jobs too, and the process that watches ends with it."""
    work = "with job(timeout=1.5):\n    time.sleep(0.1)\n"
    process = worker(f"{work}time.sleep(2)\n{work}")
    kin: list[psutil.Process] = []
    until = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < until:
        kin = kin_of(process) or kin
        time.sleep(0.05)
    assert process.returncode == 0
    assert kin
    assert all_gone(kin)
    assert not Store.open(tmp_path / "store").attempts(KEY)


# -- the machine's memory --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "took", "others", "workers", "large"),
    [
        (50, 99, [], 1, False),
        (4, 99, [], 1, True),
        (4, 40, [], 2, False),
        (4, 50, [], 2, True),
        (4, 50, [], 1, False),
        (4, 50, [3], 1, True),  # another run's worker has its share too
        (4, 13, [12] * 7, 1, True),  # eight commands, none of which holds much
        (4, 12, [13] + [12] * 6, 1, False),  # the largest of them ends, and not all
        (4, 8, [60, 8], 1, False),
    ],
)
def test_auto_ends_the_largest_that_holds_more_than_its_share_once_the_machine_runs_out(
    monkeypatch: pytest.MonkeyPatch, left: int, took: int, others: list[int], workers: int, large: bool
) -> None:
    """Of 100 bytes: with 50 left nobody, with 4 left who holds more than 90 shared by all workers that are
    there; where nobody larger has ended for two seconds, any that does.
    """
    sizes = {os.getpid(): took, **{10**8 + number: size for number, size in enumerate(others)}}
    monkeypatch.setattr(guard_process, "tightest_memory", lambda: (left, 100, ""))
    monkeypatch.setattr(guard_process, "_others_of", lambda worker, group: [*sizes][1:])
    monkeypatch.setattr(guard_process, "memory_of", lambda pids, limit: sizes[pids[0]])
    page: Any = None
    watch = guard_process._Watch(page, {"worker": os.getpid()})
    watch._job = {"memory": "auto", "timeout": None, "workers": workers}
    assert watch._is_large([os.getpid()]) is large
    if watch._short_since is not None:
        watch._short_since -= 2 * guard_process.WAIT
        assert watch._is_large([os.getpid()]) is (took > 90 / max(workers, len(others) + 1))


def test_workers_of_other_commands_are_known(worker: Any, tmp_path: Path) -> None:
    """By who watches them; not those that are never ended, nor those outside the container that is full."""
    started = [worker(f"with job(memory={limit}): time.sleep(60)") for limit in ("'auto'", "'auto'", "2**40")]
    first, second, third = (process.pid for process in started)
    until = time.monotonic() + 20
    while {second} - set(guard_process._others_of(first, "")) or len(kin_of(started[2])) < 1:
        assert time.monotonic() < until
        time.sleep(0.02)
    others = guard_process._others_of(first, "")
    assert first not in others
    assert third not in others
    assert second not in guard_process._others_of(first, "/no/such/group")


def test_available_memory_is_the_containers_where_that_has_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of limits above the machine's own nothing is made: "no limit" is a large number in old versions."""
    monkeypatch.setattr(memory, "_meminfo", lambda: (600, 1000))
    for groups, expected in [
        ([], (600, 1000)),
        ([(100, 400, "/a")], (100, 400)),
        ([(10**18, 2**63, "/a")], (600, 1000)),
        ([(700, 800, "/a")], (600, 1000)),
    ]:
        monkeypatch.setattr(memory, "_cgroups", lambda groups=groups: iter(groups))
        assert memory.available_memory() == expected


def test_memory_that_forked_processes_share_counts_once() -> None:
    """A child that has written nothing takes nothing: added up, the two would be far over what both take."""
    held = bytearray(os.urandom(1)) * 200_000_000
    child = os.fork()
    if child == 0:
        time.sleep(30)
        os._exit(0)
    try:
        alone = psutil.Process().memory_info().rss
        assert memory.memory_of([os.getpid(), child], alone) < alone + 150_000_000
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert held


def test_a_worker_whose_parent_is_killed_is_told_to_stop(tmp_path: Path) -> None:
    """It has a while for a checkpoint (four seconds, here half a one), and then it is killed, whatever it does."""
    deaf = (
        WORKER
        + f"""
from prunebench import kin
kin.PATIENCE = 0.5
signal.signal(signal.SIGTERM, lambda *_: Path({str(tmp_path / "told")!r}).touch())
with job():
    Path({str(tmp_path / "up")!r}).touch()
    while True:
        time.sleep(1)
"""
    )
    parent = [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])"]
    process = subprocess.Popen([*parent, sys.executable, "-c", deaf, str(tmp_path / "store")])
    appears(tmp_path / "up", process)
    kin = kin_of(process)
    assert len(kin) == 2
    process.kill()
    process.wait()
    assert all_gone(kin)
    assert (tmp_path / "told").exists()
