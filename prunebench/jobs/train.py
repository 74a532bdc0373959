"""Train a run to a step, from the latest state of that run that the store holds."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from prunebench import stopping
from prunebench.isolation import isolated
from prunebench.jobs.binding import state_of
from prunebench.jobs.context import Context, log
from prunebench.jobs.policies import gradual_mask
from prunebench.jobs.states import mask_from, pack_state, unpack_state
from prunebench.plan.job import Job
from prunebench.plan.params import FromInit, TrainParams
from prunebench.store import Damaged, Missing, Store
from prunebench.training.loop import train
from prunebench.training.numerics import numerics_class
from prunebench.training.state import State

__all__ = ["run_train"]


class _Checkpoints:
    """Commits a checkpoint now and then, and when told to stop; only a run's newest is kept."""

    def __init__(self, job: Job, context: Context, meta: Mapping[str, Any]) -> None:
        self._run, self._context, self._meta = job.params_as(TrainParams).run_key, context, meta
        self._last = time.monotonic()

    def due(self, step: int) -> bool:
        return stopping.requested() or time.monotonic() - self._last >= self._context.checkpoint_seconds

    def save(self, state: State) -> None:
        run, store = self._run, self._context.store
        tensors, meta = pack_state(state)
        store.write_artifact(f"{run}@{state.step}", tensors, {**self._meta, **meta}, checkpoint=True)
        _drop_checkpoints(run, state.step, store)
        self._last = time.monotonic()
        log.info("checkpoint at step %d", state.step)
        stopping.check()


def _drop_checkpoints(run: str, before: int, store: Store) -> None:
    """Drop the checkpoints of a run before a step, whoever left them."""
    for at, is_checkpoint in store.states(run):
        if is_checkpoint and at < before:
            store.drop_artifact(f"{run}@{at}", checkpoint=True)


def run_train(job: Job, context: Context) -> None:
    """Commit the state of a run at a step.

    A loss that is not finite ends the run; its state is committed as diverged, without tensors, naming run
    and step, and everything that is made from it is diverged too.
    """
    params, device = job.params_as(TrainParams), context.device
    run, step = params.run, params.step
    provenance: dict[str, Any] = {"numerics": numerics_class(device, context.threads)}
    meta: dict[str, Any] = {"kind": "state", "run": params.run_key, "step": step}
    start = _start(job, context)
    state, meta["made_from"] = start.state, start.made_from
    if state is None:
        log.info("diverged: %s", start.diverged)
        inherited = {"diverged": start.diverged, "curve": start.curve, "provenance": provenance}
        context.store.write_artifact(job.key, {}, {**meta, **inherited})
        return
    log.info("from step %d to step %d", state.step, step)
    began, begun_at = time.monotonic(), state.step
    with contextlib.ExitStack() as stack:
        if step > state.step or start.unfinished:
            module = context.network(run.architecture, None, run.seed)
            data = context.data(run.data, device)
            provenance["normalization"] = {"mean": list(data.mean), "std": list(data.std)}
            policy = gradual_mask(run.policy, module, context) if run.policy else None
            # told to stop, the loop commits a checkpoint of the step that it is at
            stack.enter_context(stopping.held())
            with isolated(context.host.who("architectures", run.architecture.name)):
                state = train(
                    module,
                    state,
                    run.recipe,
                    data,
                    seed=run.seed,
                    to_step=step,
                    device=device,
                    policy=policy,
                    on_step=_reporter(job, context),
                    checkpoint=_Checkpoints(job, context, {**meta, "provenance": dict(provenance)}),
                )
        provenance["time"] = {
            "train_seconds": round(time.monotonic() - began, 3),
            "trained_steps": state.step - begun_at,
        }
        tensors, packed = pack_state(state)
        if state.diverged is not None:
            where = {"run": params.run_key, "step": state.diverged}
            log.warning("diverged: the loss of step %d is not finite", state.diverged)
            tensors, meta["diverged"] = {}, where
            packed = {"curve": state.curve}
        meta |= {**packed, "step": step, "provenance": provenance}
        context.store.write_artifact(job.key, tensors, meta)
        _drop_checkpoints(params.run_key, step + 1, context.store)


def _reporter(job: Job, context: Context) -> Any:
    if context.progress is None:
        return None
    progress = context.progress
    return lambda step, to_step: progress(job, step, to_step)


class _Start(NamedTuple):
    """What a run goes on from: a state; or where it, or what it descends from, diverged."""

    state: State | None
    made_from: dict[str, str]
    diverged: Mapping[str, Any] | None = None
    curve: Sequence[Mapping[str, Any]] = ()
    """Of this very run as far as it came; empty where divergence is inherited from another run."""
    unfinished: bool = False
    """True if it is a checkpoint: its step may still lack its evaluation."""


def _start(job: Job, context: Context) -> _Start:
    """Return the latest state of the run that the store holds, or its origin."""
    params = job.params_as(TrainParams)
    run_key, step = params.run_key, params.step
    for at, is_checkpoint in reversed(context.store.states(run_key)):
        if at > step:
            continue
        try:
            found = context.store.read_artifact(
                f"{run_key}@{at}", checkpoint=is_checkpoint, fits=state_of(run_key, at)
            )
        except (Missing, Damaged) as error:
            log.warning("%s", error)
            continue
        made_from = dict(found.meta.get("made_from", {}))
        if found.meta.get("diverged"):
            return _Start(None, made_from, found.meta["diverged"], found.meta["curve"])
        log.info("going on from the %s at step %d", "checkpoint" if is_checkpoint else "state", at)
        return _Start(unpack_state(found), made_from, unfinished=is_checkpoint)
    return _origin(job, context)


def _origin(job: Job, context: Context) -> _Start:
    run = job.params_as(TrainParams).run
    inputs = {key: context.read(key) for key in job.inputs}
    made_from = {key: artifact.digest for key, artifact in inputs.items()}
    for artifact in inputs.values():
        if artifact.meta.get("diverged"):
            return _Start(None, made_from, artifact.meta["diverged"])
    mask = mask_from(inputs[run.mask]) if run.mask else None
    if isinstance(run.origin, FromInit):
        module = context.network(run.architecture, run.origin.init, run.seed)
        state = State.of(module, mask=mask, step=run.start)
    else:
        before = unpack_state(inputs[run.origin.state])
        state = State(
            parameters=before.parameters,
            buffers=before.buffers,
            slots=before.slots if run.carry_momentum else {},
            mask=mask,
            step=run.start,
        )
    return _Start(state, made_from)
