"""Find with one recipe, evaluate with another: what is trained, how often, and when it is the ordinary method."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from little_suites import CHAIN

from prunebench.errors import SuiteError
from prunebench.host.registry import Host
from prunebench.jobs.states import mask_from, unpack_state
from prunebench.plan.params import TrainParams

ONE_SHOT = {**CHAIN, "as": "one-shot", "schedule": "one-shot"}
RANDOM = {"as": "random-like", "scorer": "random"}


def of(form: dict[str, Any]) -> dict[str, Any]:
    """A form as a donor of counts."""
    return {key: value for key, value in form.items() if key != "as"}


def suite(
    project: Any, methods: list[Any], evals: list[float], finds: list[str], levels: int, name: str = "tiny"
) -> Any:
    """A suite of trainings of five steps: learning rates of eval, tables of find."""
    more = f"find = [{', '.join(finds)}]" if finds else ""
    path = project.suite(methods, sparsities={"keep": 0.8, "count": levels}, name=name, more=more)
    recipe = '{{name = "digits", epochs = 0.2, drops = [], lr = {0}, as = "eval-{0}"}}'
    rows = ", ".join(map(recipe.format, evals))
    lines = path.read_text().splitlines()
    path.write_text("\n".join(f"recipe = [{rows}]" if line.startswith("recipe") else line for line in lines))
    return path


def trainings(plan: Any) -> set[str]:
    """The runs that a plan trains, each by all that decides it."""
    return {job.params.run_key for job in plan.jobs.values() if isinstance(job.params, TrainParams)}


def expected(finds: list[float], evals: list[float], levels: int) -> int:
    """Unpruned: each recipe. Under find: the network of every level but the last. Under eval: one for each mask.

    Where both are one recipe, its levels before the last are the chain's own networks.
    """
    both = len(set(finds) & set(evals))
    return (
        len({*finds, *evals})
        + len(finds) * (levels - 1)
        + len(finds) * len(evals) * levels
        - both * (levels - 1)
    )


FINDS, EVALS = [0.005, 0.01, 0.02, 0.05], [0.02, 0.05, 0.08, 0.1]


def table(lr: float) -> str:
    return f"{{lr = {lr}}}"


def test_ten_levels_under_four_finds_and_four_evals_plan_each_training_once(project: Any) -> None:
    """184 trainings, of 6 recipes; 40 masks, one for each level and find, whatever evaluates them."""
    plan = project.session(suite(project, [CHAIN], EVALS, list(map(table, FINDS)), 10)).plan
    assert len(trainings(plan)) == expected(FINDS, EVALS, 10) == 184
    masks = [key for key, job in plan.jobs.items() if job.kind == "mask"]
    assert len(masks) == 4 * 10
    used = Counter(plan.jobs[cell.key].inputs[1] for cell in plan.cells if cell.labels["method"] == "chain")
    assert used == dict.fromkeys(masks, 4)


@pytest.mark.parametrize(
    ("finds", "evals", "levels"),
    [([0.02, 0.05], [0.05, 0.1], 3), pytest.param(FINDS, EVALS, 10, marks=pytest.mark.slow)],
)
def test_each_network_is_really_trained_once(
    project: Any, finds: list[float], evals: list[float], levels: int
) -> None:
    """Counted step by step; the cells are asked for backwards, the deepest level first."""
    engine = project.engine(suite(project, [CHAIN], evals, list(map(table, finds)), levels))
    steps: Counter[tuple[str, int]] = Counter()
    engine.context.progress = lambda job, step, to_step: steps.update([(job.params.run_key, step)])
    for cell in reversed(engine.plan.cells):
        engine.make(cell)
    assert set(steps.values()) == {1}
    assert len({run for run, _ in steps}) == expected(finds, evals, levels)
    assert len(list(engine.store.record_keys())) >= len(engine.plan.cells)


FIELDS = {
    "lr": "{lr = 0.05}",
    "batch": "{batch = 64}",
    "momentum": "{momentum = 0.9}",
    "epochs": "{epochs = 0.2}",
    "weight_decay": "{weight_decay = VALUE}",
    "warmup": "{warmup = 0}",
    "drops": "{drops = []}",
    "augment": "{augment = []}",
    "label_smoothing": "{label_smoothing = 0.0}",
    "init": '{init = "kaiming-normal"}',
}


def spelled(field: str) -> str:
    """A find that is as in the recipe."""
    recipe = Host.load(third_party=False).get("recipes", "digits").recipe
    return FIELDS[field].replace("VALUE", repr(recipe.weight_decay))


@pytest.mark.parametrize("field", FIELDS)
def test_a_find_that_is_as_in_the_recipe_is_the_ordinary_method(project: Any, field: str) -> None:
    """The same jobs under the same keys, for the method and for one that borrows its counts."""
    methods = [CHAIN, ONE_SHOT, {**RANDOM, "allocation": {"like": of(CHAIN)}}]
    ordinary = project.session(suite(project, methods, [0.05], [], 2)).plan
    plan = project.session(suite(project, methods, [0.05], [spelled(field)], 2, name="found")).plan
    assert [cell.key for cell in plan.cells] == [cell.key for cell in ordinary.cells]
    assert plan.jobs.keys() == ordinary.jobs.keys()
    assert {cell.labels["find"] for cell in plan.cells} > {""}


@pytest.mark.parametrize("field", ["lr", "batch", "momentum", "weight_decay"])
def test_its_record_is_that_of_the_ordinary_method_to_the_bit(project: Any, field: str) -> None:
    """Each made in a store of its own."""
    ordinary = project.run(suite(project, [CHAIN], [0.05], [], 2), store="ordinary")
    named = project.run(suite(project, [CHAIN], [0.05], [spelled(field)], 2, name="named"), store="named")
    for one, other in zip(named.plan.cells, ordinary.plan.cells, strict=True):
        mine, theirs = named.store.read_record(one.key), ordinary.store.read_record(other.key)
        assert (mine.key, mine.digest, mine.result) == (theirs.key, theirs.digest, theirs.result)


def test_the_record_says_both_recipes(project: Any) -> None:
    """The cell's recipe is that of the evaluation; what the find changes stands in the form."""
    plan = project.session(suite(project, [CHAIN], [0.05], ["{lr = 0.02, batch = 32}"], 1)).plan
    cell = plan.jobs[plan.cells[-1].key].params.cell
    assert (cell.recipe["lr"], cell.recipe["batch"]) == (0.05, 64)
    assert cell.form["find"] == {"lr": 0.02, "batch": 32}


CHANGES = [
    "{lr = 0.02}", "{decay = 'cosine'}", "{drops = [0.1]}", "{warmup = 0.1}", "{batch = 32}", "{momentum = 0.5}",
    "{weight_decay = 0.01}", "{epochs = 0.3}", "{augment = ['shift1']}", "{label_smoothing = 0.1}", "{init = 'unit-variance'}",
    "{nesterov = true}", "{optimizer = 'adamw'}",
]  # fmt: skip


def test_whatever_the_find_changes_is_what_the_scored_network_trains_by(project: Any) -> None:
    """Any field of a recipe, each alone: another mask, and the evaluated network is none the wiser."""
    plan = project.session(suite(project, [CHAIN], [0.05], ["{}", *CHANGES], 1)).plan
    cells = [cell for cell in plan.cells if cell.labels["method"] == "chain"]
    runs = [plan.jobs[plan.jobs[cell.key].inputs[0]].params.run for cell in cells]
    masks = {plan.jobs[cell.key].inputs[1] for cell in cells}
    assert len({cell.key for cell in cells}) == len(masks) == 1 + len(CHANGES)
    assert len({(run.origin.state, run.recipe.model_dump_json()) for run in runs}) == 1


def states_of(engine: Any) -> dict[str, Any]:
    """The weights of the scored networks of a plan's one-shot masks, by the find's label."""
    weights = {}
    for cell in engine.plan.cells:
        if cell.labels["method"] == "one-shot":
            score = engine.plan.jobs[engine.plan.jobs[engine.plan.jobs[cell.key].inputs[1]].inputs[0]]
            weights[cell.labels["find"]] = unpack_state(
                engine.store.read_artifact(score.inputs[0])
            ).parameters
    return weights


def largest(weights: Any, kept: int) -> dict[str, int]:
    """How many of the largest magnitudes each layer has, by a plain sort of all of them."""
    layers = {name: w.abs().flatten().tolist() for name, w in weights.items() if w.dim() == 2}
    ranked = sorted(((value, name) for name, values in layers.items() for value in values), reverse=True)
    counts = Counter(name for _, name in ranked[:kept])
    return {name: counts[name] for name in layers}


def test_swapped_ratios_have_the_donors_counts_in_each_layer(project: Any) -> None:
    """Weights of A at the ratios of B, and random at either's, one shot: counts by a sort of B's own weights."""
    swapped = {**ONE_SHOT, "as": "swapped", "allocation": {"like": {"find": {"lr": 0.2}}}}
    random = {**RANDOM, "allocation": {"like": of(ONE_SHOT)}}
    engine = project.run(
        suite(project, [ONE_SHOT, swapped, random], [0.05], ["{lr = 0.005}", "{lr = 0.2}"], 4)
    )
    weights = states_of(engine)
    seen = set()
    for cell in engine.plan.cells:
        method, find = cell.labels["method"], cell.labels["find"]
        if method == "none":
            continue
        mask = mask_from(engine.store.read_artifact(engine.plan.jobs[cell.key].inputs[1]))
        donor = weights["lr=0.2" if method == "swapped" else find]
        assert mask.counts() == largest(donor, cell.target), cell.id
        if method != "random-like":
            for name in mask:  # the largest of its own weights, as far as the donor's count
                own = weights[find][name].abs()
                assert not mask[name].all()
                assert own[mask[name]].min() >= own[~mask[name]].max()
        seen.add((method, tuple(mask.counts().values())))
    assert len({counts for method, counts in seen if method == "one-shot"}) == 8  # the ratios do differ


def test_pruned_early_the_masks_are_of_snapshots_of_one_run(project: Any) -> None:
    """One shot and a chain, at three epochs and the end: the unpruned network under find is trained once."""
    more = 'find = [{lr = 0.02}]\nscore_at = [{epoch = 1}, {epoch = 2}, {epoch = 3}, "end"]'
    path = project.suite([ONE_SHOT, CHAIN], sparsities=[0.2, 0.36], epochs=4, more=more)
    engine = project.engine(path)
    steps: Counter[tuple[str, int]] = Counter()
    engine.context.progress = lambda job, step, to_step: steps.update([(job.params.run_key, step)])
    for cell in engine.plan.cells:
        engine.make(cell)
    assert set(steps.values()) == {1}
    plan = engine.plan
    dense = [job for job in plan.jobs.values() if isinstance(job.params, TrainParams) and not job.prunes]
    snapshots = [job for job in dense if job.params.run.recipe.lr == 0.02]
    assert sorted(job.params.step for job in snapshots) == [0, 23, 46, 69, 92]
    assert len({job.params.run_key for job in snapshots}) == 1
    for cell in plan.cells:
        if cell.labels["method"] == "one-shot":
            inputs = plan.jobs[plan.jobs[cell.key].inputs[1]].inputs
            state = unpack_state(engine.store.read_artifact(plan.jobs[inputs[0]].inputs[0]))
            mask = mask_from(engine.store.read_artifact(plan.jobs[cell.key].inputs[1]))
            assert mask.counts() == largest(state.parameters, cell.target)


NETWORK = (
    "the method is scored at 'init', before any training: under every find its mask is the same; allowed: "
)
SHAPES = (
    "scorer 'random' reads nothing of a network but its shapes: under every find the method's mask is the same; "
    "allowed: the method where no find is "
)
WHILE_TRAINING = (
    "the method prunes while the evaluated network trains, and scores that one: nothing is scored under find; "
    "allowed: the method where no find is "
)
GRADUAL = {"gradual": {"from": "init", "to": "end", "every": 5}}


def test_the_suite_of_the_page_about_finds_is_planned(project: Any) -> None:
    """As it is pasted: six chains of ten levels and what is swapped; the page's count of trainings is right."""
    text = (Path(__file__).parents[2] / "docs" / "find-eval.md").read_text(encoding="utf-8")
    path = project.folder / "digits-finds.toml"
    path.write_text(text.split("```toml\n")[1].split("```")[0])
    plan = project.session(path).plan
    assert len(plan.cells) == 3 * (2 + 6 * 2 * 10 + 2 * (1 + 10) + 3 * 10 + 1)
    chains = [cell for cell in plan.cells if cell.labels["method"] == "chain" and cell.seed == 0]
    runs = {
        plan.jobs[key].params.run_key for cell in chains for key in plan.ancestors(cell.key) if "@" in key
    }
    assert len(runs) == 3 + 3 * 9 + 3 * 2 * 10 - 2 * 9


REFUSED: list[tuple[list[Any], str, str, str]] = [
    (["snip"], "find = [{}, {lr = 0.02}]", "methods[0]", NETWORK),
    (
        [ONE_SHOT],
        "find = [{rewind = {step = 5}}]",
        "find[0]",
        "find = {rewind={step=5}} changes nothing of how the scored",
    ),
    ([{"method": "snip", "as": "s", "find": {"lr": 0.02}}], "", "methods[0].find", NETWORK),
    (
        [{**RANDOM, "allocation": {"like": {"scorer": "magnitude", "find": {"lr": 0.5}, "score_at": "end"}}}],
        "find = [{lr = 0.02}]",
        "methods[0]",
        SHAPES,
    ),
    (
        [{"as": "r", **of(RANDOM), "score_at": "end", "train_from": "init"}],
        "find = [{lr = 0.5}]",
        "methods[0]",
        SHAPES,
    ),
    (
        [{"method": "random", "as": "r", "score_at": "end", "find": {"lr": 0.5}, "train_from": "init"}],
        "",
        "methods[0].find",
        SHAPES,
    ),
    ([{**CHAIN, "scorer": "random"}], "find = [{lr = 0.5}]", "methods[0]", SHAPES),
    (
        [{**CHAIN, "schedule": GRADUAL, "train_from": "init"}],
        "find = [{lr = 0.5}]",
        "methods[0]",
        WHILE_TRAINING,
    ),
    (["gradual-magnitude"], "find = [{lr = 0.5}]", "methods[0]", WHILE_TRAINING),
    (
        [{**ONE_SHOT, "allocation": {"like": {"score_at": "init", "find": {"lr": 0.5}}}}],
        "find = [{lr = 0.02}]",
        "methods[0].allocation.like.find",
        NETWORK + "another score_at, or like without find",
    ),
    (
        [{**ONE_SHOT, "allocation": {"like": {"scorer": "random", "find": {"lr": 0.5}}}}],
        "",
        "methods[0].allocation.like.find",
        SHAPES.replace("the method where no find is ", "like without find"),
    ),
    (
        [{**ONE_SHOT, "allocation": {"like": {"find": {"rewind": {"step": 5}}}}}],
        "",
        "methods[0].allocation.like.find",
        "find = {rewind={step=5}} changes nothing of how the scored",
    ),
    (
        [{**ONE_SHOT, "allocation": {"like": {"find": {"epochs": 1}, "score_at": {"epoch": 2}}}}],
        "",
        "methods[0].allocation.like.score_at",
        "epoch 2 lies beyond the schedule of 1 epoch, which is that of find = {epochs=1}",
    ),
    (
        [{**ONE_SHOT, "allocation": {"like": {"schedule": {"levels": 0.2}, "score_at": "init"}}}],
        "",
        "methods[0].allocation.like.score_at",
        "which is no training",
    ),
    (
        [ONE_SHOT],
        "find = [{}, {epochs = 1}]\nscore_at = [{epoch = 2}]",
        "score_at[0]",
        "epoch 2 lies beyond the schedule of 1 epoch, which is that of find = {epochs=1}",
    ),
    (
        [{**CHAIN, "train_from": {"step": 30, "run": "find"}, "schedule": "one-shot", "find": {"epochs": 1}}],
        "",
        "methods[0].train_from",
        "which is that of find = {epochs=1}",
    ),
    (
        [{**CHAIN, "score_at": {"epoch": 2}, "find": {"epochs": 1}}],
        "",
        "methods[0].score_at",
        "epoch 2 lies beyond the schedule of 1 epoch, which is that of find = {epochs=1}",
    ),
    (
        [{**ONE_SHOT, "allocation": {"like": {"prunable": {"of": "weights", "except": ["fc3.weight"]}}}}],
        "",
        "methods[0].allocation.like.prunable",
        "the layers whose counts are taken are not those that are pruned: fc3.weight are in one of both alone",
    ),
]


def test_finds_that_make_no_difference_to_a_method_are_one_line_that_names_it(project: Any) -> None:
    path = project.suite(
        ["snip", "random"], sparsities=[0.2, 0.5], more="find = [{lr = 0.02}, {lr = 0.5}, {epochs = 1}]"
    )
    with pytest.raises(SuiteError) as caught:
        project.session(path)
    of_snip, of_random = str(caught.value).splitlines()
    no_difference = "find makes no difference to"
    assert of_snip.startswith(f"{path}: matrix[0].methods[0]: {no_difference} 'snip': {NETWORK}")
    assert of_random.startswith(f"{path}: matrix[0].methods[1]: {no_difference} 'random': {SHAPES}")


@pytest.mark.parametrize(
    ("methods", "more", "where", "said"), REFUSED, ids=[f"{i}-{c[2]}" for i, c in enumerate(REFUSED)]
)
def test_what_cannot_be_found_is_refused_before_anything_is_there(
    project: Any, methods: list[Any], more: str, where: str, said: str
) -> None:
    """With the file and the key; nothing is on disk."""
    path = project.suite(methods, sparsities=[0.2], epochs=2, more=more)
    with pytest.raises(SuiteError) as caught:
        project.session(path)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{path}: matrix[0].{where}: ")
    assert said in line
    assert not (project.folder / "store").exists()


def test_a_find_that_makes_a_difference_is_none_of_these(project: Any) -> None:
    """Another initialisation, a donor of counts that is found by it, a training that starts from its run."""
    borrows = {**RANDOM, "allocation": {"like": of(ONE_SHOT)}}
    fixed = {"method": "snip", "as": "fixed", "find": {"init": "unit-variance"}, "train_from": "init"}
    goes_on = {
        "method": "snip",
        "as": "goes-on",
        "find": {"lr": 0.02},
        "train_from": {"step": 5, "run": "find"},
    }
    tuned = {**RANDOM, "as": "tuned", "score_at": "end", "find": {"lr": 0.02}}
    slow = {**tuned, "as": "slow", "scorer": "magnitude", "schedule": GRADUAL}
    swapped = {**ONE_SHOT, "allocation": {"like": {"score_at": "init"}}}
    plan = project.session(
        project.suite([borrows, swapped], sparsities=[0.2], more="find = [{lr = 0.02}]")
    ).plan
    assert len(plan.cells) == 3
    assert (
        len(project.session(project.suite([fixed, goes_on, tuned, slow], sparsities=[0.2])).plan.cells) == 5
    )


def test_a_donor_that_is_found_as_in_one_of_the_recipes_is_none_of_these(project: Any) -> None:
    """Under that recipe its find changes nothing, as a find of the axis that is as in it does not."""
    swapped = {**ONE_SHOT, "as": "swapped", "allocation": {"like": {"find": {"lr": 0.05}}}}
    plan = project.session(suite(project, [swapped], [0.05, 0.1], [], 1)).plan
    assert sum(cell.labels["method"] == "swapped" for cell in plan.cells) == 2


def test_an_ablation_of_initial_weights_is_asked_of_random_masks_too(project: Any) -> None:
    """`fixed-variance-scores` is a find of other initial weights: one suite asks it of all methods alike."""
    path = project.suite(["random"], ablations=["none", "fixed-variance-scores"])
    assert {c.labels["ablations"] for c in project.session(path).plan.cells} == {"", "fixed-variance-scores"}
