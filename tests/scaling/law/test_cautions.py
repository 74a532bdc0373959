"""What a law is asked that it says nothing of: refused where it is wrong, else answered with a warning."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scaling_families import EXAMPLES, LAW, family, noisy

from prunebench.errors import FitError
from prunebench.host import Host
from prunebench.scaling.fit import fit
from prunebench.scaling.form import Form
from prunebench.scaling.law import Law, law_of, unpruned_fit, with_size
from prunebench.scaling.law.cautions import cautions
from prunebench.scaling.law.members import member
from prunebench.scaling.points import Points
from prunebench.scaling.studies.beside import Beside
from prunebench.scaling.studies.noise import SeedNoise
from prunebench.scaling.studies.trials import HeldOut

FORMS = Host.builtin_forms()


def weights(depth: float, width: float) -> int:
    return round(13_500 * depth * width**2)


def read_back(form: str, points: Points, forms: dict[str, Form] | None = None) -> Law:
    """A law as `predict` reads it."""
    sized, proxy = with_size(points)
    made = Law(
        fit(FORMS[form], points, starts=2), sized, unpruned_fit(sized, FORMS, starts=3)[0], proxy=proxy
    )
    return law_of(json.dumps(made.plain()), "law.json", forms or FORMS)


def counted(points: Points) -> Points:
    return points.changed(prunable=np.round(13_500 * points.depth * points.width**2))


@cache
def law() -> Law:
    return read_back("rosenfeld", counted(noisy(family(), 0.02, 0)))


def asked(
    law: Law, depth: float, width: float, examples: float, error: float | None = None, d: float = 0.1
) -> str:
    one = member(law, depth, width, examples, weights, error)
    return "; ".join(cautions(law, one, np.array([d])))


@pytest.mark.parametrize(
    ("form", "lengths", "question", "said"),
    [
        ("rosenfeld-width", {"depths": [20]}, (56, 1, EXAMPLES), "of one depth, 20 here; found depth 56, .*'rosenfeld'"),
        ("rosenfeld-depth", {"widths": [0.5]}, (20, 2, EXAMPLES), "of one width, 0.5 here; found width 2, .*'rosenfeld'"),
        ("rosenfeld-network", {"depths": [20], "widths": [1], "parts": [1]}, (20, 0.25, EXAMPLES),
         "of one width, 1 here; found width 0.25, .*fit form 'rosenfeld-width'"),
        ("rosenfeld-network", {"depths": [20], "widths": [1], "parts": [1]}, (20, 1, 100), "fit form 'rosenfeld-data'"),
    ],
)  # fmt: skip
def test_a_law_of_one_depth_is_not_asked_of_another(
    form: str, lengths: dict, question: tuple, said: str
) -> None:
    """Its coefficients have that depth in them; the message names the form that has the depth as a column."""
    partial = read_back(form, family(**lengths))
    with pytest.raises(FitError, match=said):
        member(partial, *question, weights, 0.06)
    points = family([question[0]], [question[1]], [EXAMPLES / question[2]])
    with pytest.raises(FitError, match="says nothing"):
        partial.fit.predict(points)


def test_what_lies_outside_the_points_is_warned_of_whether_the_law_reads_it_or_not() -> None:
    """Examples act through the unpruned error alone, and still nothing was measured of so many."""
    assert asked(law(), 20, 1, EXAMPLES) == ""
    assert "examples 2,000,000 lies outside the points, which go from 12,500 to 50,000" in asked(
        law(), 20, 1, 2e6, 0.05
    )
    assert "depth 56" in asked(law(), 56, 1, EXAMPLES, 0.05)
    one = read_back("rosenfeld-width", family([20], parts=[1]))
    assert "examples 100 lies outside the points, which all have 50,000" in asked(one, 20, 1, 100, 0.05)


def test_what_lies_hardly_outside_is_spelled_so_that_it_differs() -> None:
    """In four digits 50,000.5 is 50,000, which lies inside."""
    told = asked(law(), 20, 1, EXAMPLES + 0.5, 0.05)
    assert "examples 50,000.5 lies outside the points, which go from 12,500 to 50,000" in told


def test_the_law_of_unpruned_networks_warns_of_what_it_does_not_know() -> None:
    assert "the unpruned error is extrapolated: prunable weights" in asked(law(), 50, 7, EXAMPLES)
    assert "unpruned error is" not in asked(law(), 50, 7, EXAMPLES, 0.05)


def test_a_law_of_unpruned_networks_of_one_amount_of_data_is_not_asked_of_another() -> None:
    one = read_back("rosenfeld", counted(family(parts=[1])))
    assert one.unpruned is not None
    assert one.unpruned.form.name == "unpruned-size"
    with pytest.raises(FitError, match=r"of one number of examples, 50000 here.*--error-unpruned"):
        member(one, 20, 0.7, 100, weights)


def test_an_error_that_falls_the_further_a_network_is_pruned_is_told() -> None:
    told = asked(law(), 20, 1, EXAMPLES, 0.95, d=0.001)
    assert "by this law its error falls the further it is pruned" in told
    assert "0.95, is above error_up" in told


def test_a_density_far_below_all_points_is_told_with_its_weights() -> None:
    told = asked(law(), 20, 1, EXAMPLES, d=1e-5)
    assert "density 1e-05, 3 weights, is 155 times below the least measured one" in told


def test_the_law_of_unpruned_networks_is_asked_by_the_sizes_that_it_was_fitted_by() -> None:
    """Parameters in millions, and all of them: what is proportional to the count is found by it."""
    points = family()
    millions = points.changed(parameters=1.1e-6 * np.round(13_500 * points.depth * points.width**2))
    by_count = member(law(), 20, 0.7, EXAMPLES, weights).error_unpruned
    by_column = member(read_back("rosenfeld", millions), 20, 0.7, EXAMPLES, weights).error_unpruned
    assert by_column == pytest.approx(by_count, rel=0.01)
    assert by_column == pytest.approx(0.06 * 0.7**-0.25, rel=0.05)
    odd = millions.changed(parameters=millions.extra["parameters"] ** 0.7)
    with pytest.raises(FitError, match="goes by the points' column 'parameters', and nobody can say that of"):
        member(read_back("rosenfeld", odd), 20, 0.7, EXAMPLES, weights)


def test_a_form_that_is_another_than_the_one_that_was_fitted_is_refused() -> None:
    """By its version, or, where somebody forgot that, by its errors at the points."""
    points = family([20], [1], [1])
    newer = {**FORMS, "rosenfeld-network": replace(FORMS["rosenfeld-network"], version="2")}
    with pytest.raises(FitError, match=r"version '1' of form 'rosenfeld-network' was fitted; .* version '2'"):
        read_back("rosenfeld-network", points, newer)
    own = FORMS["rosenfeld-network"]
    twice = replace(own, function=lambda points, **values: 2 * own.function(points, **values))
    with pytest.raises(FitError, match=r"another than the one that was fitted: µ and σ .* now 100 %"):
        read_back("rosenfeld-network", points, {**FORMS, "rosenfeld-network": twice})
    assert read_back("rosenfeld-network", points).fit.parameters["gamma"] == pytest.approx(LAW["gamma"])


def test_a_law_that_is_no_better_than_what_it_is_compared_with_says_so() -> None:
    """Than interpolation on networks left out, and than the noise of seeds."""
    good, bad = (HeldOut(np.arange(3), np.ones(3), mu, 0.05, 0.01, 0.06) for mu in (0.01, 0.04))
    assert (good.is_better, bad.is_better) == (True, False)
    for out, sigma, says in ((good, 0.028, False), (bad, 0.1, True)):
        text = " | ".join(Beside(SeedNoise(0.02, 9, 9), None, out, sigma=sigma).sentences())
        assert ("no better than interpolation" in text) == says
        assert ("σ is 5.0 times that" in text) == says
