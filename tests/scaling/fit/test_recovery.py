"""Coefficients of families that a law has made are found again, as surely as can be."""

from __future__ import annotations

import numpy as np
import pytest
from scaling_families import EXAMPLES, LAW, family, law, noisy

from prunebench.host import Host
from prunebench.scaling.fit import fit
from prunebench.scaling.points import Points, points_of

FORMS = Host.builtin_forms()

PARTIAL = {
    "rosenfeld-width": {"depths": [20], "parts": [1]},
    "rosenfeld-depth": {"widths": [0.5], "parts": [1]},
    "rosenfeld-data": {"depths": [20], "widths": [0.5], "parts": [1, 4, 16]},
    "rosenfeld-network": {"depths": [20], "widths": [0.5], "parts": [1]},
}


def test_the_joint_law_of_a_family_without_noise_is_found_to_a_millionth() -> None:
    """Whether or not a coefficient is given, from every start."""
    points = family()
    for fixed in ({}, {"error_up": LAW["error_up"]}):
        made = fit(FORMS["rosenfeld"], points, fixed=fixed, starts=10)
        for name, value in LAW.items():
            assert made.parameters[name] == pytest.approx(value, rel=1e-6)
        assert made.reached == 1
        assert set(made.standard_errors) == set(LAW) - set(fixed)


@pytest.mark.parametrize("name", PARTIAL)
def test_a_partial_fit_agrees_with_the_joint_one(name: str) -> None:
    """error_up and gamma are the family's; p has the depth's and the width's factor in it; a note says so."""
    part = family(**PARTIAL[name])
    made = fit(FORMS[name], part, starts=5)
    phi, psi = made.parameters.get("phi", 0.0), made.parameters.get("psi", 0.0)
    p = LAW["p"] * part.depth[0] ** (phi - LAW["phi"]) * part.width[0] ** (psi - LAW["psi"])
    wanted = {**LAW, "p": p}
    assert made.parameters == pytest.approx({one: wanted[one] for one in made.parameters}, rel=1e-6)
    said = " ".join(note.text for note in made.notes)
    assert ("depth^phi" in said, "width^psi" in said) == (
        "phi" not in made.parameters,
        "psi" not in made.parameters,
    )


def test_huber_of_the_log_is_hardly_moved_by_wild_points() -> None:
    """One point in ten three times too high: squares are far off, Huber's loss is not."""
    points = family(parts=[1])
    wild = np.arange(len(points)) % 10 == 3
    points = points.changed(error=np.where(wild, np.minimum(3 * points.error, 1), points.error))
    huber = fit(FORMS["rosenfeld"], points, loss="huber-log", starts=5).parameters
    squares = fit(FORMS["rosenfeld"], points, starts=5).parameters
    assert huber["gamma"] == pytest.approx(LAW["gamma"], rel=1e-3)
    assert abs(squares["gamma"] / LAW["gamma"] - 1) > 0.02


def cramer_rao(points: Points, share: float) -> dict[str, float]:
    """The least standard deviation that an unbiased estimate can have, from differences of the printed law."""
    columns = []
    for name, value in LAW.items():
        up, down = ({**LAW, name: value * (1 + step)} for step in (1e-5, -1e-5))
        columns.append((np.log(law(points, up)) - np.log(law(points, down))) / (2e-5 * value))
    slopes = np.stack(columns, axis=1) / share
    return dict(zip(LAW, np.sqrt(np.diag(np.linalg.inv(slopes.T @ slopes))), strict=True))


def test_intervals_cover_as_often_as_they_say_and_are_no_wider_than_need_be() -> None:
    """At 3 % noise 95 % intervals cover in 91 to 98 % of 200 trials; at most 1.5 times the Cramér–Rao width."""
    points, trials = family(parts=[1]), 200
    least = cramer_rao(points, 0.03)
    covered, widest = dict.fromkeys(LAW, 0), dict.fromkeys(LAW, 0.0)
    for seed in range(trials):
        made = fit(FORMS["rosenfeld"], noisy(points, 0.03, seed), starts=1, seed=seed)
        for name, value in LAW.items():
            low, high = made.intervals[name]
            covered[name] += low <= value <= high
            widest[name] = max(widest[name], (high - low) / (2 * 1.96 * least[name]))
    assert all(0.91 * trials <= count <= 0.98 * trials for count in covered.values()), covered
    assert max(widest.values()) <= 1.5, widest


def test_predictions_cover_new_measurements() -> None:
    """Intervals of predictions hold measurements of a network that was not fitted in 95 % of cases."""
    new = family(depths=[26], widths=[1 / 4], parts=[2])
    hits = []
    for seed in range(30):
        made = fit(FORMS["rosenfeld"], noisy(family(parts=[1]), 0.03, seed), starts=1, seed=seed)
        _, low, high = made.predict(new.changed(error=np.full(len(new), np.nan)))
        measured = noisy(new, 0.03, 1000 + seed).error
        hits.append(((low <= measured) & (measured <= high)).mean())
    assert 0.93 <= np.mean(hits) <= 0.97


def sizes() -> Points:
    rows = np.array(
        [(depth * w**2, n) for depth in (8, 20, 50) for w in (0.25, 1, 4) for n in (1 / 16, 1 / 4, 1)]
    )
    size, part = rows.T
    one = np.ones(len(rows))
    extra = {"parameters": 1e4 * size, "average_parameters": 1e4 * size, "nonzero": 100 * size}
    return points_of({"density": one, "error": one, "examples": EXAMPLES * part, **extra})


OTHERS = {
    "unpruned": {"error_0": 0.9, "eta": 0.5, "alpha": 0.4, "b": 20.0, "beta": 0.5, "c": 0.01},
    "jin": {"a": 5.0, "alpha": 0.3, "b": 8.0, "beta": 0.25, "c": 1.5},
    "frantar": {"a": 0.6, "b": 0.7, "c": 1.5, "d": 0.25, "e": 0.7, "f": 0.2, "g": 0.65},
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_laws_are_found_again_too(name: str) -> None:
    """Those of unpruned networks and of language models, by their printed formulas."""
    wanted, points = OTHERS[name], sizes()
    n, m, d = points.examples, points.extra["parameters"], points.density
    if name == "unpruned":
        e = n**-0.4 + 20 * m**-0.5 + 0.01
        points = points.changed(error=0.9 * np.abs(e / (e - 0.5j)))
    elif name == "jin":
        points = points.changed(error=5 * m**-0.3 + 8 * n**-0.25 + 1.5)
    else:
        d = np.resize([1.0, 0.5, 0.25, 0.125], len(d))
        points = points.changed(density=d)
        size = points.extra["nonzero"] ** -0.25
        points = points.changed(error=(0.6 * d**0.7 + 1.5) * size + 0.7 * n**-0.2 + 0.65)
    made = fit(FORMS[name], points, starts=10)
    assert made.parameters == pytest.approx(wanted, rel=1e-5)
    assert made.reached > 0.8
