"""How networks train from one mask to the next, where a schedule trains between masks."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from prunebench.errors import UsageError
from prunebench.host.form import Form
from prunebench.plan.builder import Builder
from prunebench.plan.runs import find_recipe, pruned_state, step_under_find
from prunebench.plan.setting import Setting
from prunebench.schedules import Misfit
from prunebench.training.recipe import Recipe, spelled, without_run

__all__ = ["Between", "training_between"]


@dataclass(frozen=True, slots=True)
class Between:
    """Trains networks as far as they are scored: `prunebench.schedules.schedule.TrainingBetween`."""

    builder: Builder
    setting: Setting
    form: Form
    """As the evaluated network's, but that nothing is altered, under a recipe that is that of `find`."""
    recipe: Recipe
    seed: int
    step: int
    """The step at which they are scored."""
    is_evaluated_run: bool
    """True if the network that is scored is on the way to that of its own cell."""
    is_evaluated: bool
    """True if it is that network."""

    def trained(self, mask: str, scored: str | None) -> str:
        """Add the job that trains a network with a mask as far as it is scored; return the state's key."""
        return pruned_state(
            self.builder,
            self.setting,
            self.form,
            self.recipe,
            self.seed,
            mask=mask,
            scored=scored,
            goes_on_at=self.step,
        )


def training_between(
    builder: Builder, setting: Setting, form: Form, recipe: Recipe, seed: int, train_from: Any, clock: Any
) -> Between:
    """Return how networks train between masks: from and by these points, or as the form says where None.

    Raises: Misfit where they would be scored before they have trained, or a point lies beyond the schedule.
    """
    find = find_recipe(builder, form, recipe)
    points = {"train_from": train_from, "clock": clock}
    fields = {name: name if given is None else "schedule" for name, given in points.items()}
    own = _form_between(builder, form, train_from, clock)
    examples = setting.data.examples
    step = step_under_find(builder, form, recipe, form.score_at, examples)
    begin = _step(find, "clock", own.clock, examples, fields)
    if own.train_from != "scored":
        _step(find, "train_from", own.train_from, examples, fields)
    if step <= begin:
        late = form.score_at == "end"
        raise Misfit(
            f"{form.schedule.called} trains its networks from clock = {spelled(own.clock)} (step {begin}) to "
            f"score_at = {spelled(form.score_at)} (step {step}), which is no training; allowed: "
            + (
                "an earlier clock, as {share = 0.1}"
                if late
                else "a later score_at, as 'end'; without training, {rounds = n}"
            ),
            field=fields["clock"] if late else "score_at",
        )
    as_evaluated = (own.train_from, own.clock) == (without_run(form.train_from), form.clock)
    one_run = as_evaluated and not form.alter and not form.find
    at_end = step == recipe.total_steps(examples)
    return Between(builder, setting, own, find, seed, step, one_run, one_run and at_end)


def _step(recipe: Recipe, name: str, point: Any, examples: int, fields: Mapping[str, str]) -> int:
    try:
        return recipe.step_of(point, examples)
    except UsageError as error:
        raise Misfit(f"{name} = {spelled(point)} between levels: {error}", field=fields[name]) from None


def _form_between(builder: Builder, form: Form, train_from: Any, clock: Any) -> Form:
    def make() -> Form:
        return form.changed(
            schedule="one-shot",
            allocation="global",
            find={},
            alter=(),
            train_from=without_run(form.train_from) if train_from is None else train_from,
            clock=form.clock if clock is None else clock,
        )

    return builder.once("between", (form,), (cast(Hashable, train_from), cast(Hashable, clock)), make)
