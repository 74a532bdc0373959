"""FORCE."""

from __future__ import annotations

import torch

from prunebench.pruning import RandomStream, ScoringNetwork
from prunebench_plugins.scorers._chunks import Batch, loss_gradient


def score(
    net: ScoringNetwork, batch: Batch, rng: RandomStream, *, chunk: int | None = None
) -> dict[str, torch.Tensor]:
    """FORCE: |w · g|, w the weight before any pruning, g the gradient of the loss in the pruned network.

    It is |∂L/∂c| where c multiplies the weight, at c = 1 for a weight that is there and at c = 0 for one that
    is removed: how much the loss depends on the connection, or on bringing it back. In an unpruned network it
    is SNIP.

    Source: de Jorge et al. (2021), Progressive skeletonization: Trimming more fat from a network at
    initialization, Section 4.

    Variant: mean cross entropy of the whole batch at once, ten examples of every class, the same in all
    rounds; BatchNorm in training mode (the batch's statistics; running ones are left alone); float32. This is
    a single scoring; the method `force` prunes in rounds of it in which removed weights may return.

    `chunk`: as of SNIP, with the same effect on BatchNorm.
    """
    gradients = loss_gradient("force", net, batch, chunk)
    return {name: w.mul_(g).abs_() for (name, w), g in zip(net.dense.items(), gradients, strict=True)}
