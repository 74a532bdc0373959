"""SNIP."""

from __future__ import annotations

import torch

from prunebench.pruning import RandomStream, ScoringNetwork
from prunebench_plugins.scorers._chunks import Batch, loss_gradient


def score(
    net: ScoringNetwork, batch: Batch, rng: RandomStream, *, chunk: int | None = None
) -> dict[str, torch.Tensor]:
    """SNIP: |w · g|, g the gradient of the loss on one batch.

    It is |∂L/∂c| at c = 1 where c multiplies the weight: how much the loss depends on the connection.

    Source: Lee et al. (2019), SNIP: Single-shot network pruning based on connection sensitivity; as
    replicated by Frankle et al. (2021), App. B.

    Variant: mean cross entropy of the whole batch at once, ten examples of every class; BatchNorm in training
    mode (the batch's statistics; running ones are left alone); float32; scores are not normalised (a common
    factor changes no mask); the network keeps its weights (Lee et al. draw new ones after pruning).

    `chunk`: examples worked on at once, where the whole batch does not fit in memory. Chunks take the classes
    in turn and their gradients are added, weighted by what the loss divides by (labels that are not ignored):
    without BatchNorm the scores are those of the whole batch. BatchNorm sees a chunk, so the size is part of
    what is measured. 10,000 images of 224 × 224
    and a ResNet-50, 8 at once, take 4 GB.
    """
    gradients = loss_gradient("snip", net, batch, chunk)
    return {name: (w * g).detach().abs() for (name, w), g in zip(net.weights.items(), gradients, strict=True)}
