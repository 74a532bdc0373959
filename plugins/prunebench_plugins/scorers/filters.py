"""Scores of whole filters: the factors of BatchNorm, the L2 norm."""

from __future__ import annotations

import torch

from prunebench.errors import UsageError
from prunebench.pruning import RandomStream, ScoringNetwork
from prunebench.pruning.filters import FilterGroups


def without_factors(groups: FilterGroups) -> str | None:
    """Return why filters cannot be scored by the factors of BatchNorm: no such factors follow some layers."""
    lacking = [name for name in groups.shapes if name not in groups.norms]
    if not lacking:
        return None
    more = f" and {len(lacking) - 4} more" if len(lacking) > 4 else ""
    return (
        "filters are scored by the factors of the BatchNorm that follows, and none with factors follows "
        f"{', '.join(map(repr, lacking[:4]))}{more}: leave these layers out of what is pruned (except), or "
        "use another scorer"
    )


def batchnorm(net: ScoringNetwork, batch: None, rng: RandomStream) -> dict[str, torch.Tensor]:
    """BatchNorm's factors: abs(γ) of each filter's channel.

    A channel that BatchNorm multiplies by little matters little. Channels that are tied, as those of a
    residual sum, are scored by the sum over their layers.

    Source: Liu et al. (2017), Learning efficient convolutional networks through network slimming; without
    their penalty on γ in training.

    Variant: of the first BatchNorm that a layer's channels enter, which is found from the traced network;
    every layer whose filters may go has to have one with factors. One score a filter: for `unit = "filter"`.
    """
    assert net.groups is not None
    if lacking := without_factors(net.groups):
        raise UsageError(f"scorer 'batchnorm': {lacking}")
    parameters = dict(net.module.named_parameters(remove_duplicate=False))
    scores = {}
    for name in net.groups.shapes:
        gamma, places = net.groups.norms[name]
        factors = parameters[gamma].detach().abs()
        scores[name] = factors[torch.from_numpy(places).to(factors.device)]
    return scores


def norm(net: ScoringNetwork, batch: None, rng: RandomStream) -> dict[str, torch.Tensor]:
    """The L2 norm of each filter.

    Filters that go together are scored by the sum of their norms. The L1 norm is what `magnitude` gives with
    `unit = "filter"`, for there the scores of a filter's weights are added up.

    Source: He et al. (2018), Soft filter pruning for accelerating deep convolutional neural networks, eq. 2
    with p = 2; Li et al. (2017), Pruning filters for efficient convnets, compare it with the L1 norm.

    Variant: filters of all layers are compared as they are, without normalisation by their size; without
    biases and BatchNorm. One score a filter: for `unit = "filter"`.
    """
    assert net.groups is not None
    return {
        name: net.weights[name].detach().movedim(dim, 0).flatten(1).norm(dim=1)
        for name, dim in net.groups.dims.items()
    }
