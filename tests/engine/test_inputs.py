"""What a job reads may have changed or been damaged since: it is never used, and made again."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch

from prunebench.engine.failures import JobFailed
from prunebench.jobs.context import InputChanged


def test_a_second_writer_with_other_bits_reads_the_first_ones_back(project: Any) -> None:
    """Two stores' states of one key with other bits: whoever commits second goes on with the first."""
    engine = project.run(project.suite(["snip"]), keep_states=True)
    key = next(k for k, j in engine.plan.jobs.items() if j.kind == "train" and k.endswith("@0"))
    first = engine.store.read_artifact(key)
    other = {
        name: tensor + 1 if tensor.is_floating_point() else tensor for name, tensor in first.tensors.items()
    }
    got = engine.store.write_artifact(key, other, first.meta)
    assert got.digest == first.digest
    assert all(torch.equal(tensor, got.tensors[name]) for name, tensor in first.tensors.items())


def moved(state: Any) -> dict[str, torch.Tensor]:
    """Return a state's tensors with the first weight moved in its last bit."""
    tensors = {name: tensor.clone() for name, tensor in state.tensors.items()}
    weight = tensors["parameters/fc1.weight"]
    weight.view(-1)[0] = torch.nextafter(weight.view(-1)[0], torch.tensor(10.0))
    return tensors


def test_a_mask_whose_state_came_out_with_other_bits_is_made_again(project: Any) -> None:
    """When the scored state was made anew elsewhere, scores and mask are set aside and made of it; records stay."""
    path = project.suite(["snip"])
    engine = project.run(path)
    record = engine.store.read_record(engine.plan.cells[-1].key)
    mask = next(k for k, j in engine.plan.jobs.items() if j.kind == "mask")
    state = engine.context.scored_state(engine.plan.jobs[mask])
    old = engine.store.read_artifact(state)
    engine.store.drop_artifact(state)
    engine.store.write_artifact(
        state, moved(old), {**old.meta, "provenance": {"numerics": "another machine"}}
    )
    engine = project.engine(path)
    with pytest.raises(InputChanged):
        engine.context.read(mask)
    engine = project.engine(path)
    engine.make_key(engine.plan.jobs[engine.plan.cells[-1].key].inputs[0])
    assert {"score", "mask", "train"} <= {job.kind for job in engine.made}
    made = engine.store.read_artifact(mask)
    assert made.meta["scored"]["digest"] != old.digest
    assert engine.store.read_record(engine.plan.cells[-1].key) == record


def test_a_mask_of_another_state_than_the_planned_one_is_refused(project: Any) -> None:
    """A mask that says it scored another state is never used: the job fails, the store stays as it is."""
    path = project.suite(["snip"])
    engine = project.run(path)
    cell = engine.plan.cells[-1]
    mask = next(k for k, j in engine.plan.jobs.items() if j.kind == "mask")
    artifact = engine.store.read_artifact(mask)
    engine.store.drop_artifact(mask)
    meta = {k: v for k, v in artifact.meta.items() if k != "digest"}
    meta["scored"] = {"key": "0" * 64 + "@0", "digest": "0" * 64}
    engine.store.write_artifact(mask, artifact.tensors, meta)
    engine = project.engine(path)
    with pytest.raises(JobFailed, match="the plan says"):
        engine.make_key(engine.plan.jobs[cell.key].inputs[0])
    assert engine.store.has_artifact(mask)


def test_a_damaged_state_is_set_aside_and_made_again(project: Any) -> None:
    """A flipped byte in a stored state costs its training, and nothing else."""
    path = project.suite(["snip"])
    engine = project.run(path)
    state = next(k for k, j in engine.plan.jobs.items() if k.endswith("@0"))
    file = engine.store.artifact_path(state)
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    os.chmod(file, 0o644)
    file.write_bytes(bytes(content))
    more = project.suite(["snip", "grasp"])
    again = project.run(more)
    assert again.store.read_artifact(state).digest == engine.store.artifact_meta(state)["digest"]
    assert project.results(again)[again.plan.cells[1].id]
