"""Runs: the jobs that train, and what is in a run's key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from prunebench.canonical import digest
from prunebench.errors import UsageError
from prunebench.host.form import Form, Prunable
from prunebench.plan.builder import FORWARD_AND_BACKWARD, Builder
from prunebench.plan.job import JOB_VERSIONS, state_key
from prunebench.plan.params import FromInit, FromState, Policy, Run, TrainParams
from prunebench.plan.setting import Setting
from prunebench.plan.uses import InitUse
from prunebench.reading.labels import changes_label
from prunebench.training.recipe import Point, Recipe, of_find, spelled

__all__ = [
    "dense_state",
    "find_recipe",
    "pruned_state",
    "scored_state",
    "state_at",
    "step_under_find",
]


def dense_state(builder: Builder, setting: Setting, recipe: Recipe, seed: int, step: int) -> str:
    """Add the job that trains the unpruned network to a step, and return the state's key."""

    def make() -> str:
        recipe.check_shares(setting.data.examples)
        origin = _drawn(builder, recipe, "init")
        return _train(builder, setting, recipe, seed, step, origin=origin, inputs=())

    return builder.once("dense", (setting, recipe), (seed, step), make)


def scored_state(builder: Builder, setting: Setting, form: Form, recipe: Recipe, seed: int) -> str:
    """Add the job that makes the state which a form scores, and return its key."""
    find = find_recipe(builder, form, recipe)
    step = step_under_find(builder, form, recipe, form.score_at, setting.data.examples)
    return dense_state(builder, setting, find, seed, step)


def pruned_state(
    builder: Builder,
    setting: Setting,
    form: Form,
    recipe: Recipe,
    seed: int,
    *,
    mask: str | None = None,
    policy: Policy | None = None,
    extra: float = 0.0,
    scored: str | None = None,
    goes_on_at: int | None = None,
) -> str:
    """Add the job that trains the pruned network to the end of the schedule, and return the state's key.

    scored: the state that the form scores, where that is not the unpruned network's
    goes_on_at: the step to which it trains instead of to the end, where it is scored for a further mask

    It starts from what `train_from` and `alter` say, at the point of the schedule that `clock` says, with a
    mask, or with the values of a policy that prunes while training. Momentum is carried along only where the
    run goes on at the very step that its weights come from. Weights drawn anew are drawn as those were that
    they replace.

    Raises: UsageError where the clock leaves nothing to train.
    """
    begins = builder.once(
        "begins", (setting, form, recipe), (), lambda: _begins(builder, setting, form, recipe)
    )
    if begins.step is None:
        origin: FromInit | FromState = _drawn(builder, begins.source, "fresh")
        inputs: tuple[str, ...] = ()
    else:
        state = scored if form.train_from == "scored" else None
        state = state or dense_state(builder, setting, begins.source, seed, begins.step)
        origin, inputs = FromState(state=state), (state,)
    return _train(
        builder,
        setting,
        recipe,
        seed,
        begins.total if goes_on_at is None else goes_on_at,
        origin=origin,
        inputs=(*inputs, mask) if mask else inputs,
        mask=mask,
        policy=policy,
        filters=form.prunable if form.whole_filters else None,
        start=begins.clock,
        carry=begins.clock > 0 and begins.step == begins.clock,
        extra=extra,
        goes_on=goes_on_at is not None,
    )


@dataclass(frozen=True, slots=True)
class _Begins:
    """Where the training of pruned networks begins: the same for all densities and seeds.

    step: of the training under `source` at which their weights were so; None where they are drawn anew
    clock: the step of the schedule at which they begin, of so many in `total`
    """

    source: Recipe
    step: int | None
    clock: int
    total: int


def _begins(builder: Builder, setting: Setting, form: Form, recipe: Recipe) -> _Begins:
    examples = setting.data.examples
    total = recipe.total_steps(examples)
    clock = recipe.step_of(form.clock, examples)
    if clock >= total:
        raise UsageError(
            f"clock = {spelled(form.clock)} leaves nothing of the schedule of {total} steps to train; "
            "allowed: a point before its end, as {share = 0.1}"
        )
    source = recipe
    if form.train_from == "scored" or of_find(form.train_from):
        source = find_recipe(builder, form, recipe)
    step = None
    if "reinit" not in form.alter:
        point = form.score_at if form.train_from == "scored" else form.train_from
        if source is recipe:
            step = recipe.step_of(point, examples)
        else:
            step = step_under_find(builder, form, recipe, point, examples)
    recipe.check_shares(examples)
    return _Begins(source, step, clock, total)


def find_recipe(builder: Builder, form: Form, recipe: Recipe) -> Recipe:
    """Return the recipe under which the scored network trains (find / eval)."""
    if not form.find:
        return recipe
    return builder.once("find", (form, recipe), (), lambda: recipe.changed(form.find))


def step_under_find(builder: Builder, form: Form, recipe: Recipe, point: Point, examples: int) -> int:
    """Return a point's step in the training of the network that is scored.

    Raises: UsageError where it lies beyond that schedule, which may be another than the evaluated network's.
    """
    try:
        return find_recipe(builder, form, recipe).step_of(point, examples)
    except UsageError as error:
        if not form.find:
            raise
        raise UsageError(f"{error}, which is that of find = {{{changes_label(form.find)}}}") from None


def state_at(builder: Builder, setting: Setting, key: str, step: int) -> str:
    """Add the job that trains the run of a state to another step, and return that state's key."""
    params, inputs = builder.jobs[key].params_as(TrainParams), builder.jobs[key].inputs
    other = state_key(params.run_key, step)
    if other not in builder.jobs:
        run = params.run
        cost = float(setting.network.macs) * _passes(builder, setting, run.recipe, run.start, step)
        builder.add_under(other, replace(params, step=step, goes_on=None), inputs, cost=cost)
    return other


def _drawn(builder: Builder, recipe: Recipe, purpose: Literal["init", "fresh"]) -> FromInit:
    def make() -> FromInit:
        _, identity = builder.part("initializations", recipe.init)
        return FromInit(init=InitUse(name=recipe.init, identity=identity, purpose=purpose))

    return builder.once("drawn", (recipe,), (purpose,), make)


def _train(
    builder: Builder,
    setting: Setting,
    recipe: Recipe,
    seed: int,
    step: int,
    *,
    origin: FromInit | FromState,
    inputs: tuple[str, ...],
    mask: str | None = None,
    policy: Policy | None = None,
    filters: Prunable | None = None,
    start: int = 0,
    carry: bool = False,
    extra: float = 0.0,
    goes_on: bool = False,
) -> str:
    """Add the job "train this run to this step"; the run's key holds all that decides its bits."""
    run = Run(
        architecture=setting.architecture,
        origin=origin,
        mask=mask,
        policy=policy,
        start=start,
        carry_momentum=carry,
        recipe=recipe,
        data=setting.dataset,
        filters=filters,
        seed=seed,
    )
    run_key = digest({"kind": "run", "version": JOB_VERSIONS["train"], **run.plain()})
    key = state_key(run_key, step)
    if key not in builder.jobs:
        cost = float(setting.network.macs) * _passes(builder, setting, recipe, start, step) + extra
        params = TrainParams(
            run=run,
            run_key=run_key,
            step=step,
            recompute=recipe.recompute or None,
            goes_on=goes_on or None,
        )
        builder.add_under(key, params, inputs, cost=cost)
    elif goes_on:
        builder.goes_on(key)
    return key


def _passes(builder: Builder, setting: Setting, recipe: Recipe, start: int, step: int) -> int:
    """Return the forward passes that training from `start` to `step` amounts to, in examples."""

    def make() -> int:
        examples = setting.data.examples
        trained: int = FORWARD_AND_BACKWARD * max(0, step - start) * recipe.limited(recipe.batch)
        every = recipe.evaluate * recipe.steps_per_epoch(examples)
        evaluations = step // every - start // every
        evaluations += step > start and step % every != 0 and step == recipe.total_steps(examples)
        return trained + evaluations * recipe.limited(setting.data.evaluated)

    return builder.once("passes", (setting, recipe), (start, step), make)
