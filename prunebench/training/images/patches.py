"""Random patches of images: which part of an image, drawn for each (imports no torch)."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prunebench.errors import UsageError

__all__ = ["DRAWS", "Patch", "parse_patch"]

_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_NAME = re.compile(rf"resized-crop(?:\[{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}\])?")
_ATTEMPTS = 10
DRAWS = 2 * _ATTEMPTS + 2
"""Uniform numbers that a patch takes, whatever it comes to: so a row of draws belongs to each position."""


@dataclass(frozen=True)
class Patch:
    """Patches of a share of the image's area with an aspect ratio (width over height), both within bounds.

    The area is uniform, the ratio uniform on a logarithmic scale, the place uniform; a patch that does not
    fit is drawn again, up to ten times, and then the largest central one within the bounds on the ratio is
    taken (as in torchvision's RandomResizedCrop, whose bounds are 0.08–1 and 3/4–4/3).
    """

    area: tuple[float, float]
    ratio: tuple[float, float]

    def boxes(self, draws: NDArray[np.float64], height: int, width: int) -> NDArray[np.int64]:
        """Return (top, left, height, width) for each row of N×DRAWS uniform numbers: int64 N×4."""
        tries = draws[:, :-2].reshape(len(draws), _ATTEMPTS, 2)
        area = height * width * _between(tries[:, :, 0], *self.area)
        ratio = np.exp(_between(tries[:, :, 1], *np.log(self.ratio)))
        wide, high = np.rint(np.sqrt(area * ratio)), np.rint(np.sqrt(area / ratio))
        fits = (wide > 0) & (wide <= width) & (high > 0) & (high <= height)
        each, first = np.arange(len(draws)), fits.argmax(axis=1)
        boxes = np.empty((len(draws), 4), dtype=np.int64)
        boxes[:, 2], boxes[:, 3] = high[each, first], wide[each, first]
        boxes[:, 0] = draws[:, -2] * (height - boxes[:, 2] + 1)
        boxes[:, 1] = draws[:, -1] * (width - boxes[:, 3] + 1)
        boxes[~fits.any(axis=1)] = self._central(height, width)
        return boxes

    def _central(self, height: int, width: int) -> tuple[int, int, int, int]:
        high, wide = height, width
        if width / height < self.ratio[0]:
            high = max(1, round(width / self.ratio[0]))
        elif width / height > self.ratio[1]:
            wide = max(1, round(height * self.ratio[1]))
        return (height - high) // 2, (width - wide) // 2, high, wide


def _between(uniform: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    return low + (high - low) * uniform


def parse_patch(name: str) -> Patch | None:
    """Return what an augmentation's name says of patches; None for the name of another augmentation.

    "resized-crop" is a tenth to the whole of the area at aspect ratios of 0.8 to 1.25 (Frankle et al. 2021,
    App. A), "resized-crop[a,b,c,d]" areas a–b and aspect ratios c–d.

    Raises: UsageError for bounds that no patch can keep to.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    if match[1] is None:
        return Patch((0.1, 1.0), (0.8, 1.25))
    a, b, c, d = map(float, match.groups())
    if not (0 < a <= b <= 1 and 0 < c <= d):
        raise UsageError(f"augmentation '{name}': areas rise within (0, 1], aspect ratios above 0")
    return Patch((a, b), (c, d))
