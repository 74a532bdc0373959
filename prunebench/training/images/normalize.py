"""Bytes to what a network takes."""

from __future__ import annotations

from collections.abc import Sequence

import torch

__all__ = ["Normalization", "normalize"]


class Normalization:
    """float32 (image / 255 − mean) / std of uint8 images N×C×H×W, in their memory layout.

    Computed as image · a + b with a = 1 / (255 · std) and b = −mean / std, rounded to float32 once; the same
    bits in every layout.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], device: str | torch.device) -> None:
        a = [1 / (255 * s) for s in std]
        b = [-m / s for m, s in zip(mean, std, strict=True)]
        self._a = torch.tensor(a, dtype=torch.float32, device=device)
        self._b = torch.tensor(b, dtype=torch.float32, device=device)
        self._rows: tuple[torch.Tensor, torch.Tensor] = (self._a, self._b)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return normalised images."""
        pixels = images.permute(0, 2, 3, 1)
        if images.is_contiguous() or not pixels.is_contiguous():
            a, b = self._a.view(1, -1, 1, 1), self._b.view(1, -1, 1, 1)
            return images.to(torch.float32).mul_(a).add_(b)
        # channels last: whole rows at once are six times as quick as three numbers at a time
        values = pixels.reshape(len(images), -1)
        a, b = self._row(values.shape[1])
        return values.to(torch.float32).mul_(a).add_(b).view(pixels.shape).permute(0, 3, 1, 2)

    def _row(self, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        if len(self._rows[0]) != length:
            times = length // len(self._a)
            self._rows = self._a.repeat(times), self._b.repeat(times)
        return self._rows


def normalize(images: torch.Tensor, mean: Sequence[float], std: Sequence[float]) -> torch.Tensor:
    """Return uint8 images N×C×H×W normalised: see `Normalization`."""
    return Normalization(mean, std, images.device)(images)
