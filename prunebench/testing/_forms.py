"""Checks of components that are values or make values of the general form: ablations, recipes, methods."""

from __future__ import annotations

import math

from prunebench.errors import PrunebenchError, UsageError
from prunebench.host.components import Ablation, Method, RecipeComponent
from prunebench.host.form import Form
from prunebench.testing._common import (
    at_last_documented,
    ensure,
    ensure_callable,
    ensure_common,
    said,
    untouched,
)

__all__ = ["check_ablation", "check_method", "check_recipe"]

_EXAMPLES = 1_281_167
"""Training examples that a recipe's schedule is worked out for."""


def _sample_forms() -> list[Form]:
    """Return forms that differ in every field an ablation is likely to read."""
    spelled: list[dict[str, object]] = [
        {"scorer": "snip"},
        {"scorer": "grasp", "keep": "low"},
        {"scorer": "grasp", "keep": "far"},
        {"scorer": "grasp", "keep": "near"},
        {"scorer": "synflow", "schedule": {"rounds": 100}},
        {"scorer": "magnitude", "score_at": "end", "train_from": "rewind"},
        {"scorer": "magnitude", "score_at": {"step": 1000}, "find": {"lr": 0.05}},
        {"scorer": "random", "allocation": "erk", "alter": ["shuffle"]},
        {"scorer": "magnitude", "allocation": "uniform", "alter": ["reinit", "shuffle"]},
        {"scorer": "magnitude", "prunable": {"of": "convolutions", "except": ["0.weight"]}},
    ]
    return [Form.model_validate(form) for form in spelled]


@at_last_documented
def check_ablation(ablation: Ablation) -> None:
    """Check an ablation on forms of many kinds.

    It must return a valid form, the same for the same form, and leave the given one as it was; change at
    least one of the forms; and applied twice be as applied once (shuffle) or not at all (invert), so that a
    list of ablations means the same however a suite spells it. It may refuse a form with a UsageError.

    Raises: AssertionError.
    """
    who = ensure_common(ablation)
    ensure_callable(who, "its function", ablation.function, "form")
    changed = accepted = 0
    for form in _sample_forms():
        before = form.model_dump_json()
        try:
            with untouched(who):
                first = ablation.function(form)
                second = ablation.function(form)
        except UsageError:
            continue
        except PrunebenchError as error:
            raise AssertionError(f"{who}: {error}") from error
        accepted += 1
        ensure(isinstance(first, Form), f"{who} returns a {type(first).__name__}, not a prunebench.Form")
        ensure(form.model_dump_json() == before, f"{who} changes the form that it is given: {before}")
        ensure(first == second, f"{who} gives two results for one form: {before}")
        try:
            valid = Form.model_validate(first.model_dump(by_alias=True))
        except ValueError as error:
            raise AssertionError(f"{who} returns a form that is not valid: {error}") from error
        ensure(valid == first, f"{who} returns a form that is spelled otherwise when validated: {first!r}")
        twice = ablation.function(first)
        ensure(twice in (first, form), f"{who} applied twice is neither itself nor nothing: {before}")
        changed += first != form
    ensure(accepted, f"{who} refuses every form")
    ensure(changed, f"{who} changes no form")


@at_last_documented
def check_recipe(component: RecipeComponent) -> None:
    """Check a recipe: its schedule, learning rates and rewind point, for as many examples as ImageNet has.

    Raises: AssertionError.
    """
    who = ensure_common(component)
    recipe = component.recipe
    with said(who):
        total = recipe.total_steps(_EXAMPLES)
        rewind = recipe.step_of("rewind", _EXAMPLES)
    ensure(total >= 1, f"{who} trains {total} steps")
    ensure(0 <= rewind <= total, f"{who} rewinds to step {rewind} of {total}")
    unknown = [name for name in component.inferred if name not in type(recipe).model_fields]
    ensure(not unknown, f"{who} says that {', '.join(unknown)} is inferred, which is no field of a recipe")
    late = [epoch for epoch in recipe.drops if not 0 < epoch < recipe.epochs]
    ensure(not late, f"{who} drops the learning rate at epochs {late}, outside its {recipe.epochs:g} epochs")
    ensure(
        recipe.warmup < recipe.epochs, f"{who} warms up for {recipe.warmup:g} of its {recipe.epochs:g} epochs"
    )
    for step in {0, 1, total // 2, total - 1}:
        rate = recipe.learning_rate(step, _EXAMPLES)
        ensure(math.isfinite(rate) and rate >= 0, f"{who} has the learning rate {rate} at step {step}")
    ensure(recipe.evaluates_at(total, _EXAMPLES), f"{who} does not evaluate its last step")


@at_last_documented
def check_method(method: Method) -> None:
    """Check a method: a form that survives being written down, and nothing in it that is not built yet.

    Raises: AssertionError.
    """
    who = ensure_common(method)
    form = method.form
    again = Form.model_validate(form.model_dump(by_alias=True, mode="json"))
    ensure(again == form, f"{who} is another form when written down and read: {form!r}")
    ensure(form.unbuilt() is None, f"{who} needs {form.unbuilt()}, which is not built yet")
