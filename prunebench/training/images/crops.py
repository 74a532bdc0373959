"""Patches cut out of a batch of images and scaled."""

from __future__ import annotations

import torch
from torch.nn import functional

__all__ = ["cut"]


def cut(images: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """Return patches of uint8 images N×H×W×C, each scaled to the whole image's size, bilinearly.

    `boxes` (int64 N×4) are tops, lefts, heights and widths. No patch is larger than its image, so
    antialiasing changes nothing. On the CPU the numbers are torchvision's; elsewhere they may be one off.
    """
    if images.device.type != "cpu":
        return _cut_at_once(images, boxes)
    height, width, channels = images.shape[1:]
    images = images.contiguous()
    patches = torch.empty_like(images)
    row, size = width * channels, height * width * channels
    # the kernel for bytes is so quick that a call for each image costs less than one for all in float32, if
    # a patch is one view
    scale = torch.ops.aten._upsample_bilinear2d_aa.out
    strides, whole, start = (size, 1, row, channels), [height, width], images.storage_offset()
    targets = patches.permute(0, 3, 1, 2).split(1)  # type: ignore[no-untyped-call]
    for (top, left, high, wide), target in zip(boxes.tolist(), targets, strict=True):
        place = start + top * row + left * channels
        scale(images.as_strided((1, channels, high, wide), strides, place), whole, False, out=target)
        start += size
    return patches


def _cut_at_once(images: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """Sample all patches in one call: for accelerators, where calls are what costs."""
    count, height, width = images.shape[:3]
    top, left, high, wide = boxes.to(images.device, torch.float32).unbind(1)
    rows = _places(top, high, height) * (2 / max(1, height - 1)) - 1
    columns = _places(left, wide, width) * (2 / max(1, width - 1)) - 1
    grid = torch.stack(
        [
            columns[:, None, :].expand(count, height, width),
            rows[:, :, None].expand(count, height, width),
        ],
        dim=-1,
    )
    pixels = images.permute(0, 3, 1, 2).to(torch.float32)
    sampled = functional.grid_sample(pixels, grid, mode="bilinear", padding_mode="border", align_corners=True)
    return sampled.round_().to(torch.uint8).permute(0, 2, 3, 1)


def _places(start: torch.Tensor, size: torch.Tensor, out: int) -> torch.Tensor:
    """Return where in the image each of `out` rows or columns of the results lies: N×out."""
    centres = torch.arange(out, dtype=torch.float32, device=start.device) + 0.5
    within = (centres * (size / out)[:, None] - 0.5).clamp_(min=0)
    return start[:, None] + torch.minimum(within, (size - 1)[:, None])
