"""Which masks, and which state, tell of the networks that were scored for a method."""

from __future__ import annotations

from prunebench.plan.builder import Builder
from prunebench.plan.params import MaskInRounds, MaskOfScores, ShuffleParams, TrainParams
from prunebench.plan.setting import Setting

__all__ = ["what_tells"]


def what_tells(builder: Builder, setting: Setting, mask: str | None) -> tuple[str, ...]:
    """Return the key of the mask that a method made, and of the first of its chain where that is another.

    A mask tells of the network whose scores it was made of, and it stays in the store when that network goes.
    The first one of a chain was made of the unpruned network; that state, which stays too, is the last key
    where its recipe evaluates no network at that step. There are none where a network is pruned while it
    trains: no network was scored before.
    """
    own = first = _made(builder, mask)
    while first is not None and (before := _made(builder, _scored(builder, first)[1].run.mask)) is not None:
        first = before
    if own is None or first is None:
        return ()
    state, params = _scored(builder, first)
    recipe, examples = params.run.recipe, setting.data.examples
    is_told = params.step == 0 or recipe.evaluates_at(params.step, examples) or params.run.mask is not None
    return (own, *([first] if first != own else []), *([] if is_told else [state]))


def _made(builder: Builder, mask: str | None) -> str | None:
    """Return the mask before it was shuffled; None where it is that of no scores."""
    while mask is not None and isinstance(builder.jobs[mask].params, ShuffleParams):
        mask = builder.jobs[mask].inputs[0]
    if mask is None or not isinstance(builder.jobs[mask].params, MaskOfScores | MaskInRounds):
        return None
    return mask


def _scored(builder: Builder, mask: str) -> tuple[str, TrainParams]:
    """Return the key of the state that was scored for a mask, and what its job is asked."""
    state = builder.jobs[mask]
    while not isinstance(state.params, TrainParams):
        state = builder.jobs[state.inputs[0]]
    return state.key, state.params
