"""What points do not determine is said, with the coefficients that it is about."""

from __future__ import annotations

import numpy as np
import pytest
from scaling_families import LAW, family, noisy

from prunebench.host import Host
from prunebench.scaling.fit import Fit, fit, search
from prunebench.scaling.fit.stored import fit_of
from prunebench.scaling.points import Points

FORMS = Host.builtin_forms()


def about(made: Fit) -> set[tuple[str, ...]]:
    return {note.parameters for note in made.notes}


def network(levels: int = 40, start: int = 0) -> Points:
    points = family([20], [1], [1], levels)
    return points.rows(points.density <= 0.8**start)


def test_points_in_every_region_leave_nothing_open() -> None:
    """A whole family: no notes, errors of each coefficient of a few percent."""
    made = fit(FORMS["rosenfeld"], noisy(family(), 0.03, 0), starts=5)
    assert made.notes == ()
    assert all(made.standard_errors[name] < 0.05 * value for name, value in LAW.items())


def test_without_the_plateau_only_the_height_of_the_power_law_is_determined() -> None:
    """error_up · p^gamma is right where neither of the two is."""
    made = fit(FORMS["rosenfeld-network"], noisy(network(34), 0.01, 1), starts=4)
    assert ("error_up", "p") in about(made)
    assert made.standard_errors["p"] > 0.3 * made.parameters["p"]
    slope = made.parameters["gamma"]
    p = LAW["p"] * 20 ** -LAW["phi"]
    assert slope == pytest.approx(LAW["gamma"], rel=0.1)
    d = 0.8**28  # in the power-law region
    height = made.parameters["error_up"] * (made.parameters["p"] / d) ** slope
    assert height == pytest.approx(LAW["error_up"] * (p / d) ** LAW["gamma"], rel=0.1)


def test_points_of_the_plateau_alone_do_not_determine_the_slope() -> None:
    made = fit(FORMS["rosenfeld-network"], noisy(network(70, start=45), 0.01, 1), starts=10)
    assert any("gamma" in names for names in about(made))
    assert made.parameters["error_up"] == pytest.approx(LAW["error_up"], rel=0.02)


def test_widths_that_go_with_depths_determine_neither_exponent() -> None:
    """Log width a multiple of log depth: only one combination shows, and errors are infinite."""
    points = family([8, 20, 50], [1], [1])
    points = points.changed(width=points.depth / 20)
    made = fit(FORMS["rosenfeld"], points, starts=5)
    assert ("p", "phi", "psi") in about(made)
    assert all(np.isinf(made.standard_errors[name]) for name in ("p", "phi", "psi"))
    assert np.isfinite(made.standard_errors["gamma"])
    low, high = made.intervals["phi"]
    assert (low, high) == (-10, 10)


def test_a_coefficient_at_its_bound_is_no_estimate() -> None:
    """Errors that would need a plateau above 1: the note says so, and the interval goes on to below."""
    points = family([20], [1], [1], 22)
    beyond = points.changed(
        error=np.minimum(1.6 * points.error, 1), error_unpruned=1.6 * points.error_unpruned
    )
    made = fit(FORMS["rosenfeld-network"], beyond.rows(beyond.error < 0.5), starts=5)
    if made.parameters["error_up"] > 0.999999:
        assert any("upper bound" in note.text for note in made.notes)
        assert made.intervals["error_up"][0] < 1
    else:
        pytest.fail(f"the plateau is at {made.parameters['error_up']}")


def test_as_many_points_as_coefficients_leave_the_scatter_open() -> None:
    """The law goes through all three; how sure it is nobody knows, and a prediction may be anything."""
    three = network().rows(np.array([2, 20, 39]))
    made = fit(FORMS["rosenfeld-network"], three, starts=3)
    assert made.parameters["gamma"] == pytest.approx(LAW["gamma"], rel=1e-4)
    assert any("as many coefficients as points" in note.text for note in made.notes)
    assert all(np.isinf(error) for error in made.standard_errors.values())
    _, low, high = made.predict(network())
    assert (low.max(), high.min()) == (pytest.approx(0), 1)
    assert fit_of(made.to_json(), FORMS) == made


def test_a_dip_is_told() -> None:
    """Errors below the unpruned ones at high densities, by 6 % on average."""
    points = network()
    flat = (points.density < 1) & (points.error < 1.05 * points.error_unpruned)
    dipped = points.changed(error=np.where(flat, 0.94 * points.error, points.error))
    made = fit(FORMS["rosenfeld-network"], noisy(dipped, 0.01, 2), starts=5)
    (text,) = [note.text for note in made.notes if "dip" in note.text]
    assert "% below the unpruned ones on average" in text


def test_the_worst_points_come_first() -> None:
    points = noisy(family(), 0.03, 0)
    wild = points.error.copy()
    wild[[5, 100]] *= [1.5, 0.7]
    made = fit(FORMS["rosenfeld"], points.changed(error=wild), starts=2)
    assert {one.row for one in made.worst[:2]} == {5, 100}
    assert [abs(one.relative) for one in made.worst] == sorted(
        (abs(one.relative) for one in made.worst), reverse=True
    )
    assert made.worst[0].relative == pytest.approx(made.worst[0].predicted / made.worst[0].measured - 1)


def said(made: Fit) -> str:
    return "; ".join(note.text for note in made.notes)


def test_a_plateau_that_the_bend_of_a_curve_tells_is_not_called_open() -> None:
    """The highest error is 81 % of the plateau, which is known to 2 %: what is said is that it lies beyond."""
    points = network(40)
    points = points.rows(points.error < 0.81 * LAW["error_up"])
    made = fit(FORMS["rosenfeld-network"], noisy(points, 0.005, 1), starts=4)
    assert made.standard_errors["error_up"] < 0.1 * made.parameters["error_up"]
    assert ("error_up", "p") not in about(made)
    assert "error_up is beyond what was measured" in said(made)


def test_a_plateau_below_unpruned_errors_is_called_unknown() -> None:
    """High densities alone: what looks like a plateau lies below the unpruned error of another network."""
    points = family(widths=[1 / 8, 2], levels=3)
    low = points.changed(error=np.minimum(1.01 * points.error_unpruned, 0.07))
    made = fit(FORMS["rosenfeld"], low, starts=4, fixed={"error_up": 0.07})
    assert "is below the unpruned error of some network" in said(made)
    assert made.is_open("p")
    assert not made.is_open("error_up")  # it is given


def test_coefficients_that_a_note_calls_unknown_are_no_estimates() -> None:
    """A network that was not trained is above the plateau of the others: errors are finite, away from bounds."""
    points = family([8, 14], [1 / 8, 1 / 4, 1], [1])
    untrained = points.network == points.network[0]
    worse = points.changed(
        error=np.where(untrained, 0.9, points.error),
        error_unpruned=np.where(untrained, 0.9, points.error_unpruned),
    )
    made = fit(FORMS["rosenfeld"], noisy(worse, 0.01, 0), starts=4)
    assert "error_up and p are not known" in said(made)
    assert all(np.isfinite(error) for error in made.standard_errors.values())
    assert [name for name in LAW if made.is_open(name)] == ["error_up", "p"]


def test_an_end_that_no_start_reached_is_told_as_such() -> None:
    """Three steps are too few from anywhere; the search that goes on from the best has twenty times as many."""
    points = noisy(network(), 0.02, 0)
    assert "no start reached" not in said(fit(FORMS["rosenfeld-network"], points, starts=3))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("prunebench.scaling.fit.search._EVALUATIONS", 3)
        made = fit(FORMS["rosenfeld-network"], points, starts=3)
    assert made.reached == 0
    assert "no start reached the end that is told" in said(made)


def test_half_of_the_starts_of_hubers_loss_do_not_go_by_the_least_squares() -> None:
    """One point in five three times too high: where squares lead astray, all starts still end in one place."""
    points = network()
    wild = np.arange(len(points)) % 5 == 3
    points = points.changed(error=np.where(wild, np.minimum(3 * points.error, 1), points.error))
    squares, seen = search._squares, []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(search, "_squares", lambda *given: seen.append(1) or squares(*given))
        made = fit(FORMS["rosenfeld-network"], points, loss="huber-log", starts=10)
    assert len(seen) == 5
    assert made.reached >= 0.9
    assert made.parameters["gamma"] == pytest.approx(LAW["gamma"], rel=1e-3)
