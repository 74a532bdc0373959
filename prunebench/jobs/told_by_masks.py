"""What a mask tells of the network by whose scores it was made, which may be gone when that is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from prunebench.isolation import isolated
from prunebench.jobs.context import Context, log
from prunebench.jobs.states import mask_from, unpack_state
from prunebench.plan.params import TrainParams
from prunebench.store import Artifact
from prunebench.training.scored_network import Finding, ScoredNetwork
from prunebench.training.step import placed
from prunebench.training.tasks import CLASSIFICATION, TASKS

__all__ = ["finding_of", "told_of_network"]

_TOLD = "scored_network"
"""In the provenance of scores and masks, outside their digests: what is told of the network."""


def told_of_network(source: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told of the network that was scored, by the metadata of a state, of scores or a mask.

    That is the step at which it was, and the last point of its curve; nothing where the source does not know.
    """
    if source.get("kind") != "state":
        told = (source.get("provenance") or {}).get(_TOLD)
        return {} if told is None else {_TOLD: told}
    curve = source.get("curve")
    return {_TOLD: {"step": source["step"], **({"last": curve[-1]} if curve else {})}}


def finding_of(context: Context, mask: Artifact, *others: Artifact) -> Finding:
    """Return what a mask, and the first mask of its chain, tell of the networks that were scored for them.

    The unpruned network is evaluated here where its state is among the others: between the evaluations of its
    recipe.

    Nothing is told of how accurate a network was that is gone, and whose mask an earlier version has made.
    """
    first = next((one for one in others if one.meta.get("kind") != "state"), mask)
    state = next((one for one in others if one.meta.get("kind") == "state"), None)
    unpruned = _network(context, first, None if state is None else _evaluated(context, state))
    return Finding(unpruned if first is mask else _network(context, mask), unpruned)


def _evaluated(context: Context, state: Artifact) -> dict[str, Any]:
    """Return what is told of an unpruned network whose run was not evaluated at its step."""
    run = context.jobs[state.key].params_as(TrainParams).run
    module = context.network(run.architecture, None, run.seed)
    unpack_state(state).load_into(module)
    data = context.data(run.data, context.device, run.seed).limited(run.recipe.limit)
    with isolated(context.host.who("architectures", run.architecture.name)):
        network, channels_last = placed(module, torch.device(context.device))
        point = TASKS[run.data.task or CLASSIFICATION].evaluate(network, data, channels_last)
    step = state.meta["step"]
    return {_TOLD: {"step": step, "last": {"step": step, **point}}}


def _network(context: Context, mask: Artifact, evaluated: dict[str, Any] | None = None) -> ScoredNetwork:
    told = evaluated or told_of_network(mask.meta)
    if not told:  # made by an earlier version: its network may be there still
        key = mask.meta["scored"]["key"]
        state = context.store.artifact_meta(key)
        if state is None:
            log.warning(
                "mask %s was made by an earlier version of prunebench, and does not tell how accurate the "
                "network was that it was made of, which is gone: the measure has no accuracy of it",
                mask.key[:12],
            )
        told = {_TOLD: {"step": int(key.partition("@")[2])}} if state is None else told_of_network(state)
    prunable = mask.meta["prunable"]
    kept = mask_from(mask, "outer").kept if "outer_shapes" in mask.meta else prunable
    return ScoredNetwork.of(told[_TOLD], kept=kept, prunable=prunable)
