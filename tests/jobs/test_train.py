"""Between the start of a training job and its commit another loop can stand: the artifacts are the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from prunebench.jobs.run import run_job
from prunebench.jobs.train import Progress, advance, commit, start
from prunebench.training.evaluate import evaluate
from prunebench.training.images.batches import make_batches
from prunebench.training.numerics import deterministic
from prunebench.training.state import State, new_meter
from prunebench.training.tasks import TASKS, Task

LATE = {
    "method": "snip",
    "as": "late",
    "score_at": {"step": 9},
    "train_from": {"step": 7},
    "clock": {"step": 7},
}
"""Its run takes the dense run's momentum along: its clock goes on where its weights are from."""

ADAMW = "epochs = 2, optimizer = 'adamw', lr = 0.01, weight_decay = 0.1, evaluate = 1"

Batch = Sequence[tuple[Any, Progress]]
Advance = Callable[[Batch, Any], list[Progress]]


def suite(project: Any, recipe: str = "epochs = 2, evaluate = 1") -> Path:
    path: Path = project.suite(["snip", LATE], sparsities=[0.8], seeds=2)
    path.write_text(path.read_text().replace("epochs = 1", recipe))
    return path


def all_jobs(engine: Any, trained: Advance) -> None:
    """Make all jobs of a plan: those that train in batches, by `trained` between their start and commit."""
    jobs, context, done = dict(engine.plan.jobs), engine.context, set()
    while len(done) < len(jobs):
        ready = [job for key, job in jobs.items() if key not in done and done.issuperset(job.inputs)]
        trains = [job for job in ready if job.kind == "train"]
        for job in ready:
            if job.kind != "train":
                run_job(job, context)
        batch = [(job, start(job, context)) for job in trains]
        for job, progress in zip(trains, trained(batch, context), strict=True):
            commit(job, context, progress)
        done.update(job.key for job in ready)


def digests(engine: Any) -> dict[str, str]:
    """Return what came out of every job that leaves an artifact, and of every cell."""
    made = {key: engine.store.artifact_meta(key) for key in engine.plan.jobs}
    artifacts = {key: meta["digest"] for key, meta in made.items() if meta is not None}
    assert len(artifacts) == sum(job.kind in ("train", "score", "mask") for job in engine.plan.jobs.values())
    return artifacts | {cell.key: engine.store.read_record(cell.key).digest for cell in engine.plan.cells}


class Plainly:
    """One run's training with SGD, a step at a time, as one would write it."""

    def __init__(self, job: Any, progress: Progress, context: Any) -> None:
        self.job, self.progress, self.run = job, progress, job.params.run
        self.state = progress.state
        self.net = self.state.load_into(context.network(self.run.architecture, None, self.run.seed))
        self.net.train()
        self.data = context.data(self.run.data, "cpu", self.run.seed)
        self.batches = make_batches(self.data, self.run.recipe, self.run.seed)
        self.weights = dict(self.net.named_parameters())
        self.sgd = torch.optim.SGD(self.weights.values(), lr=1.0, momentum=0.9, weight_decay=1e-4, fused=True)
        self.kept = dict(self.state.mask or {})
        self.step, self.curve, self.meter = self.state.step, list(self.state.curve), dict(self.state.meter)
        for name, weight in self.weights.items():
            old = self.state.slots.get("momentum", {}).get(name, torch.zeros(()))
            self.sgd.state[weight]["momentum_buffer"] = torch.zeros_like(weight) + old
        for name, kept in self.kept.items():
            self.weights[name].data[~kept] = 0.0
            self.sgd.state[self.weights[name]]["momentum_buffer"][~kept] = 0.0

    def make_step(self) -> None:
        if self.step == self.job.params.step:
            return
        x, y = self.batches(self.step)
        self.sgd.zero_grad()
        loss = functional.cross_entropy(self.net(x), y)
        loss.backward()
        for name, kept in self.kept.items():
            self.weights[name].grad[~kept] = 0.0
        self.sgd.param_groups[0]["lr"] = 0.05
        self.sgd.step()
        self.step += 1
        self.meter["loss"] += loss.item() * len(y)
        self.meter["examples"] += len(y)
        if self.step % 23 == 0:
            self.add_point()

    def add_point(self) -> None:
        data = self.data
        names = ("correct", "examples", "loss")
        measured = evaluate(
            self.net, data.evaluation_images, data.evaluation_labels, mean=data.mean, std=data.std
        )
        mean = self.meter["loss"] / self.meter["examples"]
        self.curve.append({"step": self.step, "train_loss": mean, **dict(zip(names, measured, strict=True))})
        self.meter = new_meter()

    def end(self) -> Progress:
        state = State.of(self.net, self.state.mask, self.step)
        state.slots = {
            "momentum": {name: self.sgd.state[w]["momentum_buffer"] for name, w in self.weights.items()}
        }
        state.curve, state.meter = self.curve, self.meter
        return replace(self.progress, state=state)


def test_a_loop_of_ones_own_commits_the_same_artifacts(project: Any) -> None:
    """All ready runs in lock-step, as one that packs them would; dense, masked, with momentum taken along."""

    def packed(batch: Batch, context: Any) -> list[Progress]:
        runs = [Plainly(job, progress, context) for job, progress in batch]
        with deterministic("cpu"):
            for _ in range(46):
                for run in runs:
                    run.make_step()
        # a job that has no step to make leaves its state as it is
        return [run.end() if run.step > run.state.step else run.progress for run in runs]

    whole = project.run(suite(project), store="whole", keep_states=True)
    own = project.engine(suite(project), store="own", keep_states=True)
    all_jobs(own, packed)
    assert any(job.kind == "train" and job.params.run.carry_momentum for job in own.plan.jobs.values())
    assert digests(own) == digests(whole)


@pytest.mark.parametrize("recipe", ["epochs = 2, evaluate = 1", ADAMW], ids=["sgd", "adamw"])
def test_jobs_that_are_advanced_by_turns_commit_the_same_artifacts(project: Any, recipe: str) -> None:
    """A few steps of one, a few of the next: digests are those of runs made one after the other."""

    def by_turns(batch: Batch, context: Any) -> list[Progress]:
        progresses = [progress for _, progress in batch]
        for target in (5, 20, 23, 30, 46):
            for k, (job, _) in enumerate(batch):
                state = progresses[k].state
                assert state is not None
                to_step = max(state.step, min(target, job.params.step))
                progresses[k] = advance(job, context, progresses[k], to_step)
        return progresses

    whole = project.run(suite(project, recipe), store="whole", keep_states=True)
    turns = project.engine(suite(project, recipe), store="turns", keep_states=True)
    all_jobs(turns, by_turns)
    assert digests(turns) == digests(whole)
    ends = [cell.targets[0] for cell in turns.plan.cells]
    for key in (turns.plan.jobs[end].inputs[0] for end in ends):
        one, other = (engine.store.artifact_meta(key)["provenance"] for engine in (turns, whole))
        params = turns.plan.jobs[key].params
        assert one["time"]["trained_steps"] == params.step - params.run.start  # of all calls together
        assert one.keys() == other.keys()


def test_the_slots_of_an_optimiser_lie_beside_the_weights(project: Any) -> None:
    """Each under its name: momentum/…, or exp_avg/…, exp_avg_sq/… and steps/…."""
    for recipe, slots in (("epochs = 1", {"momentum"}), (ADAMW, {"exp_avg", "exp_avg_sq", "steps"})):
        engine = project.run(suite(project, recipe), store=recipe[:12].strip(), keep_states=True)
        artifact = engine.store.read_artifact(engine.plan.jobs[engine.plan.cells[0].key].inputs[0])
        assert {name.partition("/")[0] for name in artifact.tensors} == {"parameters", *slots}


def test_a_state_of_another_step_is_not_committed(project: Any) -> None:
    """Whoever stands in the middle brings it to the job's step."""
    engine = project.engine(suite(project))
    job = engine.plan.jobs[engine.plan.jobs[engine.plan.cells[0].key].inputs[0]]
    progress = advance(job, engine.context, start(job, engine.context), 3)
    with pytest.raises(ValueError, match="step 3 is not the one at step 46"):
        commit(job, engine.context, progress)
    assert not engine.store.states(job.params.run_key)


def test_a_run_that_has_diverged_goes_no_further(project: Any) -> None:
    """Where it did in the middle, and where what it descends from did: committed with run and step."""
    whole = project.run(suite(project, "epochs = 2, lr = 1e30"), store="whole")
    own = project.engine(suite(project, "epochs = 2, lr = 1e30"), store="own")

    def by_turns(batch: Batch, context: Any) -> list[Progress]:
        for step in (7, 23, 46):
            batch = [
                (job, advance(job, context, progress, min(step, job.params.step))) for job, progress in batch
            ]
        return [progress for _, progress in batch]

    all_jobs(own, by_turns)
    outcomes = {own.store.read_record(cell.key).result["outcome"] for cell in own.plan.cells}
    assert outcomes == {"diverged"}
    assert project.results(own) == project.results(whole)


PLUGIN = """
import torch
import prunebench

def load(root, part):
    "Noise."
    rng = torch.Generator().manual_seed(len(part))
    images = torch.randint(256, (40, 1, 8, 8), dtype=torch.uint8, generator=rng)
    return images, torch.arange(40) % 10

@prunebench.hookimpl
def prunebench_datasets():
    return [prunebench.Dataset("noise", load, (1, 8, 8), 10, 40, 40, (0.5,), (0.5,){task})]
"""


def test_a_data_sets_task_is_in_its_runs_keys_and_decides_the_record(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that only this test knows; classification, said or not, is in no key."""
    counted = {"correct": 7, "examples": 40, "loss": 0.5}
    loss = TASKS["classification"].loss
    monkeypatch.setitem(TASKS, "counting", Task(loss, lambda module, data, channels_last: counted))
    plugin = project.folder / "mine.py"
    project.options = {"plugins": (str(plugin),)}
    path = project.suite(["magnitude"])
    path.write_text(path.read_text().replace('dataset = "digits"', 'dataset = "noise"'))
    runs = []
    for task in ("", ", task='classification'", ", task='counting'"):
        plugin.write_text(PLUGIN.format(task=task))
        engine = project.session(path).plan
        jobs = [job for job in engine.jobs.values() if job.kind == "train"]
        runs.append([job.params.run.data.plain().get("task") for job in jobs])
    assert [set(tasks) for tasks in runs] == [{None}, {None}, {"counting"}]
    engine = project.run(path)
    assert {
        tuple(engine.store.read_record(cell.key).result["test"].items()) for cell in engine.plan.cells
    } == {tuple(counted.items())}
