"""What a forward pass costs: hand formulas, torch's own counter, no memory, no time."""

from __future__ import annotations

import gc
import resource
import weakref

import pytest
import torch
from prunebench_plugins.architectures import prunebench_architectures
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from prunebench.plan.cost import forward_macs

BUILT_IN = {a.name: a for a in prunebench_architectures()}


def macs(build, shape) -> int:
    with torch.device("meta"):
        meta = build()
    return forward_macs(meta, build, shape)


def counted(net: nn.Module, shape) -> int:
    """Half of the floating-point operations that torch counts while it really computes."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.eval()(torch.zeros(1, *shape))
    return counter.get_total_flops() // 2


def test_a_fully_connected_network_costs_its_weights():
    """One multiply-accumulate a weight."""
    build = lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 10))  # noqa: E731
    assert macs(build, (1, 28, 28)) == 784 * 300 + 300 * 10


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (lambda: nn.Conv2d(4, 8, 3), 8 * 4 * 9 * 8 * 10),  # 10×12 becomes 8×10
        (lambda: nn.Conv2d(4, 8, 3, padding=1), 8 * 4 * 9 * 10 * 12),
        (lambda: nn.Conv2d(4, 8, 3, stride=2, padding=1), 8 * 4 * 9 * 5 * 6),
        (lambda: nn.Conv2d(4, 8, 3, dilation=2), 8 * 4 * 9 * 6 * 8),
        (lambda: nn.Conv2d(4, 8, 3, padding=1, groups=2), 8 * 2 * 9 * 10 * 12),
        (lambda: nn.Conv2d(4, 4, 3, padding=1, groups=4), 4 * 9 * 10 * 12),
        (lambda: nn.Conv2d(4, 8, 1), 8 * 4 * 10 * 12),
    ],
    ids=["valid", "padded", "strided", "dilated", "grouped", "depthwise", "pointwise"],
)
def test_a_convolution_costs_its_weights_at_every_position_of_its_output(layer, expected):
    """Padding, stride, dilation and groups included."""
    assert macs(lambda: nn.Sequential(layer()), (4, 10, 12)) == expected


def test_a_layer_used_twice_costs_twice():
    """The pass is counted, not the list of layers."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(6, 6)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(self.fc(x.flatten(1)))

    assert macs(Twice, (1, 2, 3)) == 72


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("lenet-300-100", (1, 28, 28)),
        ("lenet-5", (1, 28, 28)),
        ("resnet20", (3, 32, 32)),
        ("vgg11", (3, 32, 32)),
        ("vgg-c", (3, 32, 32)),
        ("alexnet-s", (3, 32, 32)),
        ("resnet18", (3, 64, 64)),
        ("resnet50", (3, 64, 64)),
    ],
)
def test_a_network_costs_what_torch_counts(name, shape):
    """Half of the FLOPs of torch.utils.flop_counter, exactly."""
    component = BUILT_IN[name]
    build = lambda: component.build(shape, 10, **component.parameters)  # noqa: E731
    assert macs(build, shape) == counted(build(), shape)


@pytest.mark.parametrize(
    ("name", "published"), [("resnet18", 1.814e9), ("resnet50", 4.089e9), ("vgg16-imagenet", 15.47e9)]
)
def test_an_imagenet_network_costs_its_published_number_without_memory(name, published):
    """Published multiply-accumulates to three digits; no memory for the weights, so nothing is computed."""
    from prunebench.vision import torchvision  # its import is no part of the memory

    assert torchvision
    component = BUILT_IN[name]
    with torch.device("meta"):
        meta = component.build((3, 224, 224), 1000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = forward_macs(meta, lambda: pytest.fail("the network was built again"), (3, 224, 224))
    assert found == pytest.approx(published, rel=1e-3)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB; VGG-16 weighs 540,000


def test_a_network_whose_forward_pass_wants_real_values_is_really_run():
    """Where zeros of the right shape are not enough it is built; torch's generator is left as it was."""

    class Reads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.fc(x.flatten(1))
            if not bool(y.any()):
                raise ValueError("nothing but zeros")
            return y

    before = torch.get_rng_state()
    assert macs(Reads, (1, 2, 2)) == 16
    assert torch.equal(before, torch.get_rng_state())


def test_costs_are_counted_on_one_thread_and_leave_the_number_of_threads_as_it_was():
    """Threads that wait for the next piece of next to no work cost many times what they do."""
    seen = []

    class Looks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x):
            seen.append(torch.get_num_threads())
            return self.layer(x)

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        macs(Looks, (1, 4, 4))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert seen == [1]


def test_a_network_goes_when_it_has_been_looked_at():
    """Without looking for garbage, which is not done while cells are planned."""
    with torch.device("meta"):
        meta = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    layers = [weakref.ref(layer) for layer in meta]
    gc.disable()
    try:
        forward_macs(meta, lambda: pytest.fail("the network was built again"), (3, 8, 8))
        del meta
        assert [layer() for layer in layers] == [None, None]
    finally:
        gc.enable()
