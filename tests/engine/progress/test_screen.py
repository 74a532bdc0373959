"""What is printed of cells while they are made, whoever makes them: once each, in a log and on a terminal."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from prunebench.engine.progress import screen as module
from prunebench.engine.progress.job_names import JobNames
from prunebench.engine.progress.looks import Looker
from prunebench.engine.progress.screen import Screen
from prunebench.jobs.run import run_job
from prunebench.store import now_text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Wait until something is true, at most a minute."""

    def wait(true: Callable[[], object]) -> None:
        end = time.monotonic() + 60
        while not true():
            assert time.monotonic() < end, "waited for a minute"
            time.sleep(0.01)

    return wait


@pytest.fixture
def engine(project: Any) -> Any:
    return project.engine(project.suite(["snip", "magnitude"]))


def shown(engine: Any, file: io.StringIO, **options: Any) -> Screen:
    return Screen(engine.plan, engine.plan.cells, engine.store, since=now_text(), file=file, **options)


def test_a_cell_that_nobody_reports_is_found_in_the_store_and_told_once(engine: Any) -> None:
    """With how it came out and what it took; one that is reported is not told again."""
    first, second, third = engine.plan.cells
    engine.make(first)
    file = io.StringIO()
    screen = shown(engine, file, told=[first.id])
    engine.make(second)
    screen.done(second.id, "81.25 %", 3.0)
    engine.make(third)
    assert screen.look().done == 3
    screen.look()
    screen.done(third.id, "75.00 %", 5.0)
    screen.look()
    lines = file.getvalue().splitlines()
    assert [line.split()[:2] for line in lines] == [["[2/3]", second.id], ["[3/3]", third.id]]
    assert all(re.search(r" \d+\.\d\d %  \d+\.\d s$", line) for line in lines)


def test_a_cell_whose_process_died_before_it_could_tell_has_its_line_all_the_same(engine: Any) -> None:
    """And those that were told of have no second one; each line is heard of."""
    first, second, third = engine.plan.cells
    engine.make(first)
    engine.make(second)
    file, heard = io.StringIO(), []
    with shown(engine, file, told=[first.id], on_told=heard.append) as screen:
        screen.done(third.id, "75.00 %", 5.0)
    numbers = [line.split()[:2] for line in file.getvalue().splitlines()]
    assert numbers == [["[2/3]", second.id], ["[3/3]", third.id]]
    assert re.search(r" \d+\.\d\d %  made meanwhile$", file.getvalue().splitlines()[0])
    assert heard == [second.id, third.id]


def test_a_cell_of_another_process_is_told_with_who_made_it(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Screen, "_own_processes", lambda self, pid: set())
    file = io.StringIO()
    screen = shown(engine, file)
    engine.make(engine.plan.cells[0])
    screen.look()
    screen.look()
    assert re.search(r"\d\.\d s, by [\w-]+:cpu/(process|worker) \d+$", file.getvalue().strip())


@pytest.mark.parametrize("failures", [True, False])
def test_what_has_failed_is_told_from_the_store_or_left_to_reports(engine: Any, failures: bool) -> None:
    """A dense run that fails: its cell is told with the error, and how many more need the same."""

    def broken(job: Any, context: Any) -> None:
        if job.kind == "score":
            raise RuntimeError("no such luck")
        run_job(job, context)

    file = io.StringIO()
    screen = shown(engine, file, failures=failures)
    engine.run = broken
    snip = next(cell for cell in engine.plan.cells if cell.labels["method"] == "snip")
    with pytest.raises(Exception, match="no such luck"):
        engine.make(snip)
    state = screen.look()
    assert (state.failed, state.left) == (1, 2)
    assert ("FAILED  RuntimeError: no such luck" in file.getvalue()) == failures
    screen.failed(snip.id, "score failed: no such luck")
    assert file.getvalue().count("FAILED") == 1


def test_a_log_has_a_line_a_minute(
    engine: Any, monkeypatch: pytest.MonkeyPatch, until: Callable[[Callable[[], object]], None]
) -> None:
    """Of what the store says, with what a scheduler says beside it; nothing where quiet was asked for."""
    for name, value in (("TICK", 0.01), ("LOGGED", 0.03)):
        monkeypatch.setattr(module, name, value)
    file, quiet = io.StringIO(), io.StringIO()
    with shown(engine, file) as screen, shown(engine, quiet, quiet=True):
        screen.beside("3 pilots queued")
        until(lambda: file.getvalue().count("pilots") > 1)
        engine.make(engine.plan.cells[0])
        until(lambda: "1 of 3 cells done, 2 left" in file.getvalue())
    assert re.match(
        r"\d\d:\d\d  0 of 3 cells done, 3 left; 0 jobs running; nobody works on it now; 3 pilots",
        file.getvalue(),
    )
    assert not quiet.getvalue()


def test_on_a_terminal_the_display_stands_below_what_is_printed_and_goes_at_the_end(
    engine: Any, monkeypatch: pytest.MonkeyPatch, until: Callable[[Callable[[], object]], None]
) -> None:
    monkeypatch.setattr(module, "TICK", 0.01)
    monkeypatch.setattr(module, "OFTEN", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    file = Terminal()
    slow = engine.plan.jobs[engine.plan.cells[0].key].inputs[0]

    def waits(job: Any, context: Any) -> None:
        run_job(job, context)
        if job.key == slow:
            until(lambda: "train digits-mlp unpruned s0" in file.getvalue())

    engine.run = waits
    with shown(engine, file) as screen:
        engine.make(engine.plan.cells[0])
        screen.say("something else")
    assert "0 of 3 cells done" in file.getvalue()
    tail = file.getvalue().rpartition("something else")[2]
    assert tail.endswith("\x1b[1A\x1b[2K" * 3 + module.CLEARED)  # drawn below; its three lines are erased


def test_counts_beneath_a_line_have_the_cell_that_it_tells_of(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the display was last looked at before that was made."""
    monkeypatch.setattr(module, "OFTEN", 1e9)
    monkeypatch.setenv("TERM", "xterm")
    file = Terminal()
    with shown(engine, file) as screen:
        engine.make(engine.plan.cells[0])
        screen.done(engine.plan.cells[0].id, "88.0 %")
        assert "1 of 3 cells done" in file.getvalue().rpartition("[1/3]")[2]
        assert "0 of 3 cells done" not in file.getvalue().rpartition("[1/3]")[2]


def test_jobs_are_called_what_people_call_them(project: Any) -> None:
    plan = project.session(
        project.suite(
            ["snip", "magnitude-after-training"], measures=["layer-sparsity"], ablations=["none", "shuffle"]
        )
    ).plan
    names = JobNames(plan, plan.cells)
    called = {names(key) for key in plan.jobs}
    assert {
        "train digits-mlp unpruned s0",
        "train digits-mlp snip d0.5 s0",
        "train digits-mlp snip+shuffle d0.5 s0",
        "score digits-mlp snip s0",
        "mask digits-mlp snip d0.5 s0",
        "shuffle digits-mlp snip+shuffle d0.5 s0",
        "measure layer-sparsity digits-mlp snip d0.5 s0",
        "record digits-mlp unpruned s0",
    } <= called
    assert names("ab" * 32) == "job abababababab"
    assert len(called) == len(plan.jobs), "each by a name of its own"
    steps = {job.params.step for job in plan.jobs.values() if job.kind == "train" and not job.prunes}
    end = max(steps)
    assert {f"train digits-mlp unpruned s0 to step {step}" for step in steps - {end}} <= called
    assert f"score digits-mlp magnitude s0 at step {end}" in called


def test_a_look_sees_what_a_worker_says_of_the_job_that_it_is_at(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name, where it computes, its step; for how long, whatever the two machines' clocks say."""
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw7")
    looker, seen = Looker(engine.store, clock=lambda: time.time() + 3600), []

    def looks(job: Any, context: Any) -> None:
        run_job(job, context)
        if job.kind == "train" and job.params.step:
            seen.extend(Looker(engine.store).look().running)
            seen.extend(looker.look().running)

    engine.run = looks
    engine.make(engine.plan.cells[0])
    one, other = seen[0], seen[1]
    assert (one.worker, one.place, one.device) == ("worker 7", "cpu", "cpu")
    assert 0 <= one.seconds < 60
    assert other.key == one.key
    times = {time.key: time for time in engine.store.times.reader().new()}
    train = times[one.key]
    assert (train.kind, train.worker, train.place) == ("train", "worker 7", "cpu")
    assert re.fullmatch(r"mlp\[.*\] digits", train.of)
    assert train.steps == engine.plan.jobs[one.key].params.step
    assert train.images == train.steps * engine.plan.jobs[one.key].params.run.recipe.batch
