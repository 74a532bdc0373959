"""On a real GPU, where there is one: the CPU's masks, the same bits twice, its own device and no other."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from states import same
from torch import Tensor

import prunebench
from prunebench.host.registry import Host
from prunebench.process import prepare_process
from prunebench.pruning import Mask, prunable_weights
from prunebench.training.images.data import Data
from prunebench.training.initialize import make_network
from prunebench.training.loop import train
from prunebench.training.recipe import Recipe
from prunebench.training.state import State

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU that torch sees"),
]

prepare_process()  # cuBLAS asks once, at the first product of matrices

DISAGREE = 2e-4
"""The share of a mask's weights in which GPU and CPU may differ: scores next to the threshold, by rounding."""


def network(name: str = "resnet20") -> torch.nn.Module:
    host = Host.load(third_party=False)
    architecture, drawn = host.get("architectures", name), host.get("initializations", "kaiming-normal")
    built: Any = lambda: architecture.build((3, 32, 32), 10)  # type: ignore[union-attr]  # noqa: E731
    return make_network(built, drawn.draw, 0, "init")  # type: ignore[union-attr]


def images(count: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 10
    low = torch.randint(156, (10, 3, 32, 32), generator=generator)[labels]
    noise = torch.randint(100, (count, 3, 32, 32), generator=generator)
    return (low + noise).to(torch.uint8), labels


@pytest.mark.parametrize("method", ["magnitude", "random", "snip", "grasp", "synflow", "force"])
@pytest.mark.parametrize("density", [0.5, 0.05])
def test_masks_are_the_cpus(method: str, density: float):
    """But for weights whose scores lie as near to the threshold as rounding reaches."""
    x, y = images(100)
    batch = (x.float() / 128 - 1, y)
    how: dict[str, Any] = {"density": density, "batch": batch, "input_shape": (3, 32, 32)}
    here = prunebench.prune(network(), method, **how)
    there = prunebench.prune(network().cuda(), method, **how)
    assert there.kept == here.kept
    differing = sum(int((here[name] ^ there[name]).sum()) for name in here)
    assert differing <= DISAGREE * here.prunable


@pytest.mark.parametrize("augment", [("flip", "shift4"), ("flip", "resized-crop")])
def test_the_same_training_gives_the_same_bits(augment: tuple[str, ...]):
    """Twice from its beginning, and going on from its middle; the masked weights stay zero."""
    module = network()
    weights = prunable_weights(module)
    mask = Mask({name: torch.arange(w.numel()).view(w.shape) % 5 == 0 for name, w in weights.items()})
    recipe = Recipe(epochs=2, batch=64, lr=0.1, momentum=0.9, weight_decay=1e-4, augment=augment)
    data = Data.prepare(images(640), images(200), [0.5] * 3, [0.25] * 3, 10)

    def run(state: State, to_step: int) -> State:
        return train(network(), state, recipe, data, seed=3, to_step=to_step, device="cuda")

    first = State.of(module, mask=mask)
    whole, again = run(first, 20), run(first, 20)
    assert same(whole, again)
    assert same(run(run(first, 7), 20), whole)
    assert whole.diverged is None
    assert all(int((whole.parameters[name][~mask[name]] != 0).sum()) == 0 for name in mask)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there is one GPU")
def test_nothing_comes_to_lie_on_another_gpu():
    """Training on the second, and a scorer that says "cuda" alone."""
    before = torch.cuda.memory_allocated(0)
    recipe = Recipe(epochs=1, batch=64, lr=0.1)
    data = Data.prepare(images(128), images(100), [0.5] * 3, [0.25] * 3, 10)
    train(network(), State.of(network()), recipe, data, seed=0, to_step=2, device="cuda:1")
    assert torch.cuda.memory_allocated(0) == before
    assert torch.cuda.current_device() == 0
