"""Every method with every ablation, at initialization, at a step and after training: from suite to record."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from prunebench.engine.failures import JobFailed
from prunebench.errors import SuiteError
from prunebench.host import Host
from prunebench.jobs.states import mask_from, unpack_state

HOST = Host.load(third_party=False)
CHAINS = {m for m in HOST.names("methods") if HOST.get("methods", m).form.schedule.trains_between}
"""They have sparsities of their own: tests/schedules/test_levels.py."""
OF_FILTERS = {s for s in HOST.names("scorers") if HOST.get("scorers", s).gives == "filters"}
"""They score whole filters: tests/jobs/test_filters.py."""
METHODS = sorted({*HOST.names("methods"), *HOST.names("scorers")} - {"none"} - CHAINS - OF_FILTERS)
ABLATIONS = sorted(HOST.names("ablations"))
POINTS = ("", "init", "{step = 5}", "end")
REFUSED = {
    # pruned while training: there is no mask to alter before, and what is scored is what trains
    "gradual-magnitude": {"shuffle", "reinit", "fixed-variance-scores"},
    # shuffled already
    "synflow-shuffled": {"shuffle"},
}
SPARSITY = 0.75
PRUNABLE = 64 * 64 + 64 * 32 + 32 * 10


def suite(folder: Path, methods: list[str], points: tuple[str, ...], epochs: float = 1) -> Path:
    """Write a suite with a matrix for each method and point, and all ablations that the method takes."""
    text = ['schema = 1\nname = "whole"\nversion = "1"\n']
    for k, (method, point) in enumerate(itertools.product(methods, points)):
        ablations = ["none", *(a for a in ABLATIONS if a not in REFUSED.get(method, ()))]
        text.append(
            f'[[matrix]]\nname = "m{k}"\narchitecture = "digits-mlp"\ndataset = "digits"\n'
            f'recipe = {{name = "digits", epochs = {epochs}}}\nmethods = ["{method}"]\n'
            f"ablations = {ablations}\nsparsities = [{SPARSITY}]\nseeds = 1\n"
            + (f"score_at = [{point if point.startswith('{') else repr(point)}]\n" if point else "")
        )
    path = folder / "whole.toml"
    path.write_text("\n".join(text))
    return path


def pruned(plan: Any) -> Iterator[Any]:
    return (cell for cell in plan.cells if cell.labels["method"] != "none")


def test_every_method_and_ablation_plans_at_every_point(project: Any) -> None:
    """Ablations of all methods, at initialization, at step 5, after training and where the method itself says."""
    plan = project.session(suite(project.folder, METHODS, POINTS)).plan
    wanted = sum(1 + len(ABLATIONS) - len(REFUSED.get(m, ())) for m in METHODS) * len(POINTS)
    cells = list(pruned(plan))
    assert len(cells) == wanted
    assert {cell.target for cell in cells} == {round((1 - SPARSITY) * PRUNABLE)}


def is_dead(engine: Any, state: str) -> bool:
    """Whether a network guesses: its loss is that of ten equal outputs, whatever the input."""
    return abs(engine.store.artifact_meta(state)["curve"][-1]["loss"] - math.log(10)) < 0.02


def failure(engine: Any, cell: Any) -> JobFailed | None:
    """Make a cell; return what failed."""
    try:
        engine.make(cell)
    except JobFailed as failed:
        return failed
    return None


def check_run(project: Any, methods: list[str], points: tuple[str, ...]) -> None:
    """Run a suite and look at every record, mask and end state.

    Weights of variance one kill all units of the small network in training: where that is scored by gradients
    there is nothing to rank by, and the cell fails with that reason.
    """
    engine = project.engine(suite(project.folder, methods, points), keep_states=True)
    kept = round((1 - SPARSITY) * PRUNABLE)
    for cell in engine.plan.cells:
        failed = failure(engine, cell)
        if failed is not None:
            assert "every score is 0, which ranks nothing" in str(failed), cell.id
            assert "fixed-variance" in cell.labels["ablations"], cell.id
            assert is_dead(engine, engine.context.scored_state(failed.job)), cell.id
            continue
        if cell.labels["method"] == "none":
            continue
        result = engine.store.read_record(cell.key).result
        assert result["outcome"] == "finished", cell.id
        assert result["mask"]["kept"] == kept == sum(la["kept"] for la in result["mask"]["layers"]), cell.id
        state = engine.store.read_artifact(result["state"])
        mask, weights = mask_from(state), unpack_state(state).parameters
        assert mask.kept == kept
        for name in mask:
            assert not weights[name][~mask[name]].any(), cell.id


@pytest.mark.parametrize("method", METHODS)
def test_every_ablation_of_a_method_runs_whole_at_a_step_of_training(project: Any, method: str) -> None:
    """The record's mask keeps exactly what is wanted, and what is removed is zero in the end state."""
    check_run(project, [method], ("{step = 5}",))


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_every_ablation_of_a_method_runs_whole_at_every_point(project: Any, method: str) -> None:
    """As above, at initialization, after training and where the method itself says."""
    check_run(project, [method], ("", "init", "end"))


@pytest.mark.parametrize("ablation", sorted(REFUSED["gradual-magnitude"]))
def test_what_makes_no_sense_of_gradual_pruning_is_refused_with_the_ablations_name(
    project: Any, ablation: str
) -> None:
    """The message has the place in the file, the ablation, the method and the reason."""
    with pytest.raises(SuiteError, match=rf"ablations\[0\].*'{ablation}' of method 'gradual-magnitude'.*"):
        project.session(project.suite(["gradual-magnitude"], ablations=[ablation]))


def masks_of(project: Any, method: Any, ablations: list[Any], **options: Any) -> dict[str, Any]:
    """Return {ablation: (run of the end state, mask, first state read)} of a method's cells."""
    engine = project.run(project.suite([method], ablations=ablations, **options), keep_states=True)
    found = {}
    for cell in pruned(engine.plan):
        record = engine.plan.jobs[cell.key]
        end = engine.plan.jobs[record.inputs[0]]
        mask = mask_from(engine.store.read_artifact(record.inputs[1]))
        found[cell.labels["ablations"]] = (end.params.run, mask, engine)
    return found


def test_fixed_variance_scores_weights_of_variance_one_and_trains_them(project: Any) -> None:
    """Reading (a): the trained network begins at the unit-variance weights whose magnitudes made the mask."""
    found = masks_of(project, "magnitude", ["none", "fixed-variance"], sparsities=[0.9])
    (plain, before, engine), (fixed, mask, _) = found[""], found["fixed-variance"]
    start = engine.plan.jobs[fixed.origin.state].params.run.origin.init
    assert start.name == "unit-variance"
    assert engine.plan.jobs[plain.origin.state].params.run.origin.init.name != "unit-variance"
    weights = unpack_state(engine.store.read_artifact(fixed.origin.state)).parameters
    sizes = torch.cat([weights[name].abs().flatten() for name in mask])
    kept = torch.cat([mask[name].flatten() for name in mask])
    assert sizes[kept].min() >= sizes[~kept].max()
    # with one scale in all layers magnitude prunes them alike; with Kaiming's it does not
    shares = [mask.kept_in(name) / mask[name].numel() for name in mask]
    plain_shares = [before.kept_in(name) / before[name].numel() for name in before]
    assert max(shares) / min(shares) < 1.5
    assert max(plain_shares) / min(plain_shares) > 2


def test_fixed_variance_scores_alone_changes_the_mask_and_not_the_weights(project: Any) -> None:
    """Reading (b): the mask is (a)'s, the weights that train are those of the unchanged method."""
    found = masks_of(project, "magnitude", ["none", "fixed-variance", "fixed-variance-scores"])
    plain, a, b = (found[name] for name in ("", "fixed-variance", "fixed-variance-scores"))
    assert b[1] == a[1]
    assert b[1] != plain[1]
    assert b[0].origin == plain[0].origin != a[0].origin


@pytest.mark.parametrize("at", ['["end"]', "[{step = 5}]"])
def test_fixed_variance_at_a_later_point_takes_the_weights_of_that_point(project: Any, at: str) -> None:
    """After k steps (a) goes on from the unit-variance run's state, (b) from the usual run's at the same step."""
    found = masks_of(
        project, "magnitude", ["none", "fixed-variance", "fixed-variance-scores"], more=f"score_at = {at}"
    )
    plain, a, b = (found[name] for name in ("", "fixed-variance", "fixed-variance-scores"))
    jobs = plain[2].plan.jobs
    steps = {jobs[run.origin.state].params.step for run, _, _ in (plain, a, b)}
    assert len(steps) == 1
    assert b[0].origin == plain[0].origin != a[0].origin
    assert jobs[a[0].origin.state].params.run.origin.init.name == "unit-variance"


def test_ltr_under_fixed_variance_rewinds_in_the_run_of_variance_one(project: Any) -> None:
    """Its weights come from the rewind step of the scored run; under (b) of the usual one."""
    method = {"method": "ltr", "as": "rewound", "train_from": {"step": 3}}
    found = masks_of(project, method, ["fixed-variance", "fixed-variance-scores"])
    (a, _, engine), (b, _, _) = found["fixed-variance"], found["fixed-variance-scores"]
    states = [engine.plan.jobs[run.origin.state].params for run in (a, b)]
    assert [state.step for state in states] == [3, 3]
    names = [state.run.origin.init.name for state in states]
    assert names[0] == "unit-variance" != names[1]


def test_fixed_variance_changes_nothing_of_a_recipe_that_has_it(project: Any) -> None:
    """The initialization of the scored run is no change where it is the recipe's own: the cells are the same."""
    path = project.suite(["magnitude"])
    path.write_text(path.read_text().replace("epochs = 1", 'epochs = 1, init = "unit-variance"'))
    plain = project.session(path).plan.cells[-1].key
    path.write_text(path.read_text().replace('"none"', '"fixed-variance"'))
    assert project.session(path).plan.cells[-1].key == plain
