"""Measures by epoch: what a method would prune at each epoch of the run that it scores."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import count
from typing import Any

import numpy as np
import pytest

from prunebench.inventory.frozen import freeze
from prunebench.inventory.garbage import find_garbage
from prunebench.jobs.states import mask_from
from prunebench.plan.frozen import frozen, thawed
from prunebench.plan.params import MeasureParams, TrainParams

MEASURES = ("ratios-by-epoch",)
AFTER = {"as": "one", "scorer": "magnitude", "score_at": "end", "train_from": "init"}
CHAIN = {**AFTER, "as": "chain", "schedule": {"levels": 0.5}}


def early(epoch: int) -> dict[str, Any]:
    """Return the method that scores at an epoch."""
    return {**AFTER, "as": f"at-{epoch}", "score_at": {"epoch": epoch}}


def measure_job(plan: Any, cell: Any) -> Any:
    """Return the job of a cell's measure by epoch."""
    (key,) = cell.targets[1:]
    return plan.jobs[key]


def cell_of(plan: Any, method: str, density: str = "0.5") -> Any:
    """Return the cell of a method."""
    (cell,) = (c for c in plan.cells if c.labels["method"] == method and c.density == density)
    return cell


def mask_of(plan: Any, cell: Any) -> str:
    """Return the key of the mask in a cell's record."""
    key: str = plan.jobs[cell.key].inputs[1]
    return key


def states_of(plan: Any) -> dict[str, list[int]]:
    """Return the steps at which the plan wants each run's state."""
    steps: dict[str, list[int]] = {}
    for job in plan.jobs.values():
        if isinstance(job.params, TrainParams):
            steps.setdefault(job.params.run_key, []).append(job.params.step)
    return {run: sorted(each) for run, each in steps.items()}


def test_the_masks_are_those_of_methods_that_score_at_each_epoch(project: Any) -> None:
    """The same jobs, so that a store has them once, whoever asks first."""
    path = project.suite([AFTER, *map(early, range(4))], epochs=4, measures=MEASURES)
    plan = project.session(path).plan
    job = measure_job(plan, cell_of(plan, "one"))
    params = job.params_as(MeasureParams)
    assert params.epochs == (0, 1, 2, 3, 4)
    by_epoch = params.by_epoch(job.inputs)
    assert {n: by_epoch[n] for n in range(4)} == {
        n: mask_of(plan, cell_of(plan, f"at-{n}")) for n in range(4)
    }
    assert by_epoch[4] == mask_of(plan, cell_of(plan, "one")) == job.inputs[0]


def test_nothing_more_is_trained(project: Any) -> None:
    """No run beside those of the same suite without the measure, and none goes further."""
    plain, measured = (
        states_of(project.session(project.suite([AFTER, CHAIN], epochs=3, measures=which)).plan)
        for which in ((), MEASURES)
    )
    assert plain.keys() == measured.keys()
    assert {run: max(steps) for run, steps in plain.items()} == {
        run: max(steps) for run, steps in measured.items()
    }


def counted(masks: dict[int, dict[str, Any]], final: dict[str, Any]) -> dict[str, Any]:
    """Return the measure of plain arrays, by numpy alone."""
    ratios = {n: {name: 1 - np.mean(array) for name, array in mask.items()} for n, mask in masks.items()}
    last = {name: 1 - np.mean(array) for name, array in final.items()}
    return {
        "distance": {n: np.mean([abs(at[name] - last[name]) for name in last]) for n, at in ratios.items()},
        "at": {name: [at[name] for at in ratios.values()] for name in last},
    }


def by_magnitude(weights: dict[str, Any], kept: int) -> dict[str, Any]:
    """Return which weights are the largest of all layers together."""
    sizes = np.concatenate([np.abs(array).ravel() for array in weights.values()])
    border = np.sort(sizes)[-kept]
    return {name: np.abs(array) >= border for name, array in weights.items()}


def test_ratios_are_those_of_masks_counted_by_hand_from_the_snapshots(project: Any) -> None:
    """From the weights at each epoch, which a run that keeps its states still has, and numpy."""
    engine = project.run(project.suite([AFTER], epochs=3, measures=MEASURES), keep_states=True)
    plan, store = engine.plan, engine.store
    cell = cell_of(plan, "one")
    job = measure_job(plan, cell)
    by_epoch = job.params_as(MeasureParams).by_epoch(job.inputs)
    weights = {}
    for epoch, mask in by_epoch.items():
        state = store.read_artifact(plan.jobs[plan.jobs[mask].inputs[0]].inputs[0])
        names = store.read_artifact(mask).meta["mask_shapes"]
        weights[epoch] = {name: state.tensors[f"parameters/{name}"].numpy() for name in names}
    masks = {epoch: by_magnitude(each, cell.target) for epoch, each in weights.items()}
    wanted = counted(masks, masks[3])
    value = store.read_measure(job.key).result["value"]
    assert value["distance"] == {str(n): pytest.approx(d) for n, d in wanted["distance"].items()}
    assert value["distance"]["3"] == 0 < value["distance"]["0"]
    for layer in value["layers"]:
        ratios = wanted["at"][layer["name"]]
        assert list(layer["at"].values()) == pytest.approx(ratios)
        assert layer["final"] == pytest.approx(ratios[-1])
        assert layer["moved"] == pytest.approx(np.ptp(ratios))
    moved = [layer["moved"] for layer in value["layers"]]
    assert value["moved"] == {
        "first": moved[0],
        "others": pytest.approx(np.mean(moved[1:])),
        "mean": pytest.approx(np.mean(moved)),
    }


def artifacts(store: Any) -> set[str]:
    """Return the keys of what the store holds beside results."""
    keys: set[str] = store.artifact_keys()
    return keys


def test_snapshots_go_as_the_run_goes_on_and_masks_once_they_are_measured(project: Any) -> None:
    """Never two snapshots beside the state that the run is at; in the end what a plain run leaves."""
    path = project.suite([AFTER, CHAIN], epochs=3, sparsities=[0.5, 0.75], measures=MEASURES)
    engine = project.engine(path)
    snapshots = {key for key, job in engine.plan.jobs.items() if key in engine.plan.snapshots}
    most = []
    engine.on_job = lambda job: most.append(len(snapshots & artifacts(engine.store)))
    for cell in engine.plan.cells:
        engine.make(cell)
    assert len(snapshots) == 2 + 3  # of the dense run, whose beginning others read, and of the first level
    assert max(most) <= 2
    plain = project.run(project.suite([AFTER, CHAIN], epochs=3, sparsities=[0.5, 0.75]), store="plain")
    assert artifacts(engine.store) == artifacts(plain.store)
    assert project.results(engine) == project.results(plain)


def test_killed_at_every_job_it_goes_on_to_the_same_measure(project: Any) -> None:
    """Each worker makes one job and dies before its second."""
    path = project.suite([AFTER], epochs=2, measures=MEASURES)
    for _ in count():
        parts = project.engine(path)
        seen: list[str] = []

        def stop(job: Any, seen: list[str] = seen) -> None:
            seen.append(job.key)
            if len(seen) == 2:
                raise KeyboardInterrupt

        parts.on_job = stop
        with suppress(KeyboardInterrupt):
            parts.make(cell_of(parts.plan, "one"))
            break
    whole = project.run(path, store="whole")
    (key,) = cell_of(parts.plan, "one").targets[1:]
    assert parts.store.read_measure(key).result == whole.store.read_measure(key).result
    assert artifacts(parts.store) <= artifacts(whole.store)


def test_a_store_that_has_the_end_alone_makes_the_snapshots_of_the_same_run(project: Any) -> None:
    """Asked for later the measure is the same; the records that are there are not made again."""
    plain = project.run(project.suite([AFTER], epochs=3))
    before = project.results(plain)
    later = project.run(project.suite([AFTER], epochs=3, measures=MEASURES))
    at_once = project.run(project.suite([AFTER], epochs=3, measures=MEASURES), store="at-once")
    (key,) = cell_of(later.plan, "one").targets[1:]
    assert later.store.read_measure(key).result["value"] == at_once.store.read_measure(key).result["value"]
    assert {id_: digest for id_, digest in project.results(later).items() if id_ in before} == before


def test_a_level_is_measured_along_the_training_of_the_level_before(project: Any) -> None:
    """The second level's masks are of the first level's network at each epoch, which has half its weights."""
    path = project.suite([CHAIN], epochs=2, sparsities=[0.5, 0.75], measures=MEASURES)
    engine = project.run(path)
    plan = engine.plan
    job = measure_job(plan, cell_of(plan, "chain", "0.25"))
    by_epoch = job.params_as(MeasureParams).by_epoch(job.inputs)
    scored = [plan.jobs[plan.jobs[plan.jobs[mask].inputs[0]].inputs[0]] for mask in by_epoch.values()]
    (run,) = {one.params.run_key for one in scored}
    first = mask_of(plan, cell_of(plan, "chain", "0.5"))
    assert {one.params.run.mask for one in scored} == {first}
    assert run in {plan.jobs[plan.jobs[cell_of(plan, "chain").key].inputs[0]].params.run_key}
    value = engine.store.read_measure(job.key).result["value"]
    outer = mask_from(engine.store.read_artifact(first))
    for layer in value["layers"]:
        gone = 1 - outer.kept_in(layer["name"]) / outer[layer["name"]].numel()
        assert min(layer["at"].values()) >= gone - 1e-12


def test_methods_without_a_mask_of_their_own_scores_have_none(project: Any) -> None:
    """Pruned while training, at another method's counts, not at all; shuffled it is the mask before."""
    gradual = {
        "method": "gradual-magnitude",
        "as": "gradual",
        "schedule": {"gradual": {"from": {"step": 2}, "to": {"step": 15}, "every": 3}},
    }
    donor = {key: value for key, value in AFTER.items() if key != "as"}
    like = {**AFTER, "as": "like", "allocation": {"like": donor}}
    methods = [gradual, like, "snip", AFTER]
    path = project.suite(methods, epochs=2, measures=MEASURES)
    plan = project.session(path).plan
    assert {c.labels["method"]: len(c.targets) - 1 for c in plan.cells} == {
        "none": 0,
        "gradual": 0,
        "like": 0,
        "snip": 1,
        "one": 1,
    }
    snip = measure_job(plan, cell_of(plan, "snip"))
    assert snip.params_as(MeasureParams).epochs == (0,)
    shuffled = project.session(
        project.suite([AFTER], epochs=2, ablations=["shuffle"], measures=MEASURES)
    ).plan
    (cell,) = (c for c in shuffled.cells if c.labels["ablations"] == "shuffle")
    assert cell.targets[1] == cell_of(plan, "one").targets[1]


def test_a_frozen_plan_reads_back_the_same(project: Any) -> None:
    plan = project.session(project.suite([AFTER], epochs=2, measures=MEASURES)).plan
    again = thawed(json.loads(json.dumps(frozen(plan))))
    assert {key: job.params.plain() for key, job in again.jobs.items()} == {
        key: job.params.plain() for key, job in plan.jobs.items()
    }
    assert again.snapshots == plan.snapshots


def test_garbage_collection_spares_what_is_still_to_be_measured(project: Any) -> None:
    """Of a run that was stopped the masks by epoch are needed."""
    engine = project.engine(project.suite([AFTER], epochs=3, measures=MEASURES))
    plan, store = engine.plan, engine.store
    freeze(plan, store)
    (measure,) = cell_of(plan, "one").targets[1:]
    for key in plan.jobs[measure].inputs:
        engine.make_key(key)
    needed = {store.artifact_path(key) for key in plan.jobs[measure].inputs}
    assert all(path.exists() for path in needed)
    assert not needed & {path for files in find_garbage(store).files.values() for path in files}
