"""Cells become jobs: which are shared, what is in a key, what is refused."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from prunebench.canonical import canonical
from prunebench.errors import PrunebenchError
from prunebench.plan.frozen import frozen, thawed


def kinds(plan: Any) -> Counter[str]:
    return Counter(job.kind for job in plan.jobs.values())


def test_methods_at_one_seed_share_the_initial_state(project: Any) -> None:
    """Five methods at initialization read one and the same state at step 0."""
    methods = ["random", "magnitude", "snip", "grasp", "synflow"]
    plan = project.session(project.suite(methods)).plan
    states = {job.inputs[0] for job in plan.jobs.values() if job.kind == "score"}
    assert len(states) == 1
    assert next(iter(states)).endswith("@0")


def test_one_shot_scores_are_shared_by_all_densities(project: Any) -> None:
    """Four sparsities of a one-shot method are four masks of one set of scores."""
    plan = project.session(project.suite(["snip"], sparsities=[0.2, 0.4, 0.6, 0.8])).plan
    assert kinds(plan) == {"train": 6, "score": 1, "mask": 4, "record": 5}


def test_magnitude_after_training_and_ltr_share_the_mask(project: Any) -> None:
    """Rewinding changes what is trained, not which weights are kept."""
    plan = project.session(project.suite(["magnitude-after-training", "ltr"])).plan
    assert kinds(plan)["mask"] == 1


def test_magnitude_after_training_goes_on_from_the_dense_run_of_the_dense_cell(project: Any) -> None:
    """The dense cell's end state is the very one that is scored: one dense training."""
    plan = project.session(project.suite(["magnitude-after-training"])).plan
    dense = next(cell for cell in plan.cells if cell.labels["method"] == "none")
    end = plan.jobs[dense.key].inputs[0]
    assert next(job for job in plan.jobs.values() if job.kind == "score").inputs == (end,)


def test_rounds_score_inside_the_mask_job(project: Any) -> None:
    """SynFlow's hundred rounds are one job for each density, with no scores stored."""
    plan = project.session(project.suite(["synflow"], sparsities=[0.5, 0.9])).plan
    assert kinds(plan)["score"] == 0
    assert [j.params.rounds for j in plan.jobs.values() if j.kind == "mask"] == [100, 100]


def test_a_list_and_a_formula_of_the_same_sparsities_are_the_same_cells(project: Any) -> None:
    """Keys hold counts and 12-digit decimals, not the way that a grid was spelled."""
    formula = project.session(project.suite(sparsities={"keep": 0.8, "count": 3}, name="formula")).plan
    listed = project.session(project.suite(sparsities=[0.2, 0.36, 0.488], name="listed")).plan
    assert [c.key for c in formula.cells] == [c.key for c in listed.cells]


def test_an_ablation_and_the_method_that_it_amounts_to_are_one_cell(project: Any) -> None:
    """GraSP inverted by name and by ablation have one key."""
    named = project.session(project.suite(["grasp-inverted"], name="named")).plan
    ablated = project.session(project.suite(["grasp"], ablations=["invert"], name="ablated")).plan
    assert named.cells[-1].key == ablated.cells[-1].key


def test_presets_are_other_names_of_the_same_cells(project: Any) -> None:
    """digits-mlp and mlp with its parameters have one key."""
    path = project.suite()
    preset = project.session(path).plan
    path.write_text(path.read_text().replace('"digits-mlp"', '{name = "mlp", hidden = [64, 32]}'))
    assert [c.key for c in project.session(path).plan.cells] == [c.key for c in preset.cells]


@pytest.mark.parametrize(
    ("change", "to"),
    [
        ("epochs = 1", "epochs = 2"),
        ("0.5", "0.6"),
        ('"snip"', '"grasp"'),
        ("epochs = 1", "epochs = 1, lr = 0.01"),
    ],
)
def test_whatever_decides_a_cell_is_in_its_key(project: Any, change: str, to: str) -> None:
    """Another recipe, density or method is another cell."""
    path = project.suite()
    before = {c.key for c in project.session(path).plan.cells if c.labels["method"] != "none"}
    path.write_text(path.read_text().replace(change, to))
    assert before.isdisjoint(c.key for c in project.session(path).plan.cells)


def test_exactly_the_rounded_count_is_kept(project: Any) -> None:
    """kept is Python's round of density times prunable, for each cell."""
    plan = project.session(project.suite(sparsities={"keep": 0.8, "count": 18})).plan
    prunable = 64 * 64 + 64 * 32 + 32 * 10
    for k, cell in enumerate(plan.cells[1:], 1):
        assert (cell.target, cell.prunable) == (round(round(0.8**k, 12) * prunable), prunable)


def test_step_k_trains_the_dense_run_that_far_only(project: Any) -> None:
    """Pruning at step 5 reads the dense run's state at step 5."""
    plan = project.session(project.suite(more="score_at = [{step = 5}]")).plan
    score = next(job for job in plan.jobs.values() if job.kind == "score")
    assert score.inputs[0].endswith("@5")


def test_find_scores_a_network_trained_otherwise(project: Any) -> None:
    """Under find the scored run has the changed recipe, the evaluated one its own."""
    more = 'find = [{lr = 0.03}]\nscore_at = ["end"]'
    plan = project.session(project.suite(["magnitude-after-training"], more=more)).plan
    score = next(job for job in plan.jobs.values() if job.kind == "score")
    scored = plan.jobs[score.inputs[0]].params.run.recipe.lr
    evaluated = plan.jobs[plan.jobs[plan.cells[-1].key].inputs[0]].params.run.recipe.lr
    assert scored == 0.03
    assert evaluated != 0.03


def test_reinit_starts_from_another_draw_and_reads_no_state(project: Any) -> None:
    """The evaluated network of reinit is drawn anew; only the mask is read."""
    plan = project.session(project.suite(ablations=["reinit"])).plan
    job = plan.jobs[plan.jobs[plan.cells[-1].key].inputs[0]]
    assert job.params.run.origin.init.purpose == "fresh"
    assert [plan.jobs[key].kind for key in job.inputs] == ["mask"]


def test_clock_that_goes_on_carries_the_momentum(project: Any) -> None:
    """Rewound to a step and going on with the schedule there, a run keeps that state's momentum."""
    method = {"method": "ltr", "as": "rewound", "train_from": {"step": 3}, "clock": {"step": 3}}
    plan = project.session(project.suite([method])).plan
    run = plan.jobs[plan.jobs[plan.cells[-1].key].inputs[0]].params.run
    assert (run.start, run.carry_momentum) == (3, True)


def test_layer_shares_like_another_methods_read_its_mask(project: Any) -> None:
    """allocation = {like = …} adds the other method's mask at the same density."""
    method = {"method": "random", "as": "random-like-snip", "allocation": {"like": "snip"}}
    plan = project.session(project.suite([method])).plan
    masks = [job for job in plan.jobs.values() if job.kind == "mask"]
    assert len(masks) == 2
    assert masks[-1].inputs[1] == masks[0].key


@pytest.mark.parametrize(
    ("suite", "said"),
    [
        ({"more": "score_at = [{step = 100000}]"}, "beyond the schedule"),
        ({"sparsities": [0.99999]}, "keeps none"),
        ({"methods": [{"method": "random", "as": "r", "allocation": {"like": "none"}}]}, "prunes nothing"),
        ({"methods": [{"method": "ltr", "as": "late", "clock": "end"}]}, "clock = 'end' leaves nothing"),
        (
            {"methods": [{"method": "ltr", "as": "late", "clock": {"epoch": 1}}]},
            r"clock = \{epoch = 1\} leaves nothing .*; allowed: a point before its end, as \{share = 0.1\}",
        ),
    ],
)
def test_what_cannot_be_planned_is_refused_by_name(project: Any, suite: dict[str, Any], said: str) -> None:
    """The error names what is wrong; nothing is written."""
    path = project.suite(**suite)
    with pytest.raises(PrunebenchError, match=said):
        project.session(path)
    assert not (project.folder / "store").exists()


def test_the_cost_of_a_cell_is_what_its_method_needs_alone(project: Any) -> None:
    """Magnitude after training trains twice and scores; the dense cell trains once."""
    plan = project.session(project.suite(["magnitude-after-training"])).plan
    dense, pruned = plan.cells
    assert pruned.cost == 2 * dense.cost  # magnitudes cost no pass


def test_a_scorer_of_regrowth_costs_its_own_scorings(project: Any) -> None:
    """GraSP (9 passes) beside SNIP (3) in rounds 2 and 4 of four: half as much again as SNIP's, and half."""
    snip = {"method": "snip", "as": "plain", "schedule": {"rounds": 4}}
    grown = {**snip, "as": "grown", "regrowth": {"scorer": "grasp", "every": 2}}
    own = {**snip, "as": "own", "regrowth": {"scorer": "snip"}}
    plan = project.session(project.suite([snip, grown, own])).plan
    cost = {
        cell.labels["method"]: next(
            plan.costs[key] for key in plan.ancestors(cell.key) if plan.jobs[key].kind == "mask"
        )
        for cell in plan.cells
        if cell.labels["method"] != "none"
    }
    assert cost["grown"] == cost["plain"] * (4 * 3 + 2 * 9) / (4 * 3)
    assert cost["own"] == cost["plain"]


def test_micro_batches_are_part_of_the_run(project: Any) -> None:
    """BatchNorm sees them: they make other cells, a value spelled out that is the recipe's own does not."""
    whole, parts, again = (
        project.session(project.suite(["snip"], more=more, name=name)).plan
        for name, more in (
            ("whole", ""),
            ("parts", "overrides = {recipe = {micro_batch = 16}}"),
            ("again", "overrides = {recipe = {batch = 64}}"),
        )
    )

    def keys(plan: Any, *kinds: str) -> set[str]:
        return {key for key, job in plan.jobs.items() if job.kind in kinds}

    batch = next(j.params.run.recipe.batch for j in whole.jobs.values() if j.kind == "train")
    assert batch == 64
    assert keys(whole, "record") == keys(again, "record")
    assert not keys(whole, "record") & keys(parts, "record")


def test_recomputed_activations_are_part_of_no_cell(project: Any) -> None:
    """Every job has the key that it had; those that train say so, and still do in the frozen plan."""
    plain, saving = (
        project.session(project.suite(["snip"], more=more, name=name)).plan
        for name, more in (("plain", ""), ("saving", "overrides = {recipe = {recompute = true}}"))
    )
    assert list(saving.jobs) == list(plain.jobs)
    assert [cell.parts for cell in saving.cells] == [cell.parts for cell in plain.cells]
    assert saving.identities == plain.identities
    again = thawed(json.loads(canonical(frozen(saving))))
    for plan, recompute in ((plain, None), (saving, True), (again, True)):
        trained = [job.params.recipe.recompute for job in plan.jobs.values() if job.kind == "train"]
        assert trained
        assert set(trained) == {recompute}
