"""LeNet-5 as Caffe has it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from prunebench_plugins.architectures._checks import sides

__all__ = ["LeNet5", "lenet5"]


class LeNet5(nn.Module):
    """Two convolutions, each with a max-pool; two linear layers."""

    def __init__(self, inputs: int, height: int, width: int, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.pool = nn.MaxPool2d(2)
        left = [((side - 4) // 2 - 4) // 2 for side in (height, width)]
        self.fc1 = nn.Linear(50 * left[0] * left[1], 500)
        self.fc2 = nn.Linear(500, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images N×C×H×W to logits N×classes."""
        x = self.pool(self.conv1(images))
        x = self.pool(self.conv2(x)).flatten(1)
        return self.fc2(torch.relu(self.fc1(x)))  # type: ignore[no-any-return]


def lenet5(input_shape: Sequence[int], classes: int) -> nn.Module:
    """LeNet-5, Caffe's variant: convolutions of 20 and 50 channels, linear layers of 500 and 10 units.

    As in Lee et al. (2019): 5×5 convolutions without padding, each followed by a 2×2 max-pool and by no
    activation; one ReLU, after the first linear layer; biases everywhere. The first linear layer has 800
    inputs on 28×28 images and follows the size of others. Layers: `conv1`, `conv2`, `fc1`, `fc2`. On MNIST:
    430,500 prunable weights, 431,080 parameters.

    Raises: UsageError for images with a side below 16.
    """
    why = "two 5×5 convolutions without padding and two max-pools"
    height, width = sides(input_shape, 16, "architecture 'lenet-5'", why)
    return LeNet5(input_shape[0], height, width, classes)
