"""Image files to one tensor of bytes, and the file that keeps it so that it is made once."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from prunebench.canonical import digest
from prunebench.errors import DataError
from prunebench.training.images.decode import decode_image
from prunebench_plugins.datasets import _listing
from prunebench_plugins.datasets._listing import cache_folder

if TYPE_CHECKING:
    import torch
    from PIL import Image

__all__ = ["decoded", "fitted", "kept"]

_AT_ONCE = 256
"""Images that a thread decodes before it takes the next ones."""

Shape = Callable[["Image.Image"], "Image.Image"]
"""Makes an RGB image square and of the wanted size."""


def fitted(size: int) -> Shape:
    """Return what scales the shorter side to `size` (bilinear, antialiased) and crops the middle square.

    The longer side is rounded down, the margins before the crop too, as torchvision's Resize and CenterCrop.
    """

    def shape(image: Image.Image) -> Image.Image:
        from PIL import Image

        width, height = image.size
        short = min(width, height)
        wide, high = (width * size // short, height * size // short)
        if (wide, high) != (width, height):
            image = image.resize((wide, high), Image.Resampling.BILINEAR)
        left, top = round((wide - size) / 2), round((high - size) / 2)
        return image.crop((left, top, left + size, top + size))

    return shape


def decoded(
    count: int,
    read: Callable[[int], bytes],
    where: Callable[[int], str],
    size: int,
    shape: Shape | None = None,
) -> torch.Tensor:
    """Return `count` images as uint8 N×3×size×size; grey ones and palettes become RGB, an alpha is dropped.

    Args:
        count: N.
        read: returns the file's content of the image at a place; called by several threads.
        where: returns what errors call that file.
        size: pixels of a side.
        shape: makes an image square and of that size; without one each must be so already.

    Raises: DataError naming a file that is no whole image, or of another size.
    """
    import torch

    try:
        pixels = np.empty((count, 3, size, size), dtype=np.uint8)
    except (MemoryError, ValueError) as error:
        gigabytes = count * 3 * size * size / 1e9
        raise DataError(
            f"{count:,} images of {size}×{size} need {gigabytes:,.0f} GB of memory, more than there is; a "
            "smaller size, or a data set that is read while training (image-folder-stream), needs less"
        ) from error

    def some(start: int) -> None:
        for place in range(start, min(start + _AT_ONCE, count)):
            image = decode_image(read(place), where(place), "RGB", size=None if shape else (size, size))
            pixels[place] = np.asarray(shape(image) if shape else image).transpose(2, 0, 1)

    pool = ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1))
    try:
        for _ in pool.map(some, range(0, count, _AT_ONCE)):
            pass
    finally:
        pool.shutdown(cancel_futures=True)
    return torch.from_numpy(pixels)


def kept(what: str, stamp: str, count: int, size: int, make: Callable[[], torch.Tensor]) -> torch.Tensor:
    """Return what `make` decodes, from the user's cache where it was decoded before.

    One file for each `what` (folder, part, size); `stamp` says of which files it was made, and with the
    decoder's version it must agree, and the pixels with their SHA-256: else they are made again. A cache that
    cannot be written is none.
    """
    if count < _listing.REMEMBERED_FROM:
        return make()
    import PIL

    key = digest({"what": what, "stamp": stamp, "pillow": PIL.__version__})
    path = cache_folder() / f"pixels-{digest({'what': what})[:32]}.safetensors"
    pixels = _read(path, key, (count, 3, size, size))
    if pixels is None:
        pixels = make()
        _write(path, key, pixels)
    return pixels


def _sha256(pixels: torch.Tensor) -> str:
    return hashlib.sha256(pixels.numpy().data).hexdigest()


def _read(path: Path, key: str, shape: Sequence[int]) -> torch.Tensor | None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            if about.get("key") != key:
                return None
            pixels: torch.Tensor = file.get_tensor("pixels")
    except (OSError, SafetensorError):
        return None
    whole = tuple(pixels.shape) == tuple(shape) and _sha256(pixels) == about.get("sha256")
    return pixels if whole else None


def _write(path: Path, key: str, pixels: torch.Tensor) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    part: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
        save_file({"pixels": pixels}, part, {"key": key, "sha256": _sha256(pixels)})
        os.replace(part, path)
    except (OSError, SafetensorError):
        if part is not None and os.path.exists(part):
            os.unlink(part)
