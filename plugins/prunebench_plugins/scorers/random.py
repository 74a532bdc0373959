"""Random scores."""

from __future__ import annotations

import torch

from prunebench.pruning import RandomStream, ScoringNetwork


def score(net: ScoringNetwork, batch: None, rng: RandomStream) -> dict[str, torch.Tensor]:
    """Random: a number drawn uniformly from (0, 1) for every weight.

    The baseline of every pruning paper: each weight is as likely to be kept as any other, so layers keep
    about equal shares (exactly equal ones with allocation = "uniform").

    Variant: float64 draws, a stream of its own for each parameter's name; one set of scores a seed, whatever
    the density, so that masks of rising sparsity are nested.
    """
    return {
        name: torch.from_numpy(rng.child(name).uniform(tuple(w.shape))) for name, w in net.weights.items()
    }
