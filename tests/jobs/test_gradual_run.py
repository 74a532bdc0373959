"""Gradual pruning through plan, jobs and store; measures of what a cell went through."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from prunebench.engine.failures import JobFailed
from prunebench.jobs.states import mask_from, unpack_state

GRADUAL = {
    "method": "gradual-magnitude",
    "as": "gradual",
    "schedule": {"gradual": {"from": {"step": 2}, "to": {"step": 15}, "every": 3}},
}
PRUNABLE = 64 * 64 + 64 * 32 + 32 * 10
KEPT = round(0.1 * PRUNABLE)
STEPS = (5, 8, 11, 14, 15)


def wanted(step: int) -> float:
    """What Zhu and Gupta's Eq. 1 leaves after a step, in weights: s_f · (1 − (1 − (t − t0) / (t1 − t0))³)."""
    return PRUNABLE - (PRUNABLE - KEPT) * (1 - (1 - (step - 2) / 13) ** 3)


def suite(project: Any, **options: Any) -> Any:
    return project.suite([GRADUAL], sparsities=[0.9], epochs=2, **options)


def end_of(engine: Any) -> str:
    """Return the key of the gradual cell's end state."""
    key: str = engine.plan.jobs[engine.plan.cells[-1].key].inputs[0]
    return key


def test_the_record_has_the_mask_of_the_end_state(project: Any) -> None:
    """Kept exactly, layer by layer, the weights outside it zero, and the curve of one whole training."""
    engine = project.run(suite(project), keep_states=True)
    result = engine.store.read_record(engine.plan.cells[-1].key).result
    state = engine.store.read_artifact(end_of(engine))
    mask, weights = mask_from(state), unpack_state(state).parameters
    assert result["mask"]["kept"] == mask.kept == KEPT
    assert [(la["name"], la["kept"]) for la in result["mask"]["layers"]] == [
        (n, mask.kept_in(n)) for n in mask
    ]
    assert all(not weights[name][~mask[name]].any() for name in mask)
    assert mask_from(engine.store.read_artifact(result["mask"]["key"])) == mask


def test_the_state_goes_and_the_mask_and_its_history_stay(project: Any) -> None:
    """Without --keep-states the store holds the mask with every change on the way, as the cubic has them."""
    engine = project.run(suite(project))
    assert not engine.store.has_artifact(end_of(engine))
    mask = engine.store.read_artifact(engine.plan.jobs[engine.plan.cells[-1].key].inputs[1])
    history = mask.meta["history"]
    assert [change["step"] for change in history] == list(STEPS)
    for change in history:
        assert sum(change["kept"].values()) == pytest.approx(wanted(change["step"]), abs=0.5001)


@pytest.mark.parametrize("at", [1, 5, 6, 14, 15, 16])
def test_interrupted_at_any_step_it_ends_with_the_same_bits(project: Any, at: int) -> None:
    """A checkpoint holds mask and history; what goes on from it is the run that never stopped."""
    whole = project.run(suite(project), store="whole", keep_states=True)
    engine = project.engine(suite(project), store="parts", keep_states=True)
    engine.context.checkpoint_seconds = 0.0

    def stop(job: Any, step: int, to_step: int) -> None:
        if job.prunes and step == at:
            raise KeyboardInterrupt

    engine.context.progress = stop
    with pytest.raises(KeyboardInterrupt):
        engine.make(engine.plan.cells[-1])
    steps = [
        step for step, is_checkpoint in engine.store.states(end_of(engine).split("@")[0]) if is_checkpoint
    ]
    assert steps == [at]
    again = project.run(suite(project), store="parts", keep_states=True)
    one, other = whole.store.read_artifact(end_of(whole)), again.store.read_artifact(end_of(again))
    assert one.tensors.keys() == other.tensors.keys()
    assert all(torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors)
    assert one.meta["history"] == other.meta["history"]
    assert project.results(whole) == project.results(again)


@pytest.mark.parametrize(
    "change", [{"keep": "low"}, {"allocation": "uniform"}, {"scorer": {"name": "random"}}]
)
def test_the_policy_is_part_of_the_runs_key(project: Any, change: dict[str, Any]) -> None:
    """Another order, allocation or scorer is another run, to be trained anew."""
    plan = project.session(project.suite([GRADUAL, {**GRADUAL, "as": "other", **change}], epochs=2)).plan
    one, other = (plan.jobs[cell.key].inputs[0] for cell in plan.cells[1:])
    assert one != other


def test_gradual_pruning_by_a_scorer_that_reads_data_runs(project: Any) -> None:
    """SNIP's scores of what is left, each time: the counts are the cubic's all the same."""
    method = {"method": "snip", "as": "slow-snip", "schedule": GRADUAL["schedule"]}
    engine = project.run(project.suite([method], sparsities=[0.9], epochs=2))
    assert engine.store.read_record(engine.plan.cells[-1].key).result["mask"]["kept"] == KEPT


def test_gradual_pruning_reaches_every_layers_own_share_when_asked(project: Any) -> None:
    """allocation = "uniform", as Zhu and Gupta have it: a tenth of each layer is left."""
    engine = project.run(project.suite([{**GRADUAL, "allocation": "uniform"}], sparsities=[0.9], epochs=2))
    layers = engine.store.read_record(engine.plan.cells[-1].key).result["mask"]["layers"]
    assert all(la["kept"] == pytest.approx(la["prunable"] / 10, abs=1) for la in layers)


PLUGIN = """
import prunebench

def course(net, mask, shape, course):
    phases = [[p.kind, p.start, p.steps, p.rounds, p.weights, list(p.kept), p.evaluated] for p in course.phases]
    return {"kept": mask and mask.kept, "shape": list(shape), "phases": phases,
            "history": [[c.step, sum(c.kept.values())] for c in course.history]}

def broken(net, mask, shape):
    raise KeyError("no such layer")

def odd(net, mask, shape):
    return {"value": float("nan")}

@prunebench.hookimpl
def prunebench_diagnostics():
    return [prunebench.Diagnostic("course", course, of="course"),
            prunebench.Diagnostic("broken", broken), prunebench.Diagnostic("odd", odd)]
"""


@pytest.fixture
def measured(project: Any) -> Any:
    """Measure a method's cells by `course`; returns {method: value}."""
    (project.folder / "mine.py").write_text(PLUGIN)
    project.options = {"plugins": (str(project.folder / "mine.py"),)}

    def measure(methods: list[Any], **options: Any) -> dict[str, Any]:
        engine = project.run(
            project.suite(methods, measures=["course"], sparsities=[0.9], epochs=2, **options)
        )
        return {
            cell.labels["method"]: engine.store.read_measure(cell.targets[1]).result["value"]
            for cell in engine.plan.cells
        }

    return measure


def test_a_dense_cells_course_is_one_training(measured: Any) -> None:
    """It has no mask and no scoring."""
    value = measured(["snip"])["none"]
    ((kind, start, steps, _, weights, _, evaluated),) = value["phases"]
    assert (kind, start, weights, evaluated, value["kept"]) == ("train", 0, "dense", True, None)
    assert value["shape"] == [1, 8, 8]
    assert steps > 0


def test_a_course_has_what_the_method_alone_does_in_its_order(measured: Any) -> None:
    """SNIP scores, then trains; after training magnitude trains, scores, trains; rounds name what was left."""
    rounds = {"method": "snip", "as": "two", "schedule": {"rounds": 2}}
    values = measured(["snip", "magnitude-after-training", rounds])

    def told(name: str) -> list[Any]:
        return [(kind, weights, last) for kind, _, _, _, weights, _, last in values[name]["phases"]]

    assert told("snip") == [("score", "dense", False), ("train", "mask", True)]
    assert told("magnitude-after-training") == [
        ("train", "dense", False),
        ("score", "dense", False),
        ("train", "mask", True),
    ]
    score = values["two"]["phases"][0]
    assert (score[3], score[5]) == (2, [PRUNABLE, round(0.1**0.5 * PRUNABLE)])


def test_the_course_of_gradual_pruning_has_its_masks_history(measured: Any) -> None:
    """The changes of the mask while it trains, and a scoring for each."""
    value = measured([GRADUAL])["gradual"]
    assert [step for step, _ in value["history"]] == list(STEPS)
    assert value["history"][-1][1] == value["kept"] == KEPT
    train, score = value["phases"]
    assert (train[0], train[4], train[6]) == ("train", "history", True)
    assert score[0] == "score"
    assert score[3] == len(STEPS)
    assert score[5] == pytest.approx([PRUNABLE, *map(wanted, STEPS[:-1])], abs=0.5001)


@pytest.mark.parametrize(
    ("name", "said"), [("broken", "KeyError: 'no such layer'"), ("odd", "must return plain JSON values")]
)
def test_a_diagnostic_that_fails_is_named_with_its_plugin(project: Any, name: str, said: str) -> None:
    """The message has the diagnostic, the plugin's file and the error; the record is there."""
    (project.folder / "mine.py").write_text(PLUGIN)
    engine = project.engine(
        project.suite(["snip"], measures=[name]), plugins=(str(project.folder / "mine.py"),)
    )
    with pytest.raises(JobFailed, match=rf"diagnostic '{name}' \(.*mine.*\).*") as caught:
        engine.make(engine.plan.cells[-1])
    assert said in str(caught.value)
    assert engine.store.has_record(engine.plan.cells[-1].key)


def test_weights_that_a_run_blows_up_make_it_diverged_not_failed(project: Any) -> None:
    """The policy meets them before the next loss does; the record says where, as of the dense cell."""
    gradual = {**GRADUAL, "schedule": {"gradual": {"from": "init", "to": {"step": 20}, "every": 1}}}
    path = project.suite([gradual], sparsities=[0.9], epochs=2)
    text = path.read_text().replace("epochs = 2}", "epochs = 2, lr = 1e16}")
    path.write_text(text.replace("digits-mlp", "digits-convnet"))
    engine = project.run(path)
    outcomes = [engine.store.read_record(cell.key).result for cell in engine.plan.cells]
    assert [result["outcome"] for result in outcomes] == ["diverged", "diverged"]
