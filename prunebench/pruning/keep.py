"""Scores to masks: an exact count kept, ties by position, in time linear in the number of weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from prunebench.errors import ComponentError, UsageError, nearest
from prunebench.pruning.allocation import Allocation, layer_counts
from prunebench.pruning.largest import NotFiniteError, Part, mark_largest
from prunebench.pruning.mask import Mask
from prunebench.pruning.product import Product

__all__ = ["KEEP", "Keep", "keep_top", "part_of"]

Keep = Literal["high", "low", "far", "near"]
KEEP: tuple[Keep, ...] = ("high", "low", "far", "near")


def keep_top(
    scores: Mapping[str, Tensor | Product],
    kept: int,
    *,
    keep: Keep = "high",
    allocation: Allocation = "global",
    current: Mask | None = None,
    who: str = "",
) -> Mask:
    """Return the mask of exactly `kept` weights.

    `keep` says which scores are kept: the highest, the lowest, or those farthest from or nearest to zero.
    Scores of all layers are compared as they are (no layer is normalised); with an `allocation` each layer
    keeps its own count (`layer_counts`). Among equal scores the earlier position is kept: module order, then
    row-major. Weights that `current` has removed stay removed and compete with nobody, so a live weight of
    score 0 goes before none of them. `who` made the scores: a name for messages.

    Raises: UsageError where so many cannot be kept, or none is to be; ComponentError for scores that are NaN
        or infinite.
    """
    if keep not in KEEP:
        raise UsageError(f"unknown keep '{keep}'{nearest(str(keep), KEEP)}")
    if current is not None and list(current) != list(scores):
        raise UsageError(f"the mask has layers {list(current)}, the scores {list(scores)}")
    parts = [part_of(name, tensor, current) for name, tensor in scores.items()]
    limits = {part.name: part.left for part in parts}
    left = sum(limits.values())
    if not 1 <= kept <= left:
        none = "; a mask keeps at least one weight" if left and kept == 0 else ""
        raise UsageError(f"cannot keep {kept} weights of the {left} there are{none}")
    try:
        if isinstance(allocation, str) and allocation == "global":
            marks = mark_largest(parts, kept, keep)
        else:
            shapes = {name: tuple(tensor.shape) for name, tensor in scores.items()}
            counts = layer_counts(shapes, kept, allocation, limits)
            marks = [mark_largest([part], counts[part.name], keep)[0] for part in parts]
    except NotFiniteError as error:
        by = f"{who}: " if who else ""
        raise ComponentError(
            f"{by}{error.count} of {error.part.values.size} scores of '{error.part.name}' are NaN or infinite"
        ) from None
    return Mask.adopt(
        {
            name: torch.from_numpy(own).reshape(tensor.shape)
            for (name, tensor), own in zip(scores.items(), marks, strict=True)
        }
    )


def part_of(name: str, score: Tensor | Product, current: Mask | None) -> Part:
    """Return a layer's scores, ready to be ranked; weights that `current` has removed take no part.

    Raises: ComponentError for scores that are no floating-point numbers; UsageError for a mask of another
        shape.
    """
    tensor, factor = (score.weight, score.factor) if isinstance(score, Product) else (score, None)
    if not torch.is_floating_point(tensor):
        raise ComponentError(f"scores of '{name}' are {tensor.dtype}; floating-point numbers wanted")
    values = _flat(tensor)
    factors = None if factor is None else _flat(factor)
    if current is None:
        return Part(name, values, None, values.size, factors)
    if current[name].shape != tensor.shape:
        raise UsageError(
            f"scores of '{name}' have shape {tuple(tensor.shape)}, its mask {tuple(current[name].shape)}"
        )
    left = current.kept_in(name)
    live = None if left == values.size else current[name].numpy().reshape(-1)
    return Part(name, values, live, left, factors)


def _flat(tensor: Tensor) -> np.ndarray[Any, np.dtype[Any]]:
    tensor = tensor.detach().cpu()
    if tensor.dtype not in (torch.float32, torch.float64):
        tensor = tensor.float()  # exact; numpy knows no bfloat16
    flat: np.ndarray[Any, np.dtype[Any]] = tensor.contiguous().numpy().reshape(-1)
    return flat
