"""Points that no law can be fitted to: a sentence that names column and row, and what is allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scaling_families import family

from prunebench.errors import FitError
from prunebench.host import Host
from prunebench.scaling.fit import fit
from prunebench.scaling.points import Points, points_of

FORMS = Host.builtin_forms()


def changed(column: str, value: float, row: int = 3) -> Points:
    points = family()
    values = points.column(column).copy()
    values[row] = value
    return points.changed(**{column: values})


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("error", 1.2, "error of row 4 (depth 8, width 0.125, examples 50000, density 0.512) is 1.2; "
                       "allowed: a fraction in (0, 1]"),
        ("error", 0.0, "error of row 4 .* is 0; allowed: above 0"),
        ("error", np.nan, "error of row 4 .* is nan; allowed: a number"),
        ("error_unpruned", 8.0, "error_unpruned of row 4 .* is 8; allowed: a fraction"),
        ("density", 0.0, "density of row 4 .* is 0; allowed: above 0"),
        ("density", 1.5, "density of row 4 .* is 1.5; allowed: a share in"),
        ("depth", np.nan, "depth of row 4 .* is nan; allowed: a number"),
        ("width", -1.0, "width of row 4 .* is -1; allowed: above 0"),
    ],
)  # fmt: skip
def test_a_number_that_cannot_be_is_named_with_its_row(column: str, value: float, said: str) -> None:
    with pytest.raises(FitError, match=said.replace("(", r"\(").replace(")", r"\)").replace("]", r"\]")):
        fit(FORMS["rosenfeld"], changed(column, value))


def test_percent_is_noticed() -> None:
    """Of the errors as of the densities; a single number above 1 is no percent."""
    points = family()
    for column in ("error", "density"):
        percent = points.changed(**{column: 100 * points.column(column)})
        with pytest.raises(FitError, match=f"{column} .*these look like percent, so divide them by 100"):
            fit(FORMS["rosenfeld"], percent)
    with pytest.raises(FitError) as caught:
        fit(FORMS["rosenfeld"], changed("error", 1.2))
    assert "percent" not in str(caught.value)


def only(**lengths: Any) -> Callable[[], Points]:
    return lambda: family(**lengths)


@pytest.mark.parametrize(
    ("form", "points", "said"),
    [
        ("rosenfeld", only(widths=[0.5]), "every point has width 0.5, which cannot determine psi; fix it"),
        ("rosenfeld", only(depths=[20]), "every point has depth 20, which cannot determine phi; fix it"),
        ("unpruned", lambda: family(parts=[1], levels=1).changed(parameters=np.arange(1.0, 13)),
         "every point has examples 50000, which cannot determine alpha; fix it (alpha=VALUE gives it)"),
        ("rosenfeld-width", family, "form 'rosenfeld-width' is of one depth; the points have 3: 8, 20, 50"),
        ("rosenfeld-network", family, "form 'rosenfeld-network' is of one depth"),
        ("rosenfeld", lambda: family().rows(np.array([0, 40, 80, 700])),
         "4 points cannot determine 5 coefficients (error_up, gamma, p, phi, psi)"),
        ("unpruned", only(levels=1), "no column 'parameters'; .*allowed: density, depth, error, error_unpruned"),
        ("rosenfeld", lambda: family().changed(depth=np.full(720, np.nan)),
         "column 'depth' is missing; there are: density, error, error_unpruned, width, examples"),
    ],
)  # fmt: skip
def test_points_that_leave_a_coefficient_open_are_refused(form: str, points: Any, said: str) -> None:
    with pytest.raises(FitError, match=said.replace("(", r"\(").replace(")", r"\)")):
        fit(FORMS[form], points())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"fixed": {"error_upp": 0.9}},
            "form 'rosenfeld' has no coefficient 'error_upp'; did you mean 'error_up'",
        ),
        ({"fixed": {"error_up": 90.0}}, "error_up is fixed at 90; allowed: 0.001 to 1"),
        ({"fixed": {"gamma": float("nan")}}, "gamma is fixed at nan"),
        ({"loss": "squares"}, "there is no loss 'squares'; did you mean 'relative-squares'"),
        ({"starts": 0}, "starts is 0; allowed: 1 or more"),
    ],
)
def test_an_option_that_cannot_be_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(FitError, match=said):
        fit(FORMS["rosenfeld"], family(), **options)


def test_a_search_that_does_not_converge_is_an_error() -> None:
    """A form whose value falls for ever and whose derivative lies about it never comes to rest."""

    class Restless:
        name, columns, constant, most, notes = "restless", ("density",), (), 1.0, None
        coefficients = FORMS["rosenfeld-network"].coefficients[1:2]

        @staticmethod
        def function(points: Points, gamma: float) -> Any:
            return points.error * (2 + np.sin(1e4 * gamma))

        @staticmethod
        def gradient(points: Points, gamma: float) -> Any:
            return {"gamma": points.error}

    with pytest.raises(FitError, match="form 'restless' did not converge: of 3 starts 0 did"):
        fit(Restless(), family(), starts=3)


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(FitError, match="column 'density' has 2 rows, another has 3"):
        points_of({"density": [1.0, 0.5], "error": [0.1, 0.2, 0.3]})
