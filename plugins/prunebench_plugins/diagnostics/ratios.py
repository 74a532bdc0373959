"""How layerwise pruning ratios come about while the network trains that is scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

import prunebench

if TYPE_CHECKING:
    from torch import nn

    from prunebench import Mask

__all__ = ["ratios_by_epoch"]


def ratios_by_epoch(
    net: nn.Module, mask: Mask, input_shape: Sequence[int], masks: Mapping[int, Mask]
) -> dict[str, Any]:
    """Layerwise pruning ratios if the network were pruned at each epoch of the training that is scored.

    Lan et al. 2021, Figs. A4 and A5. A ratio is the share of a layer's weights that is removed: its sparsity.
    distance: by epoch n, the mean over layers of |ratio if pruned at epoch n − ratio of the cell's mask|.
    layers: name, at (the ratio by epoch), final (that of the cell's mask) and moved (how far the ratio goes
    over the epochs: the largest less the smallest) of each prunable weight, in the network's order.
    moved: the same of the first layer, the mean of all others, and of all. Epoch 0 is where the training
    begins. A field of layers, or epochs, that are not there is null.
    """
    final = _ratios(net, mask, input_shape)
    by_epoch = {str(epoch): _ratios(net, one, input_shape) for epoch, one in masks.items()}
    moved = {name: _moved([ratios[name] for ratios in by_epoch.values()]) for name in final}
    first, *others = moved.values()
    return {
        "distance": {epoch: _apart(ratios, final) for epoch, ratios in by_epoch.items()},
        "layers": [
            {
                "name": name,
                "at": {epoch: ratios[name] for epoch, ratios in by_epoch.items()},
                "final": final[name],
                "moved": moved[name],
            }
            for name in final
        ],
        "moved": {"first": first, "others": _mean(others), "mean": _mean([first, *others])},
    }


def _ratios(net: nn.Module, mask: Mask, input_shape: Sequence[int]) -> dict[str, float]:
    layers = prunebench.diagnostics.layer_sparsity(net, mask, input_shape)
    return {layer["name"]: float(layer["sparsity"]) for layer in layers}


def _apart(ratios: Mapping[str, float], others: Mapping[str, float]) -> float:
    return fmean(abs(ratios[name] - others[name]) for name in others)


def _moved(ratios: Sequence[float]) -> float | None:
    return max(ratios) - min(ratios) if ratios else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
