"""What scorers say they cost, against operations that are counted."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from prunebench_plugins.scorers import prunebench_scorers
from shorthand import score_network
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from prunebench import Scorer
from prunebench.pruning.filters import filter_groups
from prunebench.training.streams import stream

SCORERS = {scorer.name: scorer for scorer in prunebench_scorers()}


def network() -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(1, 16, 3, padding=1)]
    for _ in range(4):
        layers += [nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1)]
    layers += [nn.BatchNorm2d(16), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4)]
    return nn.Sequential(*layers)


def passes(scorer: Scorer, **parameters: Any) -> float:
    """Return the operations of scoring over those of a forward pass of as many examples."""
    x, y = torch.ones(4, 1, 8, 8), torch.arange(4)
    if scorer.needs == "nothing":
        x = x[:1]
    groups = filter_groups(network(), input_shape=(1, 8, 8), check=False)
    with FlopCounterMode(display=False) as forward:
        network()(x)
    with FlopCounterMode(display=False) as scoring:
        score_network(
            network(),
            scorer.function,
            mode=scorer.mode,
            precision=scorer.precision,
            batch=(x, y) if scorer.needs == "batch" else None,
            rng=stream(0, "scores"),
            input_shape=(1, 8, 8),
            parameters=parameters,
            gives=scorer.gives,
            groups=groups if scorer.gives == "filters" else None,
        )
    return scoring.get_total_flops() / forward.get_total_flops()


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_a_scorer_costs_the_forward_passes_that_it_says(name: str) -> None:
    """Within two per cent: the first layer needs no gradient of its inputs, the rest is counted in whole."""
    assert passes(SCORERS[name]) == pytest.approx(SCORERS[name].cost({}), rel=0.02)


@pytest.mark.parametrize(("name", "expected"), [("snip", 3), ("force", 3), ("grasp", 12)])
def test_in_chunks_grasp_computes_the_gradient_once_more_and_the_others_cost_the_same(
    name: str, expected: float
) -> None:
    """What the scorers' texts say of chunks."""
    assert passes(SCORERS[name], chunk=2) == pytest.approx(expected, rel=0.02)
    assert SCORERS[name].cost({"chunk": 2}) == expected
