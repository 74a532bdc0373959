"""The mask that a form makes of the network at hand: how much is kept, in which rounds, in which layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from prunebench.api.arguments import host_of, method_of, refuse_mask, refuse_parameters, refuse_training
from prunebench.api.network import GivenNetwork
from prunebench.errors import UsageError
from prunebench.host.borrowed import clash, donor, no_counts, regrowth_call
from prunebench.host.components import Scorer
from prunebench.host.form import Form, Like
from prunebench.pruning import Mask, MaskForm, Regrow, kept_count, make_mask, shuffle_mask
from prunebench.pruning.filters import shuffle_filters
from prunebench.pruning.filters.rounds import groups_for
from prunebench.schedules import Removal
from prunebench.training.streams import stream

__all__ = ["mask_of"]


def mask_of(network: GivenNetwork, form: Form, scorer: Scorer, who: str, density: float) -> Mask:
    """Return a form's mask of the network at hand."""
    refuse_training(form, who)
    scoring = network.scoring(scorer, form)
    groups = groups_for(network.model, scoring) if form.unit == "filter" else None
    there, prunable = network.there(scoring, groups)
    allocation: Any = form.allocation
    if isinstance(allocation, Like):
        allocation = _counts_like(network, form, allocation, density)
    mask_form = MaskForm(
        kept_count(density, prunable),
        keep=form.keep,
        allocation=allocation,
        rounds=_rounds(form, prunable, density),
        density=density,
        regrowth=_regrow(form, scorer, network.plugins),
        unit="weight" if groups is None else "filter",
    )
    made = make_mask(
        network.model,
        mask_form,
        scoring,
        mask=there,
        groups=groups,
        rng=stream(network.seed, "scores"),
        warn=network.said.append,
    )
    if "shuffle" not in form.alter:
        return made
    draws = stream(network.seed, "shuffle")
    return shuffle_mask(made, draws, there) if groups is None else shuffle_filters(made, groups, draws, there)


def _rounds(form: Form, prunable: int, density: float) -> Callable[[int], Sequence[int]] | None:
    """Return how many weights a form keeps after each round, of how many are there; None for one shot."""
    target, schedule = kept_count(density, prunable), form.schedule
    if schedule.counts(Removal(prunable, prunable, target, density)) is None:
        return None
    return lambda there: schedule.checked_counts(Removal(prunable, there, target, density)) or ()


def _regrow(form: Form, scorer: Scorer, plugins: tuple[Path | str, ...]) -> Regrow | None:
    """Return what lets removed weights return between rounds, where a form says so."""
    if form.regrowth == "none":
        return None
    call = regrowth_call(form)
    other = cast(Scorer, host_of(plugins).get("scorers", call.name))
    refuse_parameters(other, call.parameters)
    why = clash(scorer, other)
    if why:
        raise UsageError(f"regrowth: scorer {why}")
    parameters = {**other.parameters, **call.parameters}
    return Regrow(other.function, parameters, form.regrowth.every or 1, f"scorer '{other.name}'")


def _counts_like(network: GivenNetwork, form: Form, like: Like, density: float) -> dict[str, int]:
    """Return how many weights each layer keeps under another method, or this one with changes."""
    refuse_mask(like)
    base, changes = donor(form, like, host_of(network.plugins))
    try:
        other = base.changed(**changes)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(("allocation", "like", *map(str, first["loc"])))
        raise UsageError(f"{where}: {first['msg']} (found {first['input']!r:.80})") from None
    called = f"method '{like.like}'" if isinstance(like.like, str) else "the method"
    if reason := no_counts(other, form.unit):
        raise UsageError(f"allocation.like: {called} {reason}")
    other, scorer, who = method_of(other, network.batch, network.plugins, called)
    return mask_of(network, other, scorer, who, density).counts()
