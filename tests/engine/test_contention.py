"""What other workers, and other suites in the same store, must not change."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from prunebench.engine import worker as module
from prunebench.engine.failures import JobFailed
from prunebench.engine.jobs_left import JobsLeft
from prunebench.jobs.run import run_job

HOT = "epochs = 8, lr = 14.0, drops = [], momentum = 0.0, warmup = 6, weight_decay = 0.2, evaluate = 1"


def hot(project: Any, name: str, more: str) -> Any:
    """A suite whose dense run diverges in the middle, after some evaluations."""
    path = project.suite(["random"], more=more, name=name)
    path.write_text(path.read_text().replace("epochs = 1", HOT))
    return path


def test_a_diverged_run_has_the_same_curve_however_it_was_reached(project: Any) -> None:
    """At once to its end, or by way of a state behind the divergence: one record, with the curve so far."""
    at_once = project.run(hot(project, "once", ""), "once")
    record = at_once.store.read_record(at_once.plan.cells[0].key)
    assert record.result["outcome"] == "diverged"
    assert len(record.result["curve"]) > 1
    step = record.result["diverged"]["step"] + 10
    by_way = project.engine(hot(project, "way", f"score_at = [{{step = {step}}}]"), "way")
    for cell in reversed(by_way.plan.cells):
        by_way.make(cell)
    assert by_way.store.read_record(by_way.plan.cells[0].key).digest == record.digest


def test_a_worker_that_waited_makes_nothing_again_that_was_made_and_dropped(project: Any) -> None:
    """Another worker trains, records and drops a pruned state while this one sleeps: it trains nothing."""
    path = project.suite(["snip"])
    one, two = project.engine(path), project.engine(path)
    cell = one.plan.cells[-1]
    end = one.plan.jobs[cell.key].inputs[0]
    entered = threading.Event()

    def slowly(job: Any, context: Any) -> None:
        if job.key == end:
            entered.set()
            time.sleep(0.5)
        run_job(job, context)

    one.run = slowly
    worker = threading.Thread(target=one.make, args=(cell,))
    worker.start()
    assert entered.wait(20)
    two.make(cell)  # its list of jobs is from before the other one was done
    worker.join(30)
    assert end not in one.store.artifact_keys()
    assert end not in {job.key for job in two.made}


def test_what_was_made_and_dropped_since_a_worker_last_looked_is_not_made_again(project: Any) -> None:
    """A state that is missing because its record is there is not trained, claim or no claim."""
    path = project.suite(["snip"])
    one, two = project.engine(path), project.engine(path)
    two.selected = two.plan.cells
    cell = one.plan.cells[-1]
    end = one.plan.jobs[cell.key].inputs[0]
    assert end in two._work
    for each in one.plan.cells:
        one.make(each)
    assert not two.have(end)
    two.help()
    assert two.made == []
    assert not two.have(end)


@pytest.mark.parametrize("method", ["snip", "synflow", "magnitude"])
def test_a_state_on_the_brink_is_diverged_for_every_method(project: Any, method: str) -> None:
    """Scored at a step whose loss is not finite any more: diverged, not a failure that is tried for ever."""
    path = project.suite([method], more="score_at = [{step = 2}]")
    path.write_text(
        path.read_text().replace("epochs = 1", "epochs = 4, lr = 1e6, drops = [], momentum = 0.0")
    )
    engine = project.run(path)
    for cell in engine.plan.cells:
        assert engine.store.read_record(cell.key).result["outcome"] == "diverged"
    assert project.run(path).made == []


def test_a_target_that_comes_while_the_store_is_looked_at_leaves_nothing_to_do(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record is not there yet when the list of jobs is begun, and its state is gone when that is asked for."""
    engine = project.run(project.suite(["snip"]))
    cell = engine.plan.cells[-1]
    end = engine.plan.jobs[cell.key].inputs[0]
    listed = engine.store.record_keys
    monkeypatch.setattr(engine.store, "record_keys", lambda: listed() - {cell.key})
    made = len(engine.made)
    engine.selected = engine.plan.cells
    engine._known = None
    assert end in engine._work
    engine.help()
    assert len(engine.made) == made
    assert not engine.have(end)


def test_cells_that_one_failure_blocks_are_told_without_another_look_at_the_plan(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a plan of 70,000 jobs such a look takes seconds, and thousands of cells may wait for one job."""
    engine = project.engine(project.suite(["snip"], sparsities=[0.5, 0.8, 0.9]))
    engine.selected = engine.plan.cells
    looks = []
    monkeypatch.setattr(module, "JobsLeft", lambda *args: looks.append(1) or JobsLeft(*args))

    def fails(job: Any, context: Any) -> None:
        if job.kind == "score":
            raise ValueError("no luck")
        run_job(job, context)

    engine.run = fails
    for cell in engine.plan.cells[1:]:
        with pytest.raises(JobFailed, match="no luck"):
            engine.make(cell)
    engine.make(engine.plan.cells[0])
    assert len(looks) == 1


def test_a_job_of_the_dead_is_tried_again_while_there_is_other_work(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only trying to take its claim tells that it is stale; the jobs that wait for it would be last else."""
    monkeypatch.setattr(module, "AGAIN", 0.0)
    monkeypatch.setattr(module, "HELD", 0.0)
    engine = project.engine(project.suite(["snip"], seeds=3))
    engine.selected = engine.plan.cells
    first = next(iter(engine._work.ready()))
    taken, tries = engine.store.claim, []

    def claim(key: str) -> Any:
        tries.append(key)
        return None if tries.count(first) == 1 and key == first else taken(key)

    monkeypatch.setattr(engine.store, "claim", claim)
    monkeypatch.setattr(engine.store, "claimed_keys", lambda: {first})  # its file lies there until then
    engine.help()
    order = [job.key for job in engine.made]
    assert len(order) == len(engine.plan.jobs)
    assert order.index(first) <= 1


def test_a_worker_whose_claim_was_taken_over_leaves_the_job_at_its_next_step(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was suspended for long: the job is not done twice, has not failed, and is tried again like any that
    another held."""
    worker = project.session(project.suite(["random"])).worker(project.store())
    claims: list[Any] = []
    take = worker.store.claim
    monkeypatch.setattr(worker.store, "claim", lambda key: claims.append(take(key)) or claims[-1])
    steps: list[int] = []

    def progress(job: Any, step: int, to_step: int) -> None:
        steps.append(step)
        if len(steps) == 3:
            claims[-1].lost = True

    worker.context.progress = progress
    cell = worker.plan.cells[-1]
    worker.make(cell)
    assert steps[:4] == [1, 2, 3, 1]
    assert steps[-1] == len(steps) - 3
    assert worker.plan.done(cell, worker.have)
    assert not worker.store.attempt_keys()
    assert not worker.store.claimed_keys()
