"""Fan-in and fan-out, γ uniform or one, Tanaka's three: each against its closed form."""

from __future__ import annotations

import math

import pytest
import torch
from prunebench_plugins.initializations import prunebench_initializations
from torch import nn

from prunebench.training.initialize import make_network
from prunebench.training.streams import stream

BUILT_IN = {i.name: i for i in prunebench_initializations()}

# inputs and outputs of a unit, kernel positions included: numbers of the layers below, by hand
CONV = {"in": 16 * 9, "out": 200 * 9}
LINEAR = {"in": 150, "out": 400}


class Layers(nn.Module):
    """One layer of each kind; never run."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(16, 200, 3)
        self.fc = nn.Linear(150, 400)
        self.bn2 = nn.BatchNorm2d(3000)
        self.bn1 = nn.BatchNorm1d(3000)


def made(name: str, seed: int = 0) -> Layers:
    return make_network(Layers, BUILT_IN[name].draw, seed)


KAIMING = [
    (f"kaiming-{kind}{'' if fan == 'in' else '-fan-out'}{'-gamma-one' if one else ''}", kind, fan, one)
    for kind in ("normal", "uniform")
    for fan in ("in", "out")
    for one in (False, True)
]


def assert_drawn(weight: torch.Tensor, kind: str, variance: float) -> None:
    """Assert mean 0 and a variance within 4 standard errors, and the shape of the distribution."""
    w, n = weight.detach().double().flatten(), weight.numel()
    fourth = 3 if kind == "normal" else 1.8  # E w⁴ / (E w²)²
    assert abs(float(w.mean())) < 4 * math.sqrt(variance / n)
    assert abs(float((w**2).mean()) / variance - 1) < 4 * math.sqrt((fourth - 1) / n)
    bound = math.sqrt(3 * variance)
    if kind == "uniform":
        assert 0.999 * bound < float(w.abs().max()) <= bound * (1 + 1e-6)
    else:
        beyond = math.erfc(math.sqrt(3) / math.sqrt(2))
        share = float((w.abs() > bound).double().mean())
        assert abs(share - beyond) < 4 * math.sqrt(beyond * (1 - beyond) / n)


def assert_uniform(values: torch.Tensor, low: float, high: float) -> None:
    """Assert that values fill (low, high) evenly."""
    v, n = values.detach().double(), values.numel()
    assert float(v.min()) >= low - 1e-6
    assert float(v.max()) <= high + 1e-6
    assert abs(float(v.mean()) - (low + high) / 2) < 4 * (high - low) * math.sqrt(1 / 12 / n)
    within = (v > low + (high - low) / 4) & (v < high - (high - low) / 4)
    assert abs(float(within.double().mean()) - 0.5) < 4 * math.sqrt(0.25 / n)


@pytest.mark.parametrize(("name", "kind", "fan", "one"), KAIMING)
def test_kaimings_weights_have_variance_2_over_the_fan(name, kind, fan, one):
    """Convolutions and linear layers alike, by fan-in or by fan-out, normal or uniform."""
    net = made(name)
    assert_drawn(net.conv.weight, kind, 2 / CONV[fan])
    assert_drawn(net.fc.weight, kind, 2 / LINEAR[fan])


@pytest.mark.parametrize(("name", "kind", "fan", "one"), KAIMING)
def test_kaimings_gamma_is_uniform_or_one_as_named(name, kind, fan, one):
    """In BatchNorm of one and of two dimensions; β is 0, running statistics are untouched."""
    net = made(name)
    for norm in (net.bn1, net.bn2):
        if one:
            assert bool((norm.weight == 1).all())
        else:
            assert_uniform(norm.weight, 0, 1)
        assert not norm.bias.any()
        assert not norm.running_mean.any()
        assert bool((norm.running_var == 1).all())


@pytest.mark.parametrize("name", [*(k[0] for k in KAIMING), "unit-variance"])
def test_biases_are_uniform_in_one_over_root_fan_in_whatever_the_weights_fan(name):
    """PyTorch's default, by fan-in also where the weights go by fan-out."""
    net = made(name)
    assert_uniform(net.conv.bias, -1 / math.sqrt(CONV["in"]), 1 / math.sqrt(CONV["in"]))
    assert_uniform(net.fc.bias, -1 / math.sqrt(LINEAR["in"]), 1 / math.sqrt(LINEAR["in"]))


@pytest.mark.parametrize(("name", "kind", "fan", "one"), [k for k in KAIMING if k[3]])
def test_gamma_one_changes_gamma_alone(name, kind, fan, one):
    """One seed draws the same weights and biases with γ uniform and with γ one."""
    ones, usual = made(name).state_dict(), made(name.removesuffix("-gamma-one")).state_dict()
    assert [key for key in ones if not torch.equal(ones[key], usual[key])] == ["bn2.weight", "bn1.weight"]


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_fan_out_changes_the_weights_scale_alone(kind):
    """The same draws, scaled."""
    out, usual = made(f"kaiming-{kind}-fan-out").state_dict(), made(f"kaiming-{kind}").state_dict()
    torch.testing.assert_close(out["conv.weight"] * math.sqrt(1800 / 144), usual["conv.weight"])
    torch.testing.assert_close(out["fc.weight"] * math.sqrt(400 / 150), usual["fc.weight"])
    rest = [key for key in out if key not in ("conv.weight", "fc.weight")]
    assert all(torch.equal(out[key], usual[key]) for key in rest)


def test_unit_variance_has_variance_1_in_both_kinds_of_layer():
    """Whatever the fan; γ is uniform as usual."""
    net = made("unit-variance")
    assert_drawn(net.conv.weight, "normal", 1)
    assert_drawn(net.fc.weight, "normal", 1)
    assert_uniform(net.bn2.weight, 0, 1)


def test_tanakas_cifar_vgg_has_fan_in_and_no_biases():
    """Convolutions and linear layers by fan-in, biases 0."""
    net = made("tanaka-cifar-vgg")
    assert_drawn(net.conv.weight, "normal", 2 / CONV["in"])
    assert_drawn(net.fc.weight, "normal", 2 / LINEAR["in"])
    assert not net.conv.bias.any()
    assert not net.fc.bias.any()


def test_tanakas_resnet18_has_fan_out_and_pytorchs_linear_layer():
    """Convolutions by fan-out; weights and biases of linear layers uniform in ±1/√fan-in."""
    net = made("tanaka-resnet18")
    assert_drawn(net.conv.weight, "normal", 2 / CONV["out"])
    assert_drawn(net.fc.weight, "uniform", 1 / (3 * LINEAR["in"]))
    assert_uniform(net.fc.bias, -1 / math.sqrt(150), 1 / math.sqrt(150))


def test_tanakas_tinyimagenet_vgg_has_fan_out_and_a_head_of_deviation_a_hundredth():
    """Convolutions by fan-out; linear weights from normal(0, 0.01); biases 0."""
    net = made("tanaka-tinyimagenet-vgg")
    assert_drawn(net.conv.weight, "normal", 2 / CONV["out"])
    assert_drawn(net.fc.weight, "normal", 0.01**2)
    assert not net.conv.bias.any()
    assert not net.fc.bias.any()


@pytest.mark.parametrize("name", [n for n in BUILT_IN if n.startswith("tanaka-")])
def test_tanakas_batchnorm_begins_with_gamma_one_and_beta_zero(name):
    """So in all three."""
    for norm in (made(name).bn1, made(name).bn2):
        assert bool((norm.weight == 1).all())
        assert not norm.bias.any()


@pytest.mark.parametrize("name", [n for n in BUILT_IN if n != "own"])
def test_a_seed_gives_the_same_values_and_another_seed_others(name):
    """Bit for bit, and torch's global generator is neither read nor moved by a draw."""
    torch.manual_seed(1)
    first = made(name, 3).state_dict()
    torch.manual_seed(2)
    again, other = made(name, 3).state_dict(), made(name, 4).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["conv.weight"], other["conv.weight"])
    layer, before = nn.Linear(5, 4), torch.get_rng_state()
    BUILT_IN[name].draw(layer, "weight", layer.weight, stream(0, "init", "weight"))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", [n for n in BUILT_IN if n != "own"])
@pytest.mark.parametrize("layer", [nn.LayerNorm(3), nn.Embedding(3, 4), nn.PReLU()], ids=repr)
def test_other_layers_keep_their_constructors_values(name, layer):
    """None means: as it is."""
    assert BUILT_IN[name].draw(layer, "weight", layer.weight, stream(0, "init", "x")) is None


@pytest.mark.parametrize("layer", [nn.Conv2d(8, 64, 3, groups=4), nn.ConvTranspose2d(8, 64, 3)], ids=repr)
def test_grouped_and_transposed_convolutions_have_torchs_fans(layer):
    """Both fans are those that torch.nn.init computes."""
    fans = nn.init._calculate_fan_in_and_fan_out(layer.weight)
    for name, fan in zip(("kaiming-normal", "kaiming-normal-fan-out"), fans, strict=True):
        w = BUILT_IN[name].draw(layer, "weight", layer.weight, stream(0, "init", "w"))
        assert abs(float((w.double() ** 2).mean()) * fan / 2 - 1) < 4 * math.sqrt(2 / w.numel())
