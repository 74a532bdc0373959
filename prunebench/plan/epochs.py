"""The masks that a method would have made at each epoch of its scored network's training: for measures."""

from __future__ import annotations

import math
from dataclasses import dataclass

from prunebench.plan.builder import Builder
from prunebench.plan.job import Job
from prunebench.plan.params import MaskOfState, ScoreParams, TrainParams
from prunebench.plan.runs import state_at
from prunebench.plan.setting import Setting

__all__ = ["ByEpoch", "masks_by_epoch"]


@dataclass(frozen=True, slots=True)
class ByEpoch:
    """The epochs, and the keys of what a measure by epoch reads: the cell's own mask, then those of the
    other epochs, in order."""

    epochs: tuple[int, ...]
    inputs: tuple[str, ...]


def masks_by_epoch(builder: Builder, setting: Setting, mask: str) -> ByEpoch | None:
    """Add the jobs that make a mask as it would be at each epoch of the scored training.

    The states are of the run that is scored anyway, which passes them on its way, so that nothing more is
    trained. Of one shot, and of a chain's first level, each is the very job of a method that scores at that
    epoch: `score_at = {epoch = n}`. At later levels the run is the training of the level before, whose mask
    was made where the method scores; a chain that scores at epoch n has other masks there. Of a mask that
    was altered it is the one before.

    None where nothing is scored before the network trains, or where the layers' counts are another method's.
    """
    return builder.once("by epoch", (setting,), (mask,), lambda: _by_epoch(builder, setting, mask))


def _by_epoch(builder: Builder, setting: Setting, mask: str) -> ByEpoch | None:
    made = _unaltered(builder, mask)
    if isinstance(made.params, MaskOfState) or len(made.inputs) != 1:
        return None
    source = builder.jobs[made.inputs[0]]
    scored = source.inputs[0] if isinstance(source.params, ScoreParams) else source.key
    params = builder.jobs[scored].params_as(TrainParams)
    length = params.run.recipe.steps_per_epoch(setting.data.examples)
    epochs = range(math.ceil(params.run.start / length), params.step // length + 1)

    def at(step: int) -> str:
        state = state_at(builder, setting, scored, step)
        if source.key == scored:
            return builder.add(made.params, (state,), cost=builder.costs[made.key])
        scores = builder.add(source.params, (state,), cost=builder.costs[source.key])
        return builder.add(made.params, (scores,), cost=builder.costs[made.key])

    others = [at(epoch * length) for epoch in epochs if epoch * length != params.step]
    return ByEpoch(tuple(epochs), (made.key, *others))


def _unaltered(builder: Builder, mask: str) -> Job:
    job = builder.jobs[mask]
    while job.kind == "shuffle":
        job = builder.jobs[job.inputs[0]]
    return job
