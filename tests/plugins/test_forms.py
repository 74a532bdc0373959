"""Methods, ablations and recipes are values: these are the published ones."""

from __future__ import annotations

import pytest
from prunebench_plugins.ablations import (
    fixed_variance,
    fixed_variance_scores,
    invert,
    prunebench_ablations,
    reinit,
    shuffle,
)
from prunebench_plugins.methods import prunebench_methods
from prunebench_plugins.recipes import prunebench_recipes

from prunebench import Form
from prunebench.errors import UsageError
from prunebench.schedules import Rounds

METHODS = {m.name: m for m in prunebench_methods()}
ABLATIONS = {a.name: a for a in prunebench_ablations()}
RECIPES = {r.name: r for r in prunebench_recipes()}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("none", {}),
        ("synflow", {"scorer": "synflow", "schedule": {"rounds": 100}}),
        ("iterative-snip", {"scorer": "snip", "schedule": {"rounds": 100}}),
        ("magnitude-after-training", {"scorer": "magnitude", "score_at": "end"}),
        ("ltr", {"scorer": "magnitude", "score_at": "end", "train_from": "rewind"}),
        (
            "imp",
            {
                "scorer": "magnitude",
                "score_at": "end",
                "schedule": {"levels": 0.2},
                "train_from": {"epoch": 10},
                "clock": {"epoch": 10},
            },
        ),
        ("grasp-inverted", {"scorer": "grasp", "keep": "low"}),
        ("grasp-magnitude", {"scorer": "grasp", "keep": "far"}),
        ("synflow-shuffled", {"scorer": "synflow", "schedule": {"rounds": 100}, "alter": ["shuffle"]}),
        ("erk", {"scorer": "random", "allocation": "erk"}),
        ("uniform-random", {"scorer": "random", "allocation": "uniform"}),
        ("uniform-magnitude", {"scorer": "magnitude", "allocation": "uniform"}),
        ("force", {"scorer": "force", "schedule": {"rounds": 60}, "regrowth": {"scorer": "force"}}),
        (
            "gradual-magnitude",
            {
                "scorer": "magnitude",
                "schedule": {"gradual": {"from": {"share": 0.1}, "to": {"share": 0.5}, "every": 100}},
            },
        ),
    ],
)
def test_a_method_is_its_row_of_the_general_form(name, fields):
    """Every field that is not named has its default."""
    assert METHODS[name].form == Form.model_validate(fields)


def test_every_method_can_be_run_and_says_its_exact_variant():
    """No built-in method asks for what is not built; the text that `show` prints is there."""
    assert len(METHODS) == 14
    for method in METHODS.values():
        assert method.form.unbuilt() is None
        assert len(method.documentation) > 60


@pytest.mark.parametrize("name", sorted(set(METHODS) - {"none"}))
def test_a_pruning_method_says_how_ties_layers_and_normalisation_are_treated(name):
    """What another code of the same name may do otherwise is written down."""
    text = METHODS[name].documentation
    words = ["ties", "layers", "mask of `magnitude-after-training`", "scorer of `grasp`"]
    assert any(word in text.lower() for word in words)


@pytest.mark.parametrize(
    ("before", "after"), [("high", "low"), ("low", "high"), ("far", "near"), ("near", "far")]
)
def test_invert_mirrors_what_is_kept_and_nothing_else(before, after):
    """High and low swap, far and near swap."""
    form = METHODS["synflow"].form.changed(keep=before)
    assert invert(form) == form.changed(keep=after)
    assert invert(invert(form)) == form


@pytest.mark.parametrize(("ablation", "name"), [(shuffle, "shuffle"), (reinit, "reinit")])
def test_shuffle_and_reinit_alter_the_evaluated_network_only(ablation, name):
    """Only `alter` changes, and a second time changes nothing."""
    form = METHODS["ltr"].form
    altered = ablation(form)
    assert altered == form.changed(alter=(name,))
    assert form.alter == ()
    assert ablation(altered) == altered


def test_shuffle_and_reinit_commute():
    """The order of ablations makes no other cell."""
    form = METHODS["synflow"].form
    assert shuffle(reinit(form)) == reinit(shuffle(form))
    assert set(shuffle(reinit(form)).alter) == {"shuffle", "reinit"}


def test_a_named_variant_and_its_ablation_are_one_form():
    """ "grasp-inverted" is "invert" of "grasp": one cell."""
    assert invert(Form.model_validate({"scorer": "grasp"})) == METHODS["grasp-inverted"].form


UNIT = {"init": "unit-variance"}


@pytest.mark.parametrize(
    ("name", "a", "b"),
    [
        ("synflow", "scored", "init"),
        ("magnitude-after-training", "scored", "end"),
        ("ltr", {"at": "rewind", "run": "find"}, "rewind"),
    ],
)
def test_fixed_variance_trains_the_scored_weights_or_the_usual_ones(name, a, b):
    """(a) takes the weights from the run of variance 1, (b) from the usual run at the same point."""
    form = METHODS[name].form
    assert fixed_variance(form) == form.changed(find=UNIT, train_from=a)
    assert fixed_variance_scores(form) == form.changed(find=UNIT, train_from=b)


def test_scoring_alone_on_variance_one_leaves_that_run_whatever_the_form_trains_from():
    """Weights of a point of the scored run are taken from the same point of the recipe's run instead."""
    for point, plain in (
        ({"at": "init", "run": "find"}, "init"),
        ({"at": "rewind", "run": "find"}, "rewind"),
        ({"step": 5, "run": "find"}, {"step": 5}),
    ):
        form = Form.model_validate({"scorer": "magnitude", "find": {"lr": 0.5}, "train_from": point})
        expected = form.changed(find={"lr": 0.5, "init": "unit-variance"}, train_from=plain)
        assert fixed_variance_scores(form) == expected
        assert fixed_variance(form).train_from == form.train_from


def test_fixed_variance_keeps_other_changes_of_the_find_run():
    """A learning rate to find with stays beside the initialisation."""
    form = Form.model_validate({"scorer": "magnitude", "find": {"lr": 0.5}, "score_at": {"step": 9}})
    assert fixed_variance(form).find == {"lr": 0.5, "init": "unit-variance"}
    assert fixed_variance_scores(form).train_from == form.score_at


@pytest.mark.parametrize("ablation", [shuffle, reinit, fixed_variance_scores])
def test_what_alters_a_mask_before_training_is_refused_of_gradual_pruning(ablation):
    """There is none then; invert and fixed variance make sense and are taken."""
    form = METHODS["gradual-magnitude"].form
    with pytest.raises(UsageError, match="gradual pruning"):
        ablation(form)
    assert invert(form).keep == "low"
    assert fixed_variance(form).find == UNIT


def test_an_ablation_keeps_rounds_and_parameters():
    """Schedules, scorers' parameters and batches survive the change."""
    form = Form.model_validate({"scorer": {"name": "grasp", "temperature": 200, "batch": {"per_class": 3}}})
    changed = shuffle(invert(form.changed(schedule={"rounds": 5})))
    assert changed.scorer == form.scorer
    assert changed.schedule == Rounds(rounds=5)


def test_the_ablations_are_the_papers():
    """Fixed variance in both readings: the paper does not say which it means."""
    assert set(ABLATIONS) == {"shuffle", "reinit", "invert", "fixed-variance", "fixed-variance-scores"}
    assert all(len(a.documentation) > 80 for a in ABLATIONS.values())


def test_pai_lenet_is_the_papers_recipe():
    """40 epochs of 469 steps, batch 128, plain SGD at 0.1, Kaiming normal, rewinding to step 0."""
    recipe = RECIPES["pai-lenet"].recipe
    assert (recipe.epochs, recipe.batch, recipe.lr, recipe.momentum, recipe.weight_decay) == (
        40,
        128,
        0.1,
        0,
        0,
    )
    assert recipe.init == "kaiming-normal"
    assert recipe.augment == ()
    assert recipe.steps_per_epoch(60_000) == 469
    assert recipe.total_steps(60_000) == 18_760
    assert recipe.step_of("rewind", 60_000) == 0
    assert {recipe.learning_rate(s, 60_000) for s in (0, 9_000, 18_759)} == {0.1}


def test_pai_cifar10_is_the_papers_recipe():
    """160 epochs of 391 steps, momentum 0.9, ÷10 at 80 and 120, 1e-4, flip and shift, rewinding to 1000."""
    recipe = RECIPES["pai-cifar10"].recipe
    assert (recipe.epochs, recipe.batch, recipe.momentum, recipe.weight_decay) == (160, 128, 0.9, 1e-4)
    assert (recipe.nesterov, recipe.warmup, recipe.label_smoothing) == (False, 0, 0)
    assert recipe.init == "kaiming-normal"
    assert recipe.augment == ("flip", "shift4")
    assert recipe.steps_per_epoch(50_000) == 391
    assert recipe.step_of("rewind", 50_000) == 1000
    rates = [recipe.learning_rate(391 * epoch + late, 50_000) for epoch in (80, 120) for late in (-1, 0)]
    assert rates == pytest.approx([0.1, 0.01, 0.01, 0.001])


def test_every_recipe_is_described():
    """`show` has something to print."""
    assert len(RECIPES) == 25
    assert [name for name, r in RECIPES.items() if len(r.documentation) < 60] == []
