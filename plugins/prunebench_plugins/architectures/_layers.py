"""Layers that several families share: TensorFlow's padding, averages with a deterministic gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.modules import module as modules

__all__ = ["AveragesOfMap", "SameConv2d", "halved", "relu_of"]


def relu_of(norm: nn.Module, x: torch.Tensor, beside: torch.Tensor | None = None) -> torch.Tensor:
    """Return the ReLU of what a BatchNorm returns for x, and of the sum of that and `beside`.

    Computed in the memory that the layer returns, which no gradient reads; in a copy where somebody has
    hooked the layer, and may keep what it returns.
    """
    y = norm(x)
    if any((norm._forward_hooks, norm._backward_hooks, norm._backward_pre_hooks)) or _any_hook_of_all():
        y = y.clone()
    return torch.relu_(y if beside is None else y.add_(beside))


def _any_hook_of_all() -> bool:
    """True if there is a hook on all modules; also where this torch does not tell."""
    asked = getattr(modules, "_has_any_global_hook", None)
    return asked is None or bool(asked())


def halved(size: int, times: int) -> int:
    """Return what is left of `size` positions after `times` 2×2 max-pools (each rounds down)."""
    return size >> times


class SameConv2d(nn.Conv2d):
    """A convolution padded so that n positions become ⌈n / stride⌉ (TensorFlow's SAME), whatever the kernel.

    Where the padding is odd the one more is at the bottom and the right. PyTorch's own `padding="same"` has
    no strides.
    """

    def __init__(self, before: int, after: int, kernel: int, stride: int = 1, bias: bool = True) -> None:
        super().__init__(before, after, kernel, stride, bias=bias)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Map N×before×H×W to N×after×⌈H/stride⌉×⌈W/stride⌉."""
        padding: list[int] = []
        for axis in (1, 0):  # of two numbers each, the last axis first
            n, kernel, stride = input.shape[2 + axis], self.kernel_size[axis], self.stride[axis]
            total = max(0, (math.ceil(n / stride) - 1) * stride + kernel - n)
            padding += [total // 2, total - total // 2]
        return super().forward(nn.functional.pad(input, padding))


class AveragesOfMap(nn.Module):
    """Adaptive average pooling from a known H×W to size×size, as two matrix products.

    The same numbers as torch.nn.AdaptiveAvgPool2d(size), whose gradient has no deterministic algorithm on
    GPUs and which is refused there. Cell i averages positions ⌊iH/size⌋ to ⌈(i+1)H/size⌉ − 1.
    """

    rows: torch.Tensor
    columns: torch.Tensor

    def __init__(self, height: int, width: int, size: int) -> None:
        super().__init__()
        # no part of the network's state: they follow from the input's size
        self.register_buffer("rows", torch.tensor(_shares(height, size)), persistent=False)
        self.register_buffer("columns", torch.tensor(_shares(width, size)), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map N×C×H×W to N×C×size×size."""
        return self.rows @ x @ self.columns.T


def _shares(positions: int, size: int) -> Sequence[Sequence[float]]:
    """Return size × positions: the share of each position in each cell's average."""
    cells = []
    for i in range(size):
        start, end = i * positions // size, math.ceil((i + 1) * positions / size)
        cells.append([1 / (end - start) if start <= j < end else 0.0 for j in range(positions)])
    return cells
