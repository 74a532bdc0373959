"""What scores weights, how keys spell it, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from prunebench.canonical import canonical
from prunebench.errors import UsageError
from prunebench.host.borrowed import donor, no_counts
from prunebench.host.components import Scorer
from prunebench.host.form import Batch, Form, Like, Regrowth, ScorerCall
from prunebench.plan.builder import Builder
from prunebench.plan.params import Filters, RegrowthUse, ScoreParams
from prunebench.plan.runs import find_recipe
from prunebench.plan.setting import Setting
from prunebench.plan.uses import ScorerUse
from prunebench.suite.methods import fill_scorer
from prunebench.training.recipe import Recipe

__all__ = [
    "components_of",
    "filters_of",
    "kept_weights",
    "liked",
    "passes_of",
    "regrowth_of",
    "scoring_cost",
    "scoring_examples",
    "scoring_of",
]


def kept_weights(setting: Setting, density: str) -> int:
    """Return how many weights a density keeps (at most, of whole filters): round(density · prunable).

    Raises: UsageError where that is none.
    """
    network = setting.network
    kept = round(float(density) * network.prunable)
    if kept < network.least:
        one = (
            "one" if network.least == 1 else f"the smallest filters that go together, {network.least} weights"
        )
        raise UsageError(
            f"density {density} keeps none of {network.prunable} prunable weights; "
            f"at least {network.least / network.prunable:.3g} keeps {one}"
        )
    return kept


def components_of(builder: Builder, form: Form, recipe: Recipe) -> tuple[str, ...]:
    """Return the names in the table of identities that a form's masks and weights depend on."""

    def make() -> tuple[str, ...]:
        labels = [builder.part("initializations", recipe.init)[0]]
        if form.scorer is not None:
            labels.append(builder.part("scorers", form.scorer.name)[0])
            if isinstance(form.regrowth, Regrowth):
                labels.append(builder.part("scorers", form.regrowth.scorer.name)[0])
            labels.append(builder.part("initializations", find_recipe(builder, form, recipe).init)[0])
        if isinstance(form.allocation, Like):
            labels += components_of(builder, liked(builder, form, form.allocation), recipe)
        return tuple(dict.fromkeys(labels))

    return builder.once("components", (form, recipe), (), make)


def liked(builder: Builder, form: Form, allocation: Like) -> Form:
    """Return the form whose masks' layer counts are taken."""

    def make() -> Form:
        base, changes = donor(form, allocation, builder.host)
        other = base.changed(**changes)
        if other.scorer is None:
            raise UsageError(f"allocation = {{like = {allocation.like!r}}}: that method prunes nothing")
        if reason := no_counts(other, form.unit):
            raise UsageError(f"allocation = {{like = {allocation.like!r:.80}}}: that method {reason}")
        return fill_scorer(other, builder.host)

    return builder.once("like", (form,), (), make)


def scoring_of(builder: Builder, setting: Setting, form: Form, seed: int) -> ScoreParams:
    """Return what decides a form's scores, but the state."""
    scorer = form.scorer
    assert scorer is not None

    def make() -> ScoreParams:
        return ScoreParams(
            scorer=_called(builder, scorer),
            prunable=form.prunable,
            architecture=setting.architecture,
            batch=scorer.batch,
            data=setting.dataset if scorer.batch else None,
            unit="filter" if form.whole_filters else None,
            filters_version=_filters_version() if form.whole_filters else None,
            seed=seed,
        )

    return builder.once("scoring", (setting, form), (seed,), make)


def filters_of(builder: Builder, setting: Setting, form: Form) -> Filters | None:
    """Return of which network and layers whole filters are removed; None where single weights are."""
    if not form.whole_filters:
        return None

    def make() -> Filters:
        return Filters(architecture=setting.architecture, prunable=form.prunable, version=_filters_version())

    return builder.once("filters", (setting, form), (), make)


def _filters_version() -> str | None:
    """Return the version of what decides which filters go, where it is not the first: its keys hold none."""
    from prunebench.pruning import filters  # imports torch

    return None if filters.VERSION == "1" else filters.VERSION


def regrowth_of(builder: Builder, form: Form) -> RegrowthUse | None:
    """Return what lets removed weights return, where a form says so."""

    def make() -> RegrowthUse | None:
        regrowth = form.regrowth
        if not isinstance(regrowth, Regrowth):
            return None
        return RegrowthUse(scorer=_called(builder, regrowth.scorer), every=regrowth.every or 1)

    return builder.once("regrowth", (form,), (), make)


def _called(builder: Builder, call: ScorerCall) -> ScorerUse:
    def make() -> ScorerUse:
        identity = builder.part("scorers", call.name)[1]
        return ScorerUse(name=call.name, identity=identity, parameters=call.parameters, device=call.device)

    return builder.once("scorer", (call,), (), make)


def scoring_cost(builder: Builder, setting: Setting, form: Form, other: ScorerCall | None = None) -> float:
    """Return the cost of scoring once, in multiply-accumulates: by the form's scorer, or by another."""
    scorer = form.scorer
    assert scorer is not None
    call = other or scorer

    def make() -> float:
        examples = scoring_examples(scorer.batch if _reads_data(builder, call.name) else None, setting)
        return float(setting.network.macs) * passes_of(builder, call.name, call.parameters) * examples

    return builder.once("scoring cost", (setting, form, call), (), make)


def passes_of(builder: Builder, scorer: str, parameters: Mapping[str, Any]) -> float:
    """Return what a scorer costs, in forward passes for each example."""
    component = cast(Scorer, builder.host.get("scorers", scorer))

    def ask() -> float:
        with builder.host.calling("scorers", scorer):
            return component.cost(parameters)

    return builder.once("passes", (), (scorer, canonical(parameters)), ask)


def _reads_data(builder: Builder, scorer: str) -> bool:
    return cast(Scorer, builder.host.get("scorers", scorer)).needs == "batch"


def scoring_examples(batch: Batch | None, setting: Setting) -> int:
    """Return how many examples a scoring batch holds; 1, an input of the scorer's own, without one."""
    if batch is None:
        return 1
    if batch.examples is not None:
        return batch.examples
    assert batch.per_class is not None
    return batch.per_class * setting.data.classes
