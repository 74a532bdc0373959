"""Groups, masks and smaller networks of chains and residual networks."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from networks_of_filters import at_zero, half, randomised
from prunebench_plugins.architectures.cifar_resnet import cifar_resnet
from prunebench_plugins.scorers import magnitude
from torch import nn

import prunebench
from prunebench.errors import UsageError
from prunebench.pruning import Mask, MaskForm, Scoring, make_mask
from prunebench.pruning.filters import FilterGroups, filter_groups, shrink, taken_along


@pytest.fixture(scope="module")
def resnet() -> tuple[nn.Module, FilterGroups]:
    net = randomised(cifar_resnet((3, 8, 8), 4, depth=8, width=0.25))
    return net, filter_groups(net, input_shape=(3, 8, 8))


def test_residual_sums_tie_layers(resnet: tuple[nn.Module, FilterGroups]) -> None:
    groups = resnet[1]
    assert groups.sets == (
        ("conv.weight", "blocks.0.conv2.weight"),
        ("blocks.0.conv1.weight",),
        ("blocks.1.conv1.weight",),
        ("blocks.1.conv2.weight", "blocks.1.shortcut.0.weight"),
        ("blocks.2.conv1.weight",),
        ("blocks.2.conv2.weight", "blocks.2.shortcut.0.weight"),
    )
    assert list(groups.stays) == ["fc.weight"]
    assert groups.prunable == sum(
        weight.numel() for name, weight in resnet[0].named_parameters() if weight.dim() == 4
    )


def test_the_longest_run_of_groups_in_score_order_is_kept(resnet: tuple[nn.Module, FilterGroups]) -> None:
    net, groups = resnet
    target = round(0.5 * groups.prunable)
    mask = make_mask(net, MaskForm(target, unit="filter"), Scoring(magnitude.score), groups=groups)
    weights = dict(net.named_parameters())
    sums = np.zeros(len(groups))
    for name, numbers in groups.groups.items():  # by hand: the sum over the filters of a group
        for row, number in enumerate(numbers):
            sums[number] += float(weights[name][row].detach().double().abs().sum())
    order = sorted(range(len(groups)), key=lambda g: (-sums[g], g))
    kept, count = set(), 0
    for group in order:
        count += int(groups.sizes[group])
        if count > target:
            break
        kept.add(group)
    assert set(np.flatnonzero(groups.kept(mask)).tolist()) == kept
    assert mask.kept == sum(int(groups.sizes[group]) for group in kept) <= target


def test_a_smaller_network_has_the_outputs_of_the_one_with_filters_at_zero(
    resnet: tuple[nn.Module, FilterGroups],
) -> None:
    net, groups = resnet
    mask = groups.mask(np.random.Generator(np.random.PCG64(0)).random(len(groups)) < 0.5)
    masked = randomised(cifar_resnet((3, 8, 8), 4, depth=8, width=0.25))
    stays = taken_along(masked, mask, groups)
    assert {"bn.weight", "bn.bias", "fc.weight", "blocks.0.conv1.weight"} <= set(stays)
    with torch.no_grad():
        for name, parameter in masked.named_parameters():
            if name in stays:
                parameter.masked_fill_(~stays[name], 0)
    x = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    small = shrink(net, mask, groups)
    assert sum(p.numel() for p in small.parameters()) < sum(p.numel() for p in net.parameters())
    with torch.no_grad():
        torch.testing.assert_close(small(x), masked(x), rtol=1e-5, atol=1e-5)
        assert not torch.allclose(small(x), net(x), rtol=1e-2)
    small.train()(x).sum().backward()  # trains like any other


def test_masks_that_cut_filters_or_ties_are_refused(resnet: tuple[nn.Module, FilterGroups]) -> None:
    net, groups = resnet
    cut = {name: tensor.clone() for name, tensor in groups.full().items()}
    cut["conv.weight"][1, 0, 0, 0] = False
    with pytest.raises(UsageError, match=r"keeps 26 of 27 weights of filter 1 of 'conv.weight'"):
        shrink(net, Mask(cut), groups)
    untied = {name: tensor.clone() for name, tensor in groups.full().items()}
    untied["conv.weight"][1] = False
    with pytest.raises(
        UsageError, match=r"keeps filter 1 of 'blocks.0.conv2.weight' and removes one of 'conv"
    ):
        shrink(net, Mask(untied), groups)
    with pytest.raises(UsageError, match=r"mask is a str; wanted: a Mask, or a mapping"):
        shrink(net, "mask", input_shape=(3, 8, 8))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"a mask holds bool tensors; 'conv.weight' is torch.float32"):
        shrink(net, {name: tensor.float() for name, tensor in groups.full().items()}, groups)
    with pytest.raises(UsageError, match=r"differs in fc.weight; 'fc.weight': its outputs are the network's"):
        shrink(net, Mask({**groups.full(), "fc.weight": torch.ones(4, 16) > 0}), groups)


def test_a_set_of_which_no_group_is_kept_has_one_filter_of_zeros(
    resnet: tuple[nn.Module, FilterGroups],
) -> None:
    net, groups = resnet
    kept = np.ones(len(groups), dtype=bool)
    for layers in groups.sets[:2]:
        kept[groups.groups_of(layers)] = False
    mask = groups.mask(kept)
    small = shrink(net, mask, groups)
    assert small.get_submodule("conv").out_channels == 1
    assert not small.get_parameter("conv.weight").any()
    assert not small.get_parameter("bn.bias").any()
    masked = randomised(cifar_resnet((3, 8, 8), 4, depth=8, width=0.25))
    at_zero(masked, taken_along(masked, mask, groups))
    x = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(small(x), masked(x), rtol=1e-5, atol=1e-5)


def test_nothing_but_shapes_is_read(resnet: tuple[nn.Module, FilterGroups]) -> None:
    """On the meta device, where no values are, the groups are the same; and they can be pickled."""
    with torch.device("meta"):
        net = cifar_resnet((3, 8, 8), 4, depth=8, width=0.25)
    groups = pickle.loads(pickle.dumps(filter_groups(net, input_shape=(3, 8, 8))))
    assert groups.sets == resnet[1].sets
    assert list(groups.shapes) == list(resnet[1].shapes)
    for name, numbers in groups.groups.items():
        assert numbers.tolist() == resnet[1].groups[name].tolist()


def test_excepted_layers_keep_their_filters_and_so_do_those_tied_to_them() -> None:
    net = cifar_resnet((3, 8, 8), 4, depth=8, width=0.25)
    groups = filter_groups(net, input_shape=(3, 8, 8), except_=["blocks.1.shortcut"], check=False)
    assert (
        groups.stays["blocks.1.conv2.weight"]
        == "tied to 'blocks.1.shortcut.0.weight', which is not to be pruned"
    )
    assert "blocks.1.shortcut.0.weight" not in groups.stays  # it is no prunable weight at all
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 6), nn.ReLU(), nn.Linear(6, 2))
    groups = filter_groups(net, input_shape=(3, 8, 8), of="convolutions", check=False)
    assert list(groups.shapes) == ["0.weight"]


def test_the_shape_of_the_input_is_guessed_where_it_can_be() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 5), nn.Flatten(), nn.Linear(4 * 24 * 24, 2))
    assert list(filter_groups(net).shapes) == ["0.weight"]
    net = nn.Sequential(nn.Conv2d(1, 4, 5), nn.Flatten(), nn.Linear(4 * 33 * 33, 2))
    with pytest.raises(UsageError, match=r"^unit = 'filter': the shape of the network's input is not known"):
        filter_groups(net)
    assert list(filter_groups(net, input_shape=(1, 37, 37)).shapes) == ["0.weight"]


def test_a_shrunk_network_can_be_saved_and_pruned_again(resnet: tuple[nn.Module, FilterGroups]) -> None:
    net, groups = resnet
    small = shrink(net, half(groups), groups)
    again = filter_groups(small, input_shape=(3, 8, 8))
    smaller = shrink(small, half(again, seed=1), again)
    assert type(smaller) is type(net)
    assert {n: p.shape for n, p in smaller.state_dict().items()}.keys() == net.state_dict().keys()
    assert all(p.requires_grad for p in smaller.parameters())


def test_a_mask_of_some_layers_leaves_the_others_whole() -> None:
    """As a mask made with except_ is: shrink takes it as it is."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 6, 3), nn.Flatten(), nn.Linear(96, 2)).eval()
    mask = prunebench.prune(net, "filter-norm", density=0.5, input_shape=(3, 8, 8), except_="0.weight")
    assert list(mask) == ["1.weight"]
    small = prunebench.shrink(net, mask, input_shape=(3, 8, 8))
    assert small.get_submodule("0").out_channels == 4
    assert small.get_submodule("1").out_channels == 3
    assert set(prunebench.taken_along(net, mask, input_shape=(3, 8, 8))) == {"1.weight", "1.bias", "3.weight"}


def test_masks_of_convolutions_alone_are_taken_as_they_are() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 6), nn.ReLU(), nn.Linear(6, 2))
    form = prunebench.Form(scorer="magnitude", prunable="convolutions", unit="filter")
    mask = prunebench.prune(net, form, density=0.5, input_shape=(3, 8, 8))
    small = prunebench.shrink(net, mask, input_shape=(3, 8, 8))
    assert small.get_submodule("0").out_channels == 2
    assert small.get_submodule("2").out_features == 6


@pytest.mark.parametrize("function", [prunebench.shrink, prunebench.taken_along])
def test_shapes_of_inputs_that_are_none_are_told(function: Any) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 6))
    for shape in (3, (), "3×8×8", (3, 0, 8)):
        with pytest.raises(UsageError, match="input_shape must be the shape of one input, such as"):
            function(net, {"0.weight": torch.ones(4, 3, 3, 3) > 0}, input_shape=shape)


@pytest.mark.parametrize("function", [prunebench.shrink, prunebench.taken_along])
def test_a_shape_in_the_place_of_groups_and_masks_of_other_networks_are_told(function: Any) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 6))
    mask = {"0.weight": torch.ones(4, 3, 3, 3) > 0}
    with pytest.raises(
        UsageError, match=r"found \(3, 8, 8\): the shape of an input is given as input_shape="
    ):
        function(net, mask, (3, 8, 8))
    other = {"stem.weight": torch.ones(4, 3, 3, 3) > 0}
    with pytest.raises(
        UsageError, match=r"not of this network: it is for 'stem.weight', and .* '0.weight', '2"
    ):
        function(net, other, input_shape=(3, 8, 8))


def test_a_network_that_is_trained_with_what_goes_along_at_zero_is_the_smaller_one(
    resnet: tuple[nn.Module, FilterGroups],
) -> None:
    """What a mask alone leaves there is seen in the outputs."""
    net, groups = resnet
    mask = half(groups)
    masked, whole = copy.deepcopy(net), copy.deepcopy(net)
    mask.apply(masked)
    stays = prunebench.taken_along(net, mask, input_shape=(3, 8, 8))
    with torch.no_grad():
        for name, kept in stays.items():
            whole.get_parameter(name).mul_(kept)
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    small = shrink(net, mask, groups)(x)
    torch.testing.assert_close(whole(x), small, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(masked(x), small, rtol=1e-2, atol=1e-2)


def test_a_network_that_lies_channels_last_in_memory_stays_so(resnet: tuple[nn.Module, FilterGroups]) -> None:
    net, groups = copy.deepcopy(resnet[0]).to(memory_format=torch.channels_last), resnet[1]
    small = shrink(net, half(groups), groups)
    weight = small.blocks[0].conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert not weight.is_contiguous()
    assert shrink(resnet[0], half(groups), groups).blocks[0].conv1.weight.is_contiguous()


class OfGraphs(nn.Module):
    """A layer on a graph's nodes, which are told by the graph's adjacency who their neighbours are."""

    def __init__(self) -> None:
        super().__init__()
        self.own, self.sent, self.head = nn.Linear(3, 8), nn.Linear(8, 4), nn.Linear(4, 2)

    def forward(self, nodes: torch.Tensor, adjacency: torch.Tensor) -> torch.Tensor:
        """Map nodes×3 and nodes×nodes to nodes×2."""
        return self.head((adjacency @ self.sent(self.own(nodes).relu())).relu())  # type: ignore[no-any-return]


class OfPlaces(nn.Module):
    """A convolution of images, and numbers for each of their rows and columns that are no batch."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.head = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, 2)

    def forward(self, images: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Map N×3×8×8 and 8×8 to N×2."""
        return self.head((self.a(images) * places).mean((2, 3)))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("net", "inputs", "layer"),
    [
        (OfGraphs(), (torch.randn(6, 3), torch.randn(6, 6)), "own.weight"),
        (OfPlaces(), (torch.randn(4, 3, 8, 8), torch.randn(8, 8)), "a.weight"),
    ],
)
def test_inputs_without_a_batch_are_taken_as_they_are(net: nn.Module, inputs: Any, layer: str) -> None:
    groups = filter_groups(net, inputs=inputs)
    assert list(groups.shapes) == [layer]
    mask = half(groups)
    small = shrink(net, mask, groups)
    at_zero(net, groups.taken_along(mask))
    torch.testing.assert_close(small(*inputs), net(*inputs))
