"""The memory of a step by shapes: against counts by hand, and against what the CPU's allocator says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional

from prunebench.host.components import Architecture
from prunebench.host.registry import Host
from prunebench.training.memory import scoring_memory, training_memory
from prunebench.training.recipe import Recipe

RECIPE = Recipe(epochs=1, batch=128, lr=0.1, momentum=0.9)


@pytest.fixture(scope="module")
def build() -> Callable[..., nn.Module]:
    """Make a built-in network on a device."""
    host = Host.load(third_party=False)

    def make(
        name: str, shape: tuple[int, int, int], classes: int, device: str, **parameters: object
    ) -> nn.Module:
        architecture = host.get("architectures", name)
        assert isinstance(architecture, Architecture)
        with torch.device(device):
            return architecture.build(shape, classes, **parameters)

    return make


def test_a_fully_connected_network_by_hand(build: Callable[..., nn.Module]) -> None:
    """LeNet-300-100: what layers read, all gradients, and the largest in the order in which it is computed too."""
    module = build("lenet-300-100", (1, 28, 28), 10, "meta")
    weights = 784 * 300 + 300 + 300 * 100 + 100 + 100 * 10 + 10
    memory = training_memory(module, RECIPE, (1, 28, 28), prunable=266_200)
    assert memory.held == 4 * (2 * (weights + weights) + 266_200)  # momentum; twice; a mask's factors
    kept = 128 * (784 + 300 + 100 + 10) * 4  # what the layers read, and log-probabilities
    least = kept + weights * 4 + 784 * 300 * 4
    assert least <= memory.step <= least + 128 * 2 * 300 * 4
    assert all(parameter.grad is None for parameter in module.parameters())


def test_a_residual_network_by_hand(build: Callable[..., nn.Module]) -> None:
    """ResNet-20: each convolution's output, what BatchNorm makes of it, and each ReLU's output."""
    maps = {16: 32, 32: 16, 64: 8}
    numbers = 0
    for channels, side in maps.items():
        convolutions = 6 + (channels == 16)  # of the blocks, and the first one
        relus, shortcuts = convolutions, channels > 16
        numbers += (convolutions + relus + shortcuts) * channels * side * side
    memory = training_memory(build("cifar-resnet", (3, 32, 32), 10, "meta"), RECIPE, (3, 32, 32))
    least = 128 * (numbers + 3 * 32 * 32) * 4
    assert least <= memory.step <= 1.35 * least


@pytest.mark.parametrize("how", [{}, {"micro_batch": 16}, {"recompute": True}])
def test_what_the_allocator_of_the_cpu_says(how: dict[str, object], build: Callable[..., nn.Module]) -> None:
    """ResNet-8 with batches of 64: all but what convolutions need while they run."""
    from prunebench.training.recompute import recomputing

    recipe = Recipe(epochs=1, batch=64, lr=0.1, **how)
    module = build("cifar-resnet", (3, 32, 32), 10, "cpu", depth=8)
    forward = recomputing(module) if recipe.recompute else module

    def step() -> None:
        x, y = torch.randn(64, 3, 32, 32), torch.zeros(64, dtype=torch.int64)
        for part in torch.arange(64).split(recipe.micro_batch or 64)[:2]:
            functional.cross_entropy(forward(x[part]), y[part]).backward()

    with torch.random.fork_rng():
        step()
        for parameter in module.parameters():
            parameter.grad = None
        measured = most_allocated(step)
    counted = training_memory(
        build("cifar-resnet", (3, 32, 32), 10, "meta", depth=8), recipe, (3, 32, 32)
    ).step
    assert 0.7 * measured <= counted <= 1.05 * measured


def most_allocated(run: Callable[[], None]) -> int:
    """Return the most bytes that torch's allocator had given out meanwhile."""
    cpu = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=cpu, profile_memory=True) as profile:
        run()
    results = profile.profiler.kineto_results.events()  # type: ignore[union-attr]
    now = most = 0
    for event in sorted((e for e in results if e.name() == "[memory]"), key=lambda e: e.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most


def test_resnet_50_with_batches_of_1024_takes_88_gigabytes(build: Callable[..., nn.Module]) -> None:
    """As its backward pass does on a GPU; recomputed it takes less than half."""
    module = build("resnet50", (3, 224, 224), 1000, "meta")
    recipe = RECIPE.model_copy(update={"batch": 1024})
    whole = training_memory(module, recipe, (3, 224, 224)).step
    assert whole == pytest.approx(88e9, rel=0.03)
    recomputed = recipe.model_copy(update={"recompute": True})
    assert training_memory(module, recomputed, (3, 224, 224)).step < 0.5 * whole


def test_scoring_takes_what_a_chunk_takes(build: Callable[..., nn.Module]) -> None:
    """In chunks the batch stays bytes; a second derivative holds the graph of the first."""
    module, shape = build("cifar-resnet", (3, 32, 32), 10, "meta", depth=8), (3, 32, 32)
    whole = scoring_memory(module, shape, 1000)
    chunked = scoring_memory(module, shape, 1000, chunk=100)
    assert 0.1 * whole < chunked < 0.13 * whole
    assert scoring_memory(module, shape, 1000, second_order=True) > 1.5 * whole
