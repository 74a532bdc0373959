"""The residual networks for ImageNet by depth and width, of TorchVision's blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from prunebench.errors import UsageError
from prunebench_plugins.architectures._checks import scaled
from prunebench_plugins.architectures._layers import relu_of

__all__ = ["BLOCKS", "ImageNetResNet", "imagenet_resnet"]

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
"""How many blocks the four groups of a depth have; they are bottlenecks from depth 50 on."""


class ImageNetResNet(nn.Module):
    """A 7×7 convolution and a max-pool, four groups of blocks, the mean over positions, one linear layer."""

    def __init__(
        self, inputs: int, block: Any, blocks: Sequence[int], channels: Sequence[int], classes: int
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(channels[0])
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        before = channels[0]
        for group, (after, number) in enumerate(zip(channels, blocks, strict=True)):
            layers = nn.Sequential()
            for place in range(number):
                stride = 2 if group and not place else 1
                layers.append(block(before, after, stride, _shortcut(block, before, after, stride)))
                before = after * block.expansion
            self.add_module(f"layer{group + 1}", layers)
        self.fc = nn.Linear(before, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images N×C×H×W to logits N×classes."""
        x = self.maxpool(relu_of(self.bn1, self.conv1(images)))
        *groups, fc = list(self.children())[3:]
        for group in groups:
            x = group(x)
        # a mean, not an adaptive pool: that one's gradient is not deterministic on GPUs
        return fc(x.mean((2, 3)))  # type: ignore[no-any-return]


def _shortcut(block: Any, before: int, after: int, stride: int) -> nn.Module | None:
    """Return the 1×1 convolution and BatchNorm beside a block that changes the shape; else None."""
    out = after * block.expansion
    if stride == 1 and before == out:
        return None
    return nn.Sequential(nn.Conv2d(before, out, 1, stride, bias=False), nn.BatchNorm2d(out))


def imagenet_resnet(
    input_shape: Sequence[int], classes: int, *, depth: int = 50, width: float = 1.0
) -> nn.Module:
    """ResNet for ImageNet of a depth and a width: groups of 64, 128, 256 and 512 channels (He et al. 2016).

    At width 1 what TorchVision's `resnet18` and `resnet50` are, layer by layer and with their names, but for
    initial values (initialize it by a recipe). A width w gives max(1, round(c·w)) channels instead of c; a
    bottleneck's last convolution has four times as many. Rosenfeld et al. (2021) scale depth 18 for
    TinyImageNet and depth 50 for ImageNet so. Depths 18 and 34 have blocks of two 3×3 convolutions, 50, 101
    and 152 bottlenecks with the stride in the 3×3 one. Layers: `conv1`, `bn1`, `layer1.0.conv1`, …,
    `layer2.0.downsample.0`, …, `fc`. Depth 50 with 1000 classes: 25,502,912 prunable weights, 25,557,032
    parameters; depth 18 with 200: 11,269,312 and 11,279,112.

    Raises: UsageError for another depth, or a width that is not above 0.
    """
    who = "architecture 'imagenet-resnet'"
    if isinstance(depth, bool) or depth not in BLOCKS:
        raise UsageError(f"{who}: depth = {depth!r}; allowed: " + ", ".join(map(str, BLOCKS)))
    # here, not above: the import takes a second, and only who builds one needs it
    from prunebench.vision import torchvision

    blocks = torchvision.models.resnet
    block = blocks.BasicBlock if depth < 50 else blocks.Bottleneck
    channels = [scaled(c, width, who) for c in (64, 128, 256, 512)]
    return ImageNetResNet(input_shape[0], block, BLOCKS[depth], channels, classes)
