"""Augmentation in batches, on the device, before normalisation.

Images are uint8 N×H×W×C here. What happens to an image depends on the seed, the epoch and its position in the
epoch's order alone, so that a run can start anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import torch
from numpy.typing import NDArray

from prunebench.errors import UsageError
from prunebench.training.images.crops import cut
from prunebench.training.images.patches import DRAWS, parse_patch
from prunebench.training.streams import Stream

__all__ = ["Augmentation", "Draws", "flip", "make_augmentations", "shift"]

Draws = NDArray[Any]

_SHIFT = re.compile(r"shift([1-9][0-9]*)")


ALLOWED = (
    "'flip', 'shift4' (or any other width), 'resized-crop' (area 0.1–1, aspect ratio 0.8–1.25), or "
    "'resized-crop[a,b,c,d]' for areas a–b and aspect ratios c–d"
)


class Augmentation:
    """One augmentation: its draws for an epoch, and what it makes of a batch given their draws.

    name: its name in recipes
    draw: (stream of the epoch, examples) → draws, one row for each position in the epoch
    settle: (draws, height, width) → what they come to for images of this size, a row each
    apply: (uint8 images N×H×W×C, settled rows) → images of the same shape
    """

    def __init__(
        self,
        name: str,
        draw: Callable[[Stream, int], Draws],
        apply: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        settle: Callable[[Draws, int, int], Draws] = lambda draws, height, width: draws,
    ) -> None:
        self.name, self.draw, self.apply, self.settle = name, draw, apply, settle


def flip(images: torch.Tensor, flipped: torch.Tensor) -> torch.Tensor:
    """Return the images N×H×W×C, mirrored left to right where `flipped` (bool, N).

    All are mirrored first: to ask which ones would make each step wait for its GPU.
    """
    return torch.where(flipped.view(-1, 1, 1, 1), images.flip(2), images)


def shift(images: torch.Tensor, offsets: torch.Tensor, reach: int) -> torch.Tensor:
    """Move each image N×H×W×C within a frame of zeros (black, before normalisation) `reach` wide.

    `offsets` (int64, N×2, in 0 … 2·reach) are the top left corners of the crops from the framed images, as
    with a random crop after padding: row y of the result is row y + offset − reach of the image.
    """
    n, height, width, channels = images.shape
    framed = images.new_zeros((n, height + 2 * reach, width + 2 * reach, channels))
    framed[:, reach : reach + height, reach : reach + width] = images
    crops = framed.unfold(1, height, 1).unfold(2, width, 1)  # N, top, left, C, H, W: a view
    crops = crops.permute(0, 1, 2, 4, 5, 3)
    each = torch.arange(n, device=images.device)
    return crops[each, offsets[:, 0], offsets[:, 1]]


def make_augmentations(names: Sequence[str]) -> list[Augmentation]:
    """Return the augmentations of a recipe, in its order.

    Raises: UsageError for another name, and for one that is given twice.
    """
    if len(set(names)) != len(names):
        raise UsageError(f"each augmentation once, found {list(names)}")
    return [_make(name) for name in names]


def _make(name: str) -> Augmentation:
    if name == "flip":
        return Augmentation(name, lambda s, n: s.integers(n, 2).astype(bool), flip)
    patch = parse_patch(name)
    if patch is not None:
        return Augmentation(name, lambda s, n: s.uniform((n, DRAWS)), cut, patch.boxes)
    match = _SHIFT.fullmatch(name)
    if match is None:
        raise UsageError(f"unknown augmentation '{name}'; allowed: {ALLOWED}")
    reach = int(match[1])
    return Augmentation(
        name,
        lambda s, n: s.integers(2 * n, 2 * reach + 1).reshape(n, 2),
        lambda images, offsets: shift(images, offsets, reach),
    )
