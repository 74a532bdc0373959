"""Mean and standard deviation of images, by channel, from exact counts of pixel values."""

from __future__ import annotations

import numpy as np
import torch

__all__ = ["channel_moments"]

_PIXELS = 1 << 22
"""Pixels counted at once: what stands in between stays in tens of megabytes."""


def channel_moments(images: torch.Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return (means, standard deviations) of uint8 images N×C×H×W, by channel, on the scale 0–1.

    Of all pixels of a channel (the standard deviation divides by their number). Values are counted in whole
    numbers, so the result does not depend on threads, memory layout or the order of images.

    >>> channel_moments(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1))
    ((0.5,), (0.5,))
    """
    count, channels = images.shape[:2]
    counts = np.zeros((channels, 256), dtype=np.int64)
    step = max(1, _PIXELS // max(1, images[0, 0].numel()))
    for channel in range(channels):
        for start in range(0, count, step):
            pixels = images[start : start + step, channel].cpu().numpy().ravel()
            counts[channel] += np.bincount(pixels, minlength=256)
    values = np.arange(256, dtype=np.int64)
    means, deviations = [], []
    for row in counts:
        n, total, squares = int(row.sum()), int((row * values).sum()), int((row * values**2).sum())
        means.append(total / n / 255)
        deviations.append(((n * squares - total * total) / (n * n)) ** 0.5 / 255)
    return tuple(means), tuple(deviations)
