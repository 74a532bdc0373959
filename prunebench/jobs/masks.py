"""Score a state, make a mask of scores or in rounds, shuffle a mask."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from prunebench.host.components import Scorer
from prunebench.jobs.context import Context, log
from prunebench.jobs.scoring import blaming_divergence, network_of, scoring_of
from prunebench.jobs.states import mask_from, mask_layers, mask_tensors, trained_by, unpack_state
from prunebench.jobs.told_by_masks import told_of_network
from prunebench.plan.job import Job
from prunebench.plan.params import (
    Filters,
    MaskInRounds,
    MaskOfScores,
    MaskOfState,
    RegrowthUse,
    ScoreParams,
    ShuffleParams,
)
from prunebench.pruning import Mask, MaskForm, Regrow, make_mask, score_network, shuffle_mask
from prunebench.pruning.degenerate import emptied_layers
from prunebench.pruning.filters import FilterGroups, shuffle_filters
from prunebench.store import Artifact
from prunebench.training.numerics import in_turn
from prunebench.training.policy import DivergedError
from prunebench.training.streams import stream

__all__ = ["run_mask", "run_score", "run_shuffle"]

Inputs = list[Artifact]
Output = tuple[dict[str, Any], dict[str, Any]]
"""Tensors and metadata."""

_BY_POSITION = "by_position"
"""In a mask's provenance: how many of its weights were chosen by position, as their scores were equal."""


def _committed(make: Callable[[Job, Context, Inputs], Output]) -> Callable[[Job, Context], None]:
    """Commit what `make` makes of a job's inputs; or that one of them diverged, or is found to have."""

    @functools.wraps(make)
    def run(job: Job, context: Context) -> None:
        inputs = [context.read(key) for key in job.inputs]
        first = inputs[0]
        meta: dict[str, Any] = {
            "kind": job.kind,
            "made_from": {source.key: source.digest for source in inputs},
            "scored": first.meta.get("scored") or {"key": first.key, "digest": first.digest},
        }
        tensors: dict[str, Any] = {}
        diverged = next((source.meta["diverged"] for source in inputs if source.meta.get("diverged")), None)
        if diverged is None:
            try:
                began = time.monotonic()
                tensors, more = make(job, context, inputs)
                by_position = more.pop(_BY_POSITION, 0)
                spent: dict[str, Any] = _spent(job, inputs, time.monotonic() - began)
                meta |= {**more, "provenance": spent | ({_BY_POSITION: by_position} if by_position else {})}
                meta["provenance"] |= told_of_network(first.meta)
                trained = in_turn(*(trained_by(source.meta) for source in inputs))
                meta["provenance"] |= {"trained": trained} if trained else {}
            except DivergedError:
                diverged = {"run": first.meta["run"], "step": first.meta["step"]}
        context.store.write_artifact(job.key, tensors, {**meta, "diverged": diverged} if diverged else meta)

    return run


def _spent(job: Job, inputs: Inputs, seconds: float) -> dict[str, Any]:
    """Return the seconds of this job and of the scores and masks that it is made of, by key.

    Nothing where a state has been pruned before: what that took is not known here.
    """
    spent: dict[str, float] = {job.key: round(seconds, 3)}
    for source in inputs:
        before = (source.meta.get("provenance") or {}).get("scoring_seconds")
        if source.meta.get("kind") in ("score", "mask", "shuffle"):
            if before is None:
                return {}
            spent |= before
        elif source.meta.get("mask_shapes"):
            return {}
    return {"scoring_seconds": spent}


@_committed
def run_score(job: Job, context: Context, inputs: Inputs) -> Output:
    """Commit the scores of every prunable weight of a state."""
    params, state = job.params_as(ScoreParams), unpack_state(inputs[0])
    module, scoring = network_of(params, context, state), scoring_of(params, context)
    how: Any = {"mask": state.mask, "rng": stream(params.seed, "scores"), "warn": log.warning}
    with blaming_divergence(module, scoring, state.step):
        scores = score_network(module, scoring, groups=_groups(params.filters, context), **how)
    bits, shapes = _outer(state.mask)
    return {name: score.cpu().contiguous() for name, score in scores.items()} | bits, shapes


@_committed
def run_mask(job: Job, context: Context, inputs: Inputs) -> Output:
    """Commit the mask that keeps exactly the weights wanted: of scores, by rounds, or a state's own."""
    first, params = inputs[0], job.params
    tied: list[int] = []
    if isinstance(params, MaskOfState):
        tensors, meta = _packed(mask_from(first), _groups(params.filters, context))
        return tensors, {"history": first.meta.get("history", []), **meta}
    if isinstance(params, MaskInRounds):
        groups = _groups(params.filters, context)
        mask, outer = _in_rounds(params, context, inputs, groups, tied.append)
    else:
        asked = job.params_as(MaskOfScores)
        groups = _groups(asked.filters, context)
        form, outer = _form(asked, inputs, _outer_of(first)), _outer_of(first)
        scores = {name: tensor for name, tensor in first.tensors.items() if not name.startswith(f"{_OUTER}/")}
        how: Any = {"mask": outer, "warn": log.warning, "count": tied.append}
        mask = make_mask(scores, form, groups=groups, **how)
    empty = emptied_layers(mask, "the method")
    if empty:
        log.warning("%s", empty)
    tensors, meta = _packed(mask, groups)
    bits, shapes = _outer(outer)
    return tensors | bits, meta | shapes | {_BY_POSITION: sum(tied)}


@_committed
def run_shuffle(job: Job, context: Context, inputs: Inputs) -> Output:
    """Commit a mask with each layer's entries permuted at random: weights, or filters as they are tied."""
    params = job.params_as(ShuffleParams)
    within = None if params.whole_layers else _outer_of(inputs[0])
    mask, rng = mask_from(inputs[0]), stream(params.seed, "shuffle")
    groups = _groups(params.filters, context)
    if groups is None:
        shuffled = shuffle_mask(mask, rng, within)
    else:
        shuffled = shuffle_filters(mask, groups, rng, within)
    tensors, meta = _packed(shuffled, groups)
    before = (inputs[0].meta.get("provenance") or {}).get(_BY_POSITION, 0)
    return tensors, meta | {_BY_POSITION: before}


def _in_rounds(
    params: MaskInRounds,
    context: Context,
    inputs: Inputs,
    groups: FilterGroups | None,
    count: Callable[[int], Any],
) -> tuple[Mask, Mask | None]:
    """Return the mask of a state that is scored again and again, and the mask that the state had."""
    state, regrowth = unpack_state(inputs[0]), params.regrowth
    module = network_of(params.scoring, context, state)
    scoring = scoring_of(params.scoring, context, None if regrowth is None else regrowth.scorer)
    form = replace(
        _form(params, inputs, state.mask),
        rounds=params.counts_from,
        density=params.density,
        regrowth=None if regrowth is None else _regrow(regrowth, context),
    )
    how: Any = {"mask": state.mask, "rng": stream(params.scoring.seed, "scores"), "warn": log.warning}
    with blaming_divergence(module, scoring, state.step):
        mask = make_mask(module, form, scoring, groups=groups, count=count, **how)
    return mask, state.mask


def _form(params: MaskOfScores | MaskInRounds, inputs: Inputs, there: Mask | None) -> MaskForm:
    """Return which weights a mask keeps, of a network under the mask `there`.

    Of filters that may keep fewer than the target already: then none is removed.
    """
    allocation: Any = mask_from(inputs[1]).counts() if params.allocation == "like" else params.allocation
    if params.filters is None:
        return MaskForm(params.target, keep=cast(Any, params.keep), allocation=allocation)
    kept = params.target if there is None else min(params.target, there.kept)
    return MaskForm(kept, keep=cast(Any, params.keep), allocation=allocation, unit="filter")


def _groups(filters: Filters | None, context: Context) -> FilterGroups | None:
    return None if filters is None else context.groups(filters)


def _regrow(regrowth: RegrowthUse, context: Context) -> Regrow:
    """Return what lets removed weights return between rounds."""
    name = regrowth.scorer.name
    scorer, who = cast(Scorer, context.host.get("scorers", name)), context.host.who("scorers", name)
    return Regrow(scorer.function, regrowth.scorer.parameters, regrowth.every, who)


def _packed(mask: Mask, groups: FilterGroups | None) -> Output:
    """Return a mask as it is stored; of filters that go together with how many of each layer stay."""
    tensors, shapes = mask_tensors(mask)
    counts = {"kept": mask.kept, "prunable": mask.prunable, "layers": mask_layers(mask, groups)}
    return tensors, {"mask_shapes": shapes, **counts}


_OUTER = "outer"
"""What the mask is called that a state had when it was scored: what is made of its scores stays within it."""


def _outer(mask: Mask | None) -> Output:
    if mask is None:
        return {}, {}
    tensors, shapes = mask_tensors(mask, _OUTER)
    return tensors, {f"{_OUTER}_shapes": shapes}


def _outer_of(artifact: Artifact) -> Mask | None:
    return mask_from(artifact, _OUTER) if f"{_OUTER}_shapes" in artifact.meta else None
