"""A small convolutional network for suites that must be quick."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from prunebench_plugins.architectures._checks import positive_integers
from prunebench_plugins.architectures._layers import relu_of

__all__ = ["SmallConvNet", "small_convnet"]


class SmallConvNet(nn.Module):
    """3×3 convolutions `conv1`, `conv2`, … with BatchNorm `bn1`, …; the mean over positions; `fc`."""

    def __init__(self, inputs: int, channels: Sequence[int], classes: int) -> None:
        super().__init__()
        self.depth = len(channels)
        sizes = [inputs, *channels]
        for i in range(1, self.depth + 1):
            # the first keeps the resolution, each later one halves it
            stride = 1 if i == 1 else 2
            self.add_module(f"conv{i}", nn.Conv2d(sizes[i - 1], sizes[i], 3, stride, padding=1, bias=False))
            self.add_module(f"bn{i}", nn.BatchNorm2d(sizes[i]))
        self.fc = nn.Linear(sizes[-1], classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images N×C×H×W to logits N×classes."""
        x = images
        for i in range(1, self.depth + 1):
            x = relu_of(self.get_submodule(f"bn{i}"), self.get_submodule(f"conv{i}")(x))
        return self.fc(x.mean((2, 3)))  # type: ignore[no-any-return]


def small_convnet(
    input_shape: Sequence[int], classes: int, *, channels: Sequence[int] = (16, 32)
) -> nn.Module:
    """Small convolutional network: 3×3 convolutions, BatchNorm, ReLU, global average, a linear layer.

    One convolution for each entry of `channels`, without bias; the first at the image's resolution, each
    later one with stride 2. Not from a paper: made to be trained in about a second. `digits-convnet` is the
    one with 8, 16 and 32 channels. Layers: `conv1`, `bn1`, `conv2`, …, `fc`.

    Raises: UsageError where `channels` is not a list of integers above 0.
    """
    sizes = positive_integers(channels, "channels", "architecture 'small-convnet'")
    return SmallConvNet(input_shape[0], sizes, classes)
