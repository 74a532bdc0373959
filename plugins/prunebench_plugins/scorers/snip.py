"""SNIP."""

from __future__ import annotations

import torch

from prunebench.pruning import RandomStream, ScoringNetwork


def score(
    net: ScoringNetwork, batch: tuple[torch.Tensor, torch.Tensor], rng: RandomStream
) -> dict[str, torch.Tensor]:
    """SNIP: |w · g|, g the gradient of the loss on one batch.

    It is |∂L/∂c| at c = 1 where c multiplies the weight: how much the loss depends on the connection.

    Source: Lee et al. (2019), SNIP: Single-shot network pruning based on connection sensitivity; as
    replicated by Frankle et al. (2021), App. B.

    Variant: mean cross entropy of the whole batch at once, ten examples of every class; BatchNorm in training
    mode (the batch's statistics; running ones are left alone); float32; scores are not normalised (a common
    factor changes no mask); the network keeps its weights (Lee et al. draw new ones after pruning).
    """
    gradients = torch.autograd.grad(net.loss(batch), list(net.weights.values()), materialize_grads=True)
    return {name: (w * g).detach().abs() for (name, w), g in zip(net.weights.items(), gradients, strict=True)}
