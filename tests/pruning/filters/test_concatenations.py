"""Concatenations that are tied to other layers: layers of one set whose filters are in different groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from networks_of_filters import at_zero, randomised
from torch import Tensor, nn
from torch.nn import functional as F

import prunebench
from prunebench import Form
from prunebench.pruning.filters import FilterGroups, compare, filter_groups, shrink, taken_along
from prunebench.pruning.filters.choose import keep_groups

SHAPE = (3, 6, 6)


class Summed(nn.Module):
    """a and b side by side, added to c; and to d and e side by side, which are divided elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.i = nn.Conv2d(3, 6, 3, padding=1)
        self.a, self.b, self.c = nn.Conv2d(6, 4, 1), nn.Conv2d(6, 6, 1), nn.Conv2d(6, 10, 1)
        self.d, self.e = nn.Conv2d(6, 7, 1), nn.Conv2d(6, 3, 1)
        self.head = nn.Linear(10, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map N×3×H×W to N×3."""
        y = F.relu(self.i(x))
        y = torch.cat([self.a(y), self.b(y)], 1) + self.c(y) + torch.cat([self.d(y), self.e(y)], 1)
        return self.head(F.relu(y).mean((2, 3)))  # type: ignore[no-any-return]


class Depthwise(nn.Module):
    """a and b side by side, and a depthwise convolution of two outputs a channel over both."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 3, 1), nn.Conv2d(7, 14, 3, groups=7)
        self.head = nn.Linear(14, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map N×3×H×W to N×3."""
        return self.head(self.c(F.relu(torch.cat([self.a(x), self.b(x)], 1))).mean((2, 3)))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def groups() -> FilterGroups:
    return filter_groups(Summed(), input_shape=SHAPE)


@pytest.mark.parametrize("build", [Summed, Depthwise])
@pytest.mark.parametrize("emptied", ["a.weight", "b.weight"])
def test_a_layer_may_lose_all_its_filters_while_one_that_it_is_tied_to_keeps_some(
    build: type[nn.Module], emptied: str
) -> None:
    net = randomised(build())
    groups = filter_groups(net, input_shape=SHAPE)
    kept = np.ones(len(groups), dtype=bool)
    kept[groups.groups[emptied]] = False
    kept[groups.groups["c.weight"][-1]] = False
    mask = groups.mask(kept)
    small = shrink(net, mask, groups)
    at_zero(net, taken_along(net, mask, groups))
    x = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(small(x), net(x))
    assert small.get_submodule(emptied[0]).out_channels in (
        1,
        2,
    )  # its first, and the first of e, emptied with b


def test_what_is_compared_are_both_halves_and_layers_without_filters(groups: FilterGroups) -> None:
    half, other, few = compare._draws(groups, torch.Generator().manual_seed(0))
    assert (half ^ other).all()
    assert half.sum() == other.sum() == len(groups) / 2
    counts = {name: int(few[own].sum()) for name, own in groups.groups.items()}
    assert counts["i.weight"] == 1
    assert counts["e.weight"] == 0


def test_counts_of_a_mask_of_filters_are_met_in_every_layer(groups: FilterGroups) -> None:
    draws = np.random.Generator(np.random.PCG64(0))
    for _ in range(25):
        donor = groups.mask(draws.random(len(groups)) < draws.uniform(0.2, 0.9))
        scores = draws.random(len(groups))
        kept = keep_groups(scores, max(1, donor.kept), groups, allocation=donor.counts())
        assert groups.mask(kept).counts() == donor.counts()
        for layers in {tuple(row) for row in groups.weights.tolist()}:  # the best of each kind
            own = (groups.weights == layers).all(axis=1)
            best = np.sort(scores[own])[::-1][: int(kept[own].sum())]
            assert set(scores[own & kept]) == set(best)


def test_swapped_ratios_have_the_donors_counts_in_every_layer() -> None:
    net = randomised(Summed())
    like = {"scorer": "random", "unit": "filter", "allocation": {"like": {"scorer": "magnitude"}}}
    given: Any = {"density": 0.5, "input_shape": SHAPE, "except_": "i.weight"}
    donor = prunebench.prune(net, "magnitude", unit="filter", **given)
    swapped = prunebench.prune(net, Form.model_validate(like), **given)
    assert swapped.counts() == donor.counts()
    assert swapped != donor


def test_counts_that_no_mask_of_filters_has_are_not_passed_in_any_layer(groups: FilterGroups) -> None:
    wanted = {name: 11 + number for number, name in enumerate(groups.shapes)}
    kept = keep_groups(np.arange(len(groups), dtype=float), 100, groups, allocation=wanted)
    counts = groups.mask(kept).counts()
    assert all(counts[name] <= wanted[name] for name in wanted)
    assert sum(counts.values()) > 0
