"""FLOPs of a forward pass: against sums by hand and published counts."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from prunebench import diagnostics
from prunebench.errors import UsageError
from prunebench.pruning import Mask, prunable_weights


def test_a_perceptron_takes_two_flops_a_weight() -> None:
    """LeNet-300-100: 266,200 multiply-adds, biases and activations not counted; kept weights pro rata."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.Linear(100, 10))
    assert diagnostics.flops(net, None, (1, 28, 28)) == {"dense": 532_400, "sparse": 532_400, "share": 1}
    mask = Mask.full(prunable_weights(net))
    mask["1.weight"][:, :392] = False
    found = diagnostics.flops(net, Mask(mask), (1, 28, 28))
    assert found == {"dense": 532_400, "sparse": 297_200, "share": 297_200 / 532_400}


def test_vgg16_by_hand() -> None:
    """Thirteen 3×3 convolutions on maps of 32 to 2 pixels, one linear layer; pruned layers count their share."""
    from prunebench_plugins.architectures import vgg

    net = vgg((3, 32, 32), 10)
    widths = [(64, 2, 32), (128, 2, 16), (256, 3, 8), (512, 3, 4), (512, 3, 2)]
    before, by_layer = 3, []
    for width, layers, size in widths:
        for _ in range(layers):
            by_layer.append(2 * 9 * before * width * size**2)
            before = width
    by_layer.append(2 * 512 * 10)
    dense = sum(by_layer)
    assert [layer.dense for layer in diagnostics.layer_flops(net, None, (3, 32, 32))] == by_layer
    mask = Mask.full(prunable_weights(net))
    first, *_, last = mask
    mask[first][:32] = False
    mask[last][:] = False
    found = diagnostics.flops(net, Mask(mask), (3, 32, 32))
    assert (found["dense"], found["sparse"]) == (dense, dense - by_layer[0] // 2 - by_layer[-1])


@pytest.mark.parametrize("net", [
    nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, groups=1), nn.Conv2d(8, 8, 3, padding=1, groups=4)),
    nn.Sequential(nn.ConvTranspose2d(3, 4, 3, stride=2), nn.Conv2d(4, 2, 3, dilation=2)),
    nn.Sequential(nn.Flatten(2), nn.Conv1d(3, 5, 3), nn.Linear(79, 7)),
], ids=["groups", "transposed", "lines"])  # fmt: skip
def test_dense_flops_agree_with_torchs_counter(net: nn.Module) -> None:
    """Strides, groups, dilation, transposed convolutions, linear layers on several positions."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.zeros(1, 3, 9, 9))
    assert diagnostics.flops(net, None, (3, 9, 9))["dense"] == counter.get_total_flops()


def test_a_layer_used_twice_counts_twice() -> None:
    """Its weight stands once in the list, with both uses."""
    shared = nn.Linear(4, 4)
    net = nn.Sequential(shared, nn.ReLU(), shared)
    (layer,) = diagnostics.layer_flops(net, None, (4,))
    assert (layer.uses, layer.prunable, layer.dense) == (2, 16, 64)


def test_weights_out_of_the_mask_count_as_kept() -> None:
    """A mask of the convolutions alone leaves the linear layer whole."""
    net = nn.Sequential(nn.Conv2d(1, 2, 2), nn.Flatten(), nn.Linear(2, 3))
    found = diagnostics.flops(net, {"0.weight": torch.zeros(2, 1, 2, 2).bool()}, (1, 2, 2))
    assert (found["dense"], found["sparse"]) == (2 * (8 + 6), 2 * 6)


def test_the_model_is_left_as_it_was() -> None:
    """Mode, running statistics and hooks stay."""
    net = nn.Sequential(nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.Dropout())
    net[2].eval()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    diagnostics.flops(net, None, (1, 4, 4))
    assert [m.training for m in net.modules()] == [True, True, True, False]
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert not net[0]._forward_hooks


def test_an_input_shape_that_does_not_fit_is_refused() -> None:
    """The message says which shape."""
    with pytest.raises(UsageError, match=r"cannot be run on an input of shape \(3, 4, 4\)"):
        diagnostics.flops(nn.Sequential(nn.Conv2d(1, 2, 2)), None, (3, 4, 4))
