"""AlexNet for small images, as SNIP has it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from prunebench.errors import UsageError
from prunebench_plugins.architectures._checks import sides
from prunebench_plugins.architectures._layers import SameConv2d, relu_of

__all__ = ["PRESETS", "AlexNet", "alexnet"]

PRESETS = {"alexnet-s": 1, "alexnet-b": 2}
CHANNELS = (96, 256, 384, 384, 256)
KERNELS = (11, 5, 3, 3, 3)


class AlexNet(nn.Module):
    """Five strided convolutions, two hidden linear layers, each with BatchNorm and ReLU; a linear layer."""

    def __init__(self, inputs: int, stride: int, units: int, classes: int) -> None:
        super().__init__()
        before = inputs
        for i, (after, kernel) in enumerate(zip(CHANNELS, KERNELS, strict=True), start=1):
            self.add_module(f"conv{i}", SameConv2d(before, after, kernel, stride if i == 1 else 2))
            self.add_module(f"bn{i}", nn.BatchNorm2d(after))
            before = after
        self.fc1 = nn.Linear(before, units)
        self.bn_fc1 = nn.BatchNorm1d(units)
        self.fc2 = nn.Linear(units, units)
        self.bn_fc2 = nn.BatchNorm1d(units)
        self.fc3 = nn.Linear(units, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images N×C×H×W to logits N×classes."""
        x = images
        for i in range(1, len(CHANNELS) + 1):
            x = relu_of(self.get_submodule(f"bn{i}"), self.get_submodule(f"conv{i}")(x))
        x = relu_of(self.bn_fc1, self.fc1(x.flatten(1)))
        x = relu_of(self.bn_fc2, self.fc2(x))
        return self.fc3(x)  # type: ignore[no-any-return]


def alexnet(input_shape: Sequence[int], classes: int, *, k: int = 1) -> nn.Module:
    """AlexNet of SNIP for small images: five convolutions of stride 2, hidden linear layers of 1024·k units.

    Lee et al. (2019): AlexNet-s is k = 1, AlexNet-b k = 2. Convolutions of 96, 256, 384, 384 and 256 channels
    with kernels of 11, 5, 3, 3 and 3, all of stride 2 with TensorFlow's SAME padding and with bias; no pools;
    BatchNorm and ReLU after every layer but the last; no dropout. Images above 32×32, up to 64×64, get a
    stride of 4 in the first convolution, as in SNIP's code for TinyImageNet: one position is left before the
    linear layers. BatchNorm has PyTorch's momentum and ε, not TensorFlow's. Layers: `conv1`, `bn1`, …, `fc1`,
    `bn_fc1`, `fc2`, `bn_fc2`, `fc3`. On CIFAR-10: 5,066,784 prunable weights and 5,077,066 parameters with
    k = 1; 8,484,896 and 8,501,322 with k = 2.

    Presets: alexnet-s, alexnet-b.

    Raises: UsageError for a k that is no integer above 0, images with a side above 64.
    """
    who = "architecture 'alexnet'"
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise UsageError(f"{who}: k = {k!r}; allowed: an integer above 0 (1 is AlexNet-s, 2 is AlexNet-b)")
    largest = max(sides(input_shape, 1, who, "one position is left before the linear layers", most=64))
    return AlexNet(input_shape[0], 2 if largest <= 32 else 4, 1024 * k, classes)
