"""Train a run to a step, from the latest state of that run that the store holds.

`start`, `advance` and `commit` are three calls with a plain value between them, so that another loop can
stand in the middle: whatever brings a run's state to the job's step by the same arithmetic commits the same
artifact.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from prunebench import stopping
from prunebench.errors import ComponentError, UsageError
from prunebench.isolation import isolated
from prunebench.jobs.binding import state_of
from prunebench.jobs.context import Context, log
from prunebench.jobs.policies import policy_of
from prunebench.jobs.states import mask_from, pack_state, trained_by, unpack_state
from prunebench.plan.job import Job
from prunebench.plan.params import FromInit, TrainParams
from prunebench.store import Damaged, Missing, Store
from prunebench.training.devices import ALONE
from prunebench.training.loop import train
from prunebench.training.numerics import in_turn, numerics_class
from prunebench.training.state import State

if TYPE_CHECKING:
    import torch
    from torch import nn

    from prunebench.training.images.data import Data
    from prunebench.training.policy import MaskPolicy

__all__ = ["Progress", "advance", "commit", "help_train", "run_train", "start"]


SHARE, LONGEST = 0.02, 1800.0
"""Checkpoints take at most this share of a training's time, but are not rarer than so many seconds."""


@dataclass(frozen=True)
class Progress:
    """How far a run has come: a state; or where it, or what it descends from, diverged before."""

    state: State | None
    made_from: Mapping[str, str]
    """{key: digest} of what it began with."""
    diverged: Mapping[str, Any] | None = None
    """Run and step, where there is no state."""
    curve: Sequence[Mapping[str, Any]] = ()
    """Where there is no state: of this very run; empty where another run diverged."""
    unfinished: bool = False
    """True if the state is a checkpoint: its step may still lack its evaluation."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """What is said of how the state was made: numerics class, normalization, time."""
    trained: str | None = None
    """The numerics classes that trained what led to it, in its own run and those that this descends from."""


def run_train(job: Job, context: Context) -> None:
    """Commit the state of a run at a step.

    A loss that is not finite ends the run; its state is committed as diverged, without tensors, naming run
    and step, and everything that is made from it is diverged too.
    """
    params = job.params_as(TrainParams)
    if params.run.recipe.devices is not None and context.devices is None and params.step > params.run.start:
        start(job, context)  # what cannot be read is made again by this worker
        _run_together(job, context, params.run.recipe.devices)
        return
    progress = start(job, context)
    if context.devices is not None:
        context.devices.given((progress.state, _is_behind(progress, params.step)))
    with stopping.held():  # told to stop in its last step, the run is committed all the same
        commit(job, context, advance(job, context, progress))


def help_train(job: Job, context: Context) -> None:
    """Train along with the first of several devices, which runs the job; nothing is kept here."""
    assert context.devices is not None
    state, behind = context.devices.given(None)
    if state is not None and behind:
        params = job.params_as(TrainParams)
        _train(job, context, state, params.step, *_prepared(job, context))


def _run_together(job: Job, context: Context, count: int) -> None:
    """Run a job on several devices. Raises: UsageError where nothing here starts processes for them."""
    if context.together is None:
        raise UsageError(f"devices = {count}: whoever runs this job starts no processes for several devices")
    context.together(job, count)
    if not context.store.has_artifact(job.key):
        raise ComponentError("the processes that trained it together have ended without its state")


def start(job: Job, context: Context) -> Progress:
    """Return the latest state of the job's run that the store holds, or its origin.

    Raises: Missing, Damaged, InputRefused or InputChanged where what the run begins with cannot be read.
    """
    params = job.params_as(TrainParams)
    return _stored(params.run_key, params.step, context) or _origin(job, context)


def advance(job: Job, context: Context, progress: Progress, to_step: int | None = None) -> Progress:
    """Train a run on from where it is to a step, by default the job's, leaving checkpoints on the way.

    A run that has diverged is returned as it is. Raises: Stopped, after a checkpoint, when told to stop.
    """
    state, params = progress.state, job.params_as(TrainParams)
    step = params.step if to_step is None else to_step
    if state is None:
        numerics = progress.trained or numerics_class(context.device, context.threads)
        return replace(progress, provenance={"numerics": numerics})
    log.info("from step %d to step %d", state.step, step)
    began, provenance = time.monotonic(), dict(progress.provenance)
    if _is_behind(progress, step):
        prepared = _prepared(job, context)
        data = prepared[1]
        provenance["normalization"] = {"mean": list(data.mean), "std": list(data.std)}
        checkpoints = _Checkpoints(job, context, replace(progress, provenance=provenance))
        state = _train(job, context, state, step, *prepared, checkpoints)
    provenance |= _trained(progress, context, state)
    spent = provenance.get("time", {"train_seconds": 0.0, "trained_steps": 0})
    assert progress.state is not None
    provenance["time"] = {
        "train_seconds": round(spent["train_seconds"] + time.monotonic() - began, 3),
        "trained_steps": spent["trained_steps"] + state.step - progress.state.step,
    }
    return replace(
        progress, state=state, unfinished=False, provenance=provenance, trained=provenance.get("trained")
    )


def _trained(progress: Progress, context: Context, state: State) -> dict[str, str]:
    """Return for the provenance of a state which numerics classes trained what led to it, in their turn.

    Those of all runs that it descends from; where nothing was trained yet, that of this process alone.
    """
    now, trained = numerics_class(context.device, context.threads, state.kernels), progress.trained
    assert progress.state is not None
    if state.step > progress.state.step or progress.unfinished:  # an evaluation that lacked is computed, too
        trained = in_turn(trained, now)
    return {"numerics": trained or now, **({"trained": trained} if trained else {})}


def _is_behind(progress: Progress, step: int) -> bool:
    """True if there is something to train, or to evaluate, on the way to a step."""
    return progress.state is not None and (step > progress.state.step or progress.unfinished)


def _prepared(job: Job, context: Context) -> tuple[nn.Module, Data, MaskPolicy]:
    """Return the network, the data and the policy of a job's run."""
    run = job.params_as(TrainParams).run
    with stopping.released():
        module = context.network(run.architecture, None, run.seed)
        data = context.data(run.data, context.device, run.seed).limited(run.recipe.limit)
        return module, data, policy_of(run, module, context)


def _train(
    job: Job,
    context: Context,
    state: State,
    step: int,
    module: nn.Module,
    data: Data,
    policy: MaskPolicy,
    checkpoints: _Checkpoints | None = None,
) -> State:
    """Train from a state to a step; told to stop, the loop commits a checkpoint of the step that it is at."""
    params = job.params_as(TrainParams)
    with stopping.held(), isolated(context.host.who("architectures", params.run.architecture.name)):
        return train(
            module,
            state,
            params.recipe,
            data,
            seed=params.run.seed,
            to_step=step,
            device=context.device,
            policy=policy,
            on_step=_reporter(job, context),
            checkpoint=checkpoints,
            devices=context.devices or ALONE,
            kernels=context.kernels,
        )


def commit(job: Job, context: Context, progress: Progress) -> None:
    """Write the job's artifact: the state that its run has come to, or where it diverged.

    Raises: ValueError where the state is not at the job's step.
    """
    params, state = job.params_as(TrainParams), progress.state
    tensors: dict[str, torch.Tensor] = {}
    meta: dict[str, Any]
    if state is None:
        log.info("diverged: %s", progress.diverged)
        meta = {"diverged": progress.diverged, "curve": progress.curve}
    elif state.diverged is not None:
        log.warning("diverged: the loss of step %d is not finite", state.diverged)
        where = {"run": params.run_key, "step": state.diverged}
        meta = {"diverged": where, "curve": state.curve}
    elif state.step != params.step:
        raise ValueError(f"a state at step {state.step} is not the one at step {params.step}")
    else:
        tensors, meta = pack_state(state)
    context.store.write_artifact(job.key, tensors, {**_meta(params, progress), **meta, "step": params.step})
    _drop_checkpoints(params.run_key, params.step + 1, context.store)


def _meta(params: TrainParams, progress: Progress) -> dict[str, Any]:
    """Return what the metadata of every state of a run hold."""
    return {
        "kind": "state",
        "run": params.run_key,
        "made_from": progress.made_from,
        "provenance": dict(progress.provenance),
    }


class _Checkpoints:
    """Commits a checkpoint now and then, and when told to stop; only a run's newest is kept."""

    def __init__(self, job: Job, context: Context, progress: Progress) -> None:
        params = job.params_as(TrainParams)
        self._params, self._context, self._progress = params, context, progress
        self._last = time.monotonic()
        self._took = 0.0

    def due(self, step: int) -> bool:
        return stopping.requested() or time.monotonic() - self._last >= self._interval()

    def _interval(self) -> float:
        """Return the seconds between two: more where the last one took long, on a slow disk, say."""
        wanted = self._context.checkpoint_seconds
        return max(wanted, min(self._took / SHARE, LONGEST)) if wanted else 0.0

    def save(self, state: State) -> None:
        began = time.monotonic()
        run, store = self._params.run_key, self._context.store
        tensors, meta = pack_state(state)
        provenance = {**self._progress.provenance, **_trained(self._progress, self._context, state)}
        of_run = _meta(self._params, replace(self._progress, provenance=provenance))
        store.write_artifact(f"{run}@{state.step}", tensors, {**of_run, **meta}, checkpoint=True)
        _drop_checkpoints(run, state.step, store)
        self._last = time.monotonic()
        self._took = self._last - began
        log.info("checkpoint at step %d", state.step)
        stopping.check()


def _drop_checkpoints(run: str, before: int, store: Store) -> None:
    """Drop the checkpoints of a run before a step, whoever left them."""
    for at, is_checkpoint in store.states(run):
        if is_checkpoint and at < before:
            store.drop_artifact(f"{run}@{at}", checkpoint=True)


def _reporter(job: Job, context: Context) -> Any:
    if context.progress is None:
        return None
    progress = context.progress
    return lambda step, to_step: progress(job, step, to_step)


def _stored(run: str, step: int, context: Context) -> Progress | None:
    """Return the latest state of a run up to a step that the store holds whole, or None."""
    for at, is_checkpoint in reversed(_states(run, step, context)):
        try:
            artifact = context.store.read_artifact(
                f"{run}@{at}", checkpoint=is_checkpoint, fits=state_of(run, at)
            )
        except (Missing, Damaged) as error:
            log.warning("%s", error)
            continue
        made_from, trained = dict(artifact.meta.get("made_from", {})), trained_by(artifact.meta)
        if artifact.meta.get("diverged"):
            diverged, curve = artifact.meta["diverged"], artifact.meta["curve"]
            return Progress(None, made_from, diverged, curve, trained=trained)
        log.info("going on from the %s at step %d", "checkpoint" if is_checkpoint else "state", at)
        return Progress(unpack_state(artifact), made_from, unfinished=is_checkpoint, trained=trained)
    return None


def _states(run: str, step: int, context: Context) -> list[tuple[int, bool]]:
    """Return the states of a run up to a step: those that are listed, and those of the plan that are there.

    On a network a listing may lag behind, and a training would begin anew that another machine has just
    brought far.
    """
    listed = [state for state in context.store.states(run) if state[0] <= step]
    unlisted = [at for at in context.steps(run) if at <= step and (at, False) not in listed]
    return sorted(listed + [(at, False) for at in unlisted if context.store.has_artifact(f"{run}@{at}")])


def _origin(job: Job, context: Context) -> Progress:
    """Return the state that the job's run begins with."""
    run = job.params_as(TrainParams).run
    inputs = {key: context.read(key) for key in job.inputs}
    made_from = {key: artifact.digest for key, artifact in inputs.items()}
    trained = in_turn(*(trained_by(artifact.meta) for artifact in inputs.values()))
    for artifact in inputs.values():
        if artifact.meta.get("diverged"):
            return Progress(None, made_from, artifact.meta["diverged"], trained=trained)
    mask = mask_from(inputs[run.mask]) if run.mask else None
    if isinstance(run.origin, FromInit):
        module = context.network(run.architecture, run.origin.init, run.seed)
        return Progress(State.of(module, mask=mask, step=run.start), made_from, trained=trained)
    before = unpack_state(inputs[run.origin.state])
    state = State(
        parameters=before.parameters,
        buffers=before.buffers,
        slots=before.slots if run.carry_momentum else {},
        mask=mask,
        step=run.start,
    )
    return Progress(state, made_from, trained=trained)
