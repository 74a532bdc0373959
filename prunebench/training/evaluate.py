"""How many a network gets right, and its loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from prunebench import pulse
from prunebench.training.images.data import Images
from prunebench.training.images.normalize import Normalization

__all__ = ["BATCH", "evaluate"]

BATCH = 500
"""Examples of one forward pass."""


def evaluate(
    module: nn.Module,
    images: Images,
    labels: torch.Tensor,
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    batch: int = BATCH,
    channels_last: bool = False,
) -> tuple[int, int, float]:
    """Return (correct, examples, mean cross entropy) of a network in evaluation mode.

    uint8 images are normalised with `mean` and `std`, batch by batch; float images are taken as they are.
    All lie on the network's device. The loss is the mean in float64 of each example's cross entropy, without
    label smoothing. Whatever was in training mode is in training mode again afterwards.
    """
    normalized = None if mean is None or std is None else Normalization(mean, std, labels.device)
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    correct = torch.zeros((), dtype=torch.int64, device=labels.device)
    loss = torch.zeros((), dtype=torch.float64, device=labels.device)
    try:
        with torch.no_grad():
            for x, y in zip(images.split(batch), labels.split(batch), strict=True):  # type: ignore[no-untyped-call]
                if channels_last:
                    x = x.contiguous(memory_format=torch.channels_last)
                if x.dtype == torch.uint8:
                    if normalized is None:
                        raise ValueError("uint8 images need mean and std")
                    x = normalized(x)
                outputs = module(x)
                pulse.beat()
                correct += (outputs.argmax(1) == y).sum()
                loss += functional.cross_entropy(outputs, y, reduction="none").double().sum()
    finally:
        for part, training in modes:
            part.training = training
    return int(correct), len(images), float(loss) / len(images)
