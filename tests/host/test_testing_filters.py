"""The conformance kit on scorers that give one score a filter."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from prunebench import Scorer, UsageError
from prunebench.testing import check_component


def scorer(function: Any, **fields: Any) -> Scorer:
    function.__doc__ = "A score of filters."
    return Scorer("sample", function, version="1", **{"gives": "filters", **fields})


def norms(net: Any, batch: Any, rng: Any) -> dict[str, torch.Tensor]:
    return {
        name: net.weights[name].detach().movedim(dim, 0).flatten(1).norm(dim=1)
        for name, dim in net.groups.dims.items()
    }


def test_a_good_scorer_passes_and_one_that_does_both() -> None:
    def both(net: Any, batch: Any, rng: Any) -> dict[str, torch.Tensor]:
        if net.groups is None:
            return {name: weight.detach().abs() for name, weight in net.weights.items()}
        return norms(net, batch, rng)

    check_component(scorer(norms))
    check_component(scorer(both, gives="either"))


def test_one_that_needs_batchnorm_may_refuse_the_network_without_and_no_other() -> None:
    def needing(net: Any, batch: Any, rng: Any) -> dict[str, torch.Tensor]:
        if not net.groups.norms:
            raise UsageError("no BatchNorm")
        return norms(net, batch, rng)

    def refusing(net: Any, batch: Any, rng: Any) -> dict[str, torch.Tensor]:
        raise UsageError("no network is good enough")

    check_component(scorer(needing))
    with pytest.raises(AssertionError, match="convolutional network of filters: no network is good enough"):
        check_component(scorer(refusing))


def test_one_that_says_before_that_a_network_is_unfit_is_not_asked_to_score_it() -> None:
    def needing(net: Any, batch: Any, rng: Any) -> dict[str, torch.Tensor]:
        return {
            name: net.weights[name].new_ones(net.groups.norms[name][1].shape).cumsum(0)
            for name in net.groups.shapes
        }

    check_component(scorer(needing, unfit=lambda groups: None if groups.norms else "no BatchNorm"))
    with pytest.raises(AssertionError):
        check_component(scorer(needing))


def test_one_that_reads_shapes_alone_is_given_other_weights() -> None:
    check_component(scorer(norms))
    with pytest.raises(
        AssertionError, match=r'declares reads = "shapes", and gives other scores for other weights'
    ):
        check_component(scorer(norms, reads="shapes"))


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda net, batch, rng: dict(net.weights), "scores for 6.weight|scores for 8.weight"),
        (lambda net, batch, rng: {n: s[:-1] for n, s in norms(net, batch, rng).items()}, r"shape \(5,\) for '0"),
        (lambda net, batch, rng: {n: s[:, None] for n, s in norms(net, batch, rng).items()}, r"shape \(6, 1\)"),
        (lambda net, batch, rng: {n: s * 0 for n, s in norms(net, batch, rng).items()}, "every score is 0"),
        (lambda net, batch, rng: {n: s / 0 for n, s in norms(net, batch, rng).items()}, "NaN or infinite"),
    ],
)  # fmt: skip
def test_a_bad_scorer_is_refused(function: Any, match: str) -> None:
    with pytest.raises(AssertionError, match=match):
        check_component(scorer(function))


def test_what_is_given_scores_of_is_one_of_three() -> None:
    with pytest.raises(AssertionError, match="gives is one of weights, filters, either; found 'rows'"):
        check_component(scorer(norms, gives="rows"))
