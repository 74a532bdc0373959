"""A training step on a device that is not there: all tensors on it, nothing waited for, few operations."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from one_device import OneDevice, computing
from torch import nn
from torch.optim import optimizer as optimizers

from prunebench.host.registry import Host
from prunebench.pruning import Mask, prunable_weights
from prunebench.training.evaluate import evaluate
from prunebench.training.images.data import Data
from prunebench.training.policy import FixedMask
from prunebench.training.recipe import Recipe
from prunebench.training.state import State
from prunebench.training.step import Stepper

EXAMPLES = 64


@pytest.fixture(scope="module")
def host() -> Host:
    return Host.load(third_party=False)


@pytest.fixture(autouse=True)
def fused_on_meta(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let torch take its fused optimisers, which it has for real devices alone: they are seen, not run."""
    allowed = optimizers._get_fused_kernels_supported_devices()
    monkeypatch.setattr(optimizers, "_get_fused_kernels_supported_devices", lambda: [*allowed, "meta"])


def stepper(host: Host, name: str, device: str = "meta", *, masked: bool = True, **recipe: Any) -> Stepper:
    """A run of a network on images of zeros, brought to the device as a job brings it."""
    shape = (1, 28, 28) if name.startswith("lenet") else (3, 32, 32)
    network: nn.Module = host.get("architectures", name).build(shape, 10)  # type: ignore[union-attr]
    images, labels = (
        torch.zeros(EXAMPLES, *shape, dtype=torch.uint8),
        torch.zeros(EXAMPLES, dtype=torch.int64),
    )
    mean = [0.5] * shape[0]
    data = Data.prepare((images, labels), (images, labels), mean, mean, 10)
    mask = Mask.full(prunable_weights(network)) if masked else None
    state = State.of(network, mask=mask)
    chosen: dict[str, Any] = {"epochs": 2, "batch": 16, "lr": 0.1, "momentum": 0.9, **recipe}
    place = torch.device(device)
    return Stepper(network, state, Recipe(**chosen), data.to(place), 0, place, FixedMask())


def steps(run: Stepper, count: int) -> OneDevice:
    """Make steps, the first of which begins an epoch; return what the last one did."""
    for _ in range(count):
        with OneDevice("meta") as seen:
            assert run.make_step(look=False)
    return seen


@pytest.mark.parametrize(
    ("name", "recipe", "most"),
    [
        ("resnet20", {"augment": ("shift4", "flip")}, 195),
        ("lenet-300-100", {}, 32),
        ("resnet20", {"augment": ("resized-crop", "flip"), "optimizer": "adamw", "momentum": 0.0}, 215),
        ("resnet20", {"micro_batch": 8, "augment": ("flip",)}, 430),
        ("lenet-5", {}, 32),
        ("lenet-5", {"label_smoothing": 0.1}, 50),
    ],
)
def test_a_step_lies_on_one_device_waits_for_nothing_and_takes_few_operations(
    host: Host, name: str, recipe: dict[str, Any], most: int
):
    """Also the lists of tensors that fused optimisers and the mask's one multiplication take."""
    run = stepper(host, name, **recipe)
    seen = steps(run, 2)
    assert seen.waits == {}
    assert all(len(places) < 2 for places in seen.moved), "a copy from one device to another in a step"
    assert {parameter.grad.device.type for parameter in run.parameters.values()} == {"meta"}  # type: ignore[union-attr]
    assert seen.counted["_foreach_mul_"] == 1
    assert sum(count for op, count in seen.counted.items() if op.startswith("_fused_")) == 1
    assert computing(seen.counted) <= most


def test_an_epoch_begins_with_few_copies(host: Host):
    """Its order and the draws of its augmentations: one copy each, for the whole epoch."""
    run = stepper(host, "lenet-300-100", augment=("shift2", "flip"))
    seen = steps(run, 1)
    assert sum(len(places) > 1 for places in seen.moved) == 3


def test_without_a_mask_nothing_is_multiplied(host: Host):
    """A dense run takes no operation for pruning."""
    assert steps(stepper(host, "lenet-300-100", masked=False), 2).counted["_foreach_mul_"] == 0


def test_a_snapshot_on_the_device_stays_there(host: Host):
    """What the loop goes back to where a loss is not finite; no copy to the CPU in between."""
    run = stepper(host, "lenet-5")
    steps(run, 1)
    with OneDevice("meta") as seen:
        state = run.snapshot(on_device=True)
    assert seen.waits == {}
    assert seen.moved == []
    with OneDevice("meta") as seen:
        run.load(state)
    assert sum(len(places) > 1 for places in seen.moved) <= 2 * len(state.mask or ())  # the mask's tensors
    tensors = [*state.parameters.values(), *(one for held in state.slots.values() for one in held.values())]
    assert {one.device.type for one in tensors} == {"meta"}


def test_an_evaluation_waits_once_at_its_end(host: Host):
    """For the number that it got right, and for the loss."""
    run = stepper(host, "resnet20")
    data = run.data
    with OneDevice("meta") as seen:
        evaluate(
            run.module, data.evaluation_images, data.evaluation_labels, mean=data.mean, std=data.std, batch=8
        )
    assert seen.waits == {"_local_scalar_dense": 2}
    assert sum(len(places) > 1 for places in seen.moved) <= 2  # mean and deviation, for all batches


def test_two_devices_in_one_operation_are_seen():
    """Also in a list, and with a copy as the way across: the tests above can fail."""
    with OneDevice("meta"):
        there, here = torch.ones(3, device="meta"), torch.ones(3)
        with pytest.raises(AssertionError, match=r"_foreach_mul_ computes with .*'cpu', 'meta'"):
            torch._foreach_mul_([there, there], [there, here])
        with pytest.raises(AssertionError, match="index_select computes with"):
            there.index_select(0, torch.tensor([0]))
        assert torch.add(there, torch.tensor(2.0)).is_meta
    with OneDevice("meta") as seen:
        here.to("meta")
        assert (there.sum() > 0).item()
    assert seen.waits
    assert any(len(places) > 1 for places in seen.moved)
