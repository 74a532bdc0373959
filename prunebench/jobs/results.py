"""Measures of masks and states, and the record of a finished cell."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from prunebench.canonical import canonical
from prunebench.errors import ComponentError
from prunebench.faults import failure
from prunebench.host.components import Diagnostic
from prunebench.isolation import isolated
from prunebench.jobs.context import Context
from prunebench.jobs.provenance import provenance
from prunebench.jobs.states import mask_from, unpack_state
from prunebench.jobs.told_by_masks import finding_of
from prunebench.plan.job import Job
from prunebench.plan.params import MeasureParams, RecordParams
from prunebench.pruning import Mask
from prunebench.store import Artifact
from prunebench.training.course import Course

__all__ = ["run_measure", "run_record"]


def run_measure(job: Job, context: Context) -> None:
    """Commit a diagnostic of a mask, a state, a course or masks by epoch, beside the records."""
    params, source = job.params_as(MeasureParams), context.read(job.inputs[0])
    others = {key: context.meta(key) for key in job.inputs[1:]}
    seconds: Mapping[str, float] = {}
    result: dict[str, Any] = {
        "diagnostic": params.diagnostic.name,
        "of": params.of,
        "made_from": {source.key: source.digest, **{key: meta["digest"] for key, meta in others.items()}},
    }
    all_diverged = (meta.get("diverged") for meta in (*others.values(), source.meta))
    if diverged := next(filter(None, all_diverged), None):
        result |= {"outcome": "diverged", "diverged": diverged}
    else:
        value, seconds = _measured(params, context, source, job.inputs)
        result |= {"outcome": "finished", "value": value}
    how = {"seconds": seconds} if seconds else {}
    try:
        context.store.write_measure(job.key, result, provenance(context, how, result["diagnostic"]))
    except ValueError as error:  # what would not be read back: nested too deep, too long
        who = context.host.who("diagnostics", result["diagnostic"])
        raise ComponentError(f"{who} returns what no store keeps: {error}") from error


class _Masks(Mapping[int, Mask]):
    """Masks by epoch, each read when it is asked for: those of a hundred epochs are none to hold at once."""

    def __init__(self, keys: Mapping[int, str], context: Context) -> None:
        self._keys, self._context = keys, context

    def __getitem__(self, epoch: int) -> Mask:
        return mask_from(self._context.read(self._keys[epoch]))

    def __iter__(self) -> Iterator[int]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def _measured(
    params: MeasureParams, context: Context, source: Artifact, inputs: Sequence[str]
) -> tuple[Any, Mapping[str, float]]:
    """Return what a diagnostic says of a mask, by epoch of several, of a state, or of a scored network.

    Beside it stand the seconds that it measures, by name.

    Raises: ComponentError naming the diagnostic and its plugin where it fails or returns no plain JSON.
    """
    name, of, architecture = params.diagnostic.name, params.of, params.architecture
    diagnostic = cast(Diagnostic, context.host.get("diagnostics", name))
    module = context.network(architecture, None, 0).eval()
    mask = mask_from(source) if source.meta.get("mask_shapes") else None
    if of == "state":
        unpack_state(source).load_into(module)
    arguments: list[Any] = [module, mask, architecture.input]
    if params.course is not None:
        arguments.append(Course.of(params.course, source.meta.get("history", [])))
    if params.epochs is not None:
        arguments.append(_Masks(params.by_epoch(inputs), context))
    if of == "scored":
        arguments.append(finding_of(context, source, *map(context.read, inputs[1:])))
    who = context.host.who("diagnostics", name)
    with isolated(who):
        try:
            value = diagnostic.function(*arguments)
            seconds = {} if diagnostic.timing is None else dict(diagnostic.timing(*arguments[:3]))
        except Exception as error:  # whatever a plugin does
            raise ComponentError(failure(who, error)) from error
    try:
        canonical(value)
    except (TypeError, ValueError) as error:
        raise ComponentError(f"{who} must return plain JSON values with finite numbers: {error}") from error
    if not all(isinstance(name, str) and _is_time(time) for name, time in seconds.items()):
        raise ComponentError(f"{who}: its timing must return seconds above 0 by name; found {seconds!r:.80}")
    return value, seconds


def _is_time(value: Any) -> bool:
    return isinstance(value, float) and 0 < value < math.inf


def run_record(job: Job, context: Context) -> None:
    """Commit a finished cell: the last point of its end state's curve, and its mask's layers."""
    state_key = job.inputs[0]
    state = context.meta(state_key)
    result: dict[str, Any] = {
        "cell": job.params_as(RecordParams).cell.plain(),
        "state": state_key,
        "curve": list(state.get("curve", [])),
    }
    how: dict[str, Any] = dict(state.get("provenance", {}))
    if len(job.inputs) > 1:
        mask = context.meta(job.inputs[1])
        spent = (mask.get("provenance") or {}).get("scoring_seconds")
        if spent:
            how["time"] = {**how.get("time", {}), "scoring_seconds": round(sum(spent.values()), 3)}
        if tied := (mask.get("provenance") or {}).get("by_position"):
            how["by_position"] = tied
        if not mask.get("diverged"):
            result["mask"] = {
                "key": job.inputs[1],
                **{name: mask[name] for name in ("kept", "prunable", "layers")},
            }
    if state.get("diverged"):
        result |= {"outcome": "diverged", "diverged": state["diverged"]}
    else:
        last = state["curve"][-1]
        result |= {
            "outcome": "finished",
            "test": {name: last[name] for name in ("correct", "examples", "loss")},
        }
    context.store.write_record(job.key, result, provenance(context, how))
