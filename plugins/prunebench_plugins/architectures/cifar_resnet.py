"""The residual networks of He et al. (2016) for small images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from prunebench.errors import UsageError
from prunebench_plugins.architectures._checks import scaled
from prunebench_plugins.architectures._layers import relu_of

__all__ = ["PRESETS", "WIDE_PRESETS", "CifarResNet", "cifar_resnet"]

PRESETS = {
    "resnet8": 8,
    "resnet14": 14,
    "resnet20": 20,
    "resnet26": 26,
    "resnet32": 32,
    "resnet44": 44,
    # not "resnet50": that name is the ImageNet network's everywhere
    "cifar-resnet50": 50,
    "resnet56": 56,
    "resnet98": 98,
    "resnet110": 110,
}
"""Names of the depths that papers use."""

WIDE_PRESETS = {
    "wrn-14-8": {"depth": 14, "width": 8.0},
    "wrn-14-10": {"depth": 14, "width": 10.0},
    "wrn-20-8": {"depth": 20, "width": 8.0},
    "wrn-32-2": {"depth": 32, "width": 2.0},
}
"""Wide ResNets by depth and width, as Frankle et al. (2021) name them."""


class Block(nn.Module):
    """Two 3×3 convolutions with BatchNorm beside a shortcut: identity, or 1×1 convolution and BatchNorm."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.shortcut = nn.Sequential()  # empty: the identity
        if stride != 1 or before != after:
            self.shortcut.append(nn.Conv2d(before, after, 1, stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(after))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map N×before×H×W to N×after×⌈H/stride⌉×⌈W/stride⌉."""
        y = relu_of(self.bn1, self.conv1(x))
        return relu_of(self.bn2, self.conv2(y), self.shortcut(x))


class CifarResNet(nn.Module):
    """A first convolution, three groups of blocks, the mean over positions, one linear layer."""

    def __init__(self, inputs: int, channels: Sequence[int], blocks: int, classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, channels[0], 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(channels[0])
        self.blocks = nn.Sequential()
        before = channels[0]
        for group, after in enumerate(channels):
            for number in range(blocks):
                self.blocks.append(Block(before, after, stride=2 if group and not number else 1))
                before = after
        self.fc = nn.Linear(before, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images N×C×H×W to logits N×classes."""
        x = relu_of(self.bn, self.conv(images))
        # a mean, not an adaptive pool: that one's gradient is not deterministic on GPUs
        return self.fc(self.blocks(x).mean((2, 3)))  # type: ignore[no-any-return]


def cifar_resnet(
    input_shape: Sequence[int], classes: int, *, depth: int = 20, width: float = 1.0
) -> nn.Module:
    """CIFAR ResNet of depth 6B + 2: three groups of B blocks, 16, 32 and 64 channels (He et al. 2016, 4.2).

    The variant of the OpenLTH code, which Frankle et al. (2021) use: BatchNorm before each ReLU, convolutions
    without bias, and where the shape changes a shortcut of 1×1 convolution and BatchNorm (its layers have
    `shortcut` in their names), not He's padding with zeros. Groups two and three begin with stride 2; global
    average pooling; one linear layer with bias. Layers: `conv`, `bn`, `blocks.0.conv1`, …,
    `blocks.B.shortcut.0`, …, `fc`. A width w gives max(1, round(c·w)) channels instead of c; a wide ResNet
    WRN-D-W of Frankle et al. (App. B) is depth D, width W. ResNet-20 on CIFAR-10: 270,896 prunable weights,
    272,474 parameters.

    Presets: resnet8, 14, 20, 26, 32, 44, 56, 98, 110, and cifar-resnet50 (plain "resnet50" would be mistaken
    for the ImageNet network); wrn-14-8, wrn-14-10, wrn-20-8 (16-8, 16-10, 22-8 in Lee et al. 2019), wrn-32-2
    (ResNet-32 in Wang et al. 2020).

    Raises: UsageError for a depth that is not 6B + 2, or a width that is not above 0.
    """
    if isinstance(depth, bool) or not isinstance(depth, int) or depth < 8 or (depth - 2) % 6:
        raise UsageError(
            f"architecture 'cifar-resnet': depth = {depth!r}; allowed: 6B + 2 with B of at least 1: "
            "8, 14, 20, 26, 32, 38, 44, 50, 56, …"
        )
    channels = [scaled(c, width, "architecture 'cifar-resnet'") for c in (16, 32, 64)]
    return CifarResNet(input_shape[0], channels, (depth - 2) // 6, classes)
