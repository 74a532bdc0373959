"""Finds at one eval: compared seed by seed, as both sides, as the best of several, and by the network they came from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from prunebench_plugins.quantities import prunebench_quantities
from reference.cells import cells, frame, measured, suite_of
from scipy import stats

from prunebench.checks.evaluate import evaluate
from prunebench.checks.outcomes import Outcome

QUANTITIES = {quantity.name: quantity for quantity in prunebench_quantities()}
EVALS = ("eval-0.05", "eval-0.2")
SLOW, HOT = [91.0, 90.2, 91.4, 90.6], [88.1, 87.5, 88.2, 88.0]
MIDDLE = [90.4, 90.9, 90.1, 90.8]
FINDS = {"lr=0.01": SLOW, "lr=0.05": MIDDLE, "hot": HOT}


def rows() -> list[dict[str, Any]]:
    """Three finds under two evals, of which the second turns them round; random is found nowhere."""
    made = [
        row
        for recipe, sign in zip(EVALS, (1, -1), strict=True)
        for find, values in FINDS.items()
        for row in cells({"chain": [90 + sign * (v - 90) for v in values]}, recipe=recipe, find=find)
    ]
    return made + [
        row for recipe in EVALS for row in cells({"random": [80.0, 81.0, 80.5, 80.0]}, recipe=recipe)
    ]


def chain(find: Any, **more: Any) -> dict[str, Any]:
    return {"method": "chain", "find": find, **more}


def outcomes(*checks: dict[str, Any], measures: Any = None) -> list[Outcome]:
    return evaluate(suite_of(*checks), frame(rows()), measures, QUANTITIES).outcomes


def interval(of: list[float], against: list[float]) -> tuple[float, float]:
    """The mean of the paired differences, and its 95 % one-sided lower bound."""
    d = np.subtract(of, against)
    return d.mean(), d.mean() - stats.t.ppf(0.95, len(d) - 1) * d.std(ddof=1) / len(d) ** 0.5


@pytest.mark.parametrize("hot", ["hot", {"lr": 0.05}])
def test_two_finds_are_compared_at_each_eval_seed_by_seed(hot: Any) -> None:
    """By a label or by a table; each recipe is a setting, and what the finds do to one another differs there."""
    for recipe, sign in zip(EVALS, (1, -1), strict=True):
        where = {"recipe": [recipe]}
        (outcome,) = outcomes({"name": "a", "of": chain({"lr": 0.01}), "against": chain(hot), "where": where})
        other = HOT if hot == "hot" else MIDDLE
        mean, lower = interval(*(np.multiply(sign, values).tolist() for values in (SLOW, other)))
        assert outcome.effect == pytest.approx(mean)
        assert outcome.lower == pytest.approx(lower)


@pytest.mark.parametrize(
    ("side", "against", "best"),
    [
        ({"best": [chain({"lr": 0.05}), chain("hot")]}, "against", MIDDLE),
        ({"worst": [chain({"lr": 0.05}), chain("hot")]}, "against", HOT),
        ({"best": [chain({"lr": 0.05}), {"method": "random"}]}, "against", MIDDLE),
    ],
)
def test_the_best_of_several_finds_is_one_of_them_in_each_setting(
    side: Any, against: str, best: list[float]
) -> None:
    """And its seeds are paired with the other side's."""
    (outcome,) = outcomes(
        {"name": "a", "of": chain({"lr": 0.01}), against: side, "where": {"recipe": ["eval-0.05"]}}
    )
    assert outcome.effect == pytest.approx(interval(SLOW, best)[0])


def test_one_find_is_compared_under_two_evals() -> None:
    """A side that names its own recipe."""
    (outcome,) = outcomes(
        {
            "name": "a",
            "of": chain("hot", recipe="eval-0.2"),
            "against": chain("hot"),
            "where": {"recipe": ["eval-0.05"]},
        }
    )
    assert outcome.effect == pytest.approx(np.mean([180 - 2 * value for value in HOT]))


def test_the_networks_that_were_scored_are_compared_by_their_measure() -> None:
    """The other way round than the masks: the worse network, the better mask."""
    table = rows()
    accuracy = {"lr=0.01": 85.0, "lr=0.05": 88.0, "hot": 90.0}
    numbers = measured(
        table,
        "scored-network",
        [{"accuracy": accuracy.get(row.get("find", ""), 50.0) + 0.1 * row["seed"]} for row in table],
    )
    asked = {"quantity": "measure:scored-network.accuracy", "margin": 0.5, "where": {"recipe": ["eval-0.05"]}}
    (outcome,) = outcomes(
        {"name": "a", "of": chain("hot"), "against": chain({"lr": 0.01}), **asked}, measures=numbers
    )
    assert outcome.effect == pytest.approx(5.0)
