"""Small networks and data for the tests of training."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from prunebench.pruning.mask import Mask
from prunebench.training.images.data import Data

CLASSES = 4


@pytest.fixture
def make_data() -> Callable[..., Data]:
    """Return a function that makes random labelled images: a network can learn them by heart."""

    def make(examples: int = 50, shape: tuple[int, int, int] = (2, 6, 6), seed: int = 0) -> Data:
        rng = np.random.default_rng(seed)

        def part(n: int) -> tuple[torch.Tensor, torch.Tensor]:
            images = torch.from_numpy(rng.integers(0, 256, (n, *shape), dtype=np.uint8))
            return images, torch.from_numpy(rng.integers(0, CLASSES, n))

        return Data.prepare(part(examples), part(23), [0.4] * shape[0], [0.25] * shape[0], CLASSES)

    return make


@pytest.fixture
def make_mlp() -> Callable[..., nn.Module]:
    """Return a function that makes a fully connected network with weights of its own seed."""

    def make(seed: int = 0) -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return nn.Sequential(nn.Flatten(), nn.Linear(72, 16), nn.ReLU(), nn.Linear(16, CLASSES))

    return make


@pytest.fixture
def make_convnet() -> Callable[..., nn.Module]:
    """Return a function that makes a convolutional network with BatchNorm and dropout."""

    def make(seed: int = 0) -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return nn.Sequential(
                nn.Conv2d(2, 6, 3, padding=1, bias=False),
                nn.BatchNorm2d(6),
                nn.ReLU(),
                nn.Conv2d(6, 8, 3, stride=2),
                nn.BatchNorm2d(8, momentum=None),
                nn.ReLU(),
                nn.Flatten(),
                nn.Dropout(0.2),
                nn.Linear(32, CLASSES),
            )

    return make


@pytest.fixture
def make_mask() -> Callable[..., Mask]:
    """Return a function that masks about two thirds of the weights of every layer."""

    def make(module: nn.Module, density: float = 0.3) -> Mask:
        rng = np.random.default_rng(1)
        weights = {name: p for name, p in module.named_parameters() if p.ndim > 1}
        return Mask({n: torch.from_numpy(rng.random(tuple(p.shape)) < density) for n, p in weights.items()})

    return make
