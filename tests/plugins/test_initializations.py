"""Initial values: distributions per layer, determinism, what is left alone."""

from __future__ import annotations

import math

import pytest
import torch
from prunebench_plugins.architectures import cifar_resnet, lenet_300_100
from prunebench_plugins.initializations import prunebench_initializations
from torch import nn

from prunebench.training.initialize import make_network
from prunebench.training.streams import stream

BUILT_IN = {i.name: i for i in prunebench_initializations()}
DRAWN = ["kaiming-normal", "kaiming-uniform", "unit-variance"]


def resnet(name: str, seed: int = 0, width: float = 1.0) -> nn.Module:
    return make_network(lambda: cifar_resnet((3, 32, 32), 10, width=width), BUILT_IN[name].draw, seed)


def lenet(name: str, seed: int = 0) -> nn.Module:
    return make_network(lambda: lenet_300_100((1, 28, 28), 10), BUILT_IN[name].draw, seed)


def layers(net: nn.Module) -> dict[str, nn.Module]:
    return {n: m for n, m in net.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}


def inputs_of(layer: nn.Module) -> int:
    """Inputs of one unit, from the layer's own description."""
    if isinstance(layer, nn.Linear):
        return layer.in_features
    return layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1]


@pytest.mark.parametrize("name", ["kaiming-normal", "kaiming-uniform"])
@pytest.mark.parametrize("make", [resnet, lenet])
def test_kaiming_gives_every_layer_variance_2_over_its_fan_in(name, make):
    """Mean 0 and variance 2 / fan-in in each layer, within five standard errors."""
    for layer in layers(make(name)).values():
        w, variance = layer.weight.detach().double().flatten(), 2 / inputs_of(layer)
        n, kurtosis = len(w), 3 if name == "kaiming-normal" else 1.8
        assert abs(float(w.mean())) < 5 * math.sqrt(variance / n)
        assert abs(float((w**2).mean()) / variance - 1) < 5 * math.sqrt((kurtosis - 1) / n)


def test_kaiming_uniform_stays_within_its_bound_and_fills_it():
    """Values lie in ±√(6 / fan-in)."""
    weight = lenet("kaiming-uniform").fc1.weight.detach()
    bound = math.sqrt(6 / 784)
    assert 0.999 * bound < float(weight.abs().max()) <= bound


def test_kaiming_normal_is_normal():
    """The share within one and two standard deviations is that of a normal distribution."""
    w = lenet("kaiming-normal").fc1.weight.detach() / math.sqrt(2 / 784)
    assert float((w.abs() < 1).float().mean()) == pytest.approx(0.6827, abs=0.005)
    assert float((w.abs() < 2).float().mean()) == pytest.approx(0.9545, abs=0.003)


def test_unit_variance_gives_every_layer_variance_1():
    """Whatever its fan-in."""
    for layer in layers(resnet("unit-variance")).values():
        w = layer.weight.detach().double()
        assert abs(float((w**2).mean()) - 1) < 5 * math.sqrt(2 / w.numel())


def test_unit_variance_is_kaiming_normal_but_for_the_scale():
    """One seed gives both the same normal draws, and the same everything else."""
    unit, usual = (
        dict(lenet("unit-variance").named_parameters()),
        dict(lenet("kaiming-normal").named_parameters()),
    )
    torch.testing.assert_close(unit["fc2.weight"] * math.sqrt(2 / 300), usual["fc2.weight"])
    assert torch.equal(unit["fc2.bias"], usual["fc2.bias"])


@pytest.mark.parametrize("name", DRAWN)
def test_batchnorm_begins_with_uniform_gamma_and_beta_zero(name):
    """γ fills (0, 1) evenly over the network, β is 0, running statistics are untouched."""
    norms = [m for m in resnet(name).modules() if isinstance(m, nn.BatchNorm2d)]
    gamma = torch.cat([m.weight.detach() for m in norms])
    assert 0 < float(gamma.min()) < 0.01
    assert 0.99 < float(gamma.max()) < 1
    assert float(gamma.mean()) == pytest.approx(0.5, abs=5 * math.sqrt(1 / 12 / len(gamma)))
    assert all(
        not m.bias.any() and not m.running_mean.any() and bool((m.running_var == 1).all()) for m in norms
    )


@pytest.mark.parametrize("name", DRAWN)
def test_biases_fill_one_over_root_fan_in(name):
    """PyTorch's default for linear layers and convolutions."""
    net = make_network(
        lambda: nn.Sequential(nn.Conv2d(4, 400, 3), nn.Flatten(), nn.Linear(100, 900)), BUILT_IN[name].draw, 0
    )
    for layer, fan_in in ((net[0], 36), (net[2], 100)):
        bias, bound = layer.bias.detach(), 1 / math.sqrt(fan_in)
        assert 0.97 * bound < float(bias.max()) <= bound
        assert -bound <= float(bias.min()) < -0.97 * bound


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_seed_gives_the_same_network_every_time_and_another_seed_another(name):
    """Bit for bit, whatever the global generator did before."""
    torch.manual_seed(1)
    first = resnet(name, seed=3, width=0.25).state_dict()
    torch.manual_seed(2)
    again, other = (
        resnet(name, seed=3, width=0.25).state_dict(),
        resnet(name, seed=4, width=0.25).state_dict(),
    )
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert not torch.equal(first["conv.weight"], other["conv.weight"])


@pytest.mark.parametrize("name", DRAWN)
def test_draws_take_nothing_but_the_stream(name):
    """Torch's global generator is neither read nor moved."""
    layer = nn.Linear(5, 4)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one = BUILT_IN[name].draw(layer, "weight", layer.weight, stream(0, "init", "weight"))
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(1)
    two = BUILT_IN[name].draw(layer, "weight", layer.weight, stream(0, "init", "weight"))
    assert torch.equal(one, two)
    assert one.dtype == torch.float32
    assert one.shape == (4, 5)


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("layer", [nn.LayerNorm(3), nn.Embedding(3, 4), nn.PReLU()], ids=repr)
def test_parameters_of_other_layers_are_left_to_their_constructor(name, layer):
    """None means: as it is."""
    assert BUILT_IN[name].draw(layer, "weight", layer.weight, stream(0, "init", "x")) is None


def test_grouped_and_transposed_convolutions_take_torchs_fan_in():
    """The fan-in is the one that torch.nn.init computes."""
    for layer in (nn.Conv2d(8, 64, 3, groups=4), nn.ConvTranspose2d(8, 64, 3)):
        fan_in, _ = nn.init._calculate_fan_in_and_fan_out(layer.weight)
        w = BUILT_IN["kaiming-normal"].draw(layer, "weight", layer.weight, stream(0, "init", "w"))
        assert float(w.var()) == pytest.approx(2 / fan_in, rel=0.2)


def test_own_keeps_the_constructors_values():
    """`own` has no draw and says what it does; values differ from layer defaults only by the seed."""
    own = BUILT_IN["own"]
    assert own.draw is None
    assert "constructor" in own.summary
    net = resnet("own")
    assert bool((net.bn.weight == 1).all())
    bound = 1 / math.sqrt(64)  # PyTorch's uniform with a = √5
    assert 0.95 * bound < float(net.fc.weight.detach().abs().max()) <= bound


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_initialization_is_versioned_and_described(name):
    """`show` has something to print, and keys do not hang on the source."""
    assert BUILT_IN[name].version
    assert len(BUILT_IN[name].documentation) > 100
