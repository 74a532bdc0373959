"""One image file to the bytes that a network is trained on or evaluated with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from prunebench.errors import DataError
from prunebench.training.images.decode import decode_image
from prunebench.training.images.patches import parse_patch

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Prepare", "open_image"]


def open_image(path: Path, channels: int) -> Image.Image:
    """Return a file's image, in colour (3 channels) or grey (1). Raises: DataError naming the file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    return decode_image(content, str(path), "RGB" if channels == 3 else "L")


class Prepare:
    """What is done to one image, with torchvision's transforms: augmentations in their order, to one size.

    shape: (C, H, W) of the result
    augment: the recipe's names. Without a patch among them the image is first made fit for evaluation: its
        shorter side scaled to H · 256 / 224, then H×W cropped from the middle.
    """

    def __init__(self, shape: tuple[int, int, int], augment: Sequence[str]) -> None:
        self.size = list(shape[1:])
        self._augment = [(name, parse_patch(name)) for name in augment]
        self._fits_first = all(patch is None for _, patch in self._augment)

    def __call__(self, image: Image.Image, draws: Sequence[Any]) -> torch.Tensor:
        """Return uint8 C×H×W; `draws` are the rows of this image, one for each augmentation."""
        from prunebench.vision import torchvision

        functional = torchvision.transforms.v2.functional
        if self._fits_first:
            image = self._fitted(image)
        for (name, patch), row in zip(self._augment, draws, strict=True):
            if patch is not None:
                top, left, high, wide = patch.boxes(row[None], image.height, image.width)[0].tolist()
                image = functional.resized_crop(image, top, left, high, wide, self.size, antialias=True)
            elif name == "flip":
                image = functional.horizontal_flip(image) if row else image
            else:
                reach = int(name.removeprefix("shift"))
                height, width = image.height, image.width
                framed = functional.pad(image, [reach])
                image = functional.crop(framed, int(row[0]), int(row[1]), height, width)
        pixels: torch.Tensor = functional.pil_to_tensor(image)
        return pixels

    def _fitted(self, image: Image.Image) -> Image.Image:
        from prunebench.vision import torchvision

        functional = torchvision.transforms.v2.functional
        shorter = max(round(min(self.size) * 256 / 224), *self.size)
        scaled = functional.resize(image, [shorter], antialias=True)
        return cast("Image.Image", functional.center_crop(scaled, self.size))
