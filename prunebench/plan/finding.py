"""In which networks masks are found: which masks tell of them, and finds that make no difference."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from prunebench.host.components import Scorer
from prunebench.host.form import Form, Like, Regrowth
from prunebench.plan.builder import Builder
from prunebench.plan.params import MaskInRounds, MaskOfScores, ShuffleParams, TrainParams
from prunebench.plan.runs import find_recipe, step_under_find
from prunebench.plan.scoring import liked
from prunebench.plan.setting import Setting
from prunebench.reading.labels import changes_label
from prunebench.schedules import Misfit
from prunebench.suite.cell import ArchitectureCall
from prunebench.training.recipe import Point, Recipe, of_find, spelled

__all__ = ["OF_DONOR", "naming_the_donor", "refuse_idle_find", "refuse_other_layers", "what_tells"]


OF_DONOR = "allocation.like."
"""Where the fields of the form stand whose counts another takes, within that."""


@contextmanager
def naming_the_donor() -> Iterator[None]:
    """Name a field of a donor of counts that does not fit by its place in the form that takes the counts."""
    try:
        yield
    except Misfit as error:
        if error.field == "density":
            raise
        raise Misfit(str(error), field=f"{OF_DONOR}{error.field}") from None


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
    if not _is_used(builder, setting, form, recipe):
        raise Misfit(
            f"{_why_idle(builder, form)}; allowed: {_instead(builder, form, of_donor)}",
            field="find",
        )


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

    if _is_ablation(form) or (_is_scored(builder, form) and differs(form.score_at)):
        return True
    if _goes_on(form) and differs(form.score_at if form.train_from == "scored" else form.train_from):
        return "reinit" not in form.alter or find.init != recipe.init
    if not isinstance(form.allocation, Like):
        return False
    donor = liked(builder, form, form.allocation)
    return find_recipe(builder, donor, recipe) == find and _is_used(builder, setting, donor, recipe)


def _is_ablation(form: Form) -> bool:
    """True if nothing but the initial weights that are scored differs: asked of random methods, too."""
    return form.find.keys() == {"init"} and not form.schedule.prunes_in_training


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


def refuse_other_layers(builder: Builder, setting: Setting, donor: Form) -> None:
    """Raise Misfit where the masks of a donor of counts have other layers than those that are pruned."""
    network = ArchitectureCall(setting.architecture.name, setting.architecture.parameters)
    filters = donor.whole_filters
    theirs = builder.facts.network(network, setting.data, donor.prunable, filters=filters).shapes
    if differing := sorted(theirs.keys() ^ setting.network.shapes.keys()):
        raise Misfit(
            "the layers whose counts are taken are not those that are pruned: "
            f"{', '.join(differing[:4])}{', …' if len(differing) > 4 else ''} are in one of both alone; "
            "allowed: the same prunable",
            field="prunable",
        )


def what_tells(builder: Builder, setting: Setting, mask: str | None) -> tuple[str, ...]:
    """Return the key of the mask that a method made, and of the first of its chain where that is another.

    A mask tells of the network whose scores it was made of, and it stays in the store when that network goes.
    The first one of a chain was made of the unpruned network; that state, which stays too, is the last key
    where its recipe evaluates no network at that step. There are none where a network is pruned while it
    trains: no network was scored before.
    """
    own = first = _made(builder, mask)
    while first is not None and (before := _made(builder, _scored(builder, first)[1].run.mask)) is not None:
        first = before
    if own is None or first is None:
        return ()
    state, params = _scored(builder, first)
    recipe, examples = params.run.recipe, setting.data.examples
    is_told = params.step == 0 or recipe.evaluates_at(params.step, examples) or params.run.mask is not None
    return (own, *([first] if first != own else []), *([] if is_told else [state]))


def _made(builder: Builder, mask: str | None) -> str | None:
    """Return the mask before it was shuffled; None where it is that of no scores."""
    while mask is not None and isinstance(builder.jobs[mask].params, ShuffleParams):
        mask = builder.jobs[mask].inputs[0]
    if mask is None or not isinstance(builder.jobs[mask].params, MaskOfScores | MaskInRounds):
        return None
    return mask


def _scored(builder: Builder, mask: str) -> tuple[str, TrainParams]:
    """Return the key of the state that was scored for a mask, and what its job is asked."""
    state = builder.jobs[mask]
    while not isinstance(state.params, TrainParams):
        state = builder.jobs[state.inputs[0]]
    return state.key, state.params
