"""Checks that an artifact can be what a job of the plan makes: its metadata are complete and its own.

Its digest says that it is whole. That it was made from the state of the plan is checked by the context.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from prunebench.plan.job import Job
from prunebench.plan.params import Params, TrainParams

__all__ = ["artifact_of", "state_of"]

Fits = Callable[[Mapping[str, Any]], str | None]

_KINDS = {"train": "state", "score": "score", "mask": "mask", "shuffle": "shuffle"}
_NEEDED = {
    "state": ("curve", "meter", "made_from"),
    "score": ("made_from", "scored"),
    "mask": ("made_from", "scored", "mask_shapes", "kept", "prunable", "layers"),
    "shuffle": ("made_from", "scored", "mask_shapes", "kept", "prunable", "layers"),
}


def artifact_of(job: Job) -> Fits:
    """Return what says why an artifact cannot be the job's output."""
    if isinstance(job.params, TrainParams):
        return state_of(job.params.run_key, job.params.step)

    def wrong(meta: Mapping[str, Any]) -> str | None:
        return _incomplete(meta, _KINDS[job.kind]) or _wrong_counts(meta, job.params)

    return wrong


def state_of(run: str, step: int) -> Fits:
    """Return what says why an artifact cannot be the state of a run at a step."""

    def wrong(meta: Mapping[str, Any]) -> str | None:
        if (own := (meta.get("run"), meta.get("step"))) != (run, step):
            return f"it is the state of run {str(own[0])[:12]} at step {own[1]}"
        return _incomplete(meta, "state")

    return wrong


def _incomplete(meta: Mapping[str, Any], kind: str) -> str | None:
    if meta.get("kind") != kind:
        return f"it is a {meta.get('kind')!r:.40}, planned is a {kind!r}"
    needed = ("made_from",) if meta.get("diverged") else _NEEDED[kind]
    lacking = next((name for name in needed if meta.get(name) is None), None)
    return f"its metadata say nothing of {lacking!r}" if lacking else None


def _wrong_counts(meta: Mapping[str, Any], params: Params) -> str | None:
    """Compare what a mask keeps with what the plan asks for, where both say it."""
    for name, planned in params.exact_counts.items():
        if meta.get(name) is not None and meta[name] != planned:
            return f"it has {meta[name]} weights {name}, planned are {planned}"
    most, kept = params.most_kept, meta.get("kept")
    if most is not None and kept is not None and kept > most:
        return f"it has {kept} weights kept, planned are {most} at most"
    return None
