"""Pruning while training: the values of a run's policy."""

from __future__ import annotations

from prunebench.errors import UsageError
from prunebench.host.form import Form, Gradual
from prunebench.plan.builder import Builder
from prunebench.plan.masks import scoring_cost, scoring_of
from prunebench.plan.params import GradualPolicy
from prunebench.plan.setting import Setting
from prunebench.training.recipe import Recipe

__all__ = ["gradual_policy"]


def gradual_policy(
    builder: Builder, setting: Setting, form: Form, recipe: Recipe, seed: int, kept: int
) -> tuple[GradualPolicy, float]:
    """Return what a run's key says of gradual pruning, and what its scorings cost, in multiply-accumulates.

    Raises: UsageError where the schedule's end does not lie behind its beginning, or the run begins later.
    """
    assert isinstance(form.schedule, Gradual)
    span, examples = form.schedule.gradual, setting.data.examples
    assert isinstance(form.allocation, str)
    policy = GradualPolicy(
        start=recipe.step_of(span.from_, examples),
        stop=recipe.step_of(span.to, examples),
        every=span.every,
        counts=(setting.network.prunable, kept),
        keep=form.keep,
        allocation=form.allocation,
        scoring=scoring_of(builder, setting, form, seed),
    )
    schedule = policy.cubic()
    clock = recipe.step_of(form.clock, examples)
    if schedule.start < clock:
        raise UsageError(
            f"schedule = {{gradual = …}} begins at step {schedule.start}, but the run at step {clock} (clock)"
        )
    return policy, scoring_cost(builder, setting, form) * len(schedule.steps)
