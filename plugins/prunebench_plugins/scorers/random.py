"""Random scores."""

from __future__ import annotations

import torch

from prunebench.pruning import RandomStream, ScoringNetwork
from prunebench.pruning.filters import FilterGroups


def score(net: ScoringNetwork, batch: None, rng: RandomStream) -> dict[str, torch.Tensor]:
    """Random: a number drawn uniformly from (0, 1) for every weight.

    The baseline of every pruning paper: each weight is as likely to be kept as any other, so layers keep
    about equal shares (exactly equal ones with allocation = "uniform").

    Variant: float64 draws, a stream of its own for each parameter's name; one set of scores a seed, whatever
    the density, so that masks of rising sparsity are nested. Where whole filters are pruned one number is
    drawn for each group of filters that go together, however large it is.
    """
    if net.groups is not None:
        return _of_filters(net.groups, rng)
    return {
        name: torch.from_numpy(rng.child(name).uniform(tuple(w.shape))) for name, w in net.weights.items()
    }


def _of_filters(groups: FilterGroups, rng: RandomStream) -> dict[str, torch.Tensor]:
    """Draw for each filter; a group has the draw of its first one, so that the sum over it is one draw."""
    scores = {}
    for name, first in groups.first().items():
        draws = torch.from_numpy(rng.child(name).uniform((len(first),)))
        scores[name] = draws.where(torch.from_numpy(first), 0.0)
    return scores
