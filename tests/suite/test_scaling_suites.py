"""The suites that scaling laws are fitted to: families of triples, their levels, what the paper says of them."""

from __future__ import annotations

from typing import Any

import pytest

from prunebench.host.datasets import examples_of, whole_of
from prunebench.host.registry import Host
from prunebench.suite import Cell, load_suite

HOST = Host.load(third_party=False)
RESNETS = {
    # weights of convolutions and the linear layer at widths 1/16, 1/4, 1, 4, by depth: counted from the definition
    20: {0.0625: 1_121, 0.25: 17_132, 1.0: 270_896, 4.0: 4_321_472},
}
CIFAR = 50_000


def triples(cells: Any) -> set[tuple[int, float, int]]:
    """Depth, width and number of training examples of each network among some cells."""
    return {(*of(c), examples_of(c.dataset) or CIFAR) for c in cells}


def of(cell: Cell) -> tuple[int, float]:
    values = cell.architecture.parameters
    return values.get("depth", 0), values["width"]


@pytest.fixture(scope="module")
def scaling() -> list[Cell]:
    return list(load_suite("scaling", HOST).cells)


@pytest.fixture(scope="module")
def resnets(scaling: list[Cell]) -> list[Cell]:
    return [c for c in scaling if c.matrix.startswith("cifar10-resnet")]


def test_the_family_of_cifar_resnets_is_152_triples_with_the_lines_of_the_paper(resnets: list[Cell]) -> None:
    """App. B.5 and D: 7 widths, 7 parts of the data and 4 depths through (20, 1, N); App. F: what is extrapolated
    from."""
    family = triples(resnets)
    assert len(family) == 152
    assert {d for d, _, _ in family} == {8, 14, 20, 26, 50, 98}
    assert {w for _, w, _ in family} == {2.0**i for i in range(-4, 3)}
    parts = {50_000, 25_000, 12_500, 6_250, 3_125, 1_562, 781}
    assert {n for _, _, n in family} == parts
    assert {w for d, w, n in family if (d, n) == (20, CIFAR)} == {2.0**i for i in range(-4, 3)}
    assert {n for d, w, n in family if (d, w) == (20, 1)} == parts
    assert {d for d, w, n in family if (w, n) == (1, CIFAR)} == {8, 14, 20, 26}
    assert {(d, w, CIFAR) for d in (14, 20) for w in (0.125, 0.25)} <= family


def test_the_others_are_those_of_least_cost(resnets: list[Cell]) -> None:
    """No triple that is left out of the family's reach has fewer l·w²·n than one that is in it for its cost."""
    family = triples(resnets)
    lines = {t for t in family if t[0] == 20 or t[1] == 1 or t[2] == CIFAR}
    parts, widths = {t[2] for t in family}, {t[1] for t in family}
    reach = {
        (d, w, n) for d in (8, 14, 20, 26, 50, 98) for w in widths for n in parts if d < 50 or w < 1
    } - lines

    def cost(triple: tuple[int, float, int]) -> float:
        depth, width, examples = triple
        return depth * width**2 * round(CIFAR / examples) ** -1

    assert max(map(cost, family - lines)) <= min(map(cost, reach - family))


def test_a_seed_measures_4301_points_and_no_level_keeps_fewer_than_34_weights(resnets: list[Cell]) -> None:
    """As many as the paper has. Levels end at 0.8^40, or before fewer than 34 weights would be left."""
    imp = [c for c in resnets if c.seed == 0 and c.labels["method"] in ("imp", "none")]
    assert len(imp) == 4301
    least = {key: min(float(c.density) for c in imp if of(c) == key) for key in set(map(of, imp))}
    for depth, widths in RESNETS.items():
        for width, prunable in widths.items():
            kept = round(least[depth, width] * prunable)
            assert kept >= 34
            ends = least[depth, width] == pytest.approx(0.8**40, rel=1e-6)
            assert ends or round(0.8 * least[depth, width] * prunable) < 34


def test_synflow_is_measured_at_depth_20_alone_and_everywhere_else_it_is(scaling: list[Cell]) -> None:
    """Deep networks' activations explode (App. E); the other families have one depth."""
    both = {c.matrix for c in scaling if c.labels["method"] == "synflow"}
    one_depth = {c.matrix for c in scaling if "-resnet" not in c.matrix or of(c)[0] == 20}
    large = {c.matrix for c in scaling if c.architecture.name == "imagenet-resnet"}
    assert both == one_depth | large


@pytest.mark.parametrize(
    ("pair", "widths", "levels", "seeds"),
    [
        ("cifar10-vgg16", range(-4, 1), 37, 3),
        ("svhn-vgg16", range(-4, 1), 37, 3),
        ("cifar10-densenet121", range(-4, 2), 50, 3),
        ("svhn-densenet121", range(-4, 2), 50, 3),
        ("tiny-imagenet-resnet18", range(-6, 1), 50, 3),
        ("imagenet-resnet50", range(-4, 1), 30, 1),
        ("svhn-resnet", range(-4, 3), 40, 3),
    ],
)
def test_each_pair_has_its_widths_levels_and_seeds(
    scaling: list[Cell], pair: str, widths: range, levels: int, seeds: int
) -> None:
    """App. B.5's table; ImageNet has one seed, and parts of a half and a quarter."""
    cells = [c for c in scaling if c.matrix.startswith(pair)]
    assert {of(c)[1] for c in cells} == {2.0**i for i in widths}
    assert min(float(c.density) for c in cells) == pytest.approx(0.8**levels, rel=1e-6)
    assert {c.seed for c in cells} == set(range(seeds))
    if pair.startswith("imagenet"):
        assert {examples_of(c.dataset) for c in cells} == {None, 0.5, 0.25}


def test_the_lenet_family_is_24_networks_in_three_parts() -> None:
    """Widths 1/16 … 2 on N, N/4, N/16 and N/64, to 0.8^30; `first` has five widths and three parts of the data."""
    cells = load_suite("scaling-lenet", HOST).cells
    whole = {(of(c)[1], examples_of(c.dataset) or 60_000) for c in cells}
    assert whole == {(2.0**i, n) for i in range(-4, 2) for n in (60_000, 15_000, 3_750, 938)}
    assert {whole_of(c.dataset) for c in cells} == {"mnist"}
    assert len({c.density for c in cells}) == 31
    first = [c for c in cells if c.matrix == "first"]
    assert {of(c)[1] for c in first} == {2.0**i for i in range(-4, 1)}
    assert {examples_of(c.dataset) for c in first} == {15_000, 3_750, 938}
    assert len(first) == 15 * 31 * 3


def test_the_small_cifar_family_is_18_networks() -> None:
    """Depths 8 and 14, widths 1/16 … 1/4, N/16 … N/64."""
    cells = load_suite("scaling-cifar-small", HOST).cells
    wanted = {(d, w, n) for d in (8, 14) for w in (0.0625, 0.125, 0.25) for n in (781, 1562, 3125)}
    assert triples(cells) == wanted


PUBLISHED = {
    # |µ| and σ of the relative error of the fits: Section 4 for CIFAR-10's and ImageNet's ResNets, App. E for others
    "cifar10-resnet": (0.02, 0.06),
    "svhn-resnet": (0.02, 0.08),
    "cifar10-vgg16": (0.03, 0.07),
    "svhn-vgg16": (0.04, 0.15),
    "cifar10-densenet121": (0.01, 0.08),
    "svhn-densenet121": (0.04, 0.19),
    "tiny-imagenet-resnet18": (0.01, 0.013),
    "imagenet-resnet50": (0.02, 0.06),
}


def test_each_family_is_held_to_the_papers_bounds_and_every_claim_has_checks() -> None:
    """F1: at most so much of a bias and a spread, over all densities."""
    suite = load_suite("scaling", HOST)
    checks = {check.name: check for check in suite.checks}
    found = {
        name: (checks[f"F1-{name}-bias"].margin, checks[f"F1-{name}-sigma"].against) for name in PUBLISHED
    }
    assert found == PUBLISHED
    assert {check.claim for check in suite.checks} == {claim.id for claim in suite.claims}
    assert [claim.id for claim in suite.claims] == [f"F{number}" for number in range(1, 10)]
