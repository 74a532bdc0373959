"""TorchVision's networks: outputs after removal are those of the network with zeros; what cannot go stays."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from networks_of_filters import assert_same_outputs, half, randomised

import prunebench
from prunebench.errors import UsageError
from prunebench.pruning.filters import filter_groups
from prunebench.pruning.filters.trace import trained_without_chance
from prunebench.vision import torchvision

OUTPUTS = "its outputs are the network's"
DIVIDED = "its channels are divided among dimensions"
"""ShuffleNet's shuffle of channels, by which it counts how many there are; heads of attention."""
MEETS, NORMED = "its channels meet some that stay", "the operation 'native_layer_norm' goes over channels"

QUICK: tuple[tuple[str, set[str]], ...] = (
    ("squeezenet1_1", {OUTPUTS}),
    ("shufflenet_v2_x0_5", {OUTPUTS, DIVIDED}),
)
SLOW: tuple[tuple[str, set[str]], ...] = (
    ("mobilenet_v2", {OUTPUTS}),
    ("mobilenet_v3_small", {OUTPUTS}),
    ("efficientnet_b0", {OUTPUTS}),
    ("efficientnet_v2_s", {OUTPUTS}),
    ("regnet_x_400mf", {OUTPUTS}),
    ("regnet_y_400mf", {OUTPUTS}),
    ("resnext50_32x4d", {OUTPUTS}),
    ("wide_resnet50_2", {OUTPUTS}),
    ("mnasnet0_5", {OUTPUTS}),
    ("densenet121", {OUTPUTS}),
    ("convnext_tiny", {OUTPUTS, MEETS, NORMED}),
    ("swin_t", {OUTPUTS, MEETS, NORMED, DIVIDED}),
)
HEADS = (("googlenet", 64), ("inception_v3", 299))


def network(name: str, **parameters: Any) -> torch.nn.Module:
    torch.manual_seed(0)
    return randomised(torchvision.models.get_model(name, weights=None, num_classes=10, **parameters))


@pytest.mark.parametrize(
    ("name", "stays"), [*QUICK, *(pytest.param(*one, marks=pytest.mark.slow) for one in SLOW)]
)
def test_half_of_its_filters_are_taken_out(name: str, stays: set[str]) -> None:
    net, shape = network(name), (3, 64, 64)
    groups = filter_groups(net, input_shape=shape, check=False)  # the test itself compares
    assert set(groups.stays.values()) == stays
    small = assert_same_outputs(net, groups, half(groups), torch.randn(2, *shape))
    assert sum(p.numel() for p in small.parameters()) < 0.7 * sum(p.numel() for p in net.parameters())


@pytest.mark.slow
@pytest.mark.parametrize(("name", "side"), HEADS)
def test_auxiliary_heads_are_cut_with_the_network(name: str, side: int) -> None:
    """In training mode they return tuples: the outputs of all heads agree, too."""
    net, shape = network(name, aux_logits=True, init_weights=False), (3, side, side)
    groups = filter_groups(net, input_shape=shape, check=False)
    assert set(groups.stays.values()) == {OUTPUTS}
    assert len(groups.stays) == {"googlenet": 3, "inception_v3": 2}[name]
    x = torch.randn(2, *shape)
    small = assert_same_outputs(net, groups, half(groups), x)
    with torch.no_grad():
        for one, other in zip(trained_without_chance(net)(x), trained_without_chance(small)(x), strict=True):
            assert float((one - other).abs().max()) <= 1e-5 * float(one.abs().max())
    assert len(small.train()(x)) == len(groups.stays)


@pytest.mark.slow
def test_inceptions_head_is_not_cut_by_small_images() -> None:
    """On 96 × 96 the network runs in evaluation mode, and its head in training does not."""
    net = network("inception_v3", aux_logits=True, init_weights=False)
    with pytest.raises(
        UsageError, match=r"'AuxLogits.conv0.conv.weight', .* what they read in training is not known"
    ):
        prunebench.prune(net, "filter-norm", density=0.5, input_shape=(3, 96, 96))
