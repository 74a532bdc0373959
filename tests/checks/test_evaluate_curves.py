"""Borders, crossings and shares; runs that diverged; claims and what is said of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from prunebench_plugins.quantities import prunebench_quantities
from reference.cells import cell, cells, frame, suite_of
from scipy import stats

from prunebench import Quantity
from prunebench.checks.evaluate import evaluate
from prunebench.checks.outcomes import Outcome, Verdicts

QUANTITIES = {quantity.name: quantity for quantity in prunebench_quantities()}
NOISE = (0.1, -0.08, 0.03, 0.05, -0.1)
DENSITIES = ("0.8", "0.64", "0.512", "0.4096")


def around(mean: float, scale: float = 1.0) -> list[float]:
    """Return five accuracies around a mean."""
    return [mean + scale * noise for noise in NOISE]


def curve(method: str, means: Sequence[float], **more: Any) -> list[dict[str, Any]]:
    """Return the cells of a method at the four densities."""
    rows: list[dict[str, Any]] = []
    for i, (density, mean) in enumerate(zip(DENSITIES, means, strict=True)):
        rows += cells({method: around(mean, (-1) ** i)}, density, **more)
    return rows


def at_steps(method: str, means: Sequence[float], scale: float = 1.0) -> list[dict[str, Any]]:
    """Return the cells of a method scored at steps 0, 100, 200, …"""
    rows: list[dict[str, Any]] = []
    for i, mean in enumerate(means):
        rows += cells({method: around(mean, scale)}, score_at=f"step {100 * i}")
    return rows


def judge(rows: list[dict[str, Any]], *checks: dict[str, Any], **more: Any) -> Verdicts:
    return evaluate(suite_of(*checks, **more), frame(rows), None, QUANTITIES)


def one(rows: list[dict[str, Any]], *checks: dict[str, Any], **more: Any) -> Outcome:
    return judge(rows, *checks, **more).outcomes[0]


UNPRUNED = cells({"none": around(95.0)}, "1")
ENDS = [*UNPRUNED, *curve("snip", [94.9, 94.8, 92.0, 90.0]), *curve("grasp", [94.8, 93.0, 92.0, 90.0])]
TO_36 = {"name": "ends", "quantity": "range-end", "of": {"method": "snip"}, "range": "all", "margin": 0.13}


def test_a_range_end_is_that_of_the_mean_curve_on_the_grid_of_papers() -> None:
    """36 % is printed for 1 − 0.8²: the difference is nothing, and every other end is refused.

    Of the difference of two ends each has half of the 5 %.
    """
    found = one(ENDS, {**TO_36, "against": 0.36, "expect": "same"})
    assert (found.verdict, found.effect, found.lower, found.upper) == ("holds", 0.0, 0.0, 0.0)
    assert found.cells == 25  # the unpruned ones too
    above = one(ENDS, {**TO_36, "against": 0.3599, "expect": "above", "margin": 0.0})
    assert (above.verdict, above.effect) == ("fails", 0.0)
    further = one(ENDS, {**TO_36, "against": {"method": "grasp"}, "expect": "above"})
    assert (further.verdict, further.effect) == ("holds", pytest.approx(0.16))


def test_a_border_that_the_seeds_leave_open_has_bounds_apart() -> None:
    """The mean at 36 % is just where it counts as lost, so resamples fall on both sides."""
    rows = [*UNPRUNED, *curve("snip", [94.9, 94.5, 92.0, 90.0])]
    found = one(rows, {**TO_36, "against": 0.36, "expect": "same", "margin": 0.1})
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower < found.upper
    assert found.verdict == "undecided"
    assert found.differences == ()


def test_a_crossing_is_bounded_as_the_t_test_of_the_curve_bounds_it() -> None:
    """A line that rises by a point in 100 steps and whose seeds share their luck: the t interval of its height."""
    rows = [*at_steps("magnitude", [90.0, 91.0, 92.0, 93.0, 94.0]), *cells({"ltr": [92.0 + 0.5] * 5})]
    quantity = {"name": "crossing", "along": "score_at", "reaches": {"method": "ltr"}}
    check = {"name": "late", "quantity": quantity, "of": {"method": "magnitude"}, "against": 150.0}
    found = one(rows, {**check, "expect": "above", "margin": 10.0})
    assert found.effect == pytest.approx(50.0)
    half = stats.t.ppf(0.95, 4) * stats.tstd(NOISE) / 5**0.5
    assert found.lower == pytest.approx(50 - 100 * half, abs=0.5)
    assert found.upper == pytest.approx(50 + 100 * half, abs=0.5)
    assert found.verdict == "holds"
    assert found.cells == 30


def test_what_is_never_reached_is_infinitely_late() -> None:
    rows = [*at_steps("magnitude", [90.0, 90.5, 91.0]), *cells({"ltr": around(99.0, 0.5)})]
    quantity = {"name": "crossing", "along": "score_at", "reaches": {"method": "ltr"}}
    check = {"name": "late", "quantity": quantity, "of": {"method": "magnitude"}, "against": 100.0}
    found = one(rows, {**check, "expect": "above", "margin": 10.0})
    assert (found.verdict, found.lower) == ("holds", float("inf"))
    plain = json.loads(json.dumps(found.plain(), allow_nan=False))
    assert plain["effect"] == "inf"


def test_a_slope_is_a_number_a_seed() -> None:
    rows = at_steps("magnitude", [90.0, 91.0, 92.0], scale=0.0)
    quantity = {"name": "slope", "along": "score_at"}
    check = {
        "name": "rises",
        "quantity": quantity,
        "of": {"method": "magnitude"},
        "against": 5.0,
        "margin": 0.1,
    }
    found = one(rows, {**check, "expect": "above"})
    assert (found.verdict, found.effect) == ("holds", pytest.approx(5.0))  # 10 points in 1,000 steps
    assert found.differences == pytest.approx([5.0] * 5)


def test_a_point_of_the_run_is_that_point_alone() -> None:
    rows = [*at_steps("snip", [90.0, 91.0]), *cells({"snip": around(80.0)})]
    check = {
        "name": "later",
        "of": {"method": "snip", "score_at": {"step": 100}},
        "against": {"method": "snip"},
    }
    found = one(rows, check)
    assert (found.effect, found.of, found.cells) == (pytest.approx(11.0), "snip at step 100", 10)


SOME = [None, 91.0, None, 91.2, None]


def test_shares_that_diverged_are_judged_by_the_binomial_distribution() -> None:
    check = {"name": "some", "quantity": "diverged", "of": {"method": "snip"}, "against": 0.0, "margin": 0.0}
    rows = cells({"snip": SOME, "grasp": around(90.0)})
    found = one(rows, check)
    exact = stats.binomtest(3, 5).proportion_ci(0.9, method="exact")
    assert (found.verdict, found.effect) == ("holds", pytest.approx(0.6))
    assert (found.lower, found.upper) == pytest.approx((exact.low, exact.high))
    none = one(rows, {**check, "of": {"method": "grasp"}, "expect": "not-above", "margin": 0.4})
    assert none.verdict == "undecided"
    assert none.seeds_needed == 6  # 1 − 0.05^(1/6) = 39 %
    more = one(rows, {**check, "against": {"method": "grasp"}})
    assert more.verdict == "undecided"  # three of three seeds that differ: (1/2)³
    assert more.effect == pytest.approx(0.6)


def test_a_run_that_diverged_counts_as_a_guess_and_is_told() -> None:
    found = one(
        cells({"snip": SOME, "grasp": around(90.0)}),
        {"name": "better", "of": {"method": "snip"}, "against": {"method": "grasp"}},
    )
    assert found.effect == pytest.approx((3 * 10.0 + 91.0 + 91.2) / 5 - 90.0)
    assert found.notes[0].startswith("3 of 5 runs of snip diverged")


def test_seeds_that_have_no_number_leave_it_undecided() -> None:
    """Without the number of classes a diverged run counts for nothing, and the others are the lucky ones."""
    rows = cells({"snip": [None, 91.0, 91.1, 91.2, 91.3]}, classes=None)
    found = one(rows, {"name": "high", "of": {"method": "snip"}, "against": 80.0})
    assert (found.verdict, found.n, found.missing) == ("undecided", 4, 0)
    assert "1 of 5 seeds have no number" in found.notes[-1]


def test_a_seed_that_one_side_was_not_planned_at_is_not_compared() -> None:
    rows = cells({"snip": around(92.0), "grasp": around(91.0)[:3]})
    found = one(rows, {"name": "b", "of": {"method": "snip"}, "against": {"method": "grasp"}})
    assert (found.seeds, found.cells, found.verdict) == ((1, 2, 3), 6, "holds")


def test_methods_that_are_nowhere_together_have_not_run() -> None:
    rows = [cell("snip", "0.2", 1, 90.0), cell("grasp", "0.2", 1, 90.0, architecture="vgg")]
    found = one(rows, {"name": "b", "of": {"method": "snip"}, "against": {"method": "grasp"}})
    assert (found.verdict, found.cells) == ("not run", 0)
    assert found.reason == "no setting has the cells of both sides"


def test_a_quantity_that_is_not_installed_is_named() -> None:
    check = {"name": "b", "quantity": "area", "of": {"method": "snip"}, "against": 0.0, "margin": 1.0}
    found = judge(cells({"snip": around(90.0)}), check)
    assert (found.outcomes[0].verdict, found.claims[0].verdict) == ("not run", "not run")
    assert "'area' is not installed" in found.outcomes[0].reason
    assert found.outcomes[0].error == found.outcomes[0].reason


def _breaks(curves: Any) -> Any:
    if np.isnan(curves.accuracy).any():
        raise ValueError("not for gaps")
    raise ValueError("no such number")


BROKEN = {"name": "broken", "quantity": "broken", "of": {"method": "snip"}, "against": 0.0, "margin": 1.0}
FINE = {"name": "fine", "of": {"method": "snip"}, "against": 80.0}


def test_a_quantity_that_fails_is_told_at_its_check_and_the_others_are_judged() -> None:
    """With the error, and the line in which it arose; a group says the same, if that decides it."""
    groups = [{"name": "both", "all": ["broken", "fine"]}, {"name": "either", "any": ["broken", "fine"]}]
    suite = suite_of(BROKEN, FINE, *groups)
    quantities = {**QUANTITIES, "broken": Quantity("broken", _breaks, "seeds")}
    said = evaluate(suite, frame(cells({"snip": around(90.0)})), None, quantities)
    broken, fine, both, _ = said.outcomes
    assert (broken.verdict, broken.cells, broken.missing) == ("not run", 5, 0)
    assert broken.reason == "quantity 'broken' failed: ValueError: no such number"
    assert broken.error.startswith(f"{broken.reason}\n  at ")
    assert (fine.verdict, fine.error) == ("holds", "")
    assert (both.verdict, both.error) == ("not run", broken.error)
    assert broken.reason in both.reason
    assert said.judged == 1


def test_a_quantity_that_fails_for_want_of_cells_is_no_fault_of_its() -> None:
    """It may be right to refuse what is not whole: the check lacks cells, and says which."""
    quantities = {**QUANTITIES, "broken": Quantity("broken", _breaks, "seeds")}
    rows = cells({"snip": around(90.0)})
    rows[0] |= {"status": "missing", "accuracy": None}
    (outcome,) = evaluate(suite_of(BROKEN), frame(rows), None, quantities).outcomes
    assert (outcome.reason, outcome.error) == ("1 of 5 cells is missing", "")


CLAIMED = [
    {"name": "snip", "claim": "C", "of": {"method": "snip"}, "against": {"method": "random"}},
    {"name": "grasp", "claim": "C", "of": {"method": "grasp"}, "against": {"method": "random"}},
    {"name": "alone", "of": {"method": "snip"}, "against": {"method": "grasp"}},
]
BELOW = cells({"snip": around(92.0), "grasp": around(80.0, 0.3), "random": around(90.0, -0.5)})


@pytest.mark.parametrize(("kind", "verdict"), [("every", "fails"), ("some", "holds"), ("most", "open")])
def test_claims_are_judged_from_their_checks(kind: str, verdict: str) -> None:
    """In the suite's order; a check without a claim is one by itself."""
    claim = {"id": "C", "says": "Both are above random.", "source": "§4", "kind": kind}
    found = judge(BELOW, *CLAIMED, claims=[claim])
    first, second = found.claims
    assert (first.id, first.verdict, first.failing, first.own) == ("C", verdict, ("grasp",), False)
    assert first.evidence == "holds 1, fails 1, undecided 0 of 2"
    assert (second.id, second.verdict, second.own) == ("alone", "holds", True)
    assert found.chance == pytest.approx(0.15)
    plain = json.loads(json.dumps(found.plain(), allow_nan=False))
    assert plain["schema"] == 1
    assert plain["claims"][0]["outcomes"] == ["snip", "grasp"]


def test_cells_that_a_part_shares_with_the_whole_are_named_once() -> None:
    """In JSON a part has keys only where it needs other cells; without keys no outcome names any."""
    of = {"name": "both", "all": ["snip", "grasp"]}
    verdicts = judge(BELOW, *CLAIMED, of)
    plain = verdicts.outcome("both").plain()
    assert [set(part["keys"]) < set(plain["keys"]) for part in plain["parts"]] == [True, True]
    one = judge(BELOW, *CLAIMED, {"name": "one", "all": ["snip"]}).outcome("one").plain()
    assert "keys" in one
    assert [{"keys", "absent"} & part.keys() for part in one["parts"]] == [set()]
    assert '"keys"' not in json.dumps(verdicts.plain(keys=False))


def test_some_checks_alone_are_judged_where_these_are_asked_for() -> None:
    """With what they are about; claims from those that were asked for."""
    suite = suite_of(*CLAIMED, {"name": "group", "all": ["snip", "alone"]})
    found = evaluate(suite, frame(BELOW), None, QUANTITIES, only=["gr*"])
    assert [each.check for each in found.outcomes] == ["grasp", "group"]
    assert found.outcome("group").verdict == "holds"


def test_the_same_table_gives_the_same_verdicts_in_any_order_of_its_rows() -> None:
    forth, back = judge(ENDS, {**TO_36, "against": 0.36}), judge(ENDS[::-1], {**TO_36, "against": 0.36})
    assert forth.outcomes[0].p_holds == back.outcomes[0].p_holds
    assert set(forth.outcomes[0].keys) == set(back.outcomes[0].keys)
