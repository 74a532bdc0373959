"""Built-in quantities against closed forms: curves made by hand, whole, diverged and with holes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.curves import NAN, curves

from prunebench import Curves
from prunebench.analysis.borders import resamples
from prunebench.checks.quantities import numbers
from prunebench.host import Host

HOST = Host.load(third_party=False)
INF = float("inf")
GRID = [0.2, 0.4, 0.6, 0.8]


def made(accuracy: Any, sparsities: Any = GRID, steps: Any = None, **more: Any) -> Curves:
    """Return curves made by hand, along the grid where no other sparsities are given."""
    return curves(accuracy, sparsities, steps, **more)


def ask(name: str, asked: Curves, **parameters: Any) -> list[Any]:
    """Return a built-in quantity's numbers."""
    return numbers(HOST.get("quantity", name), asked, parameters).tolist()


def test_accuracy_is_each_seeds_mean_over_the_places() -> None:
    """A seed that lacks a place has none, whatever the others have."""
    found = ask("accuracy", made([[90.0, 80.0], [70.0, NAN]], [0.2, 0.4]))
    np.testing.assert_equal(found, [80.0, NAN])


def test_spread_is_the_distance_from_the_median() -> None:
    """By hand, place by place; a missing seed has no distance and moves no median but by its absence.

    Two seeds are equally far from their median: one number, of whose own spread nothing is known.
    """
    found = ask("spread", made([[1.0, 2.0, 6.0], [5.0, 5.0, 8.0]], [0.2, 0.4]))
    np.testing.assert_allclose(found, [0.5, 0.0, 3.5])
    found = ask("spread", made([[1.0, 2.0, 6.0, NAN]], [0.2]))
    np.testing.assert_allclose(found, [1.0, 0.0, 4.0, NAN])
    found = ask("spread", made([[1.0, 2.0, NAN], [1.0, 2.0, 3.0]], [0.2, 0.4]))
    np.testing.assert_allclose(found, [NAN, NAN, NAN])


def test_diverged_says_yes_or_no_of_every_run() -> None:
    """Not a share a seed: what is counted is runs."""
    yes = np.array([[1.0, 0.0], [NAN, 1.0]])
    np.testing.assert_equal(ask("diverged", made([[1.0, 1.0], [NAN, 1.0]], [0.2, 0.4], diverged=yes)), yes)


def falling(ends: Any) -> Curves:
    """Return curves of one seed each that are whole up to `ends` and 20 points lower beyond."""
    return made([[90.0 if s <= end else 70.0 for end in ends] for s in GRID])


@pytest.mark.parametrize(("end", "is_"), [(0.2, 0.2), (0.6, 0.6), (0.1, 0.0), (0.9, 0.8)])
def test_range_end_is_the_last_sparsity_that_is_not_lost(end: float, is_: float) -> None:
    """Of two seeds that agree: up to the end of the curve where nothing is lost, 0 where everything is."""
    assert ask("range-end", falling([end, end])) == [is_]


def test_range_end_forgives_one_unlucky_point_and_what_is_within_the_margin() -> None:
    """A point is lost only with the next one; exactly δ below is not lost."""
    assert ask("range-end", made([[90.0], [70.0], [90.0], [90.0]])) == [0.8]
    assert ask("range-end", made([[89.5], [89.5], [89.4], [89.4]])) == [0.4]


def test_range_end_is_of_the_mean_curve_and_bootstraps_over_seeds() -> None:
    """Of two seeds, each drawn twice or once: the two ends of their own curves, and that of their mean."""
    weights = np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 2.0]])
    one = falling([0.2, 0.6])
    curves = made(one.accuracy, weights=weights)
    assert ask("range-end", curves) == [0.2, 0.2, 0.6]


def test_range_end_agrees_with_the_border_of_the_matching_range() -> None:
    """The bootstrap's bounds are those that tables print beside a range (analysis.borders)."""
    from prunebench.analysis.borders import Baseline, border

    draws = np.random.default_rng(0).normal(size=(4, 5))
    curves = made(
        np.array([[89.8], [89.4], [88.0], [80.0]]) + draws, weights=np.vstack([np.ones(5), resamples(5)])
    )
    edge = border(
        curves.dense,
        Baseline("m", GRID, curves.accuracy, curves.diverged == 1, curves.planned),
        0.5,
        resamples(5),
    )
    ends = ask("range-end", curves)
    after = dict(zip([0.0, *GRID], [*GRID, INF], strict=True))
    drawn = sorted(after[end] for end in ends[1:])
    assert edge is not None
    assert after[ends[0]] == edge.lost_from
    assert (drawn[round(0.05 * 1999)], drawn[round(0.95 * 1999)]) == (edge.low, edge.high)
    assert edge.low != edge.high


def test_range_end_counts_half_diverged_as_lost_and_leaves_missing_open() -> None:
    """Diverged runs end a range at once; a missing result decides nothing before it is there."""
    curves = falling([0.9, 0.9])
    gone = curves.diverged.copy()
    gone[2, 0] = 1.0
    assert ask("range-end", made(curves.accuracy, diverged=gone)) == [0.4]
    holes = np.array(curves.accuracy)
    holes[3] = NAN
    np.testing.assert_equal(ask("range-end", made(holes)), [NAN])


def line(start: float, slope: float, at: Any = GRID) -> Any:
    return np.array([[start + slope * s] for s in at])


@pytest.mark.parametrize("margin", [0.0, 1.0])
def test_crossing_of_two_straight_lines(margin: float) -> None:
    """70 + 20 s reaches 80 less δ at s = (10 − δ) / 20, between two places of the grid or on one."""
    curves = made(line(70.0, 20.0), margin=margin)
    found = ask("crossing", curves, along="sparsity", reaches=made(line(80.0, 0.0)))
    np.testing.assert_allclose(found, [(10 - margin) / 20])
    both = ask("crossing", curves, along="sparsity", reaches=made(line(78.0, 0.0)))
    np.testing.assert_allclose(both, [(8 - margin) / 20])


def test_crossing_of_a_resample_is_that_of_its_mean_curve() -> None:
    """Two seeds that start 2 points apart: each crosses by itself elsewhere, their mean in the middle."""
    accuracy = np.hstack([line(69.0, 20.0), line(71.0, 20.0)])
    weights = np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 2.0]])
    other = made(np.hstack([line(80.0, 0.0)] * 2), weights=weights)
    found = ask("crossing", made(accuracy, weights=weights, margin=0.0), along="sparsity", reaches=other)
    np.testing.assert_allclose(found, [0.5, 0.55, 0.45])


def test_crossing_that_never_comes_is_infinite_and_one_that_is_there_already_the_first_place() -> None:
    """A curve that stays below; one that starts above."""
    high = made(line(95.0, 0.0))
    assert ask("crossing", made(line(70.0, 20.0)), along="sparsity", reaches=high) == [INF]
    assert ask("crossing", made(line(96.0, -5.0)), along="sparsity", reaches=high) == [0.2]


def test_crossing_along_steps_reaches_a_method_without_steps() -> None:
    """At 80 % sparsity accuracy rises by a point a step; LTR, pruned at its own point, has 75.5 there."""
    steps = [0.0, 10.0, 20.0]
    curves = made([[60.0], [70.0], [80.0]], [0.8] * 3, steps)
    ltr = made([[50.0], [75.5]], [0.2, 0.8])
    np.testing.assert_allclose(ask("crossing", curves, along="score_at", reaches=ltr), [15.0])


def test_crossing_waits_for_what_is_missing_before_it() -> None:
    """Later holes matter nothing; earlier ones, or a curve that is not there, decide."""
    other = made(line(78.0, 0.0))
    whole = line(70.0, 20.0)
    for place, is_ in ((0, NAN), (1, NAN), (3, 0.375)):
        holes = whole.copy()
        holes[place] = NAN
        np.testing.assert_allclose(ask("crossing", made(holes), along="sparsity", reaches=other), [is_])
    elsewhere = made(line(78.0, 0.0), [0.1, 0.3, 0.5, 0.7])
    np.testing.assert_equal(ask("crossing", made(whole), along="sparsity", reaches=elsewhere), [NAN])


def test_slope_of_straight_lines() -> None:
    """Points for each unit of sparsity; for 1,000 steps, the mean over the sparsities."""
    two = np.hstack([line(70.0, 20.0), line(90.0, -5.0)])
    np.testing.assert_allclose(ask("slope", made(two), along="sparsity"), [20.0, -5.0])
    steps = [0.0, 500.0, 0.0, 500.0]
    curves = made([[60.0], [61.0], [50.0], [53.0]], [0.8, 0.8, 0.5, 0.5], steps)
    np.testing.assert_allclose(ask("slope", curves, along="score_at"), [4.0])
    np.testing.assert_equal(ask("slope", made([[60.0]], [0.8]), along="sparsity"), [NAN])


def test_slope_is_that_of_least_squares() -> None:
    """Against numpy's own fit, of points that lie on no line."""
    values = np.random.default_rng(1).normal(size=(4, 3))
    wanted = [np.polyfit(GRID, values[:, s], 1)[0] for s in range(3)]
    np.testing.assert_allclose(ask("slope", made(values), along="sparsity"), wanted)


def test_measure_mean_distance_and_drop_by_hand() -> None:
    """Means over fields and places; where one side has no such place there is no number."""
    fields = {"m.a": np.array([[0.1], [0.3]]), "m.b": np.array([[0.5], [0.5]])}
    others = {"m.a": np.array([[0.0], [0.4]]), "m.b": np.array([[0.8], [0.5]])}
    one, other = (made([[80.0], [70.0]], [0.2, 0.4], measures=m) for m in (fields, others))
    np.testing.assert_allclose(ask("measure", one, of="m.a"), [0.2])
    np.testing.assert_equal(ask("measure", one, of="m.c"), [NAN])
    np.testing.assert_allclose(ask("mean", one, of="m.*"), [(0.1 + 0.3 + 0.5 + 0.5) / 4])
    np.testing.assert_allclose(ask("mean", one, of="m.a"), [0.2])
    np.testing.assert_equal(ask("mean", one, of="n.*"), [NAN])
    np.testing.assert_allclose(ask("distance", one, of="m.*", reference=other), [(0.1 + 0.1 + 0.3 + 0.0) / 4])
    np.testing.assert_equal(ask("distance", one, of="n.*", reference=other), [NAN])
    lower = made([[75.0], [69.0]], [0.2, 0.4])
    np.testing.assert_allclose(ask("drop", one, to=lower), [3.0])
    np.testing.assert_equal(ask("drop", one, to=made([[75.0]], [0.2])), [NAN])


def test_mediation_parts_the_total_between_ratios_and_weights() -> None:
    """By hand: ratios that add 3 points and weights that add 1, at each place and seed; with an interaction
    that is shared evenly; and no number where one of the four networks has none."""
    base = np.array([[70.0, 72.0], [60.0, 61.0]])
    both = np.array([[0.5, -0.5], [0.0, 1.0]])
    four = {"base": base, "ratios": base + 3.0, "weights": base + 1.0}
    others = {name: made(values, [0.2, 0.4]) for name, values in four.items()}
    own = made(base + 4.0 + both, [0.2, 0.4])

    def effect(of: str, **changes: Any) -> list[Any]:
        return ask("mediation", own, of=of, **{**others, **changes})

    shared = both.mean(axis=0) / 2
    np.testing.assert_allclose(effect("ratios"), 3.0 + shared)
    np.testing.assert_allclose(effect("weights"), 1.0 + shared)
    np.testing.assert_allclose(effect("total"), 4.0 + 2 * shared)
    holed = made(np.where([[True, False], [True, True]], base, NAN), [0.2, 0.4])
    for of in ("ratios", "weights", "total"):
        assert np.isnan(effect(of, weights=holed)).tolist() == [False, True]
        assert np.isnan(effect(of, ratios=made(base[:1], [0.2]))).all()
