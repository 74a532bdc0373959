"""Layer densities of magnitude and SynFlow against the published masks of Tanaka et al. (2020)."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import pytest
import torch
from torch import nn

import prunebench

PUBLISHED = Path(__file__).parents[1] / "data" / "synflow_layers_vgg16_cifar100.csv"
CHANNELS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512)
Layers = dict[str, tuple[int, list[float]]]


def read_published() -> dict[str, dict[str, Layers]]:
    """{method: {log10 of the compression: {layer: (weights, densities of the runs)}}}."""
    found: dict[str, dict[str, Layers]] = defaultdict(lambda: defaultdict(dict))
    with PUBLISHED.open() as file:
        for row in csv.DictReader(file):
            layers = found[row["method"]][row["log10_compression"]]
            layers.setdefault(row["layer"], (int(row["weights"]), []))[1].append(float(row["density"]))
    return {method: dict(compressions) for method, compressions in found.items()}


THEIRS = read_published()
COMPRESSIONS = ["0.00", "0.50", "1.00", "1.50", "2.00", "2.50", "3.00"]


@pytest.fixture(scope="module")
def vgg16() -> nn.Module:
    """VGG-16 for 100 classes as Tanaka et al. draw it: Kaiming normal with fan-in, biases 0, γ 1."""
    layers: list[nn.Module] = []
    before = 3
    for channels in CHANNELS:
        if channels == 0:
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(before, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]
        before = channels
    model = nn.Sequential(*layers, nn.AvgPool2d(2), nn.Flatten(), nn.Linear(512, 100))
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, generator=generator)
            assert module.bias is not None
            nn.init.zeros_(module.bias)
    return model


def assert_like_theirs(mask: prunebench.Mask, theirs: Layers) -> None:
    """Layer by layer within 0.01 of the mean of the published runs, within 0.03 in the small first one."""
    assert [layer["prunable"] for layer in mask.layers()] == [weights for weights, _ in theirs.values()]
    for layer, (name, (weights, densities)) in zip(mask.layers(), theirs.items(), strict=True):
        assert len(densities) == 3
        difference = layer["kept"] / weights - sum(densities) / len(densities)
        print(f"{name:16} {weights:8} {difference:+.4f}")
        assert abs(difference) <= (0.01 if weights > 10_000 else 0.03), name


def test_both_methods_are_published_at_every_compression() -> None:
    """The file holds three runs of magnitude and SynFlow at seven compressions."""
    assert set(THEIRS) == {"magnitude", "synflow"}
    assert all(sorted(compressions) == COMPRESSIONS for compressions in THEIRS.values())


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_magnitude_keeps_what_the_authors_kept(vgg16: nn.Module, compression: str) -> None:
    """Magnitude's layer densities are those of the published masks."""
    mask = prunebench.prune(vgg16, "magnitude", density=10 ** -float(compression))
    assert_like_theirs(mask, THEIRS["magnitude"][compression])


@pytest.mark.slow
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_synflow_keeps_what_the_authors_kept(vgg16: nn.Module, compression: str) -> None:
    """SynFlow's layer densities after 100 rounds are those of the published masks."""
    mask = prunebench.prune(vgg16, "synflow", density=10 ** -float(compression), input_shape=(3, 32, 32))
    assert_like_theirs(mask, THEIRS["synflow"][compression])
