"""Finds that make no difference to a method are refused: they would name one cell in many ways."""

from __future__ import annotations

from typing import cast

from prunebench.host.components import Scorer
from prunebench.host.form import Form, Like, Regrowth
from prunebench.plan.builder import Builder
from prunebench.plan.donors import naming_the_donor
from prunebench.plan.runs import find_recipe, step_under_find
from prunebench.plan.scoring import liked
from prunebench.plan.setting import Setting
from prunebench.reading.labels import changes_label
from prunebench.schedules import Misfit
from prunebench.training.recipe import Point, Recipe, of_find, spelled

__all__ = ["IdleFind", "refuse_idle_find"]


class IdleFind(Misfit):
    """A find that makes no difference to a method, by what the method is."""


def refuse_idle_find(
    builder: Builder, setting: Setting, form: Form, recipe: Recipe, *, of_donor: bool = False
) -> None:
    """Raise Misfit where no network that trains under `find` has a part in a form's mask or weights.

    The same of a form whose counts it takes, where that has a find of its own.
    """
    if form.find:
        _refuse_idle(builder, setting, form, recipe, of_donor)
    if not isinstance(form.allocation, Like):
        return
    donor, find = liked(builder, form, form.allocation), find_recipe(builder, form, recipe)
    if find_recipe(builder, donor, recipe) in (find, recipe):
        return  # what it has from the form, or what makes no difference under this recipe
    with naming_the_donor():
        refuse_idle_find(builder, setting, donor, recipe, of_donor=True)


def _refuse_idle(builder: Builder, setting: Setting, form: Form, recipe: Recipe, of_donor: bool) -> None:
    find, examples = find_recipe(builder, form, recipe), setting.data.examples
    if _is_as(find, recipe, form, examples):
        raise Misfit(
            f"find = {{{changes_label(form.find)}}} changes nothing of how the scored network trains; "
            "allowed: changes that do, or the method without it",
            field="find",
        )
    if not (_asks_about_initial_weights(form) or _is_used(builder, setting, form, recipe)):
        raise IdleFind(
            f"{_why_idle(builder, form)}; allowed: {_instead(builder, form, of_donor)}",
            field="find",
        )


def _asks_about_initial_weights(form: Form) -> bool:
    """True if nothing but the initial weights that are scored differ.

    That is a question to every method alike, as the ablation `fixed-variance-scores` puts it: do scores
    follow the scale of the initial weights? That those of `random` do not is an answer, whose cells stand
    beside the others'. Only a method that scores nothing before it trains cannot be asked.
    """
    return form.find.keys() == {"init"} and not form.schedule.prunes_in_training


def _why_idle(builder: Builder, form: Form) -> str:
    """Return why no network that trains under `find` makes a difference to a form."""
    if form.schedule.prunes_in_training:
        return (
            "the method prunes while the evaluated network trains, and scores that one: nothing is scored "
            "under find"
        )
    if not _reads_weights(builder, form):
        assert form.scorer is not None
        return (
            f"scorer '{form.scorer.name}' reads nothing of a network but its shapes: under every find the "
            "method's mask is the same"
        )
    return (
        f"the method is scored at {spelled(form.score_at)}, before any training: under every find its mask "
        "is the same"
    )


def _instead(builder: Builder, form: Form, of_donor: bool) -> str:
    """Return what to do about a find that makes no difference; a donor of counts is on no axis."""
    other = "another score_at, or " if _is_scored(builder, form) else ""
    where = "the method where no find is (exclude = [{method = …, find = …}], or a matrix of its own)"
    return other + ("like without find" if of_donor else where)


def _is_as(find: Recipe, recipe: Recipe, form: Form, examples: int) -> bool:
    """True if the scored network trains under `find` as under the recipe, and is scored at the same step."""
    if (find.run_fields(), find.init) != (recipe.run_fields(), recipe.init):
        return False
    points = [form.score_at, *([] if form.train_from == "scored" else [form.train_from])]
    return all(find.step_of(point, examples) == recipe.step_of(point, examples) for point in points)


def _is_used(builder: Builder, setting: Setting, form: Form, recipe: Recipe) -> bool:
    """True if a network that trains under `find` is scored, goes on training, or gives its counts."""
    find, examples = find_recipe(builder, form, recipe), setting.data.examples

    def differs(point: Point) -> bool:
        return find.init != recipe.init or step_under_find(builder, form, recipe, point, examples) > 0

    if _is_scored(builder, form) and differs(form.score_at):
        return True
    if _goes_on(form) and differs(form.score_at if form.train_from == "scored" else form.train_from):
        return "reinit" not in form.alter or find.init != recipe.init
    if not isinstance(form.allocation, Like):
        return False
    donor = liked(builder, form, form.allocation)
    theirs = find_recipe(builder, donor, recipe)
    has_it = all(getattr(theirs, key) == getattr(find, key) for key in form.find)  # and maybe more of its own
    return has_it and _is_used(builder, setting, donor, recipe)


def _is_scored(builder: Builder, form: Form) -> bool:
    """True if a mask is made of what a network that trains under `find` has learnt."""
    return _reads_weights(builder, form) and not form.schedule.prunes_in_training


def _goes_on(form: Form) -> bool:
    """True if the evaluated network begins with weights of the run under `find`."""
    return form.train_from == "scored" or of_find(form.train_from)


def _reads_weights(builder: Builder, form: Form) -> bool:
    """True if a form's scores depend on the weights of the network that is scored."""
    calls = [form.scorer, form.regrowth.scorer if isinstance(form.regrowth, Regrowth) else None]
    scorers = [builder.host.get("scorers", call.name) for call in calls if call is not None]
    return any(cast(Scorer, scorer).reads == "weights" for scorer in scorers)
