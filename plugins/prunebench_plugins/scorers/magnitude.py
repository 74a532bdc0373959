"""Magnitude scores."""

from __future__ import annotations

import torch

from prunebench.pruning import RandomStream, ScoringNetwork


def score(net: ScoringNetwork, batch: None, rng: RandomStream) -> dict[str, torch.Tensor]:
    """Magnitude: |w|.

    Source: Han et al. (2015), Learning both weights and connections; at initialisation and after training
    as in Frankle et al. (2021), §3.

    Variant: weights of all layers are compared as they are, without normalisation by layer; neither data nor
    gradients are used.
    """
    return {name: w.detach().abs() for name, w in net.weights.items()}
