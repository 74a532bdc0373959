"""Bytes to what a network takes."""

from __future__ import annotations

from collections.abc import Sequence

import torch

__all__ = ["normalize"]


def normalize(images: torch.Tensor, mean: Sequence[float], std: Sequence[float]) -> torch.Tensor:
    """Return float32 (image / 255 − mean) / std of uint8 images N×C×H×W, in their memory layout.

    Computed as image · a + b with a = 1 / (255 · std) and b = −mean / std, rounded to float32 once.
    """
    where = images.device
    a = torch.tensor([1 / (255 * s) for s in std], dtype=torch.float32, device=where).view(1, -1, 1, 1)
    b = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)], dtype=torch.float32, device=where)
    return images.to(torch.float32).mul_(a).add_(b.view(1, -1, 1, 1))
