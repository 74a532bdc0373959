"""Pilots as processes of submitit's local executor: they make cells, and are preempted, cancelled, broken."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner
from little_suites import little_suite
from local_pilots import LocalQueue

from prunebench.cli import main
from prunebench.engine.on_slurm.pilot import Pilot
from prunebench.engine.on_slurm.submissions import PilotState, Submission
from prunebench.engine.request import Request
from prunebench.engine.session import Session
from prunebench.store import Store

SUITE = little_suite(["waits", "random"])

WAITS = '''
import pathlib, time
import prunebench

def waits(net, batch, rng):
    """Waits until a file is gone."""
    here = pathlib.Path(__file__)
    here.with_name("reached").touch()
    while here.with_name("wait").exists():
        time.sleep(0.05)
    return {name: weight.detach().abs() for name, weight in net.weights.items()}

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("waits", waits)]
'''


class Place:
    """A folder with a suite whose one scorer waits while a file is there, and a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "tiny.toml").write_text(SUITE)
        (folder / "waits.py").write_text(WAITS)
        self.suite, self.store = str(folder / "tiny.toml"), folder / "store"

    def request(self) -> Request:
        plugins = (str(self.folder / "waits.py"),)
        return Request(self.suite, str(self.store), str(self.folder), plugins, third_party=False)

    def submit(self) -> tuple[Submission, str]:
        """Plan the suite, and submit one pilot for it; return the submission and the pilot's job."""
        store, session = Store.open(self.store), Session.prepare(self.request())
        plan = session.freeze(store)
        cells = [cell.id for cell in session.plan.cells]
        submission = Submission.new(store, plan.stem, "", cells)
        arguments = [str(plan), "--data", str(self.folder), "--cells", str(submission.cells_file)]
        (job,) = LocalQueue(submission.logs, "", {}).submit(Pilot(submission.folder, arguments, 10), 1, 0)
        submission.arrays.append(job)
        submission.write()
        return submission, job

    def run(self, *args: str, code: int = 0) -> Any:
        fixed = ["run", self.suite, "--store", str(self.store), "--no-plugins"]
        plugin = ["--plugin", str(self.folder / "waits.py")]
        result = CliRunner().invoke(main, [*fixed, *plugin, *args], prog_name="prunebench")
        assert result.exit_code == code, result.output
        return result

    def pilots(self) -> list[PilotState]:
        folders = (self.store / "pilots").iterdir()
        submissions = [one for one in map(Submission.read, folders) if one is not None]
        return [state for one in submissions for state in one.states().values()]


def until(true: Callable[[], object]) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr("prunebench.engine.on_slurm.queue.SlurmQueue", LocalQueue)
    monkeypatch.setattr("prunebench.engine.on_slurm.fleet.LOOK", 0.2)
    monkeypatch.setattr("prunebench.engine.on_slurm.fleet.PATIENCE", 60.0)
    monkeypatch.setattr("prunebench.engine.fronts.watch.PAUSE", 0.1)
    before = set(psutil.Process().children(recursive=True))
    place = Place(tmp_path)
    yield place
    (tmp_path / "wait").unlink(missing_ok=True)
    started = [one for one in psutil.Process().children(recursive=True) if one not in before]
    _, left = psutil.wait_procs(started, timeout=30)
    for process in left:
        process.kill()
    assert not left


@pytest.mark.slow
def test_two_pilots_make_what_a_run_here_makes(place: Place, tmp_path: Path) -> None:
    """The same results, to the bit; the display, the summary and the table are a run's own."""
    result = place.run("--engine", "slurm", "--workers", "2")
    assert "[3/3]" in result.output
    assert "3 cells made now, 0 done before; " in result.output
    assert "| random" in result.output
    assert ("ended", "done") in {(state.stage, state.why) for state in place.pilots()}
    there = Store.open(place.store)
    place.store = tmp_path / "here"
    place.run()
    here = Store.open(place.store)
    assert there.record_keys() == here.record_keys() != set()
    for key in here.record_keys():
        assert there.read_record(key).digest == here.read_record(key).digest
    assert not there.claimed_keys()


def test_a_preempted_pilot_is_started_again_and_goes_on(place: Place) -> None:
    """The signal that Slurm sends before it takes a node away: the worker leaves, the pilot is requeued."""
    (place.folder / "wait").touch()
    submission, job = place.submit()
    until((place.folder / "reached").exists)
    state = submission.state(job)
    assert state is not None
    assert (state.stage, state.starts) == ("working", 1)
    assert Store.open(place.store).claimed_keys()
    (place.folder / "reached").unlink()
    os.kill(state.pid, signal.SIGUSR2)
    until((place.folder / "reached").exists)
    again = submission.state(job)
    assert again is not None
    assert (again.stage, again.starts) == ("working", 2)
    assert again.pid != state.pid
    (place.folder / "wait").unlink()
    until(lambda: LocalQueue.jobs[job].done())
    ended = submission.state(job)
    assert ended is not None
    assert (ended.stage, ended.why, ended.starts) == ("ended", "done", 2)
    store = Store.open(place.store)
    assert len(store.record_keys()) == 3
    assert not store.attempt_keys()


@pytest.mark.slow
def test_a_cancelled_pilot_leaves_and_is_not_started_again(place: Place) -> None:
    """What it was doing is given up, nothing of it is left claimed, nothing counts as failed."""
    (place.folder / "wait").touch()
    submission, job = place.submit()
    until((place.folder / "reached").exists)
    submission.cancel()
    state = submission.state(job)
    assert state is not None
    os.kill(state.pid, signal.SIGUSR2)  # as at its limit
    until(lambda: LocalQueue.jobs[job].done())
    ended = submission.state(job)
    assert ended is not None
    assert (ended.stage, ended.why, ended.starts) == ("ended", "told to stop", 1)
    store = Store.open(place.store)
    assert not store.claimed_keys()
    assert not store.attempt_keys()


@pytest.mark.slow
def test_a_pilot_that_cannot_start_says_why(place: Place) -> None:
    """A plugin that is not there, say: three in a row end the run with what the worker wrote."""
    place.run("-k", "random")  # its results are there, its plan too
    (place.folder / "wait").touch()
    original = Session.freeze

    def without_plugin(session: Session, store: Store) -> Path:
        path = original(session, store)
        (place.folder / "waits.py").rename(place.folder / "gone.py")
        return path

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Session, "freeze", without_plugin)
        result = place.run("--engine", "slurm", "--workers", "1", code=2)
    assert "Error: pilots end for nothing: 3 in a row. The last one, job " in result.stderr
    assert "its worker cannot start" in result.stderr
    assert "it left with exit code 2" in result.stderr
    assert "waits.py, which is not here" in result.stderr
    assert "_0_log.out" in result.stderr
    assert [state.why for state in place.pilots()] == ["cannot start"] * 3
