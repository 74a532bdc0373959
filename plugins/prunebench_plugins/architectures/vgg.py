"""VGG networks for small images: OpenLTH's, SNIP's and Tanaka's variants of Simonyan and Zisserman (2015)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from prunebench.errors import UsageError
from prunebench_plugins.architectures._checks import flag, scaled, sides
from prunebench_plugins.architectures._layers import SameConv2d, halved, relu_of

__all__ = [
    "PRESETS",
    "TINYIMAGENET_PRESETS",
    "VGG",
    "vgg",
    "vgg_c",
    "vgg_d",
    "vgg_like",
    "vgg_tinyimagenet",
]

GROUPS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""Convolutions in each of the five groups, by depth (which counts three linear layers too)."""

CHANNELS = (64, 128, 256, 512, 512)

PRESETS = {"vgg11": 11, "vgg13": 13, "vgg16": 16, "vgg19": 19}
TINYIMAGENET_PRESETS = {"vgg11-tinyimagenet": 11, "vgg16-tinyimagenet": 16}


class VGG(nn.Module):
    """Five groups of convolutions with BatchNorm and ReLU, a pool after each, then linear layers.

    Layers are `conv1`, `bn1`, `conv2`, … and `fc`, or with hidden linear layers `fc1`, `fc2`, …
    """

    def __init__(
        self,
        inputs: int,
        groups: Sequence[Sequence[int]],
        *,
        head: Sequence[int],
        last_pool: nn.Module,
        pool: nn.Module | None = None,
        kernels: Sequence[int] | None = None,
        stride: int = 1,
        hidden_norm: bool = False,
        dropout: float = 0.0,
    ) -> None:
        """`groups`: channels of each convolution; `head`: sizes of the linear layers, their inputs first."""
        super().__init__()
        self.groups = [len(group) for group in groups]
        before = inputs
        for number, after in enumerate((c for group in groups for c in group), start=1):
            kernel = kernels[number - 1] if kernels else 3
            if number == 1 and stride != 1:
                conv: nn.Conv2d = SameConv2d(before, after, kernel, stride)
            else:
                conv = nn.Conv2d(before, after, kernel, padding=kernel // 2)
            self.add_module(f"conv{number}", conv)
            self.add_module(f"bn{number}", nn.BatchNorm2d(after))
            before = after
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(2) if pool is None else pool
        self.last_pool = last_pool
        self.hidden = len(head) - 2
        for i, (units, following) in enumerate(pairwise(head), start=1):
            self.add_module(f"fc{i}" if self.hidden else "fc", nn.Linear(units, following))
            if hidden_norm and i <= self.hidden:
                self.add_module(f"bn_fc{i}", nn.BatchNorm1d(following))
        self.hidden_norm = hidden_norm
        self.dropout = nn.Dropout(dropout)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images N×C×H×W to logits N×classes."""
        x, number = images, 0
        for group, convolutions in enumerate(self.groups, start=1):
            for _ in range(convolutions):
                number += 1
                x = self.get_submodule(f"conv{number}")(x)
                x = relu_of(self.get_submodule(f"bn{number}"), x)
            x = (self.last_pool if group == len(self.groups) else self.pool)(x)
        x = x.flatten(1)
        for i in range(1, self.hidden + 1):
            x = self.get_submodule(f"fc{i}")(x)
            if self.hidden_norm:
                x = self.get_submodule(f"bn_fc{i}")(x)
            x = self.dropout(self.relu(x))
        return self.get_submodule(f"fc{self.hidden + 1}" if self.hidden else "fc")(x)  # type: ignore[no-any-return]


def _groups(depth: object, width: float, who: str) -> list[list[int]]:
    """Return the channels of each convolution, by group.

    Raises: UsageError for a depth that is none of VGG's, or a width that is not above 0.
    """
    if isinstance(depth, bool) or not isinstance(depth, int) or depth not in GROUPS:
        raise UsageError(f"{who}: depth = {depth!r}; allowed: 11, 13, 16, 19")
    return [[scaled(channels, width, who)] * n for channels, n in zip(CHANNELS, GROUPS[depth], strict=True)]


def vgg(input_shape: Sequence[int], classes: int, *, depth: int = 16, width: float = 1.0) -> nn.Module:
    """VGG for small images: 8, 10, 13 or 16 convolutions with BatchNorm, one linear layer.

    The variant of the OpenLTH code, which Frankle et al. (2021) and Tanaka et al. (2020, on CIFAR) use:
    3×3 convolutions with bias, BatchNorm, ReLU; groups of 64, 128, 256, 512 and 512 channels, 2×2 max-pools
    after the first four, a 2×2 average pool after the last, no dropout. Depths are 11, 13, 16, 19 (they count
    the original's three linear layers). On 32×32 images the linear layer has 512 inputs; larger images give
    it 512 for each position that is left. A width w gives max(1, round(c·w)) channels instead of c. Layers:
    `conv1`, `bn1`, …, `conv13`, `bn13`, `fc`. VGG-16 on CIFAR-10: 14,715,584 prunable weights, 14,728,266
    parameters; VGG-11: 9,222,848 and 9,231,114.

    Presets: vgg11, vgg13, vgg16, vgg19.

    Raises: UsageError for another depth, a width that is not above 0, images with a side below 32.
    """
    who = "architecture 'vgg'"
    height, across = sides(input_shape, 32, who, "four max-pools and a 2×2 average pool")
    groups = _groups(depth, width, who)
    inputs = groups[-1][-1] * halved(height, 5) * halved(across, 5)
    return VGG(input_shape[0], groups, head=[inputs, classes], last_pool=nn.AvgPool2d(2))


def vgg_tinyimagenet(input_shape: Sequence[int], classes: int, *, depth: int = 16) -> nn.Module:
    """VGG for TinyImageNet: five max-pools, two hidden linear layers of 1024 units with dropout.

    The variant of Tanaka et al.'s published code (VGG-11 and VGG-16 "modified" in Frankle et al. 2021,
    Table 6): 3×3 convolutions with bias, BatchNorm, ReLU; a 2×2 max-pool after each of the five groups, so
    that 64×64 images leave 2048 inputs to the linear layers 2048–1024–1024–classes; ReLU and dropout of one
    half after the two hidden ones, which have no BatchNorm. Images of other sizes change the first linear
    layer's inputs alone. Layers: `conv1`, `bn1`, …, `fc1`, `fc2`, `fc3`. With 200 classes, VGG-11: 12,568,256
    prunable weights, 12,578,760 parameters; VGG-16: 18,060,992 and 18,075,912.

    Presets: vgg11-tinyimagenet, vgg16-tinyimagenet.

    Raises: UsageError for another depth than 11, 13, 16, 19, images with a side below 32.
    """
    who = "architecture 'vgg-tinyimagenet'"
    height, across = sides(input_shape, 32, who, "five max-pools")
    inputs = 512 * halved(height, 5) * halved(across, 5)
    return VGG(
        input_shape[0],
        _groups(depth, 1.0, who),
        head=[inputs, 1024, 1024, classes],
        last_pool=nn.MaxPool2d(2),
        dropout=0.5,
    )


def _snip(
    input_shape: Sequence[int],
    classes: int,
    who: str,
    hidden: int,
    hidden_norm: object,
    pointwise: bool = False,
) -> nn.Module:
    """One of SNIP's three: `hidden` linear layers of 512 units; `pointwise` for VGG-C's 1×1 kernels."""
    largest = max(sides(input_shape, 1, who, "one position is left before the linear layers", most=64))
    # TensorFlow's SAME pools round up: a side of up to 32 ends at one position after five of them
    pool = nn.MaxPool2d(2, ceil_mode=True)
    return VGG(
        input_shape[0],
        _groups(16, 1.0, who),
        head=[512] * (hidden + 1) + [classes],
        last_pool=pool,
        pool=pool,
        kernels=[1 if pointwise and n in (7, 10, 13) else 3 for n in range(1, 14)],
        stride=1 if largest <= 32 else 2,
        hidden_norm=flag(hidden_norm, "hidden_norm", who),
    )


def vgg_d(input_shape: Sequence[int], classes: int, *, hidden_norm: bool = False) -> nn.Module:
    """VGG-D of SNIP: 13 convolutions with BatchNorm, two hidden linear layers of 512 units.

    Lee et al. (2019); VGG2-16 of Frankle et al. (2021, Table 1; that its head is 512–512–512–classes is
    inferred). 3×3 convolutions with bias, BatchNorm, ReLU, a 2×2 max-pool after each of the five groups, no
    dropout. SNIP's published code has BatchNorm on the two hidden linear layers too: `hidden_norm = true`
    (the default is without). Pools round up and images above 32×32, up to 64×64, get a stride of 2 in the
    first convolution, as in that code for TinyImageNet: one position is left before the linear layers.
    BatchNorm has PyTorch's momentum and ε, not TensorFlow's. Layers: `conv1`, `bn1`, …, `fc1`, (`bn_fc1`,)
    `fc2`, `fc3`. On CIFAR-10: 15,239,872 prunable weights; 15,253,578 parameters, 15,255,626 with
    `hidden_norm`.

    Preset: vgg2-16.

    Raises: UsageError for images with a side above 64, a `hidden_norm` that is not true or false.
    """
    return _snip(input_shape, classes, "architecture 'vgg-d'", 2, hidden_norm)


def vgg_c(input_shape: Sequence[int], classes: int, *, hidden_norm: bool = False) -> nn.Module:
    """VGG-C of SNIP: `vgg-d` with 1×1 kernels in the 7th, 10th and 13th convolution.

    Lee et al. (2019). Everything else, `hidden_norm` and the names of the layers too, is as in `vgg-d`. On
    CIFAR-10: 10,521,280 prunable weights; 10,534,986 parameters, 10,537,034 with `hidden_norm`.

    Raises: UsageError for images with a side above 64, a `hidden_norm` that is not true or false.
    """
    return _snip(input_shape, classes, "architecture 'vgg-c'", 2, hidden_norm, pointwise=True)


def vgg_like(input_shape: Sequence[int], classes: int, *, hidden_norm: bool = False) -> nn.Module:
    """VGG-like of SNIP: `vgg-d` with one hidden linear layer instead of two.

    Lee et al. (2019). OpenLTH's VGG-16 (`vgg16`) has none. Everything else, `hidden_norm` too, is as in
    `vgg-d`; linear layers are `fc1`, `fc2`. On CIFAR-10: 14,977,728 prunable weights; 14,990,922 parameters,
    14,991,946 with `hidden_norm`.

    Raises: UsageError for images with a side above 64, a `hidden_norm` that is not true or false.
    """
    return _snip(input_shape, classes, "architecture 'vgg-like'", 1, hidden_norm)
