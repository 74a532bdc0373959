"""Artifacts that are whole and not what the plan says are set aside and made again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from prunebench.jobs.binding import artifact_of, state_of
from prunebench.plan.job import Job
from prunebench.plan.params import MaskOfScores

RUN = "ab" * 32
STATE = {
    "kind": "state",
    "run": RUN,
    "step": 9,
    "curve": [],
    "meter": {"loss": 0.0, "examples": 0},
    "made_from": {},
}
MASK = {
    "kind": "mask",
    "made_from": {},
    "scored": {"key": RUN, "digest": RUN},
    "mask_shapes": {},
    "kept": 5,
    "prunable": 10,
    "layers": [],
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, None),
        ({"step": 8}, "step 8"),
        ({"run": "cd" * 32}, "run cdcdcdcdcdcd"),
        ({"kind": "mask"}, "it is a 'mask', planned is a 'state'"),
        ({"curve": None}, "'curve'"),
        ({"meter": None}, "'meter'"),
        ({"meter": None, "curve": None, "diverged": {"run": RUN, "step": 3}}, None),
    ],
)
def test_a_state_is_of_its_run_and_step(change: Mapping[str, Any], said: str | None) -> None:
    """A state of another run or step, or that lacks what going on needs, is refused by name."""
    found = state_of(RUN, 9)({**STATE, **change})
    assert (found is None) if said is None else (found is not None and said in found)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, None),
        ({"kept": 6}, "6 weights kept, planned are 5"),
        ({"layers": None}, "'layers'"),
        ({"kind": None}, "None"),
    ],
)
def test_a_mask_keeps_what_is_planned(change: Mapping[str, Any], said: str | None) -> None:
    """A mask of other counts, or without its layers, is refused by name."""
    job = Job(RUN, MaskOfScores(keep="high", target=5, prunable=10, allocation="global"))
    found = artifact_of(job)({**MASK, **change})
    assert (found is None) if said is None else (found is not None and said in found)


@pytest.mark.parametrize(
    ("kind", "field", "value"), [("mask", "kept", 3), ("train", "step", 1), ("score", "kind", "x")]
)
def test_what_was_forged_is_made_again(project: Any, kind: str, field: str, value: Any) -> None:
    """A whole artifact that says something else of itself is set aside; the records come out the same."""
    path = project.suite(["snip"])
    engine = project.run(path, keep_states=True)
    before = project.results(engine)
    job = next(job for job in engine.plan.jobs.values() if job.kind == kind)
    for cell in engine.plan.cells:
        engine.store.set_aside(cell.key, "for the test", part="record")
    found = engine.store.read_artifact(job.key)
    for other in engine.plan.jobs.values():
        if job.key in other.inputs or other.key == job.key:
            engine.store.drop_artifact(other.key)
    engine.store.write_artifact(job.key, found.tensors, {**found.meta, field: value})
    again = project.run(path)
    assert project.results(again) == before
    assert f"artifacts/{job.key[:2]}/{job.key}.safetensors" in [one.file for one in again.store.damaged]
