"""Finds as selections of quantities: how unlike their ratios are, and what these are worth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from prunebench_plugins.quantities import prunebench_quantities

from prunebench.checks.rows import evaluate_rows

QUANTITIES = {quantity.name: quantity for quantity in prunebench_quantities()}
LAYERS = {"lr=0.05": (0.50, 0.40, 0.10), "lr=0.5": (0.45, 0.60, 0.30)}
"""The share pruned of each layer, by find."""
APART = (0.05 + 0.20 + 0.20) / 3
SEEDS = range(4)


def cell(method: str, find: str, seed: int, accuracy: float | None = None) -> dict[str, Any]:
    """Return a cell of density 0.5."""
    where = {"architecture": "lenet", "dataset": "mnist", "recipe": "eval", "split": "test", "score_at": ""}
    name = f"{method}-{find}-s{seed}"
    named = {"matrix": "main", "cell": name, "key": name, "method": method, "ablations": "", "find": find}
    own = {} if accuracy is None else {"accuracy": accuracy, "classes": 10}
    return {**where, **named, "density": "0.5", "seed": seed, "status": "finished", **own}


def accuracies() -> Iterator[dict[str, Any]]:
    """Yield own ratios and swapped ones under both finds: ratios of 0.05 are worth 3 points, its weights 1."""
    rng = np.random.default_rng(1)
    for seed in SEEDS:
        for find in LAYERS:
            weights = 1.0 if find == "lr=0.05" else 0.0
            for method in ("own", "swapped"):
                ratios = 3.0 if (find == "lr=0.05") == (method == "own") else 0.0
                yield cell(method, find, seed, 80 + weights + ratios + float(rng.normal(0, 0.1)))


def measured() -> Iterator[dict[str, Any]]:
    for find, ratios in LAYERS.items():
        for seed in SEEDS:
            layers = [{"name": f"fc{i}", "sparsity": r + 0.001 * seed} for i, r in enumerate(ratios)]
            yield {**cell("own", find, seed), "measure": "layer-sparsity", "measured": {"layers": layers}}


def judged(check: dict[str, Any]) -> Any:
    """Return the outcome of one check."""
    plain = {"name": "c", "range": "all", "expect": "above", "margin": 0}
    suite = {"name": "s", "checks": [{**plain, **check}]}
    return evaluate_rows(suite, list(accuracies()), list(measured()), QUANTITIES).outcomes[0]


@pytest.mark.parametrize("of", LAYERS)
def test_the_distance_of_the_ratios_of_two_finds_is_their_mean_absolute_difference(of: str) -> None:
    """By hand, whichever of the two is named first."""
    other = next(find for find in LAYERS if find != of)
    find, reference = ({"lr": float(one.removeprefix("lr="))} for one in (of, other))
    one = judged(
        {
            "quantity": {
                "name": "distance:layer-sparsity.layers.*.sparsity",
                "reference": {"find": reference},
            },
            "of": {"method": "own", "find": find},
            "against": 0,
        }
    )
    assert one.effect == pytest.approx(APART)
    assert one.verdict == "holds"


def test_mediation_takes_finds_as_the_four_networks() -> None:
    """Own ratios of both finds are AA and BB; under B's find swapped ratios are A's, under A's they are B's."""
    a, b = {"lr": 0.5}, {"lr": 0.05}
    named = {
        "base": {"find": a},
        "ratios": {"method": "swapped", "find": a},
        "weights": {"method": "swapped", "find": b},
    }
    side = {"method": "own", "find": b}
    half = {
        "quantity": {"name": "mediation:total", **named},
        "of": {**side, "quantity": {"name": "mediation:ratios", **named}},
        "against": side,
        "compare": "ratio",
        "by": 0.5,
    }
    one = judged(half)
    assert one.verdict == "holds"
    assert one.effect == pytest.approx(0.75, abs=0.05)
    assert judged({**half, "by": 0.9}).verdict == "fails"


def test_each_find_is_a_setting_of_its_own_at_which_both_sides_are_compared() -> None:
    """By hand own ratios are better by a difference under each find; the check is about both, one at a time."""
    rows = list(accuracies())

    def mean(method: str, find: str) -> float:
        return float(np.mean([c["accuracy"] for c in rows if (c["method"], c["find"]) == (method, find)]))

    sides = {
        side: {"method": method, "find": "each"} for side, method in (("of", "own"), ("against", "swapped"))
    }
    one = judged(sides)
    parts = {part.setting.rpartition(", ")[2]: part.effect for part in one.parts}
    by_hand = {find: mean("own", find) - mean("swapped", find) for find in LAYERS}
    assert parts == pytest.approx(by_hand)
