"""What every engine has: --engine names it, its front is told what to do, and the run is watched in the store."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner
from little_suites import little_suite

from prunebench import stopping
from prunebench.cli import _engines
from prunebench.cli._main import main
from prunebench.engine import fronts
from prunebench.engine.devices.slots import Workforce
from prunebench.engine.fronts import Assignment, Engine
from prunebench.engine.fronts.watch import Watch
from prunebench.errors import PrunebenchError, UsageError

SUITE = little_suite(["random", "snip"], architecture="lenet-300-100")

FAILS = '''
import prunebench


def fails(net, batch, rng):
    """Fails."""
    raise RuntimeError("in a mood")


@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("fails", fails)]
'''


class Nearby:
    """A front that makes the cells in this process, and looks on at every job."""

    refuses = ""

    def __init__(self, then: Callable[[Assignment, Watch], object] = lambda assignment, watch: None) -> None:
        self.then = then
        self.assignments: list[Assignment] = []

    def ready(self, session: Any, cells: Any) -> Any:
        """Refuse as `self.refuses` says."""
        if self.refuses:
            raise UsageError(self.refuses)
        return contextlib.nullcontext()

    def workforce(self) -> Workforce:
        return Workforce(3, device="cpu", cores=3)

    def run(self, assignment: Assignment, watch: Watch) -> None:
        self.assignments.append(assignment)
        self.then(assignment, watch)
        worker = assignment.session.worker(assignment.store, since=assignment.since)
        worker.selected = assignment.cells
        worker.help()
        while not watch.over:
            assert watch.look()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """An engine `nearby`, whose front is `engine.front`, and that was given `engine.options`."""
    monkeypatch.setattr("prunebench.engine.fronts.watch.PAUSE", 0.0)
    engine = SimpleNamespace(front=Nearby(), options=None)

    def front(options: dict[str, Any]) -> Nearby:
        engine.options = dict(options)
        return engine.front

    monkeypatch.setitem(sys.modules, "nearby_engine", SimpleNamespace(front=front))
    monkeypatch.setitem(fronts.ENGINES, "nearby", Engine("in this process", "nearby_engine", "json"))
    return engine


@pytest.fixture
def run(tmp_path: Path, engine: SimpleNamespace) -> Callable[..., Any]:
    """Call `prunebench run` on the tiny suite with --engine nearby."""
    (tmp_path / "tiny.toml").write_text(SUITE)
    (tmp_path / "fails.py").write_text(FAILS)

    def call(*args: str, code: int = 0) -> Any:
        fixed = ["run", str(tmp_path / "tiny.toml"), "--store", str(tmp_path / "store"), "--no-plugins"]
        result = CliRunner().invoke(main, [*fixed, "--engine", "nearby", *args], prog_name="prunebench")
        assert result.exit_code == code, result.output
        return result

    return call


def test_a_front_is_told_what_to_do_and_the_run_ends_as_any(
    run: Callable[..., Any], engine: SimpleNamespace
) -> None:
    """Lines a cell, the summary, the table and the exit code are those of a run here; again: nothing to do."""
    result = run("-n", "3")
    (assignment,) = engine.front.assignments
    gpus = {"workers_per_gpu": "1", "gpus_per_worker": 1}
    assert engine.options == {"workers": "3", "device": "auto", "threads": 1, **gpus}
    assert assignment.workers == 3
    assert [cell.name for cell in assignment.cells] == [
        line.split("::")[1].split()[0] for line in result.output.splitlines() if line.startswith("[")
    ]
    assert "[3/3]" in result.output
    assert f"{len(assignment.cells)} cells made now, 0 done before" in result.output
    jobs = assignment.session.plan.remaining(
        (target for cell in assignment.cells for target in cell.targets), lambda key: False
    )
    assert f"{len(jobs)} jobs in" in result.output
    assert " to do with 3 workers (a guess: nothing was measured here yet; assumed" in result.output
    assert "| random" in result.output
    assert "nothing to do" in run().output
    assert len(engine.front.assignments) == 1


def test_a_job_that_fails_elsewhere_fails_its_cells(run: Callable[..., Any], tmp_path: Path) -> None:
    """The cell's line has the job's error, the others are made, and the exit code is 1."""
    result = run("--scorer", "fails", "--plugin", str(tmp_path / "fails.py"), code=1)
    (line,) = (line for line in result.output.splitlines() if "FAILED" in line)
    assert "score " in line
    assert "in a mood" in line
    assert "1 failed" in result.output
    assert "3 cells made now" in result.output


def test_with_x_the_first_failed_cell_is_the_last_one_waited_for(
    run: Callable[..., Any], tmp_path: Path, engine: SimpleNamespace
) -> None:
    """`over` is true then, though cells are left."""

    def fail_at_once(assignment: Assignment, watch: Watch) -> None:
        (key,) = (
            key
            for key, job in assignment.session.plan.jobs.items()
            if job.kind == "score" and "fails" in str(job.params)
        )
        assignment.store.write_attempt(key, "in a mood", job={"kind": "score"})
        assert watch.look()
        assert watch.over
        assert len(watch.left) == 3
        raise stopping.Stopped

    engine.front.then = fail_at_once
    run("-x", "--scorer", "fails", "--plugin", str(tmp_path / "fails.py"), code=130)


def test_what_keeps_a_front_from_going_on_ends_the_run(
    run: Callable[..., Any], engine: SimpleNamespace
) -> None:
    """Its error is the command's."""

    def give_up(assignment: Assignment, watch: Watch) -> None:
        raise PrunebenchError("the cluster is on fire")

    engine.front.then = give_up
    assert "Error: the cluster is on fire" in run(code=2).stderr


def test_a_front_that_is_told_to_stop_ends_the_run_like_any(
    run: Callable[..., Any], engine: SimpleNamespace
) -> None:
    """The summary says that it was interrupted, and how to go on; no table."""

    def stop(assignment: Assignment, watch: Watch) -> None:
        raise stopping.Stopped

    engine.front.then = stop
    result = run(code=130)
    assert "Interrupted: 0 cells made now" in result.stderr
    assert "3 not reached" in result.stderr
    assert "| random" not in result.output


@pytest.mark.parametrize(("left", "code"), [(True, 3), (False, 0)])
def test_cells_that_are_left_to_others_have_an_exit_code_of_their_own(
    run: Callable[..., Any], engine: SimpleNamespace, left: bool, code: int
) -> None:
    """What comes after && does not go on without them; 0 where all are there already. No table yet."""

    class Leaving(Nearby):
        def run(self, assignment: Assignment, watch: Watch) -> None:
            if not left:
                super().run(assignment, watch)
            watch.report.detached = "they work elsewhere"

    engine.front = Leaving()
    result = run(code=code)
    assert "they work elsewhere" in result.stdout
    assert "| random" not in result.output


def test_a_device_that_is_not_here_may_be_elsewhere(
    run: Callable[..., Any], engine: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--device cuda is for the machines where cells are made."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    engine.front.then = lambda assignment, watch: (_ for _ in ()).throw(PrunebenchError("asked"))
    assert "Error: asked" in run("--device", "cuda", code=2).stderr


# -- what is refused -------------------------------------------------------------------------------------


def refused(tmp_path: Path, run: Callable[..., Any], *args: str) -> str:
    """Call, expecting exit code 2 and nothing written; return standard error."""
    result = run(*args, code=2)
    assert not (tmp_path / "store").exists()
    assert "Traceback" not in result.output
    return str(result.stderr)


def test_an_engine_that_there_is_not(tmp_path: Path, run: Callable[..., Any]) -> None:
    """The nearest one is named, and all that there are."""
    text = refused(tmp_path, run, "--engine", "nearbuy")
    assert "Error: --engine: no engine 'nearbuy'; did you mean 'nearby'? allowed: " in text
    assert "local" in text


def test_an_engine_whose_extra_is_missing(
    tmp_path: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command that installs it is named, and nothing of the engine is imported."""
    monkeypatch.setitem(fronts.ENGINES, "far", Engine("far away", "no_such_module", "no_such_package"))
    text = refused(tmp_path, run, "--engine", "far")
    assert (
        "Error: --engine far needs no_such_package, which is not installed: "
        'pip install "prunebench[far]" installs it'
    ) in text


def test_options_of_another_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option that only one engine takes is refused with every other, and taken with its own."""
    shared = click.option("--where", "where")
    monkeypatch.setattr(
        _engines,
        "OPTIONS",
        {"nearby": (click.option("--depth", type=int, default=3), shared), "far": (shared,)},
    )
    monkeypatch.setattr(_engines, "front_of", lambda name, options: (name, options))
    told: list[Any] = []

    @click.command()
    @_engines.engine_options
    @click.option("--workers")
    @click.option("--device")
    @click.option("--threads")
    @click.option("--workers-per-gpu")
    @click.option("--gpus-per-worker")
    @click.pass_context
    def command(ctx: click.Context, /, **options: Any) -> None:
        told.append(_engines.chosen_front(ctx, options))

    def call(*args: str) -> Any:
        return CliRunner().invoke(command, args, standalone_mode=False)

    assert call("--engine", "nearby", "--depth", "5", "--workers", "2").exception is None
    rest = dict.fromkeys(("device", "threads", "workers_per_gpu", "gpus_per_worker"))
    assert told.pop() == ("nearby", {"depth": 5, "where": None, "workers": "2", **rest})
    assert call("--engine", "far", "--where", "x").exception is None
    assert told.pop() == ("far", {"where": "x", "workers": None, **rest})
    error = call("--engine", "far", "--depth", "3").exception
    assert isinstance(error, UsageError)
    assert str(error) == (
        "--depth belongs to --engine nearby, and the engine is far: add --engine nearby, or leave --depth out"
    )
    assert str(call("--where", "x").exception) == (
        "--where belongs to --engine nearby or far, and the engine is local: "
        "add --engine nearby, or leave --where out"
    )
