"""Networks: exact counts of published tables, names, shapes, refusals."""

from __future__ import annotations

import math

import pytest
import torch
from prunebench_plugins.architectures import (
    cifar_resnet,
    lenet_300_100,
    mlp,
    prunebench_architectures,
    small_convnet,
)
from torch import nn

from prunebench.errors import UsageError

MNIST = (1, 28, 28)
CIFAR = (3, 32, 32)
BUILT_IN = {a.name: a for a in prunebench_architectures()}


def counts(module: nn.Module) -> tuple[int, int]:
    """Weights of convolutions and linear layers, and all parameters."""
    layers = [m for m in module.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    return sum(m.weight.numel() for m in layers), sum(p.numel() for p in module.parameters())


def on_meta(build, shape, **parameters) -> nn.Module:
    with torch.device("meta"):
        return build(shape, 10, **parameters)


@pytest.mark.parametrize(
    ("depth", "prunable", "total"),
    [
        (8, 77_360, 78_042),
        (14, 174_128, 175_258),
        (20, 270_896, 272_474),
        (26, 367_664, 369_690),
        (32, 464_432, 466_906),
        (44, 657_968, 661_338),
        (50, 754_736, 758_554),
        (56, 851_504, 855_770),
        (98, 1_528_880, 1_536_282),
        (110, 1_722_416, 1_730_714),
    ],
)
def test_a_cifar_resnet_of_each_published_depth_has_its_published_counts(depth, prunable, total):
    """Depths from 8 to 110 have exactly the known prunable weights and parameters."""
    assert counts(on_meta(cifar_resnet, CIFAR, depth=depth)) == (prunable, total)


@pytest.mark.parametrize(
    ("width", "prunable", "total"),
    [
        (1 / 16, 1_121, 1_229),
        (1 / 8, 4_350, 4_556),
        (1 / 4, 17_132, 17_534),
        (1 / 2, 67_992, 68_786),
        (2, 1_081_440, 1_084_586),
        (4, 4_321_472, 4_327_754),
    ],
)
def test_a_resnet20_of_each_width_has_its_published_counts(width, prunable, total):
    """Widths from 1/16 to 4 have exactly the known counts."""
    assert counts(on_meta(cifar_resnet, CIFAR, width=width)) == (prunable, total)


@pytest.mark.parametrize(
    ("depth", "width", "prunable", "total"),
    [
        (14, 8, 11_084_160, 11_093_130),
        (14, 10, 17_316_320, 17_327_530),
        (20, 8, 17_277_312, 17_289_866),
        (32, 2, 1_855_584, 1_860_522),
    ],
)
def test_wide_resnets_are_cifar_resnets_with_a_width(depth, width, prunable, total):
    """WRN-D-W is depth D, width W, with the published counts."""
    assert counts(on_meta(cifar_resnet, CIFAR, depth=depth, width=width)) == (prunable, total)


@pytest.mark.parametrize(
    ("width", "prunable"),
    [(1 / 16, 15_070), (1 / 8, 30_368), (1 / 4, 60_925), (1 / 2, 125_600), (1, 266_200), (2, 592_400)],
)
def test_lenet_of_each_width_has_its_published_count(width, prunable):
    """784–300w–100w–10 with Python's rounding (12.5 → 12)."""
    assert counts(on_meta(lenet_300_100, MNIST, width=width))[0] == prunable


def test_lenet_on_mnist_has_266610_parameters():
    """266,200 weights and 410 biases."""
    assert counts(on_meta(lenet_300_100, MNIST)) == (266_200, 266_610)


def test_resnet20_agrees_with_a_count_by_hand():
    """Layer by layer from the definition: three groups, B = 3, 1×1 shortcuts into groups two and three."""
    expected = {"conv.weight": (16, 3, 3, 3), "fc.weight": (10, 64)}
    before = 16
    for number in range(9):
        after = 16 * 2 ** (number // 3)
        expected[f"blocks.{number}.conv1.weight"] = (after, before, 3, 3)
        expected[f"blocks.{number}.conv2.weight"] = (after, after, 3, 3)
        if before != after:
            expected[f"blocks.{number}.shortcut.0.weight"] = (after, before, 1, 1)
        before = after
    found = {n: tuple(p.shape) for n, p in cifar_resnet(CIFAR, 10).named_parameters() if p.dim() > 1}
    assert found == expected
    assert sum(map(math.prod, found.values())) == 270_896


def test_resnet20_computes_what_a_plain_function_of_its_weights_computes():
    """Strides, order of BatchNorm, sum and ReLU agree with the definition written out again."""
    net = cifar_resnet(CIFAR, 10).eval()
    for p in net.parameters():
        nn.init.normal_(p, std=0.1, generator=torch.Generator().manual_seed(p.numel()))
    w = dict(net.named_parameters()) | dict(net.named_buffers())

    def norm(x, name):
        mean, var = (w[f"{name}.running_{s}"].view(1, -1, 1, 1) for s in ("mean", "var"))
        return (x - mean) / (var + 1e-5).sqrt() * w[f"{name}.weight"].view(1, -1, 1, 1) + w[
            f"{name}.bias"
        ].view(1, -1, 1, 1)

    def conv(x, name, stride=1):
        kernel = w[f"{name}.weight"]
        return nn.functional.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)

    images = torch.randn(2, *CIFAR, generator=torch.Generator().manual_seed(0))
    x = norm(conv(images, "conv"), "bn").clamp(min=0)
    for i in range(9):
        b, stride = f"blocks.{i}", 2 if i in (3, 6) else 1
        y = norm(conv(x, f"{b}.conv1", stride), f"{b}.bn1").clamp(min=0)
        y = norm(conv(y, f"{b}.conv2"), f"{b}.bn2")
        side = norm(conv(x, f"{b}.shortcut.0", stride), f"{b}.shortcut.1") if i in (3, 6) else x
        x = (y + side).clamp(min=0)
    assert x.shape == (2, 64, 8, 8)
    expected = x.mean((2, 3)) @ w["fc.weight"].T + w["fc.bias"]
    torch.testing.assert_close(net(images), expected, rtol=1e-4, atol=1e-5)


SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (2, 9, 11)]
ANY_SIZE = ["resnet8", "resnet20", "lenet-300-100", "mlp", "small-convnet", "digits-mlp", "digits-convnet"]
SIZED = [
    *((name, shape) for name in ANY_SIZE for shape in SHAPES),
    *((name, (3, 8, 8)) for name in ("resnet110", "wrn-32-2", "alexnet-s", "vgg-c", "vgg-d", "vgg-like")),
    *((name, (1, 28, 28)) for name in ("lenet-5", "alexnet-s", "vgg-like")),
    *((name, (2, 33, 40)) for name in ("vgg11", "lenet-5", "alexnet-s", "vgg-like", "vgg11-tinyimagenet")),
    *((name, (1, 32, 32)) for name in ("vgg11", "vgg19", "resnet18", "modified-resnet18", "resnet50")),
    # its linear layers alone hold 120 M weights
    *(pytest.param(n, (2, 32, 40), marks=pytest.mark.slow) for n in ("vgg16-imagenet", "vgg16-bn-imagenet")),
]


@pytest.mark.parametrize(("name", "shape"), SIZED, ids=str)
def test_every_architecture_takes_images_of_the_sizes_it_allows_and_learns(name, shape):
    """Logits have the shape N×classes, all is finite, and a gradient reaches every parameter."""
    component = BUILT_IN[name]
    torch.manual_seed(0)
    net = component.build(shape, 7, **component.parameters)
    logits = net(torch.randn(3, *shape))
    assert logits.shape == (3, 7)
    logits.logsumexp(1).sum().backward()
    for parameter in net.parameters():
        assert parameter.grad is not None
        assert bool(torch.isfinite(parameter.grad).all())


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_architecture_can_be_built_on_the_meta_device(name):
    """Counting weights takes no memory."""
    component = BUILT_IN[name]
    net = on_meta(component.build, component.made_for[0], **component.parameters)
    assert {p.device.type for p in net.parameters()} == {"meta"}


@pytest.mark.parametrize("name", [n for n, a in BUILT_IN.items() if a.preset])
def test_a_preset_is_its_base_with_parameters_that_the_base_has(name):
    """A preset names a registered architecture with the same builder, and only parameters that it takes."""
    component = BUILT_IN[name]
    base, parameters = component.preset
    assert BUILT_IN[base].build is component.build
    assert BUILT_IN[base].preset is None
    assert set(parameters) <= set(BUILT_IN[base].parameters)


def test_presets_are_named_by_their_depth():
    """resnet20 is depth 20; the depth 50 network does not take the ImageNet network's name."""
    depths = {
        n: a.preset[1]["depth"] for n, a in BUILT_IN.items() if a.preset and a.preset[0] == "cifar-resnet"
    }
    others = {"cifar-resnet50": 50, "wrn-14-8": 14, "wrn-14-10": 14, "wrn-20-8": 20, "wrn-32-2": 32}
    assert {n: d for n, d in depths.items() if n != f"resnet{d}"} == others
    plain = sorted(d for n, d in depths.items() if not n.startswith("wrn-"))
    assert plain == [8, 14, 20, 26, 32, 44, 50, 56, 98, 110]


@pytest.mark.parametrize("depth", [2, 7, 21, 20.0, True, "20", -4])
def test_a_depth_that_is_not_6b_plus_2_is_refused(depth):
    """The error says what was found and what is allowed."""
    with pytest.raises(UsageError, match=r"depth = .*allowed: 6B \+ 2"):
        cifar_resnet(CIFAR, 10, depth=depth)


@pytest.mark.parametrize("build", [cifar_resnet, lenet_300_100])
@pytest.mark.parametrize("width", [0, -1, float("nan"), float("inf"), "wide", True])
def test_a_width_that_is_not_positive_is_refused(build, width):
    """The error names the architecture and the value."""
    with pytest.raises(UsageError, match=r"architecture '.*': width = .*allowed: a number above 0"):
        build(MNIST, 10, width=width)


@pytest.mark.parametrize("sizes", [[], [0], [1.5], 100, "100", [True]])
def test_sizes_that_are_no_list_of_positive_integers_are_refused(sizes):
    """So for hidden layers and for channels."""
    with pytest.raises(UsageError, match="hidden = "):
        mlp(MNIST, 10, hidden=sizes)
    with pytest.raises(UsageError, match="channels = "):
        small_convnet(MNIST, 10, channels=sizes)


def test_an_mlp_of_300_and_100_units_is_lenet():
    """The two share one module, layer names included."""
    a, b = mlp(MNIST, 10, hidden=[300, 100]), lenet_300_100(MNIST, 10)
    assert [(n, p.shape) for n, p in a.named_parameters()] == [(n, p.shape) for n, p in b.named_parameters()]


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_architecture_is_versioned_and_described(name):
    """`show` has something to print, and keys do not hang on the source."""
    assert BUILT_IN[name].version
    assert len(BUILT_IN[name].documentation) > 100
