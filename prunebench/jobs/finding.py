"""What a mask tells of the network by whose scores it was made, which may be gone when that is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prunebench.errors import UsageError
from prunebench.jobs.context import Context
from prunebench.jobs.states import mask_from
from prunebench.store import Artifact
from prunebench.training.finding import Finding, ScoredNetwork

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


def finding_of(context: Context, mask: Artifact, first: Artifact | None = None) -> Finding:
    """Return what a mask, and the first mask of its chain, tell of the networks that were scored for them.

    Raises: UsageError for a mask that an earlier version of prunebench has made, whose network is gone.
    """
    scored = _network(context, mask)
    return Finding(scored, scored if first is None else _network(context, first))


def _network(context: Context, mask: Artifact) -> ScoredNetwork:
    told = told_of_network(mask.meta)
    if not told:
        state = context.store.artifact_meta(mask.meta["scored"]["key"])
        if state is None:
            raise UsageError(
                f"mask {mask.key[:12]} was made by an earlier version of prunebench, and does not tell how "
                "accurate the network was that it was made of; that network is not in the store any more: "
                "run the suite into another store to have it measured"
            )
        told = told_of_network(state)
    prunable = mask.meta["prunable"]
    kept = mask_from(mask, "outer").kept if "outer_shapes" in mask.meta else prunable
    return ScoredNetwork.of(told[_TOLD], kept=kept, prunable=prunable)
