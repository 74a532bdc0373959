"""`prunebench run` through pytest: exit codes, selection, interruption, what is printed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from click.testing import CliRunner, Result

from prunebench.cli import main


def here(project: Any, *arguments: str, code: int = 0) -> Result:
    """Call the command line in this process, which has imported already what it needs."""
    before = os.getcwd()
    os.chdir(project.folder)
    try:
        result = CliRunner().invoke(main, [*arguments, "--store", str(project.folder / "store")])
    finally:
        os.chdir(before)
    assert result.exit_code == code, result.output
    return result


def prunebench(project: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "prunebench", *arguments, "--store", str(project.folder / "store")],
        cwd=project.folder,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize(
    ("sent", "code", "workers"),
    [
        pytest.param(signal.SIGINT, 130, (), marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 143, (), marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 143, ("-n", "2"), marks=pytest.mark.slow),
        (signal.SIGHUP, 129, ("-n", "2")),
    ],
)
def test_stopped_it_says_so_and_goes_on_later(
    project: Any, sent: signal.Signals, code: int, workers: tuple[str, ...]
) -> None:
    """Ctrl-C, SIGTERM or a terminal that is closed in the middle of a run: records so far stay, and as many
    are told of; the same command does the rest.
    """
    path = project.suite(["snip", "ltr", "synflow"], seeds=2, epochs=10)
    store = str(project.folder / "store")
    command = [sys.executable, "-m", "prunebench", "run", path.name, "--store", store, *workers]
    process = subprocess.Popen(
        command,
        cwd=project.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(sent, signal.SIG_DFL),  # ignored behind a shell's "&", or nohup
    )
    records = project.folder / "store" / "records"
    deadline = time.monotonic() + 60
    while not any(records.rglob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, sent)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, out + err
    assert "Interrupted: " in err
    assert "Traceback" not in out + err
    made = set(records.rglob("*.json"))
    assert 0 < len(made) < 8
    assert f"Interrupted: {len(made)} cell{'s' if len(made) > 1 else ''} made now, 0 done before, " in err
    here(project, "run", path.name)
    assert len(set(records.rglob("*.json"))) == 8
    assert made <= set(records.rglob("*.json"))


DEAF = """
import time
from pathlib import Path
import prunebench

def score(net, batch, rng):
    Path("asleep").touch()
    try:
        time.sleep(100)
    except BaseException:
        pass
    time.sleep(100)

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("deaf", score)]
"""


def test_a_run_whose_code_swallows_the_stop_is_told_again(project: Any) -> None:
    """The first interrupt is lost in a scorer's `except`; the second comes by itself, and nothing is blamed."""
    (project.folder / "deaf.py").write_text(DEAF)
    path = project.suite(["deaf"])
    command = [
        sys.executable,
        "-m",
        "prunebench",
        "run",
        path.name,
        "--plugin",
        "deaf.py",
        "--store",
        "store",
    ]
    process = subprocess.Popen(
        command,
        cwd=project.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not (project.folder / "asleep").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "Interrupted: " in err
    assert "Traceback" not in out + err
    assert not project.store().attempt_keys()


@pytest.mark.parametrize("fault", ["raise ValueError('out of luck')", "raise SystemExit('out of luck')"])
def test_a_failed_cell_makes_it_exit_with_1_and_the_others_are_done(project: Any, fault: str) -> None:
    """One broken scorer: exit code 1, its error in the summary, every other cell in the leaderboard.

    sys.exit ends its job, not the run, and leaves an attempt like any other.
    """
    plugin = project.folder / "mine.py"
    plugin.write_text(BROKEN.replace("raise ValueError('out of luck')", fault))
    path = project.suite(["mine", "snip"])
    done = here(project, "run", path.name, "--plugin", str(plugin), code=1)
    assert "out of luck" in done.output
    assert "Traceback" not in done.output
    assert "INTERNALERROR" not in done.output
    engine = project.engine(path, plugins=(str(plugin),))
    assert [engine.store.has_record(c.key) for c in engine.plan.cells] == [True, False, True]
    assert engine.store.attempt_keys()


ALONE_OR_TWO = [pytest.param((), marks=pytest.mark.slow), ("-n", "2")]
"""Workers of a run; what holds with two was never seen to fail without."""


@pytest.mark.parametrize("workers", ALONE_OR_TWO)
def test_stopping_at_the_first_failure_is_a_failure_and_no_interruption(
    project: Any, workers: tuple[str, ...]
) -> None:
    """-x exits with 1, with workers too."""
    plugin = project.folder / "mine.py"
    plugin.write_text(BROKEN)
    path = project.suite(["mine", "snip"], seeds=3)
    done = prunebench(project, "run", path.name, "--plugin", str(plugin), "-x", *workers)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Interrupted" not in done.stdout + done.stderr


def set_pytest_up(project: Any) -> None:
    """Write settings for pytest into a project with which nothing would run."""
    (project.folder / "pytest.ini").write_text("[pytest]\naddopts = --collect-only --strict-nonsense\n")
    (project.folder / "conftest.py").write_text("raise RuntimeError('not for cells')\n")


def test_the_projects_own_pytest_settings_do_not_reach_cells(project: Any) -> None:
    """A pytest.ini with addopts, a conftest that fails: neither is read."""
    set_pytest_up(project)
    path = project.suite(["snip"])
    assert "2 cells made now" in here(project, "run", path.name).output


BROKEN = '''
import prunebench

def score(net, batch, rng):
    """Broken on purpose."""
    raise ValueError('out of luck')

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("mine", score)]
'''


@pytest.mark.parametrize(
    ("kind", "finished"),
    [
        pytest.param("records", True, marks=pytest.mark.slow),
        ("records", False),
        pytest.param("measures", True, marks=pytest.mark.slow),
    ],
)
def test_a_damaged_result_is_set_aside_and_made_again(project: Any, kind: str, finished: bool) -> None:
    """A record or measure cut short: the next run says so, makes that one again, and the store is whole.

    So too in a suite of which another cell is still to be made.
    """
    path = project.suite(["snip"], measures=["layer-sparsity"])
    engine = project.run(path)
    before = project.results(engine)
    damaged = sorted((engine.store.root / kind).rglob("*.json"))[0]
    damaged.write_bytes(damaged.read_bytes()[:100])
    if not finished:
        sorted((engine.store.root / "records").rglob("*.json"))[1].unlink()
    done = here(project, "run", path.name)
    assert f"{'1 cell' if finished else '2 cells'} made now" in done.stdout
    assert "set aside" in done.stderr
    assert project.results(project.engine(path)) == before
    assert "nothing to do" in here(project, "run", path.name).stdout


DEADLY = """
import os, signal
from pathlib import Path
import prunebench

def score(net, batch, rng):
    if len(list(Path().glob("killed-*"))) < DEATHS:
        Path(f"killed-{os.getpid()}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {name: weight.detach().abs() for name, weight in net.weights.items()}

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("deadly", score)]
"""


@pytest.mark.slow
def test_a_job_that_a_worker_was_killed_at_is_done_by_another(project: Any) -> None:
    """One death may be chance: the attempt is written down, and the run makes all of its cells."""
    plugin = project.folder / "mine.py"
    plugin.write_text(DEADLY.replace("DEATHS", "1"))
    path = project.suite(["deadly", "snip"])
    done = prunebench(project, "run", path.name, "--plugin", str(plugin), "-n", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    engine = project.engine(path, plugins=(str(plugin),))
    assert all(engine.plan.done(cell, engine.have) for cell in engine.plan.cells)
    assert len(engine.store.attempt_keys()) == 1


def test_a_job_that_two_workers_were_killed_at_has_failed_with_the_reason(project: Any) -> None:
    """`status` says why, the rest is made, and the same command tries again; what the folder sets pytest up with
    reaches no worker.
    """
    set_pytest_up(project)
    plugin = project.folder / "mine.py"
    plugin.write_text(DEADLY.replace("DEATHS", "2"))
    path = project.suite(["deadly", "snip"])
    done = prunebench(project, "run", path.name, "--plugin", str(plugin), "-n", "2")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "2 cells made now" in done.stdout + done.stderr
    status = here(project, "status", path.name, "--plugin", str(plugin))
    assert "died while it worked on this" in status.output
    assert len(list(project.folder.glob("killed-*"))) == 2, "it would kill this process"
    here(project, "run", path.name, "--plugin", str(plugin))
