"""Densely connected networks for small images (Huang et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from prunebench.errors import UsageError
from prunebench_plugins.architectures._checks import scaled, sides
from prunebench_plugins.architectures._layers import relu_of

__all__ = ["DenseNet", "cifar_densenet"]

GROWTH = 16

BLOCKS = {121: (6, 12, 24, 16), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}
"""How many layers the four dense blocks of a depth have: two convolutions each."""


class Layer(nn.Module):
    """BatchNorm, ReLU and a 1×1 convolution to 4g channels; the same and a 3×3 one to g, beside the input."""

    def __init__(self, before: int, growth: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, 4 * growth, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map N×before×H×W to N×(before + g)×H×W."""
        y = self.conv1(relu_of(self.bn1, x))
        y = self.conv2(relu_of(self.bn2, y))
        return torch.cat((x, y), 1)


class Transition(nn.Module):
    """BatchNorm, ReLU, a 1×1 convolution to half the channels, a 2×2 average pool."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(before)
        self.conv = nn.Conv2d(before, after, 1, bias=False)
        self.pool = nn.AvgPool2d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map N×before×H×W to N×after×⌊H/2⌋×⌊W/2⌋."""
        return self.pool(self.conv(relu_of(self.bn, x)))  # type: ignore[no-any-return]


class DenseNet(nn.Module):
    """A first convolution, dense blocks with transitions, the mean over positions, one linear layer."""

    def __init__(self, inputs: int, growth: int, blocks: Sequence[int], classes: int) -> None:
        super().__init__()
        channels = 2 * growth
        self.conv = nn.Conv2d(inputs, channels, 3, padding=1, bias=False)
        for number, layers in enumerate(blocks, start=1):
            block = nn.Sequential()
            for _ in range(layers):
                block.append(Layer(channels, growth))
                channels += growth
            self.add_module(f"block{number}", block)
            if number < len(blocks):
                self.add_module(f"transition{number}", Transition(channels, channels // 2))
                channels //= 2
        self.bn = nn.BatchNorm2d(channels)
        self.fc = nn.Linear(channels, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images N×C×H×W to logits N×classes."""
        conv, *inner, bn, fc = self.children()
        x = conv(images)
        for part in inner:
            x = part(x)
        # a mean, not an adaptive pool: that one's gradient is not deterministic on GPUs
        return fc(relu_of(bn, x).mean((2, 3)))  # type: ignore[no-any-return]


def cifar_densenet(
    input_shape: Sequence[int], classes: int, *, depth: int = 121, width: float = 1.0
) -> nn.Module:
    """DenseNet for CIFAR with growth 16·width: four dense blocks with bottlenecks (Huang et al. 2017).

    DenseNet-121 of Rosenfeld et al. (2021, App. B.3): blocks of 6, 12, 24 and 16 layers, each BatchNorm,
    ReLU, a 1×1 convolution to 4g channels, BatchNorm, ReLU and a 3×3 convolution to g channels, which go
    beside the layer's input. A width w gives a growth of g = max(1, round(16·w)). What that paper leaves open
    is as in Huang et al.: a first 3×3 convolution of 2g channels, transitions (BatchNorm, ReLU, 1×1
    convolution, 2×2 average pool) that halve the channels, BatchNorm and ReLU before the mean over positions,
    one linear layer with bias; convolutions without bias, no dropout. Layers: `conv`, `block1.0.conv1`,
    `block1.0.conv2`, …, `transition1.conv`, …, `fc`. On CIFAR-10, depth 121: 1,721,184 prunable weights,
    1,762,954 parameters. Depth 169 and 201 have blocks of 6, 12, 32, 32 and of 6, 12, 48, 32 layers.

    Raises: UsageError for another depth, a width that is not above 0, images with a side below 8.
    """
    who = "architecture 'cifar-densenet'"
    if isinstance(depth, bool) or depth not in BLOCKS:
        raise UsageError(f"{who}: depth = {depth!r}; allowed: " + ", ".join(map(str, BLOCKS)))
    sides(input_shape, 8, who, "three average pools")
    return DenseNet(input_shape[0], scaled(GROWTH, width, who), BLOCKS[depth], classes)
