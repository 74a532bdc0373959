"""Checks of components that look at a network: scorers, diagnostics."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from prunebench.canonical import canonical
from prunebench.host.components import Diagnostic, Scorer
from prunebench.pruning import Mask, prunable_weights, score_network
from prunebench.testing._common import (
    SHAPE,
    ensure,
    ensure_common,
    said,
    sample_batch,
    sample_networks,
    untouched,
)
from prunebench.training.streams import stream

__all__ = ["check_diagnostic", "check_scorer"]


def check_scorer(scorer: Scorer) -> None:
    """Check a scorer on a convolutional network with BatchNorm and on a fully connected one.

    It must return a finite score of the right shape for every prunable weight, with and without a mask, and
    the same bits when asked again; the network, its BatchNorm statistics and global states stay as they were.

    Raises: AssertionError.
    """
    who = ensure_common(scorer)
    ensure(
        _accepts(scorer.function, 3), f"{who} must take (net, batch, rng), and parameters by keyword alone"
    )
    for kind, network in sample_networks().items():
        half = _partial_mask(network)
        for mask, which in ((None, ""), (half, " with a mask")):
            where = f"{who} on {kind}{which}"
            before = _state(network)
            with said(where), untouched(where):
                first = _scores(scorer, network, mask)
            ensure(
                _equal(before, _state(network)), f"{where} changes the network or its BatchNorm statistics"
            )
            with said(where):
                again = _scores(scorer, network, mask)
            ensure(
                _equal(first, again), f"{where} gives other scores when it is asked again with the same seed"
            )


def _scores(scorer: Scorer, network: nn.Module, mask: Mask | None) -> Mapping[str, Tensor]:
    return score_network(
        network,
        scorer.function,
        mode=scorer.mode,
        precision=scorer.precision,
        batch=sample_batch() if scorer.needs == "batch" else None,
        rng=stream(0, "scores"),
        mask=mask,
        input_shape=SHAPE,
        parameters=scorer.parameters,
        who=f"scorer {scorer.name!r}",
    )


def _accepts(function: object, positional: int) -> bool:
    """Whether a function can be called with so many positional arguments and nothing else."""
    if not callable(function):
        return False
    try:
        inspect.signature(function).bind(*range(positional))
    except TypeError:
        return False
    return True


def _partial_mask(network: nn.Module) -> Mask:
    """Return a mask that keeps about half of each layer."""
    return Mask(
        {
            name: torch.from_numpy(stream(0, "conformance", name).uniform(tuple(weight.shape)) < 0.5)
            for name, weight in prunable_weights(network).items()
        }
    )


def _state(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def _equal(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    return list(a) == list(b) and all(torch.equal(a[name], b[name]) for name in a)


def check_diagnostic(diagnostic: Diagnostic) -> None:
    """Check a diagnostic on two small networks, each with a full mask and with a partial one.

    It must return plain JSON values with finite numbers, the same when asked again, and leave the network
    and global states as they were.

    Raises: AssertionError.
    """
    who = ensure_common(diagnostic)
    for kind, network in sample_networks().items():
        network.eval()
        for mask in (Mask.full(prunable_weights(network)), _partial_mask(network)):
            mask.apply(network)
            before = _state(network)
            with said(who), untouched(who):
                first = diagnostic.function(network, mask)
            ensure(_equal(before, _state(network)), f"{who} changes {kind} that it measures")
            ensure(not network.training, f"{who} leaves {kind} in training mode")
            try:
                spelled = canonical(first)
            except (TypeError, ValueError) as error:
                raise AssertionError(
                    f"{who} must return plain JSON values with finite numbers: {error}"
                ) from error
            with said(who):
                again = diagnostic.function(network, mask)
            ensure(canonical(again) == spelled, f"{who} gives another answer when it is asked again")
