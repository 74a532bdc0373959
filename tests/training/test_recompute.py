"""Recomputed activations: less is kept, and nothing that is computed changes by a bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from states import same
from torch import nn

from prunebench.training.images.data import Data
from prunebench.training.loop import train
from prunebench.training.recipe import Recipe
from prunebench.training.recompute import blocks_of, recomputing
from prunebench.training.state import State


class Residual(nn.Module):
    """A convolution with BatchNorm and dropout, beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)
        self.drop = nn.Dropout(0.2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.drop(self.norm(self.conv(x))))


def residual() -> nn.Module:
    blocks = nn.Sequential(Residual(4), nn.Sequential(Residual(4), Residual(4)), Residual(4))
    return nn.Sequential(nn.Conv2d(2, 4, 1), blocks, nn.Flatten(), nn.Linear(144, 4))


def row() -> nn.Module:
    """Layers in a row, one of them twice."""
    relu = nn.ReLU(inplace=True)
    layers = [part for _ in range(6) for part in (nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), relu)]
    return nn.Sequential(nn.Conv2d(2, 4, 1), *layers, nn.Dropout(0.2), nn.Flatten(), nn.Linear(144, 4))


class Listed(nn.Module):
    """Blocks in a list, and a forward pass of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(2, 4, 1), nn.Linear(144, 4)
        self.blocks = nn.ModuleList(Residual(4) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        for block in self.blocks:
            x = block(x)
        return self.last(x.flatten(1))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "residual blocks": (residual, 4),
    "layers in a row": (row, 1),
    "a list of blocks": (Listed, 3),
}


def made(name: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return NETWORKS[name][0]()


def kept(forward: Callable[..., Any], x: torch.Tensor) -> int:
    """Return how many numbers the graph of a forward pass holds on to, apart from weights."""
    storages: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if not isinstance(tensor, nn.Parameter):
            storages[tensor.data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = forward(x).sum()
    assert loss.requires_grad
    return sum(storage.nbytes() for storage in storages.values())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("micro", [None, 3])
def test_weights_buffers_and_curve_have_the_same_bits(
    name: str, micro: int | None, make_data: Callable[..., Data]
) -> None:
    """Seven steps of a network with BatchNorm and dropout; BatchNorm has counted each batch once."""
    recipe = Recipe(epochs=1, batch=8, lr=0.05, momentum=0.9, micro_batch=micro)
    states = []
    for recompute in (None, True):
        module = made(name)
        how = recipe.model_copy(update={"recompute": recompute})
        states.append(train(module, State.of(module), how, make_data(), seed=0, to_step=7))
        assert not any("forward" in vars(part) for part in module.modules())
    assert same(*states)
    counts = [value for key, value in states[1].buffers.items() if key.endswith("batches_tracked")]
    passes = 7 if micro is None else 6 * 3 + 1  # six batches of eight, one of two
    assert [int(count) for count in counts] == [passes] * len(counts)


@pytest.mark.parametrize("name", NETWORKS)
def test_only_what_goes_into_blocks_is_kept(name: str) -> None:
    """So many blocks are told apart, and the graph holds less than half."""
    module = made(name)
    assert len(blocks_of(module)) == NETWORKS[name][1]
    x = torch.randn(16, 2, 6, 6)
    with torch.random.fork_rng():
        assert kept(recomputing(module), x) < 0.5 * kept(module, x)


def test_a_network_without_blocks_keeps_what_it_kept() -> None:
    """Two layers in a row are not worth a cut."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(8, 3), nn.ReLU(), nn.Linear(3, 2))
    assert blocks_of(module) == []
    assert kept(recomputing(module), torch.randn(4, 8)) == kept(module, torch.randn(4, 8))
