"""The shuffle ablation: each layer keeps its count, at random places."""

from __future__ import annotations

import torch

from prunebench.pruning.mask import Mask
from prunebench.pruning.rng import RandomStream

__all__ = ["shuffle_mask"]


def shuffle_mask(mask: Mask, rng: RandomStream, within: Mask | None = None) -> Mask:
    """Return a mask with every layer's entries permuted at random (rng.child(layer's name)), counts kept.

    With `within` they go to places alone that it keeps: those of `mask` are among them.
    """
    shuffled = {}
    for name, tensor in mask.items():
        flat = tensor.reshape(-1)
        live = slice(None) if within is None else within[name].reshape(-1)
        entries = flat[live]
        order = torch.from_numpy(rng.child(name).permutation(entries.numel()))
        permuted = torch.zeros_like(flat)
        permuted[live] = entries[order]
        shuffled[name] = permuted.reshape(tensor.shape)
    return Mask(shuffled)
