"""Ties on networks of every kind: outputs after removal are those of the network with zeros."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from networks_of_filters import NETWORKS, assert_same_outputs, half, randomised
from prunebench_plugins.architectures.cifar_resnet import cifar_resnet
from prunebench_plugins.architectures.densenet import cifar_densenet
from prunebench_plugins.architectures.imagenet_resnet import imagenet_resnet
from prunebench_plugins.architectures.vgg import vgg, vgg_tinyimagenet

from prunebench.pruning.filters import filter_groups

SHAPE = (3, 8, 8)

PAPERS: dict[str, tuple[Any, tuple[int, int, int], dict[str, Any]]] = {
    "ResNet-18": (imagenet_resnet, (3, 64, 64), {"depth": 18}),
    "ResNet-20": (cifar_resnet, (3, 32, 32), {"depth": 20}),
    "ResNet-50": (imagenet_resnet, (3, 64, 64), {"depth": 50}),
    "VGG-16": (vgg, (3, 32, 32), {"depth": 16}),
    "DenseNet-121": (cifar_densenet, (3, 32, 32), {"depth": 121}),
}


def compared(build: Any, shape: tuple[int, int, int], **parameters: Any) -> None:
    net = randomised(build(shape, 10, **parameters))
    groups = filter_groups(net, input_shape=shape, check=False)  # the test itself compares
    assert len(groups.stays) == 1  # the classifier
    x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1))
    assert_same_outputs(net, groups, half(groups), x)


@pytest.mark.parametrize("name", NETWORKS)
def test_outside_the_papers(name: str) -> None:
    net = randomised(NETWORKS[name]())
    groups = filter_groups(net, input_shape=SHAPE)
    x = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(1))
    assert_same_outputs(net, groups, half(groups), x)


@pytest.mark.parametrize("name", PAPERS)
def test_of_the_papers_narrow(name: str) -> None:
    build, shape, parameters = PAPERS[name]
    compared(build, shape, **parameters, width=0.125)


@pytest.mark.slow
@pytest.mark.parametrize("name", PAPERS)
def test_of_the_papers(name: str) -> None:
    """Full widths."""
    build, shape, parameters = PAPERS[name]
    compared(build, shape, **parameters)


@pytest.mark.slow
def test_pools_that_are_matrix_products() -> None:
    compared(vgg_tinyimagenet, (3, 64, 64), depth=11)


def sets_of(name: str) -> tuple[tuple[str, ...], ...]:
    net = NETWORKS[name]()
    return filter_groups(net, input_shape=SHAPE, check=False).sets


def test_depthwise_convolutions_and_what_scales_channels_are_tied() -> None:
    sets = sets_of("Mobile")
    assert ("stem.0.weight", "depthwise.0.weight") in sets
    assert ("pointwise.0.weight", "project.0.weight") in sets
    assert ("expand.0.weight", "inner.0.weight", "excite.weight") in sets
    assert ("squeeze.weight",) in sets


def test_two_outputs_of_a_depthwise_channel_are_one_group() -> None:
    groups = filter_groups(NETWORKS["Mobile"](), input_shape=SHAPE, check=False)
    assert groups.groups["depthwise.0.weight"].tolist() == [row // 2 for row in range(16)]


def test_concatenated_branches_are_groups_of_their_own_and_a_split_at_numbers_stays() -> None:
    groups = filter_groups(NETWORKS["Inception"](), input_shape=SHAPE, check=False)
    assert ("one.weight",) in groups.sets
    assert groups.stays["mix.weight"] == "its channels are cut by their numbers"
    assert "across.weight" in groups.stays
    assert groups.shapes["hidden.weight"] == (11, 208)


def test_the_head_loses_the_positions_of_a_channel_that_is_flattened() -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(4 * 36, 2))
    groups = filter_groups(net, input_shape=SHAPE, check=False)
    mask = {"0.weight": groups.full()["0.weight"].clone()}
    mask["0.weight"][2] = False
    stays = groups.taken_along(mask)
    assert set(stays) == {"0.weight", "0.bias", "2.weight"}
    assert (~stays["2.weight"]).sum(0).nonzero().flatten().tolist() == list(range(72, 108))
    assert stays["0.bias"].tolist() == [True, True, False, True]


def test_transposed_convolutions_have_their_filters_along_the_second_dimension() -> None:
    groups = filter_groups(NETWORKS["UNet"](), input_shape=SHAPE, check=False)
    assert groups.dims["up2.weight"] == 1
    assert len(groups.groups["up2.weight"]) == 8
    assert groups.stays == {"out.weight": "its outputs are the network's"}


def test_channels_at_one_place_of_every_group_of_a_grouped_convolution_go_together() -> None:
    groups = filter_groups(NETWORKS["Grouped"](), input_shape=SHAPE, check=False)
    assert groups.groups["stem.weight"].tolist() == [0, 1, 2, 3] * 3
    assert len(set(groups.groups["grouped.weight"].tolist())) == 6
    assert ("back.weight", "shared.weight") in groups.sets


class Patches(torch.nn.Module):
    """A convolution into patches, linear layers over them as they lie (permuted), and over their places."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.norm = torch.nn.Conv2d(3, 8, 4, 4), torch.nn.BatchNorm1d(6)
        self.one, self.two, self.head = torch.nn.Linear(8, 6), torch.nn.Linear(6, 6), torch.nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map N×3×8×8 to N×3."""
        y = self.one(self.patches(x).flatten(2).transpose(1, 2)).relu()
        y = y + self.two(self.norm(y.transpose(1, 2)).transpose(1, 2))
        return self.head(y.mean(1))  # type: ignore[no-any-return]


def test_linear_layers_over_patches_are_linear_layers() -> None:
    net = randomised(Patches())
    groups = filter_groups(net, input_shape=SHAPE)
    assert groups.sets == (("patches.weight",), ("one.weight", "two.weight"))
    x = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(1))
    assert_same_outputs(net, groups, half(groups), x)
