"""How many seeds would decide compounds; spreads of two seeds; what is said where little is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from prunebench_plugins.quantities import prunebench_quantities
from reference.cells import cells, frame, suite_of
from scipy import stats

from prunebench import Quantity
from prunebench.checks.evaluate import evaluate
from prunebench.checks.outcomes import Outcome
from prunebench.checks.sentences import reason

QUANTITIES = {quantity.name: quantity for quantity in prunebench_quantities()}
VERSUS = {"name": "c", "of": {"method": "snip"}, "against": {"method": "grasp"}}
NOISE = np.array([0.3, -1.1, 0.9, 0.4, -0.5])
NOISE = (NOISE - NOISE.mean()) / NOISE.std(ddof=1)


def rows(effects: Sequence[float], sd: float = 1.0) -> list[dict[str, Any]]:
    """Return two methods at as many sparsities, whose differences have these means and this spread."""
    made: list[dict[str, Any]] = []
    base = np.array([80.0, 80.4, 79.7, 80.1, 80.2])
    for i, effect in enumerate(effects):
        values = {"snip": (base + effect + sd * NOISE).tolist(), "grasp": base.tolist()}
        made += cells(values, f"{0.8 ** (i + 1):.12g}")
    return made


def one(table: list[dict[str, Any]], **check: Any) -> Outcome:
    suite = suite_of({**VERSUS, **check})
    return evaluate(suite, frame(table), None, QUANTITIES).outcomes[0]


def fewest(effect: float, alpha: float) -> int:
    """Return the seeds with which a one-sided t test finds an effect, in spreads, in 80 %."""
    power = [stats.nct.sf(stats.t.ppf(1 - alpha, n - 1), n - 1, effect * n**0.5) for n in range(2, 200)]
    return 2 + int(np.argmax(np.array(power) >= 0.8))


def test_of_every_the_part_that_fails_would_decide_after_adjusting() -> None:
    """Four hold; one fails by itself and is left open by Holm: it would fail as the surest of five."""
    found = one(rows([5, 5, 5, 5, -0.9]), range="all", over="everywhere", margin=0.1)
    assert found.parts[4].verdict == "fails"
    assert found.verdict == "undecided"
    assert found.seeds_needed == fewest(1.0, 0.05 / 5)
    assert found.reason.count("seeds would decide") == 1
    assert found.reason.endswith(f"about {found.seeds_needed} seeds would decide it")


def test_of_some_the_part_that_holds_would_decide_and_not_those_that_never_will() -> None:
    found = one(rows([1.05, 0, 0, 0, 0]), range="all", over="somewhere", margin=0.1)
    assert found.parts[0].verdict == "holds"
    assert found.verdict == "undecided"
    assert found.seeds_needed == fewest(1.05, 0.05 / 5)


def test_of_every_that_holds_the_part_that_needs_most_would_decide() -> None:
    found = one(rows([5, 0.7, 0.8]), range="all", over="everywhere", margin=0.1)
    assert found.verdict == "undecided"
    assert found.seeds_needed == fewest(0.7, 0.05)
    assert found.parts[0].seeds_needed is None


def test_two_seeds_have_no_spread_to_compare() -> None:
    """They lie equally far from their median: one number, not two."""
    table = cells({"snip": [90.0, 92.0], "grasp": [90.0, 90.5]})
    found = one(table, quantity="spread", margin=0.1)
    assert (found.verdict, found.p_holds, found.seeds_needed) == ("undecided", None, None)
    table = cells({"snip": [90.0, 92.0, 99.0], "grasp": [90.0, 90.5, 90.1]})
    assert one(table, quantity="spread", margin=0.1).n == 3


def test_a_ratio_to_a_mean_of_nothing_is_not_known() -> None:
    found = one(cells({"snip": [1.0, 1.0, 2.0], "grasp": [0.0, 0.0, 0.0]}), compare="ratio", margin=0.1)
    assert found.verdict == "undecided"
    assert found.reason == (
        "the ratio is not known: what it is to is 0; 3 seeds; how many seeds would decide it cannot be said"
    )


def test_a_number_that_is_infinite_is_none() -> None:
    """A quantity may give it; it has no mean, and no warning is shown."""
    infinite = Quantity("endless", lambda curves: curves.accuracy.mean(axis=0) * np.inf, "seeds")
    suite = suite_of({**VERSUS, "quantity": "endless", "against": 1.0, "margin": 0.1})
    table = frame(cells({"snip": [90.0, 91.0, 92.0]}))
    found = evaluate(suite, table, None, {"endless": infinite}).outcomes[0]
    assert (found.verdict, found.n) == ("undecided", 0)
    assert "3 of 3 seeds have no number" in found.notes[0]


def test_a_method_beside_itself_is_told_as_that() -> None:
    found = one(cells({"snip": [90.0, 91.0]}), against={"method": "snip"})
    assert (found.verdict, found.reason) == ("not run", "both sides are the same cells")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([0.2, 0.36], "20 % … 36 %"),
        ([0.2], "20 %"),
        ({"from": 0.3}, "36 %"),
        ({"paper": [0.2, 0.36]}, "the paper's (20 % … 36 %)"),
        ("all", "all (20 % … 36 %)"),
    ],
)
def test_the_range_over_several_settings_is_told(asked: Any, said: str) -> None:
    """In each setting, and of all of them where it is the same."""
    table = rows([1.0, 2.0])
    table += [{**row, "architecture": "vgg", "key": row["key"] + "v"} for row in table]
    found = one(table, range=asked, settings="each")
    assert [part.range for part in found.parts] == [said, said]
    assert found.range == said


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([0.5, 0.9], "50 % … 90 %"),
        ({"from": 0.931}, "from 93.1 %"),
        ({"to": 0.79}, "up to 79 %"),
        ({"from": 0.5, "to": 0.79}, "50 % … 79 %"),
        ({"paper": [0.9]}, "the paper's (90 %)"),
        ("matching", "matching"),
    ],
)
def test_a_range_without_a_sparsity_is_told_as_it_is_asked_for(asked: Any, said: str) -> None:
    table = cells({"snip": [90.0], "grasp": [90.0]}) if asked == "matching" else []
    assert one(table, range=asked).range == said


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-np.inf, np.inf, "without bounds"),
        (0.5, np.inf, "at least +0.50 (95 %)"),
        (-np.inf, 0.5, "at most +0.50 (95 %)"),
        (0.25, 0.5, "at least +0.25 and at most +0.50 (95 % each)"),
    ],
)
def test_a_bound_that_is_infinite_is_not_told(low: float, high: float, said: str) -> None:
    outcome = Outcome(check="c", verdict="holds", effect=0.4, lower=low, upper=high, n=3, margin=0.1)
    assert reason(outcome).startswith(f"difference +0.40, {said}, 3 seeds; ")


LACKING = {"status": "missing", "accuracy": None}


def test_a_missing_cell_forbids_a_claim_to_hold_and_nothing_else() -> None:
    """Two checks hold and one lacks a cell: not contradicted; the check itself, and one over all, have not
    run."""
    table = rows([5.0, 5.0, 5.0])
    table[-1] = {**table[-1], **LACKING}
    claim = {"id": "C", "says": "It is above.", "source": "§4", "kind": "every"}
    single = [{**VERSUS, "name": f"c{i}", "claim": "C", "range": [1 - 0.8**i]} for i in (1, 2, 3)]
    suite = suite_of(*single, {**VERSUS, "name": "all", "range": "all", "over": "everywhere"}, claims=[claim])
    verdicts = evaluate(suite, frame(table), None, QUANTITIES)
    assert verdicts.claims[0].verdict == "not contradicted"
    assert verdicts.claims[0].evidence == "holds 2, fails 0, undecided 0, not run 1 of 3"
    assert [each.verdict for each in verdicts.outcomes] == ["holds", "holds", "not run", "not run"]
