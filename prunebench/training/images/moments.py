"""Mean and standard deviation of images, by channel, from exact sums of pixel values."""

from __future__ import annotations

import numpy as np
import torch

__all__ = ["channel_moments"]

_PIXELS = 1 << 16
"""Pixels summed at once: as float64 they fit into a core's cache."""


def channel_moments(images: torch.Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return (means, standard deviations) of uint8 images N×C×H×W, by channel, on the scale 0–1.

    Of all pixels of a channel (the standard deviation divides by their number). Sums of a part are whole
    numbers that float64 holds exactly, sums of parts are Python's, so the result does not depend on threads,
    memory layout or the order of images.

    >>> channel_moments(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1))
    ((0.5,), (0.5,))
    """
    count, channels = images.shape[:2]
    pixels = images[0, 0].numel()
    step = max(1, _PIXELS // max(1, pixels))
    n = count * pixels
    means, deviations = [], []
    for channel in range(channels):
        total = squares = 0
        for start in range(0, count, step):
            values = images[start : start + step, channel].cpu().numpy().astype(np.float64).ravel()
            total += int(values.sum())
            squares += int(values @ values)
        means.append(total / n / 255)
        deviations.append(((n * squares - total * total) / (n * n)) ** 0.5 / 255)
    return tuple(means), tuple(deviations)
