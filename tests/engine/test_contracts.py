"""The promises of the design: same bits, prolonged runs, resumed runs, divergence, inputs that changed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import Any

import pytest
import torch

from prunebench.jobs.run import run_job
from prunebench.jobs.states import unpack_state

METHODS = ["random", "magnitude", "snip", "grasp", "synflow", "magnitude-after-training", "ltr"]


def same_tensors(one: Any, other: Any) -> bool:
    return one.tensors.keys() == other.tensors.keys() and all(
        torch.equal(tensor, other.tensors[name]) for name, tensor in one.tensors.items()
    )


# -- same bits -------------------------------------------------------------------------------------------


def test_a_cell_gives_the_same_bits_alone_and_in_another_order(project: Any) -> None:
    """All records, whose digests cover the curves, agree between orders and with a cell made alone."""
    path = project.suite(METHODS, ablations=["none", "shuffle", "reinit"])
    forward = project.run(path, "forward")
    backward = project.run(path, "backward", reverse=True)
    assert project.results(forward) == project.results(backward)
    alone = project.engine(path, "alone")
    cell = alone.plan.cells[-1]
    alone.make(cell)
    assert alone.store.read_record(cell.key).digest == project.results(forward)[cell.id]


@pytest.mark.slow
def test_two_workers_give_the_same_bits_as_one(project: Any) -> None:
    """Through pytest-xdist with two workers every record has the digest that it has in one process."""
    path = project.suite(["snip", "ltr"], seeds=2)
    one = project.run(path, "one")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", str(path), "-n", "2", "-q", "-p", "no:cacheprovider",
         "--prunebench-store", str(project.folder / "two"), "--prunebench-data", str(project.folder / "data")],
        cwd=project.folder, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    two = project.engine(path, "two")
    assert project.results(two) == project.results(one)


@pytest.mark.parametrize("step", [1, 7, 12, 20])
def test_a_run_continued_from_any_snapshot_gives_the_same_bits(project: Any, step: int) -> None:
    """The dense run to its end by way of a stored state is the run to its end at once."""
    path = project.suite(["magnitude-after-training"], epochs=2)
    at_once = project.run(path, "at-once")
    more = f"score_at = [{{step = {step}}}]"
    project.suite(["magnitude"], epochs=2, more=more, name="passing")
    passing = project.run(project.folder / "passing.toml", "by-way")
    by_way = project.run(path, "by-way")
    dense = at_once.plan.jobs[at_once.plan.cells[0].key].inputs[0]
    assert project.results(by_way) == project.results(at_once)
    assert any(job.params.step == step for job in passing.made if job.kind == "train")
    assert same_tensors(at_once.store.read_artifact(dense), by_way.store.read_artifact(dense))


# -- runs are prolonged, not repeated --------------------------------------------------------------------


class Spy:
    """Runs jobs and notes how many optimiser steps each training took."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int]] = []

    def __call__(self, job: Any, context: Any) -> None:
        seen: list[int] = []
        context.progress = lambda _job, step, _to: seen.append(step)
        run_job(job, context)
        if job.kind == "train" and seen:
            self.steps.append((seen[0], seen[-1]))


def test_asked_for_step_k_it_trains_k_steps_and_goes_on_later(project: Any) -> None:
    """Step 10 of a dense run is steps 1 to 10; who needs the end then trains from 11 on."""
    early = project.suite(["magnitude"], more="score_at = [{step = 10}]\ndense = false", name="early")
    engine = project.engine(early)
    spy = engine.run = Spy()
    state = next(k for k, j in engine.plan.jobs.items() if j.kind == "train" and not j.inputs)
    engine.make_key(state)
    assert spy.steps == [(1, 10)]
    late = project.suite(["magnitude-after-training"], name="late")
    engine = project.engine(late)
    spy = engine.run = Spy()
    engine.make(engine.plan.cells[0])
    assert [first for first, _ in spy.steps] == [11]


def test_running_again_does_nothing(project: Any) -> None:
    """A second engine on a finished store makes no job."""
    path = project.suite(METHODS)
    project.run(path)
    assert project.run(path).made == []


def test_changing_one_scorer_reruns_only_what_depends_on_it(project: Any) -> None:
    """With a changed plugin scorer the other methods' jobs stay as they are."""
    plugin = project.folder / "mine.py"
    plugin.write_text(PLUGIN)
    path = project.suite(["mine", "snip"])
    project.run(path, plugins=(str(plugin),))
    plugin.write_text(PLUGIN.replace("weight.detach().abs()", "weight.detach() ** 2"))
    again = project.run(path, plugins=(str(plugin),))
    assert [job.kind for job in again.made] == ["score", "mask", "train", "record"]


def test_comments_and_docstrings_of_a_plugin_rerun_nothing(project: Any) -> None:
    """A plugin whose comments alone changed is the same component."""
    plugin = project.folder / "mine.py"
    plugin.write_text(PLUGIN)
    path = project.suite(["mine"])
    project.run(path, plugins=(str(plugin),))
    plugin.write_text(PLUGIN.replace("The size of a weight.", "How large it is.") + "\n# a comment\n")
    assert project.run(path, plugins=(str(plugin),)).made == []


def test_a_new_diagnostic_touches_no_old_record(project: Any) -> None:
    """Asking for a measure later adds measures; records keep their bytes, nothing is trained."""
    first = project.run(project.suite(["snip", "ltr"]))
    before = {p: p.read_bytes() for p in (first.store.root / "records").rglob("*.json")}
    again = project.run(project.suite(["snip", "ltr"], measures=["layer-sparsity"]))
    assert {job.kind for job in again.made} == {"measure"}
    assert {p: p.read_bytes() for p in (first.store.root / "records").rglob("*.json")} == before


# -- what stays ------------------------------------------------------------------------------------------


def test_states_of_pruned_runs_and_scores_go_when_nobody_needs_them(project: Any) -> None:
    """After a suite the store holds dense states that were read, and masks; no pruned state, no scores."""
    engine = project.run(project.suite(METHODS))
    left = {engine.plan.jobs[key].kind for key in engine.store.artifact_keys()}
    assert left == {"train", "mask"}
    for key in engine.store.artifact_keys():
        if engine.plan.jobs[key].kind == "train":
            assert engine.plan.jobs[key].params.run.mask is None


def test_keep_states_keeps_them(project: Any) -> None:
    """With --keep-states everything that was made is there."""
    engine = project.run(project.suite(["snip"]), keep_states=True)
    assert engine.store.artifact_keys() == {
        k for k, j in engine.plan.jobs.items() if j.kind in ("train", "score", "mask")
    }


def test_whoever_helps_a_run_that_keeps_states_keeps_them(project: Any) -> None:
    """A worker that was told nothing, before that run began even; a second run of the plan drops none either."""
    path = project.suite(["snip"])
    helper = project.session(path).worker(project.store())
    project.session(path, keep_states=True).freeze(project.store())
    project.session(path).freeze(project.store())
    helper.selected = helper.plan.cells
    helper.help()
    assert helper.store.artifact_keys() == {
        k for k, j in helper.plan.jobs.items() if j.kind in ("train", "score", "mask")
    }


# -- killed and resumed ----------------------------------------------------------------------------------


KILLED = """
import sys
from prunebench.engine.request import Request
from prunebench.engine.session import Session
from prunebench.store import Store

request = Request(suite=sys.argv[1], store=sys.argv[2], data=sys.argv[3], third_party=False)
engine = Session.prepare(request).worker(Store.open(request.store))
engine.context.checkpoint_seconds = 0.0
import os, signal
def progress(job, step, to_step):
    if step == int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)
engine.context.progress = progress
engine.make(engine.plan.cells[0])
"""


def test_a_run_killed_in_the_middle_goes_on_from_its_last_checkpoint_to_the_same_bits(project: Any) -> None:
    """Killed by SIGKILL at step 17, taken up by another process: it starts there and ends the same."""
    path = project.suite(["snip"], epochs=2)
    whole = project.engine(path, "whole")
    whole.make(whole.plan.cells[0])
    script = project.folder / "killed.py"
    script.write_text(KILLED)
    arguments = [str(path), str(project.folder / "killed"), str(project.folder / "data"), "17"]
    died = subprocess.run([sys.executable, str(script), *arguments], timeout=120)
    assert died.returncode == -signal.SIGKILL
    engine = project.engine(path, "killed")
    assert engine.store.record_keys() == set()
    spy = engine.run = Spy()
    engine.make(engine.plan.cells[0])
    assert spy.steps[0][0] >= 16
    dense = engine.plan.jobs[engine.plan.cells[0].key].inputs[0]
    assert same_tensors(engine.store.read_artifact(dense), whole.store.read_artifact(dense))
    assert (
        engine.store.read_record(engine.plan.cells[0].key).digest
        == whole.store.read_record(whole.plan.cells[0].key).digest
    )
    assert not any(checkpoint for _, checkpoint in engine.store.states(dense.split("@")[0]))


# -- diverged --------------------------------------------------------------------------------------------


def test_a_diverged_run_is_a_result_and_what_descends_from_it_says_so(project: Any) -> None:
    """With an absurd learning rate the dense run and all methods after training are diverged, naming run and step."""
    path = project.suite(["magnitude-after-training", "ltr"], measures=["layer-sparsity"])
    path.write_text(path.read_text().replace("epochs = 1", "epochs = 1, lr = 1e30"))
    engine = project.run(path)
    dense, *others = (engine.store.read_record(cell.key).result for cell in engine.plan.cells)
    assert dense["outcome"] == "diverged"
    assert dense["diverged"]["run"] + "@" in dense["state"]
    for result in others:
        assert result["outcome"] == "diverged"
        assert result["diverged"] == dense["diverged"]
        assert "test" not in result
    assert project.run(path).made == []


def test_a_worker_waits_for_a_dense_run_that_another_is_making(project: Any) -> None:
    """With a living claim on a job nobody else runs it; when it is there, they go on with it."""
    import threading

    path = project.suite(["snip"])
    one, two = project.engine(path), project.engine(path)
    cell = one.plan.cells[0]
    entered = threading.Event()

    def slowly(job: Any, context: Any) -> None:
        entered.set()
        time.sleep(0.3)
        run_job(job, context)

    one.run = slowly
    worker = threading.Thread(target=one.make, args=(cell,))
    worker.start()
    entered.wait(10)
    two.make(cell)
    worker.join(30)
    assert {job.key for job in one.made}.isdisjoint(job.key for job in two.made)


def test_pruned_weights_of_a_stored_state_are_exactly_zero(project: Any) -> None:
    """After training with momentum and weight decay, whatever the mask removed is zero."""
    path = project.suite(["snip", "ltr"], sparsities=[0.9])
    path.write_text(
        path.read_text().replace("epochs = 1", "epochs = 1, momentum = 0.9, weight_decay = 0.001")
    )
    engine = project.run(path, keep_states=True)
    for cell in engine.plan.cells[1:]:
        state = unpack_state(engine.store.read_artifact(engine.plan.jobs[cell.key].inputs[0]))
        assert state.mask is not None
        assert state.mask.kept == cell.target
        for name, kept in state.mask.items():
            assert not state.parameters[name][~kept].any()
            assert state.parameters[name][kept].any()


PLUGIN = '''
import prunebench

def score(net, batch, rng):
    """The size of a weight."""
    return {name: weight.detach().abs() for name, weight in net.weights.items()}

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("mine", score)]
'''
