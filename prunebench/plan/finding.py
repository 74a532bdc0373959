"""Which masks tell of the networks that a cell's own mask was found in: for measures of these."""

from __future__ import annotations

from prunebench.plan.builder import Builder
from prunebench.plan.params import MaskInRounds, MaskOfScores, ShuffleParams, TrainParams

__all__ = ["masks_that_tell"]


def masks_that_tell(builder: Builder, mask: str | None) -> tuple[str, ...]:
    """Return the key of the mask that a method made, and of the first of its chain where that is another.

    A mask tells of the network whose scores it was made of, and it stays in the store when that network goes.
    The first one of a chain was made of the unpruned network. There are none where a network is pruned while
    it trains: no network was scored before.
    """
    own = first = _made(builder, mask)
    while first is not None and (before := _made(builder, _worn(builder, first))) is not None:
        first = before
    return () if own is None or first is None else (own,) if own == first else (own, first)


def _made(builder: Builder, mask: str | None) -> str | None:
    """Return the mask before it was shuffled; None where it is that of no scores."""
    while mask is not None and isinstance(builder.jobs[mask].params, ShuffleParams):
        mask = builder.jobs[mask].inputs[0]
    if mask is None or not isinstance(builder.jobs[mask].params, MaskOfScores | MaskInRounds):
        return None
    return mask


def _worn(builder: Builder, mask: str) -> str | None:
    """Return the mask that the network had on that was scored for this one."""
    state = builder.jobs[mask]
    while not isinstance(state.params, TrainParams):
        state = builder.jobs[state.inputs[0]]
    return state.params.run.mask
