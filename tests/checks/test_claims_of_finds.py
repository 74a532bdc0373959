"""Claims about finding with one learning rate and evaluating with another: worlds in which each is true, and false."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest
from simulated_finds import Rates, World, judged

from prunebench.checks.outcomes import Verdicts
from prunebench.host import Host
from prunebench.suite import Suite, load_suite
from prunebench.suite.cell import Cell

HOST = Host.load(third_party=False)

Key = tuple[str, str]
TINY50, PLACES, TINY18 = (
    ("resnet50", "tiny-imagenet"),
    ("resnet50", "miniplaces"),
    ("resnet18", "tiny-imagenet"),
)


def key(cell: Cell) -> Key:
    return cell.architecture.name, cell.dataset


UNPRUNED: dict[Key, Rates] = {
    TINY50: {0.05: 52, 0.1: 54, 0.2: 56, 0.5: 58},
    PLACES: {0.02: 48, 0.1: 52, 0.5: 55},
    TINY18: {0.05: 50, 0.2: 52, 0.5: 55, 0.8: 57},
}
COST: dict[Key, Rates] = {
    TINY50: {0.05: 0, 0.1: 2, 0.2: 4, 0.5: 8},
    PLACES: {0.02: 4, 0.1: 0, 0.5: 6},
    TINY18: {0.05: 0, 0.2: 0.2, 0.8: 6},
}
APART = {0.02: 0.0, 0.05: 0.02, 0.1: 0.06, 0.2: 0.1, 0.5: 0.15, 0.8: 0.2}
START = {0.05: 0.02, 0.1: 0.06, 0.2: 0.12, 0.5: 0.25}


def true_cost(cell: Cell, weights: float, ratios: float) -> float:
    """Four fifths by the ratios; the rest as each sentence says."""
    own, method, scored = COST[key(cell)], cell.labels["method"], cell.labels["score_at"]
    if method == "random-everywhere":
        return 3.0
    if method == "local":
        return 10 - 10 * weights
    if method.startswith("random"):
        return 4 + 0.8 * own[ratios]
    cost = 0.2 * own[weights] + 0.8 * own[ratios]
    if scored:
        cost += 5 if scored == "epoch 20" else -3 if weights == 0.2 else 0
    if key(cell) == PLACES and cell.recipe.lr == 0.5 and float(cell.density) < 0.004:
        cost += 12
    return cost


def true_moves(cell: Cell, rate: float) -> dict[str, float]:
    """With a small rate the first layer moves alone; at the first drop a twentieth of the way is left."""
    return {
        "moved.first": 0.3,
        "moved.others": 0.4 * START[rate],
        "distance.0": START[rate],
        "distance.75": 0.05 * START[rate],
    }


def false_cost(cell: Cell, weights: float, ratios: float) -> float:
    """The larger the rate the better, as weights go; epochs differ in nothing, but with 0.05."""
    method = cell.labels["method"]
    if method == "random-everywhere":
        return 20.0
    if method == "local":
        return 10 * weights
    if method.startswith("random"):
        return 4.0
    early = 5 if cell.labels["score_at"] and weights == 0.05 else 0
    return 8 - 8 * (0.9 * weights + 0.1 * ratios) + early


def false_moves(cell: Cell, rate: float) -> dict[str, float]:
    return {"moved.first": 0.2, "moved.others": 0.2, "distance.0": 0.1, "distance.75": 0.08}


SMALL: Rates = {0.005: 0, 0.02: 3, 0.05: 6}
"""What a mask costs on the small networks."""


def true_cost_small(cell: Cell, weights: float, ratios: float) -> float:
    method, scored = cell.labels["method"], cell.labels["score_at"]
    if method == "random":
        return 8.0
    if method == "local":
        return 10 - 100 * weights
    if method.startswith("random"):
        return 6 + 0.8 * SMALL[ratios]
    by_epoch = {"epoch 1": 4.0, "epoch 3": -2.0, "epoch 4": -2.0} if weights == 0.05 else {"epoch 4": -0.5}
    early = by_epoch.get(scored, 0.0)
    return 0.2 * SMALL[weights] + 0.8 * SMALL[ratios] + early


def true_moves_small(cell: Cell, rate: float) -> dict[str, float]:
    return {
        "moved.first": 0.3,
        "moved.others": 3 * rate,
        "distance.0": 0.1 + 3 * rate,
        "distance.1": 3 * rate,
        "distance.4": 0.0,
    }


def false_cost_small(cell: Cell, weights: float, ratios: float) -> float:
    if cell.labels["method"].startswith("random"):
        return 8.0
    if cell.labels["method"] == "local":
        return 100 * weights
    early = {"epoch 1": -2, "epoch 3": 4, "epoch 4": 4}.get(cell.labels["score_at"], 0)
    return 8 - 100 * (0.9 * weights + 0.1 * ratios) + early


def false_moves_small(cell: Cell, rate: float) -> dict[str, float]:
    moved = 0.2 - 2 * rate
    return {
        "moved.first": 0.1,
        "moved.others": moved,
        "distance.0": 0.2,
        "distance.1": moved,
        "distance.4": 0.08,
    }


SMALL_WORLDS = (
    World(lambda cell, rate: 85 + 80 * rate, true_cost_small, true_moves_small, lambda cell, rate: 4 * rate),
    World(lambda cell, rate: 90 - 20 * rate, false_cost_small, false_moves_small),
)
"""Of the small networks, at their rates."""

WORLDS = {
    "find-eval": (
        World(
            lambda cell, rate: UNPRUNED[key(cell)][rate],
            true_cost,
            true_moves,
            lambda cell, rate: APART[rate],
        ),
        World(lambda cell, rate: 60 - 10 * rate, false_cost, false_moves),
    ),
    "find-eval-lenet": tuple(replace(world, noise=0.05) for world in SMALL_WORLDS),
    "find-eval-small": SMALL_WORLDS,
    "find-eval-structured": (
        World(lambda cell, rate: 50 + 10 * rate, lambda cell, weights, ratios: 20 * weights),
        World(lambda cell, rate: 60 - 10 * rate, lambda cell, weights, ratios: 10 - 20 * weights),
    ),
}
"""Of each suite one in which all its claims are true, and one in which they are all false."""


@lru_cache
def suite_of(name: str) -> Suite:
    return load_suite(name, HOST)


@lru_cache
def verdicts_of(name: str, true: bool) -> Verdicts:
    return judged(suite_of(name), WORLDS[name][0 if true else 1], HOST)


CLAIMS = [(name, claim.id) for name in WORLDS for claim in suite_of(name).claims]


@pytest.mark.parametrize(("suite", "claim"), CLAIMS)
def test_a_claim_holds_where_it_is_true(suite: str, claim: str) -> None:
    assert {one.id: one.verdict for one in verdicts_of(suite, True).claims}[claim] == "holds"


@pytest.mark.parametrize(("suite", "claim"), CLAIMS)
def test_a_claim_fails_where_it_is_false(suite: str, claim: str) -> None:
    assert {one.id: one.verdict for one in verdicts_of(suite, False).claims}[claim] == "fails"


@pytest.mark.parametrize("suite", WORLDS)
def test_every_check_has_its_cells_and_belongs_to_a_claim(suite: str) -> None:
    """Where everything has run no check lacks a cell, a setting, a sparsity or a measure."""
    verdicts = verdicts_of(suite, True)
    assert [(one.check, one.reason) for one in verdicts.outcomes if not one.parts and not one.n] == []
    assert [claim.id for claim in verdicts.claims if claim.own] == []


def test_each_smaller_rate_has_to_train_the_worse_structured_network() -> None:
    """That 0.5 trains the best one does not do: that of 0.02 has to be worse than that of 0.1, too."""
    rates = {0.02: 55, 0.1: 54, 0.5: 58}
    world = World(lambda cell, rate: rates[rate], lambda cell, weights, ratios: 20 * weights)
    claims = judged(suite_of("find-eval-structured"), world, HOST).claims
    assert {one.id: one.verdict for one in claims}["D6-worse"] == "fails"
