"""The papers' networks: exact published counts, and structure against TorchVision or a second spelling."""

from __future__ import annotations

import pytest
import torch
from prunebench_plugins.architectures import prunebench_architectures
from torch import nn
from torch.nn import functional

from prunebench.errors import UsageError

BUILT_IN = {a.name: a for a in prunebench_architectures()}

MNIST = ((1, 28, 28), 10)
CIFAR = ((3, 32, 32), 10)
CIFAR_100 = ((3, 32, 32), 100)
TINY = ((3, 64, 64), 200)
PLACES = ((3, 128, 128), 100)
IMAGENET = ((3, 224, 224), 1000)


def build(name: str, given=CIFAR, **parameters) -> nn.Module:
    component = BUILT_IN[name]
    return component.build(*given, **{**component.parameters, **parameters})


def on_meta(name: str, given=CIFAR, **parameters) -> nn.Module:
    with torch.device("meta"):
        return build(name, given, **parameters)


def counts(module: nn.Module) -> tuple[int, int]:
    """Weights of convolutions and linear layers, and all parameters."""
    layers = [m for m in module.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    return sum(m.weight.numel() for m in layers), sum(p.numel() for p in module.parameters())


def filled(net: nn.Module) -> nn.Module:
    """Give every parameter and running statistic a value of its own; evaluation mode."""
    generator = torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            for tensor, low, high in (
                (module.weight, 0.5, 1.5),
                (module.bias, -0.5, 0.5),
                (module.running_mean, -0.5, 0.5),
                (module.running_var, 0.5, 1.5),
            ):
                nn.init.uniform_(tensor, low, high, generator=generator)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            fan_in = module.weight[0].numel()
            nn.init.normal_(module.weight, std=(2 / fan_in) ** 0.5, generator=generator)
            if module.bias is not None:
                nn.init.uniform_(module.bias, -0.5, 0.5, generator=generator)
    return net.eval()


PUBLISHED = [
    ("lenet-300-100", MNIST, {}, 266_200, 266_610),
    ("lenet-5", MNIST, {}, 430_500, 431_080),
    ("resnet8", CIFAR, {}, 77_360, 78_042),
    ("resnet14", CIFAR, {}, 174_128, 175_258),
    ("resnet20", CIFAR, {}, 270_896, 272_474),
    ("resnet26", CIFAR, {}, 367_664, 369_690),
    ("resnet32", CIFAR, {}, 464_432, 466_906),
    ("resnet44", CIFAR, {}, 657_968, 661_338),
    ("cifar-resnet50", CIFAR, {}, 754_736, 758_554),
    ("resnet56", CIFAR, {}, 851_504, 855_770),
    ("resnet98", CIFAR, {}, 1_528_880, 1_536_282),
    ("resnet110", CIFAR, {}, 1_722_416, 1_730_714),
    ("wrn-14-8", CIFAR, {}, 11_084_160, 11_093_130),
    ("wrn-14-10", CIFAR, {}, 17_316_320, 17_327_530),
    ("wrn-20-8", CIFAR, {}, 17_277_312, 17_289_866),
    ("wrn-32-2", CIFAR, {}, 1_855_584, 1_860_522),
    ("vgg11", CIFAR, {}, 9_222_848, 9_231_114),
    ("vgg13", CIFAR, {}, 9_407_168, 9_416_010),
    ("vgg16", CIFAR, {}, 14_715_584, 14_728_266),
    ("vgg19", CIFAR, {}, 20_024_000, 20_040_522),
    ("vgg16", CIFAR_100, {}, 14_761_664, 14_774_436),
    ("vgg", CIFAR, {"width": 1 / 16}, 57_884, 58_686),
    ("vgg", CIFAR, {"width": 1 / 8}, 230_680, 232_274),
    ("vgg", CIFAR, {"width": 1 / 4}, 921_008, 924_186),
    ("vgg", CIFAR, {"width": 1 / 2}, 3_680_608, 3_686_954),
    ("vgg2-16", CIFAR, {}, 15_239_872, 15_253_578),
    ("vgg-d", CIFAR, {"hidden_norm": True}, 15_239_872, 15_255_626),
    ("vgg-c", CIFAR, {}, 10_521_280, 10_534_986),
    ("vgg-c", CIFAR, {"hidden_norm": True}, 10_521_280, 10_537_034),
    ("vgg-like", CIFAR, {}, 14_977_728, 14_990_922),
    ("vgg-like", CIFAR, {"hidden_norm": True}, 14_977_728, 14_991_946),
    ("alexnet-s", CIFAR, {}, 5_066_784, 5_077_066),
    ("alexnet-b", CIFAR, {}, 8_484_896, 8_501_322),
    ("vgg11-tinyimagenet", TINY, {}, 12_568_256, 12_578_760),
    ("vgg16-tinyimagenet", TINY, {}, 18_060_992, 18_075_912),
    *(
        ("cifar-densenet", CIFAR, {"width": growth / 16}, prunable, total)
        for growth, prunable, total in (
            (1, 7_074, 9_694),
            (2, 27_548, 32_778),
            (4, 108_696, 119_146),
            (8, 431_792, 452_682),
            (16, 1_721_184, 1_762_954),
            (32, 6_872_768, 6_956_298),
        )
    ),
    ("imagenet-resnet", TINY, {"depth": 18}, 11_269_312, 11_279_112),
    ("imagenet-resnet", IMAGENET, {"depth": 50}, 25_502_912, 25_557_032),
    ("imagenet-resnet", TINY, {"depth": 50}, 23_864_512, None),
    ("resnet18", TINY, {}, 11_269_312, 11_279_112),
    ("resnet18", IMAGENET, {}, 11_678_912, 11_689_512),
    ("modified-resnet18", CIFAR, {}, 11_164_352, 11_173_962),
    ("modified-resnet18", CIFAR_100, {}, 11_210_432, 11_220_132),
    ("modified-resnet18", TINY, {}, 11_261_632, 11_271_432),
    ("resnet50", IMAGENET, {}, 25_502_912, 25_557_032),
    ("resnet50", TINY, {}, 23_864_512, 23_917_832),
    ("resnet50", CIFAR_100, {}, 23_659_712, 23_712_932),
    ("resnet50", PLACES, {}, 23_659_712, 23_712_932),
    ("resnet18", PLACES, {}, 11_218_112, 11_227_812),
    ("vgg16-imagenet", IMAGENET, {}, 138_344_128, 138_357_544),
    ("vgg16-bn-imagenet", IMAGENET, {}, 138_344_128, 138_365_992),
]


@pytest.mark.parametrize(("name", "given", "parameters", "prunable", "total"), PUBLISHED, ids=str)
def test_a_network_has_its_published_counts(name, given, parameters, prunable, total):
    """Prunable weights and all parameters, exactly."""
    found = counts(on_meta(name, given, **parameters))
    assert found == (prunable, total if total is not None else found[1])


@pytest.mark.parametrize(("name", "convolutions"), [("resnet50", 23_454_912), ("resnet18", 11_166_912)])
def test_convolutions_alone_have_their_published_count(name, convolutions):
    """What is pruned where linear layers are spared."""
    net = on_meta(name, IMAGENET)
    assert sum(m.weight.numel() for m in net.modules() if isinstance(m, nn.Conv2d)) == convolutions


@pytest.mark.parametrize("given", [TINY, PLACES], ids=["64x64", "128x128"])
@pytest.mark.parametrize(
    ("name", "convolutions", "channels"), [("resnet50", 23_454_912, 2048), ("resnet18", 11_166_912, 512)]
)
def test_what_convolutions_alone_leave_is_the_output_layer(name, convolutions, channels, given):
    """prunable = "convolutions" on TinyImageNet and MiniPlaces: the head's weights are the difference."""
    from prunebench.pruning import prunable_weights

    net = on_meta(name, given)
    assert sum(w.numel() for w in prunable_weights(net, of="convolutions").values()) == convolutions
    assert sum(w.numel() for w in prunable_weights(net).values()) == convolutions + channels * given[1]


@pytest.mark.parametrize("given", [TINY, PLACES], ids=["64x64", "128x128"])
@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_imagenet_networks_take_smaller_images_as_they_are(name, given):
    """Five halvings: what is averaged before the output layer is of 2×2 and 4×4 positions; logits are finite."""
    net, maps = build(name, given).eval(), []
    net.layer4.register_forward_hook(lambda module, given, output: maps.append(tuple(output.shape[2:])))
    with torch.no_grad():
        logits = net(torch.randn(2, *given[0], generator=torch.Generator().manual_seed(0)))
    assert logits.shape == (2, given[1])
    assert logits.isfinite().all()
    assert maps == [(given[0][1] // 32, given[0][2] // 32)]


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("resnet18", 64),
        ("resnet50", 64),
        pytest.param("vgg16-imagenet", 64, marks=pytest.mark.slow),  # two of 135 M weights
        pytest.param("vgg16-bn-imagenet", 96, marks=pytest.mark.slow),
    ],
)
def test_imagenet_networks_compute_what_torchvisions_compute(name, size):
    """TorchVision's own network takes the state without a rename and gives the same logits."""
    from prunebench.vision import torchvision

    theirs = {"vgg16-imagenet": "vgg16", "vgg16-bn-imagenet": "vgg16_bn"}.get(name, name)
    ours = filled(build(name, ((3, size, size), 10)))
    other = getattr(torchvision.models, theirs)(weights=None, num_classes=10).eval()
    other.load_state_dict(ours.state_dict(), strict=True)
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(ours(images), other(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("depth", [18, 50])
def test_a_scaled_imagenet_resnet_of_width_1_is_torchvisions(depth):
    """The same names and shapes, the same logits."""
    from prunebench.vision import torchvision

    ours = filled(build("imagenet-resnet", ((3, 64, 64), 10), depth=depth))
    other = getattr(torchvision.models, f"resnet{depth}")(weights=None, num_classes=10).eval()
    other.load_state_dict(ours.state_dict(), strict=True)
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(ours(images), other(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("depth", [18, 50])
def test_an_imagenet_resnet_has_the_channels_of_its_width(depth):
    """A quarter: 16, 32, 64, 128; the last convolution of a bottleneck has four times as many."""
    weights = on_meta("imagenet-resnet", ((3, 64, 64), 10), depth=depth, width=0.25).state_dict()
    last = "conv2" if depth == 18 else "conv3"
    assert weights["conv1.weight"].shape[0] == 16
    channels = [weights[f"layer{group}.1.{last}.weight"].shape[0] for group in range(1, 5)]
    assert channels == [c * (1 if depth == 18 else 4) for c in (16, 32, 64, 128)]
    assert weights["fc.weight"].shape == (10, channels[-1])


def _norm(x, w, name):
    mean, var, gamma, beta = (
        w[f"{name}.{key}"].view(1, -1, *[1] * (x.dim() - 2))
        for key in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (var + 1e-5).sqrt() * gamma + beta


def _conv(x, w, name, stride=1):
    kernel = w[f"{name}.weight"]
    return functional.conv2d(x, kernel, w.get(f"{name}.bias"), stride=stride, padding=kernel.shape[-1] // 2)


def test_modified_resnet18_computes_its_definition():
    """A 3×3 convolution of stride 1, no max-pool, four stages of two blocks, the mean over positions."""
    net = filled(build("modified-resnet18"))
    w = net.state_dict()
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    x = _norm(_conv(images, w, "conv1"), w, "bn1").clamp(min=0)
    for stage in range(1, 5):
        for block in range(2):
            b, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = _norm(_conv(x, w, f"{b}.conv1", stride), w, f"{b}.bn1").clamp(min=0)
            y = _norm(_conv(y, w, f"{b}.conv2"), w, f"{b}.bn2")
            down = f"{b}.downsample"
            side = _norm(_conv(x, w, f"{down}.0", 2), w, f"{down}.1") if stride == 2 else x
            x = (y + side).clamp(min=0)
    assert x.shape == (2, 512, 2, 2)
    expected = x.mean((2, 3)) @ w["fc.weight"].T + w["fc.bias"]
    with torch.no_grad():
        torch.testing.assert_close(net(images), expected, rtol=1e-4, atol=1e-4)


def test_a_wide_resnet_computes_its_definition():
    """WRN-14-8: three groups of two blocks of 128, 256 and 512 channels, shortcuts into groups two and three."""
    net = filled(build("wrn-14-8"))
    w = net.state_dict()
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    x = _norm(_conv(images, w, "conv"), w, "bn").clamp(min=0)
    assert x.shape[1] == 128
    for i in range(6):
        b, first = f"blocks.{i}", i in (2, 4)
        y = _norm(_conv(x, w, f"{b}.conv1", 2 if first else 1), w, f"{b}.bn1").clamp(min=0)
        y = _norm(_conv(y, w, f"{b}.conv2"), w, f"{b}.bn2")
        side = _norm(_conv(x, w, f"{b}.shortcut.0", 2), w, f"{b}.shortcut.1") if first else x
        x = (y + side).clamp(min=0)
    expected = x.mean((2, 3)) @ w["fc.weight"].T + w["fc.bias"]
    with torch.no_grad():
        torch.testing.assert_close(net(images), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("vgg11", (1, 1, 2, 2, 2)),
        ("vgg13", (2, 2, 2, 2, 2)),
        ("vgg16", (2, 2, 3, 3, 3)),
        ("vgg19", (2, 2, 4, 4, 4)),
    ],
)
def test_a_vgg_computes_its_definition(name, groups):
    """Convolution with bias, BatchNorm, ReLU; four max-pools, then an average pool, one linear layer."""
    net = filled(build(name))
    w = net.state_dict()
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    images, number = x, 0
    for group, convolutions in enumerate(groups):
        for _ in range(convolutions):
            number += 1
            x = _norm(_conv(x, w, f"conv{number}"), w, f"bn{number}").clamp(min=0)
        n, c, h, _ = x.shape
        cells = x.view(n, c, h // 2, 2, h // 2, 2)
        x = cells.mean((3, 5)) if group == 4 else cells.amax((3, 5))
    expected = x.flatten(1) @ w["fc.weight"].T + w["fc.bias"]
    with torch.no_grad():
        torch.testing.assert_close(net(images), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["vgg16", "vgg-c", "vgg-d", "vgg-like", "vgg16-tinyimagenet"])
def test_vggs_convolutions_have_biases_and_batchnorm(name):
    """Every convolution is followed by a BatchNorm of its channels; hidden linear layers by none."""
    net = on_meta(name, BUILT_IN[name].made_for)
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 13
    assert all(m.bias is not None for m in convolutions)
    norms = [m.num_features for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms == [m.out_channels for m in convolutions]
    assert not any(isinstance(m, nn.BatchNorm1d) for m in net.modules())


@pytest.mark.parametrize("name", ["resnet20", "wrn-32-2", "resnet18", "resnet50", "modified-resnet18"])
def test_resnets_convolutions_have_no_biases(name):
    """The output layer alone has one."""
    net = on_meta(name, BUILT_IN[name].made_for)
    assert all(m.bias is None for m in net.modules() if isinstance(m, nn.Conv2d))
    assert [m.bias is not None for m in net.modules() if isinstance(m, nn.Linear)] == [True]


def test_vgg_c_has_1x1_kernels_in_three_places():
    """The 7th, 10th and 13th convolution."""
    net = on_meta("vgg-c")
    kernels = [m.kernel_size[0] for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert [i for i, k in enumerate(kernels, start=1) if k == 1] == [7, 10, 13]
    assert set(kernels) == {1, 3}


def test_lenet5_computes_its_definition():
    """Convolution, max-pool, convolution, max-pool, linear, ReLU, linear."""
    net = filled(build("lenet-5", MNIST))
    w = net.state_dict()
    images = x = torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    for name in ("conv1", "conv2"):
        x = functional.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"])
        n, c, h, _ = x.shape
        x = x.view(n, c, h // 2, 2, h // 2, 2).amax((3, 5))
    assert x.shape == (2, 50, 4, 4)
    x = (x.flatten(1) @ w["fc1.weight"].T + w["fc1.bias"]).clamp(min=0)
    expected = x @ w["fc2.weight"].T + w["fc2.bias"]
    with torch.no_grad():
        torch.testing.assert_close(net(images), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("side", "left"), [(32, (16, 8, 4, 2, 1)), (64, (16, 8, 4, 2, 1))])
def test_alexnets_maps_halve_rounding_up(side, left):
    """Stride 2 five times; images above 32×32 have a stride of 4 first. One position is left."""
    net = build("alexnet-s", ((3, side, side), 10)).eval()
    seen = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _m, _x, y: seen.append(tuple(y.shape[2:])))
    with torch.no_grad():
        net(torch.zeros(1, 3, side, side))
    assert seen == [(n, n) for n in left]


def test_tinyimagenet_vggs_drop_half_of_two_hidden_layers():
    """2048–1024–1024–200; training passes differ, evaluation passes do not."""
    net = on_meta("vgg11-tinyimagenet", TINY)
    linear = [(m.in_features, m.out_features) for m in net.modules() if isinstance(m, nn.Linear)]
    assert linear == [(2048, 1024), (1024, 1024), (1024, 200)]
    assert [m.p for m in net.modules() if isinstance(m, nn.Dropout)] == [0.5]


SMALL = {
    "lenet-5": 15,
    "vgg": 31,
    "vgg11": 31,
    "vgg11-tinyimagenet": 31,
    "vgg16-imagenet": 31,
    "vgg16-bn-imagenet": 31,
}


@pytest.mark.parametrize(("name", "side"), SMALL.items())
def test_images_too_small_for_the_pools_are_refused(name, side):
    """The error names the network, the size found and the least allowed; one pixel more is allowed."""
    with pytest.raises(
        UsageError, match=rf"architecture '.*': images of 3×{side}×{side} .*at least {side + 1}"
    ):
        on_meta(name, ((3, side, side), 10))
    assert on_meta(name, ((3, side + 1, side + 1), 10))


@pytest.mark.parametrize("name", ["vgg-c", "vgg-d", "vgg-like", "alexnet-s", "alexnet-b"])
def test_images_too_large_for_one_position_are_refused(name):
    """SNIP's networks leave one position to the linear layers, up to 64×64."""
    with pytest.raises(UsageError, match=r"images of 3×65×65 .*1 to 64"):
        on_meta(name, ((3, 65, 65), 10))


@pytest.mark.parametrize("depth", [8, 12, "16", 16.0, True])
@pytest.mark.parametrize("name", ["vgg", "vgg-tinyimagenet"])
def test_a_depth_that_vgg_does_not_have_is_refused(name, depth):
    """Allowed are 11, 13, 16, 19."""
    with pytest.raises(UsageError, match=r"depth = .*allowed: 11, 13, 16, 19"):
        on_meta(name, ((3, 64, 64), 10), depth=depth)


@pytest.mark.parametrize("k", [0, 1.5, True, "2"])
def test_a_k_that_alexnet_does_not_have_is_refused(k):
    """An integer above 0."""
    with pytest.raises(UsageError, match=r"k = .*allowed: an integer above 0"):
        on_meta("alexnet", k=k)


@pytest.mark.parametrize("value", [1, "yes", None])
def test_a_hidden_norm_that_is_no_flag_is_refused(value):
    """True or false."""
    with pytest.raises(UsageError, match=r"hidden_norm = .*allowed: true, false"):
        on_meta("vgg-d", hidden_norm=value)
