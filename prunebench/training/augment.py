"""Augmentation in batches, on the device, before normalisation.

Images are uint8 N×H×W×C here. What happens to an image depends on the seed, the epoch and its position in the
epoch's order alone, so that a run can start anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import torch

from prunebench.errors import UsageError
from prunebench.training.streams import Stream

__all__ = ["Augmentation", "flip", "make_augmentations", "shift"]

_SHIFT = re.compile(r"shift([1-9][0-9]*)")


class Augmentation:
    """One augmentation: its draws for an epoch, and what it makes of a batch given their draws."""

    def __init__(
        self,
        name: str,
        draw: Callable[[Stream, int], torch.Tensor],
        apply: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    ) -> None:
        self.name = name
        self.draw = draw
        """(stream of the epoch, examples) → draws, one row for each position in the epoch."""
        self.apply = apply
        """(uint8 images N×H×W×C, their rows of the draws) → images of the same shape."""


def flip(images: torch.Tensor, flipped: torch.Tensor) -> torch.Tensor:
    """Mirror the images N×H×W×C left to right where `flipped` (bool, N)."""
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
    """Return the augmentations of a recipe, in its order: "flip" and "shiftK" for any K from 1.

    Raises: UsageError for another name, and for one that is given twice.
    """
    if len(set(names)) != len(names):
        raise UsageError(f"each augmentation once, found {list(names)}")
    return [_make(name) for name in names]


def _make(name: str) -> Augmentation:
    if name == "flip":
        return Augmentation(name, lambda s, n: torch.from_numpy(s.integers(n, 2)).bool(), flip)
    match = _SHIFT.fullmatch(name)
    if match is None:
        raise UsageError(
            f"unknown augmentation '{name}'; allowed: 'flip', or 'shift' with the pixels, as 'shift4'"
        )
    reach = int(match[1])
    return Augmentation(
        name,
        lambda s, n: torch.from_numpy(s.integers(2 * n, 2 * reach + 1)).view(n, 2),
        lambda images, offsets: shift(images, offsets, reach),
    )
