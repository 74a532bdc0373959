"""Pruning while training: the values of a run's policy."""

from __future__ import annotations

from typing import Any

from prunebench.errors import UsageError
from prunebench.host.form import Form, Gradual
from prunebench.plan.builder import Builder
from prunebench.plan.masks import scoring_cost, scoring_of
from prunebench.plan.setting import Setting
from prunebench.training.cubic import Cubic
from prunebench.training.recipe import Recipe

__all__ = ["gradual_policy"]


def gradual_policy(
    builder: Builder, setting: Setting, form: Form, recipe: Recipe, seed: int, kept: int
) -> tuple[dict[str, Any], float]:
    """Return what a run's key says of gradual pruning, and what its scorings cost, in multiply-accumulates.

    Raises: UsageError where the schedule's end does not lie behind its beginning, or the run begins later.
    """
    assert isinstance(form.schedule, Gradual)
    span, examples = form.schedule.gradual, setting.data.examples
    policy = {
        "kind": "gradual",
        "from": recipe.step_of(span.from_, examples),
        "to": recipe.step_of(span.to, examples),
        "every": span.every,
        "kept": [setting.network.prunable, kept],
        "keep": form.keep,
        "allocation": form.allocation,
        "scoring": {**scoring_of(builder, setting, form), "seed": seed},
    }
    schedule = Cubic.of(policy)
    clock = recipe.step_of(form.clock, examples)
    if schedule.start < clock:
        raise UsageError(
            f"schedule = {{gradual = …}} begins at step {schedule.start}, but the run at step {clock} (clock)"
        )
    return policy, scoring_cost(builder, setting, form) * len(schedule.steps)
