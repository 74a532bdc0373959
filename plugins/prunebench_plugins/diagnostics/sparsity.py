"""How sparse a mask is, layer by layer and neuron by neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import prunebench

if TYPE_CHECKING:
    from torch import nn

    from prunebench import Mask

__all__ = ["layer_sparsity", "neuron_sparsity"]


def layer_sparsity(net: nn.Module, mask: Mask) -> Any:
    """Sparsity of each layer, in the network's order: its name, kept and prunable weights, removed share.

    A list with one entry for each prunable weight (Frankle et al. 2021, App. J plot these).
    """
    return prunebench.diagnostics.layer_sparsity(mask)


def neuron_sparsity(net: nn.Module, mask: Mask) -> Any:
    """Sparsity of each neuron's incoming weights: output channels of convolutions, units of linear layers.

    For each prunable weight the removed share of every neuron, in order; 1 is a neuron without any input
    (Frankle et al. 2021, §5, Fig. 5).
    """
    return prunebench.diagnostics.neuron_sparsity(mask, net)
