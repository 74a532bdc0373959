"""Fully connected networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from prunebench_plugins.architectures._checks import positive_integers, scaled

__all__ = ["MLP", "lenet_300_100", "mlp"]


class MLP(nn.Module):
    """Linear layers `fc1`, `fc2`, …, all with biases, a ReLU between each two; images are flattened first."""

    def __init__(self, inputs: int, hidden: Sequence[int], classes: int) -> None:
        super().__init__()
        sizes = [inputs, *hidden, classes]
        for number, (before, after) in enumerate(pairwise(sizes), start=1):
            self.add_module(f"fc{number}", nn.Linear(before, after))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images N×C×H×W to logits N×classes."""
        x = images.flatten(1)
        *hidden, output = self.children()
        for layer in hidden:
            x = torch.relu(layer(x))
        return output(x)  # type: ignore[no-any-return]


def mlp(input_shape: Sequence[int], classes: int, *, hidden: Sequence[int] = (100,)) -> nn.Module:
    """Fully connected network with hidden layers of the sizes given, ReLU between layers, no normalisation.

    Layers are `fc1`, `fc2`, …; the last is the output layer. `digits-mlp` is the one with hidden layers of
    64 and 32 units.

    Raises: UsageError where `hidden` is not a list of integers above 0.
    """
    return MLP(math.prod(input_shape), positive_integers(hidden, "hidden", "architecture 'mlp'"), classes)


def lenet_300_100(input_shape: Sequence[int], classes: int, *, width: float = 1.0) -> nn.Module:
    """LeNet-300-100: fully connected, hidden layers of 300 and 100 units, ReLU (LeCun et al. 1998).

    As in Frankle et al. (2021), App. A: 266,200 weights and 410 biases on MNIST. Takes images of any size.
    A width w gives hidden layers of max(1, round(300·w)) and max(1, round(100·w)) units.
    Layers: `fc1`, `fc2`, `fc3` (the output).

    Raises: UsageError for a width that is not above 0.
    """
    hidden = [scaled(units, width, "architecture 'lenet-300-100'") for units in (300, 100)]
    return MLP(math.prod(input_shape), hidden, classes)
