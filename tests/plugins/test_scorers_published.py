"""Magnitude's layer densities against the published masks of Tanaka et al. (2020)."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import pytest
import torch
from torch import nn

import prunebench

PUBLISHED = Path(__file__).parents[1] / "data" / "synflow_magnitude_vgg16_cifar100.csv"
CHANNELS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512)


def published() -> dict[str, dict[str, tuple[int, list[float]]]]:
    """{log10 of the compression: {layer: (weights, densities of the runs)}}."""
    found: dict[str, dict[str, tuple[int, list[float]]]] = defaultdict(dict)
    with PUBLISHED.open() as file:
        for row in csv.DictReader(file):
            _, densities = found[row["log10_compression"]].setdefault(row["layer"], (int(row["weights"]), []))
            densities.append(float(row["density"]))
    return dict(found)


@pytest.fixture(scope="module")
def vgg16() -> nn.Module:
    """VGG-16 for 100 classes, weights by Kaiming normal with fan-in; the order of its layers is theirs."""
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
    return model


@pytest.mark.parametrize("compression", sorted(published()))
def test_magnitude_keeps_what_the_authors_kept(vgg16: nn.Module, compression: str) -> None:
    """Layer densities are the mean of the three published runs: within 0.01, in the small first 0.03."""
    mask = prunebench.prune(vgg16, "magnitude", density=10 ** -float(compression))
    theirs = published()[compression]
    assert [layer["prunable"] for layer in mask.layers()] == [weights for weights, _ in theirs.values()]
    for layer, (name, (weights, densities)) in zip(mask.layers(), theirs.items(), strict=True):
        assert len(densities) == 3
        difference = layer["kept"] / weights - sum(densities) / len(densities)
        assert abs(difference) <= (0.01 if weights > 10_000 else 0.03), name
