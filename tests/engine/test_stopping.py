"""Told to stop: a checkpoint is committed at once, nothing is lost, nothing is blamed, the bits stay the same."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from prunebench import stopping
from prunebench.engine.failures import JobFailed
from prunebench.engine.on_pytest.run import run_cells
from prunebench.errors import StoreError

SCORER = '''
import os, signal, sys
import pytest
import prunebench

class Own(BaseException):
    pass

def score(net, batch, rng):
    """Misbehaves."""
    {fault}
    return {{name: weight.detach().abs() for name, weight in net.weights.items()}}

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("mine", score)]
'''


@pytest.fixture(autouse=True)
def _heard() -> Iterator[None]:
    """Signals are listened to, as `prunebench run` does."""
    with stopping.listening():
        yield


def evaluated(project: Any) -> Path:
    """Return a suite whose runs have 46 steps, evaluated after 23 and at the end."""
    path: Path = project.suite(["snip"], epochs=2)
    path.write_text(path.read_text().replace("epochs = 2", "epochs = 2, evaluate = 1"))
    return path


def faulty(project: Any, fault: str, *methods: str) -> Any:
    """Return an engine on a suite whose scorer "mine" does something first."""
    plugin = project.folder / "mine.py"
    plugin.write_text(SCORER.format(fault=fault))
    return project.engine(project.suite(["mine", *methods]), plugins=(str(plugin),))


def stop_at(engine: Any, step: int, number: int = signal.SIGINT) -> None:
    """Let a signal come right after a step of training."""

    def progress(_job: Any, at: int, _to: int) -> None:
        if at == step:
            signal.raise_signal(number)

    engine.context.progress = progress


def heard_anew(function: Callable[[], Any]) -> Any:
    """Call a function as a new process would, which was told nothing yet."""
    stopping._Flag.signal = 0
    return function()


def test_stopped_fourteen_times_the_result_has_the_same_bits(project: Any) -> None:
    """At fourteen steps, the ends of epochs among them: each time a checkpoint one step on, and the only one."""
    path = evaluated(project)
    whole = project.engine(path, "whole")
    whole.make(whole.plan.cells[0])
    run = whole.plan.jobs[whole.plan.cells[0].targets[0]].inputs[0].split("@")[0]
    for step in (1, 3, 5, 9, 14, 19, 22, 25, 28, 31, 35, 39, 42, 45):
        engine = project.engine(path, "stopped")
        stop_at(engine, step)
        with pytest.raises(stopping.Stopped):
            heard_anew(lambda engine=engine: engine.make(engine.plan.cells[0]))
        states = engine.store.states(run)
        assert [at for at, checkpoint in states if checkpoint] == [step + 1]
        assert not engine.store.attempt_keys()
    last = project.engine(path, "stopped")
    heard_anew(lambda: last.make(last.plan.cells[0]))
    key = last.plan.cells[0].key
    assert last.store.read_record(key).digest == whole.store.read_record(key).digest
    assert last.store.read_artifact(f"{run}@46").digest == whole.store.read_artifact(f"{run}@46").digest
    assert not any(checkpoint for _, checkpoint in last.store.states(run))


@pytest.mark.parametrize("which", [1, 2])
def test_an_evaluation_that_is_given_up_is_made_first_thing_later(
    project: Any, monkeypatch: pytest.MonkeyPatch, which: int
) -> None:
    """In the middle of a run or at its last step: the curve has every point, and the same ones."""
    from prunebench.training import evaluate as module

    path = evaluated(project)
    whole = project.engine(path, "whole")
    whole.make(whole.plan.cells[0])
    calls = []
    evaluate = module.evaluate

    def interrupted(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == which:
            signal.raise_signal(signal.SIGTERM)
        return evaluate(*arguments, **options)

    monkeypatch.setattr(module, "evaluate", interrupted)
    engine = project.engine(path, "stopped")
    with pytest.raises(stopping.Stopped):
        engine.make(engine.plan.cells[0])
    assert len(calls) == which
    again = project.engine(path, "stopped")
    heard_anew(lambda: again.make(again.plan.cells[0]))
    assert len(calls) == 3  # two points of the curve, one of them begun twice
    key = again.plan.cells[0].key
    assert again.store.read_record(key).digest == whole.store.read_record(key).digest


@pytest.mark.parametrize(
    "then", ["pass", "raise ValueError('what of it')", "raise KeyboardInterrupt"], ids=["", "error", "own"]
)
def test_a_scorer_is_interrupted_and_not_blamed(project: Any, then: str) -> None:
    """Whatever its code makes of the signal."""
    fault = f"""try:
        signal.raise_signal(signal.SIGINT)
        sum(range(1000))
    except BaseException:
        {then}"""
    engine = faulty(project, fault)
    with pytest.raises(stopping.Stopped):
        engine.make(engine.plan.cells[1])
    assert not engine.store.attempt_keys()
    assert not list((engine.store.root / "claims").iterdir())


@pytest.mark.parametrize(
    "fault",
    [
        "raise KeyboardInterrupt",
        "raise Own",
        "raise GeneratorExit",
        "raise SystemExit(0)",
        "pytest.exit('enough', returncode=0)",
        "pytest.skip('not now')",
        "import unittest; raise unittest.SkipTest",
    ],
)
def test_whatever_a_component_raises_its_job_has_failed(project: Any, fault: str) -> None:
    """An attempt that names it; the other cells are made."""
    engine = faulty(project, fault, "snip")
    with pytest.raises(JobFailed, match="score"):
        engine.make(engine.plan.cells[1])
    assert len(engine.store.attempt_keys()) == 1
    assert not stopping.requested()
    engine.make(engine.plan.cells[2])
    assert engine.store.has_record(engine.plan.cells[2].key)


def test_a_signal_while_a_claim_is_taken_stops_before_the_job(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It raises nothing there, and a long job would run to its end."""
    engine = faulty(project, "pass")
    claim = type(engine.store).claim

    def interrupted(store: Any, key: str) -> Any:
        if engine.plan.jobs[key].kind == "score":
            signal.raise_signal(signal.SIGINT)
        return claim(store, key)

    monkeypatch.setattr(type(engine.store), "claim", interrupted)
    with pytest.raises(stopping.Stopped):
        engine.make(engine.plan.cells[1])
    assert all(job.kind != "score" for job in engine.made)
    assert not list((engine.store.root / "claims").iterdir())


def test_a_job_that_was_stopped_after_its_commit_is_the_workers_own(project: Any) -> None:
    """Else its cell counts as another run's; one that was stopped before it is nobody's."""
    engine = project.engine(project.suite(["snip"]))
    run, ended = engine.run, []

    def stopped(job: Any, context: Any) -> None:
        if job.kind == "record" and not ended:
            ended.append(job)
            raise stopping.Stopped
        run(job, context)
        if job.kind == "record":
            raise stopping.Stopped

    engine.run = stopped
    for made in (False, True):
        with pytest.raises(stopping.Stopped):
            engine.make(engine.plan.cells[0])
        assert ([job.kind for job in engine.made].count("record") == 1) is made
    assert not engine.store.claimed_keys()


def test_a_stop_that_was_swallowed_is_raised_by_the_next_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until somebody has heard it: then work is being given up already. One Ctrl-C that comes twice is one."""
    monkeypatch.setattr(stopping, "AGAIN", 60.0)
    with pytest.raises(stopping.Stopped):
        signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGTERM)
    monkeypatch.setattr(stopping, "AGAIN", 0.0)
    with pytest.raises(stopping.Stopped):
        signal.raise_signal(signal.SIGTERM)
    stopping.heard()
    signal.raise_signal(signal.SIGTERM)
    assert stopping.exit_code() == 130


def test_without_a_listener_ctrl_c_is_ctrl_c(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Called from Python, a KeyboardInterrupt goes through, and is no failed attempt."""
    monkeypatch.setattr(stopping._Flag, "listener", 0)
    engine = faulty(project, "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        engine.make(engine.plan.cells[1])
    assert not engine.store.attempt_keys()


def test_checkpoints_of_dead_processes_go(project: Any) -> None:
    """Of a run only the newest checkpoint is kept, whoever wrote the others."""
    path = project.suite(["snip"], epochs=2)
    for step in (3, 11):
        engine = project.engine(path, f"store{step}")
        stop_at(engine, step)
        with pytest.raises(stopping.Stopped):
            heard_anew(lambda engine=engine: engine.make(engine.plan.cells[0]))
    run = engine.plan.jobs[engine.plan.cells[0].targets[0]].inputs[0].split("@")[0]
    early, late = (project.store(f"store{step}").artifact_path(f"{run}@{step + 1}", True) for step in (3, 11))
    (late.parent / early.name).write_bytes(early.read_bytes())
    assert len([at for at, checkpoint in engine.store.states(run) if checkpoint]) == 2
    again = project.engine(path, "store11")
    stop_at(again, 20)
    with pytest.raises(stopping.Stopped):
        heard_anew(lambda: again.make(again.plan.cells[0]))
    assert [at for at, checkpoint in again.store.states(run) if checkpoint] == [21]


def test_what_a_job_prints_is_in_its_log(project: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """By Python or below it; and closing the streams closes nobody else's."""
    fault = "print('spoken'); os.system('echo called'); sys.stdout.close(); sys.stderr.close(); os.close(1)"
    engine = faulty(project, fault)
    before = sys.stdout, sys.stderr
    engine.make(engine.plan.cells[1])
    assert (sys.stdout, sys.stderr) == before
    os.system("echo after")
    assert capfd.readouterr() == ("after\n", "")
    score = next(job for job in engine.plan.jobs.values() if job.kind == "score")
    text = engine.store.log_path(score.key).read_text()
    assert "spoken" in text
    assert "called" in text


def test_a_job_that_ended_a_process_is_not_tried_again_in_the_same_run(project: Any) -> None:
    """Its cell has failed of it; another run tries it again."""
    path = project.suite(["snip"])
    engine = project.engine(path)
    score = next(key for key, job in engine.plan.jobs.items() if job.kind == "score")
    engine.given_up[score] = "process 1 died"
    with pytest.raises(JobFailed, match="process 1 died"):
        engine.make(engine.plan.cells[1])
    again = project.engine(path)
    again.make(again.plan.cells[1])


# -- a full disk -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["artifacts", "records", "claims", "attempts", "logs"])
def test_a_full_disk_ends_the_run_with_a_sentence(
    project: Any, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """Nothing is blamed, nothing else tried; with room again the same command does the rest."""
    from prunebench.store import _commit

    path = project.suite(["snip", "magnitude"])
    session, store = project.session(path), project.store()
    session.freeze(store)
    _fill(monkeypatch, _commit, part, room=0 if part in ("claims", "logs", "attempts") else 1)
    if part == "attempts":
        from prunebench.jobs import context

        def lost(*_: Any) -> None:
            raise RuntimeError("a failure that cannot be noted")

        monkeypatch.setattr(context.Context, "data", lost)
    with pytest.raises(StoreError, match="No space left on device; free some space and run again") as caught:
        run_cells(session, store, quiet=True)
    assert len(str(caught.value).splitlines()) == 1
    assert f"{os.sep}{part}{os.sep}" in str(caught.value)
    monkeypatch.undo()
    assert not store.attempt_keys() or part == "attempts"
    assert not list(store.root.glob("claims/*.json"))
    outcome = run_cells(project.session(path), store, quiet=True)
    assert outcome.exit_code == 0
    assert len(outcome.made) + len(outcome.before) == 3


def _fill(monkeypatch: pytest.MonkeyPatch, module: Any, part: str, room: int) -> None:
    """Let writing to a part of the store fail as on a full disk, after `room` files."""
    from prunebench.engine import attempt

    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    left = [room]

    def spend(path: Path) -> None:
        if part in path.parts:
            left[0] -= 1
            if left[0] < 0:
                raise full

    if part == "logs":

        def fails(self: Any, record: Any) -> None:
            try:
                raise full
            except OSError:
                self.handleError(record)

        monkeypatch.setattr(attempt._LogFile, "emit", fails)
        return
    write = module._write_temporary

    def maybe(path: Path, chunks: Any) -> Path:
        spend(path)
        found: Path = write(path, chunks)
        return found

    monkeypatch.setattr(module, "_write_temporary", maybe)


def test_a_full_disk_met_elsewhere_in_a_job_ends_the_run_too(project: Any) -> None:
    """A component that cannot write its own file: every other job would meet the same."""
    plugin = project.folder / "mine.py"
    plugin.write_text(
        SCORER.format(fault="import errno; raise OSError(errno.ENOSPC, 'No space left on device')")
    )
    session = project.session(project.suite(["mine", "snip"]), plugins=(str(plugin),))
    store = project.store()
    with pytest.raises(StoreError, match="No space left"):
        run_cells(session, store, quiet=True)
    assert not store.attempt_keys()
