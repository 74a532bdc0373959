"""States and masks as artifacts, and back."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from prunebench.jobs.states import mask_from, mask_tensors, pack_state, unpack_state
from prunebench.pruning import Mask
from prunebench.store import Artifact
from prunebench.training.state import State


def artifact(tensors: dict[str, torch.Tensor], meta: dict[str, object]) -> Artifact:
    return Artifact("0" * 64, tensors, dict(meta), "digest")


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=40), min_size=1, max_size=4))
def test_a_mask_of_any_bits_comes_back_as_it_was(layers: list[list[bool]]) -> None:
    """Eight weights a byte, whatever the layers' sizes; order of layers and shapes are kept."""
    mask = Mask({f"layer{i}.weight": torch.tensor(bits) for i, bits in enumerate(layers)})
    tensors, shapes = mask_tensors(mask)
    assert all(
        tensor.numel() == -(-len(bits) // 8) for tensor, bits in zip(tensors.values(), layers, strict=True)
    )
    again = mask_from(artifact(tensors, {"mask_shapes": shapes}))
    assert again == mask
    assert list(again) == list(mask)


def test_a_state_comes_back_whole() -> None:
    """Weights, buffers, the optimiser's slots, mask, step, curve and meter: what went in comes out, bit for bit."""
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))
    mask = Mask({"0.weight": torch.rand(3, 1, 3, 3) > 0.5, "3.weight": torch.rand(2, 12) > 0.5})
    state = State.of(module, mask, step=7)
    state.slots = {"momentum": {"0.weight": torch.rand(3, 1, 3, 3)}, "steps": {"0.weight": torch.tensor(7.0)}}
    state.curve = [{"step": 5, "train_loss": 0.1, "correct": 3, "examples": 4, "loss": 0.2}]
    state.meter = {"loss": 1 / 3, "examples": 2}
    tensors, meta = pack_state(state)
    again = unpack_state(artifact(tensors, meta))
    assert again.slots.keys() == state.slots.keys()
    pairs = [(state.slots[slot], again.slots[slot]) for slot in state.slots]
    for before, after in (
        (state.parameters, again.parameters),
        (state.buffers, again.buffers),
        *pairs,
    ):
        assert before.keys() == after.keys()
        assert all(torch.equal(before[name], after[name]) for name in before)
    assert again.mask == mask
    assert (again.step, again.curve, again.meter) == (7, state.curve, state.meter)
