"""Fits: of a curve read off a paper's figure, of families made by the law itself."""

from __future__ import annotations

import numpy as np
import pytest
from scaling_families import family, noisy

from prunebench.host import Host
from prunebench.scaling.fit import fit
from prunebench.scaling.fit.problem import Problem
from prunebench.scaling.fit.stored import fit_of
from prunebench.scaling.points import Points, points_of

FORMS = Host.builtin_forms()

FIGURE_1 = (
    "1:.083 .64:.078 .512:.079 .410:.079 .328:.078 .262:.079 .168:.083 .134:.084 .107:.086 .0859:.090 .0687:.096 "
    ".0550:.102 .0440:.107 .0225:.156 .0180:.173 .0144:.189 .0115:.211 .0092:.235 .0074:.279 .0059:.308 .0047:.332 "
    ".0038:.369 .0019:.468 .00155:.531 .00124:.585 .00099:.644 .00079:.651 .00063:.714 .00051:.735 .00041:.788 "
    ".00021:.789 .00017:.789"
)
"""Density:error of ResNet-20 on CIFAR-10, read off Fig. 1 of Rosenfeld et al. 2021 (arXiv:2006.10621)."""


def figure_1() -> Points:
    density, error = np.array([[float(part) for part in one.split(":")] for one in FIGURE_1.split()]).T
    return points_of({"density": density, "error": error, "error_unpruned": np.full(len(error), 0.083)})


def test_the_curve_of_figure_1_has_the_coefficients_that_were_read_off_it() -> None:
    """To the digits given: error_up .79, gamma .52, p 8.8e-4; µ +1.4 %, σ 3.9 %; every start agrees."""
    made = fit(FORMS["rosenfeld-network"], figure_1(), starts=20)
    assert [f"{made.parameters[name]:.2g}" for name in ("error_up", "gamma", "p")] == [
        "0.79",
        "0.52",
        "0.00088",
    ]
    assert (f"{100 * made.mu:+.1f}", f"{100 * made.sigma:.1f}") == ("+1.4", "3.9")
    assert (made.converged, made.reached, made.points, made.networks) == (1, 1, 32, 1)


@pytest.mark.parametrize("name", ["rosenfeld-network", "rosenfeld"])
def test_coefficients_are_the_same_to_nine_digits_in_whatever_order_sums_are_rounded(name: str) -> None:
    """Points the other way round are added up otherwise, as on another processor; there the slopes vanish."""
    points = figure_1() if name == "rosenfeld-network" else noisy(family(), 0.05, seed=3)
    made, turned = (
        fit(FORMS[name], one, starts=3) for one in (points, points.rows(np.arange(len(points))[::-1]))
    )
    for coefficient, value in made.parameters.items():
        assert turned.parameters[coefficient] == pytest.approx(value, rel=1e-9), coefficient
    problem = Problem(FORMS[name], points, {}, np.ones(len(points)))
    vector = problem.vector(made.parameters)
    residuals, jacobian = problem.residuals(vector), problem.jacobian(vector)
    slopes = jacobian.T @ residuals / np.linalg.norm(jacobian, axis=0) / np.linalg.norm(residuals)
    assert np.abs(slopes).max() < 1e-11


def test_a_fit_is_the_same_after_json() -> None:
    """Form, numbers and predictions."""
    made = fit(FORMS["rosenfeld-network"], figure_1(), starts=3)
    again = fit_of(made.to_json(), FORMS)
    assert again == made
    np.testing.assert_array_equal(again.predict(figure_1()), made.predict(figure_1()))


@pytest.mark.parametrize("name", FORMS)
def test_every_built_in_form_passes_the_conformance_kit(name: str) -> None:
    from prunebench.testing import check_component

    check_component(FORMS[name])
