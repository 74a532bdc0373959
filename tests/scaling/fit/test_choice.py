"""Which law is chosen for points, and what is said of one that they cannot be fitted by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scaling_families import LAW, family

from prunebench.errors import FitError
from prunebench.host import Host
from prunebench.scaling.fit import fit
from prunebench.scaling.fit.choice import check_fits, chosen, own_points, pooled
from prunebench.scaling.fit.stored import fit_of
from prunebench.scaling.points import Points

FORMS = Host.builtin_forms()


def unknown(points: Points, *names: str) -> Points:
    return points.changed(**{name: np.full(len(points), np.nan) for name in names})


@pytest.mark.parametrize(
    ("points", "form", "said"),
    [
        (family(), "rosenfeld", "depth varies, width varies"),
        (family(depths=[20]), "rosenfeld-width", "depth is 20 alone, width varies"),
        (unknown(family(depths=[20]), "depth"), "rosenfeld-width", "depth is not known, width varies"),
        (family(widths=[0.5]), "rosenfeld-depth", "depth varies, width is 0.5 alone"),
        (
            unknown(family([20], [1]), "depth", "width"),
            "rosenfeld-data",
            "width is not known, examples vary",
        ),
        (family([20], [1], [1]), "rosenfeld-network", "width is 1 alone, examples is 50000 alone"),
    ],
    ids=["joint", "width", "width, no depth", "depth", "data", "network"],
)
def test_the_law_is_that_of_what_varies(points: Points, form: str, said: str) -> None:
    made, why = chosen(points, FORMS, {})
    assert made.name == form
    assert why.startswith(f"form {form}: ")
    assert said in why
    check_fits(made, points, FORMS, {})


def test_a_coefficient_that_is_given_is_in_the_law() -> None:
    form, why = chosen(family(depths=[20]), FORMS, {"phi": 0.9})
    assert (form.name, why) == ("rosenfeld", "form rosenfeld: the law of all scales, as phi is given")
    with pytest.raises(FitError, match="no coefficient 'phy'; did you mean 'phi'"):
        chosen(family(depths=[20]), FORMS, {"phy": 1})


REFUSED: list[tuple[str, Points, str]] = [
    ("rosenfeld", unknown(family([20]), "depth"),
     "form 'rosenfeld' reads depth, which the points have not; --form rosenfeld-width would do"),
    ("rosenfeld", family([20]), "form 'rosenfeld' has phi, which nothing tells: every point has depth 20; "
     "--fix phi=0 leaves depth out; --form rosenfeld-width would do"),
    ("rosenfeld-width", family(widths=[1]), "is of one depth; the points have 3: 8, 20, 50; "
     "--form rosenfeld-depth would do"),
    ("rosenfeld-network", family(), "is of one depth; the points have 3: 8, 20, 50; --form rosenfeld would do"),
    ("unpruned", family(parts=[1]).changed(parameters=np.arange(1.0, 361)),
     "has alpha, which nothing tells: every point has examples 50000; --fix alpha=VALUE gives it; "
     "--form unpruned-size would do"),
    ("jin", family(), "form 'jin' reads average_parameters, which the points have not"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("form", "points", "said"), REFUSED, ids=[f"{one[0]}-{i}" for i, one in enumerate(REFUSED)]
)
def test_a_law_that_cannot_be_fitted_names_one_that_can(form: str, points: Points, said: str) -> None:
    with pytest.raises(FitError) as error:
        check_fits(FORMS[form], own_points(FORMS[form], points)[0], FORMS, {})
    assert said in str(error.value)
    name = str(error.value).partition("--form ")[2].partition(" ")[0]
    if name:
        check_fits(FORMS[name], own_points(FORMS[name], points)[0], FORMS, {})


def test_an_exponent_of_0_leaves_its_scale_out() -> None:
    """Of points that do not know their depth; the law without that exponent says the same."""
    points = unknown(family([20], parts=[1]), "depth")
    made: Any = fit(FORMS["rosenfeld"], points, fixed={"phi": 0.0}, starts=4)
    alone = fit(FORMS["rosenfeld-width"], points, starts=4)
    assert made.parameters["psi"] == pytest.approx(LAW["psi"], rel=1e-6)
    assert made.parameters["p"] == pytest.approx(LAW["p"] / 20 ** LAW["phi"], rel=1e-6)
    again = fit_of(made.to_json(), FORMS)
    np.testing.assert_allclose(again.predict(points)[0], alone.predict(points)[0], rtol=1e-6)
    assert set(made.ranges) == set(alone.ranges)


def test_laws_of_unpruned_networks_are_fitted_to_those() -> None:
    """By the prunable weights, where nobody says how many parameters there are."""
    points = family(parts=[1])
    points = points.changed(prunable=np.round(1e4 * points.depth * points.width**2))
    own, said = own_points(FORMS["unpruned-size"], points)
    assert set(own.density) == {1}
    assert own.extra["parameters"].tolist() == own.extra["prunable"].tolist()
    assert said == "12 of 360 points are of unpruned networks: these are fitted"
    assert own_points(FORMS["rosenfeld"], points) == (points, "")
    with pytest.raises(
        FitError, match="form 'unpruned-size' is of unpruned networks; no point is of density 1"
    ):
        own_points(FORMS["unpruned-size"], points.rows(points.density < 1))


def test_networks_that_a_form_takes_as_one_are_told() -> None:
    """Three that differ in prunable weights alone; not those that differ in what the law reads, or in data."""
    points = family([20], parts=[1])
    counted = unknown(points.changed(prunable=1e4 * points.width**2), "depth", "width")
    form = chosen(counted, FORMS, {})[0]
    assert form.name == "rosenfeld-network"
    said = pooled(form, counted)
    assert said.startswith("4 networks differ in prunable alone, which form rosenfeld-network does not read")
    assert said.endswith("a column depth or width tells the law what they are")
    assert pooled(FORMS["rosenfeld-width"], points) == ""
    assert pooled(FORMS["rosenfeld-data"], family([20], [1])) == ""
