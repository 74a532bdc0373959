"""Layers that run in training alone: what they read goes along, and outputs of both modes are compared."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from networks_of_filters import assert_same_outputs, half, randomised
from torch import Tensor, nn
from torch.nn import functional as F

from prunebench.errors import UsageError
from prunebench.pruning.filters import FilterGroups, filter_groups, shrink

SHAPE = (3, 8, 8)


class WithHead(nn.Module):
    """An auxiliary head with layers of its own: returned in training, or left at the network, or never run."""

    outputs: Tensor | None = None

    def __init__(self, way: str = "returned", side: int = 4) -> None:
        super().__init__()
        self.way, self.side = way, side
        self.a, self.norm_a = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.b = nn.Conv2d(8, 6, 3, padding=1)
        self.reads, self.norm = nn.Conv2d(8, 5, 1), nn.BatchNorm2d(5)
        self.dropped, self.auxiliary = nn.Dropout(0.5), nn.Linear(5, 4)
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Any:
        """Map N×3×H×W to N×4, in training to two of that."""
        y = F.relu(self.norm_a(self.a(x)))
        out = self.head(F.relu(self.b(y)).mean((2, 3)))
        if self.training and self.way != "never":
            read = F.avg_pool2d(F.relu(self.norm(self.reads(y))), self.side).mean((2, 3))
            self.outputs = self.auxiliary(self.dropped(read))
            if self.way == "returned":
                return out, self.outputs
        return out


def compared(net: nn.Module, groups: FilterGroups) -> nn.Module:
    """In evaluation mode; then in training mode, without dropout and with BatchNorm's statistics as they are."""
    mask = half(groups)
    small = assert_same_outputs(net, groups, mask, torch.randn(3, *SHAPE))
    for one in (net.train(), small.train()):
        for layer in one.modules():
            if isinstance(layer, nn.BatchNorm2d | nn.Dropout):
                layer.eval()
    return small


@pytest.mark.parametrize("way", ["returned", "left"])
def test_an_auxiliary_head_loses_the_inputs_and_filters_that_the_mask_removes(way: str) -> None:
    net = randomised(WithHead(way))
    groups = filter_groups(net, input_shape=SHAPE)
    assert groups.sets == (("a.weight",), ("b.weight",), ("reads.weight",))
    assert groups.stays == {
        "auxiliary.weight": {
            "returned": "its outputs are the network's", "left": "nothing in the network reads its outputs",
        }[way],
        "head.weight": "its outputs are the network's",
    }  # fmt: skip
    small = compared(net, groups)
    x = torch.randn(2, *SHAPE)
    assert small.reads.in_channels == small.a.out_channels < 8
    net(x), small(x)
    torch.testing.assert_close(net.outputs, small.outputs)


def test_layers_that_never_run_stay_as_they_are() -> None:
    net = WithHead("never")
    groups = filter_groups(net, input_shape=SHAPE)
    assert groups.stays["reads.weight"] == "no layer with it runs"
    assert shrink(net, half(groups), groups).reads.in_channels == 8


def test_a_head_that_does_not_run_on_the_inputs_is_refused_for_what_it_reads_is_not_known() -> None:
    """As that of Inception v3 on small images: the network itself runs on them."""
    with pytest.raises(
        UsageError,
        match=r"^unit = 'filter': 'reads.weight', .* and others do not run in evaluation mode, and what they read in "
        r"training is not known, .* not run on inputs .*3.*8.*8.*: give inputs with which it does",
    ):
        filter_groups(WithHead(side=9), input_shape=SHAPE, check=False)


def test_what_a_head_makes_of_the_number_of_channels_is_found_by_its_outputs() -> None:
    class Counting(WithHead):
        def forward(self, x: Tensor) -> Any:
            y = super().forward(x)
            return (y[0], y[1] * self.reads.out_channels) if self.training else y

    with pytest.raises(UsageError, match=r"'reads.weight' cannot be removed: outputs differ"):
        filter_groups(Counting(), input_shape=SHAPE)
