"""The shuffle ablation: each layer keeps its count, at random places."""

from __future__ import annotations

import torch

from prunebench.pruning.mask import Mask
from prunebench.pruning.rng import RandomStream

__all__ = ["shuffle_mask"]


def shuffle_mask(mask: Mask, rng: RandomStream) -> Mask:
    """Return a mask with every layer's entries permuted at random (rng.child(layer's name)), counts kept."""
    shuffled = {}
    for name, tensor in mask.items():
        order = torch.from_numpy(rng.child(name).permutation(tensor.numel()))
        shuffled[name] = tensor.reshape(-1)[order].reshape(tensor.shape)
    return Mask(shuffled)
