"""Measures of masks and states, and the record of a finished cell."""

from __future__ import annotations

from typing import Any, cast

from prunebench.host.components import Diagnostic
from prunebench.jobs.context import Context
from prunebench.jobs.provenance import provenance
from prunebench.jobs.states import mask_from, unpack_state
from prunebench.plan.job import Job

__all__ = ["run_measure", "run_record"]


def run_measure(job: Job, context: Context) -> None:
    """Commit a diagnostic of a mask or of a state, beside the records."""
    source = context.read(job.inputs[0])
    name = job.params["diagnostic"]["name"]
    result: dict[str, Any] = {
        "diagnostic": name,
        "of": job.params["of"],
        "made_from": {source.key: source.digest},
    }
    if source.meta.get("diverged"):
        result |= {"outcome": "diverged", "diverged": source.meta["diverged"]}
    else:
        diagnostic = cast(Diagnostic, context.host.get("diagnostics", name))
        module = context.network(job.params["architecture"], None, 0).eval()
        mask = mask_from(source) if source.meta.get("mask_shapes") else None
        if job.params["of"] == "state":
            unpack_state(source).load_into(module)
        result |= {"outcome": "finished", "value": diagnostic.function(module, mask)}
    context.store.write_measure(job.key, result, provenance(context, {}))


def run_record(job: Job, context: Context) -> None:
    """Commit a finished cell: the last point of its end state's curve, and its mask's layers."""
    state_key = job.inputs[0]
    state = context.meta(state_key)
    result: dict[str, Any] = {
        "cell": job.params["cell"],
        "state": state_key,
        "curve": list(state.get("curve", [])),
    }
    if len(job.inputs) > 1:
        mask = context.meta(job.inputs[1])
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
    context.store.write_record(job.key, result, provenance(context, state.get("provenance", {})))
