"""Scores to masks: an exact count kept, ties by position, in time linear in the number of weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from prunebench.errors import ComponentError, UsageError, nearest
from prunebench.pruning.allocation import Allocation, layer_counts
from prunebench.pruning.mask import Mask

__all__ = ["KEEP", "Keep", "keep_top"]

Keep = Literal["high", "low", "far", "near"]
KEEP: tuple[Keep, ...] = ("high", "low", "far", "near")

Array = np.ndarray[Any, np.dtype[Any]]


def keep_top(
    scores: Mapping[str, Tensor],
    kept: int,
    *,
    keep: Keep = "high",
    allocation: Allocation = "global",
    current: Mask | None = None,
) -> Mask:
    """Return the mask of exactly `kept` weights.

    `keep` says which scores are kept: the highest, the lowest, or those farthest from or nearest to zero.
    Scores of all layers are compared as they are (no layer is normalised); with an `allocation` each layer
    keeps its own count (`layer_counts`). Among equal scores the earlier position is kept: module order, then
    row-major. Weights that `current` has removed stay removed and compete with nobody, so a live weight of
    score 0 goes before none of them.

    Raises: UsageError where so many cannot be kept, ComponentError for scores that are NaN or infinite.
    """
    if keep not in KEEP:
        raise UsageError(f"unknown keep '{keep}'{nearest(str(keep), KEEP)}")
    if current is not None and list(current) != list(scores):
        raise UsageError(f"the mask has layers {list(current)}, the scores {list(scores)}")
    live: dict[str, Array] = {}
    values: dict[str, Array] = {}
    for name, tensor in scores.items():
        flat = _flat(name, tensor)
        if current is not None:
            if current[name].shape != tensor.shape:
                raise UsageError(
                    f"scores of '{name}' have shape {tuple(tensor.shape)}, "
                    f"its mask {tuple(current[name].shape)}"
                )
            live[name] = current[name].numpy().reshape(-1)
            flat = flat[live[name]]
        values[name] = _higher_is_kept(flat, keep)
    left = {name: value.size for name, value in values.items()}
    if not 0 <= kept <= sum(left.values()):
        raise UsageError(f"cannot keep {kept} weights of the {sum(left.values())} there are")

    if isinstance(allocation, str) and allocation == "global":
        chosen = _split(_largest(np.concatenate(list(values.values())), kept), left)
    else:
        shapes = {name: tuple(tensor.shape) for name, tensor in scores.items()}
        counts = layer_counts(shapes, kept, allocation, left)
        chosen = {name: _largest(value, counts[name]) for name, value in values.items()}

    masks = {}
    for name, tensor in scores.items():
        flat = chosen[name]
        if name in live:
            flat = np.zeros(tensor.numel(), dtype=bool)
            flat[live[name]] = chosen[name]
        masks[name] = torch.from_numpy(flat).reshape(tensor.shape)
    return Mask(masks)


def _flat(name: str, tensor: Tensor) -> Array:
    if not torch.is_floating_point(tensor):
        raise ComponentError(f"scores of '{name}' are {tensor.dtype}; floating-point numbers wanted")
    tensor = tensor.detach().cpu()
    if tensor.dtype not in (torch.float32, torch.float64):
        tensor = tensor.float()  # exact; numpy knows no bfloat16
    flat: Array = tensor.contiguous().numpy().reshape(-1)
    if not np.isfinite(flat).all():
        raise ComponentError(
            f"{int((~np.isfinite(flat)).sum())} of {flat.size} scores of '{name}' are not finite"
        )
    return flat


def _higher_is_kept(flat: Array, keep: Keep) -> Array:
    """Map scores so that the highest are kept; negation and magnitude are exact."""
    if keep in ("far", "near"):
        flat = np.abs(flat)
    return -flat if keep in ("low", "near") else flat


def _largest(values: Array, kept: int) -> Array:
    """Mark the `kept` largest values; of those equal to the last one, the first by position."""
    if kept == 0:
        return np.zeros(values.size, dtype=bool)
    if kept == values.size:
        return np.ones(values.size, dtype=bool)
    threshold = np.partition(values, values.size - kept)[values.size - kept]
    chosen: Array = values > threshold
    ties = np.flatnonzero(values == threshold)
    chosen[ties[: kept - np.count_nonzero(chosen)]] = True
    return chosen


def _split(flat: Array, sizes: Mapping[str, int]) -> dict[str, Array]:
    ends = np.cumsum(list(sizes.values()))[:-1]
    return dict(zip(sizes, np.split(flat, ends), strict=True))
