"""What pruning cuts off without removing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import prunebench

if TYPE_CHECKING:
    from torch import nn

    from prunebench import Mask

__all__ = ["disconnected", "effective_density"]


def effective_density(net: nn.Module, mask: Mask | None, input_shape: Sequence[int]) -> dict[str, Any]:
    """Density when kept weights that lie on no path from input to output are not counted.

    density: effective / prunable. sparsity: 1 − density ("effective sparsity", Frankle et al. 2021, App. M).
    effective: how many kept weights lie on a path; the paper's ratio of a shuffled to an unmodified network
    is that of these counts. share: effective / kept. kept, prunable: counts. collapsed: whether no path is
    left.
    """
    effective = prunebench.diagnostics.effective_mask(net, mask, input_shape)
    kept = effective.prunable if mask is None else mask.kept
    return {
        "density": effective.density,
        "sparsity": effective.sparsity,
        "effective": effective.kept,
        "share": effective.kept / kept if kept else 1.0,
        "kept": kept,
        "prunable": effective.prunable,
        "collapsed": effective.kept == 0,
    }


def disconnected(net: nn.Module, mask: Mask | None, input_shape: Sequence[int]) -> dict[str, Any]:
    """Kept weights that lie on no path from input to output: how many, and in which layers.

    weights: count. share: of the kept ones. layers: their count in each prunable weight, by name, in the
    network's order (Frankle et al. 2021, App. M).
    """
    lost = prunebench.diagnostics.disconnected(net, mask, input_shape)
    counts = {name: int(tensor.count_nonzero()) for name, tensor in lost.items()}
    kept = sum(tensor.numel() for tensor in lost.values()) if mask is None else mask.kept
    weights = sum(counts.values())
    return {
        "weights": weights,
        "share": weights / kept if kept else 0.0,
        "layers": counts,
    }
