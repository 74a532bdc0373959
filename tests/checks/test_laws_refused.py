"""What a check may not ask of a law: said when the suite is read, with the nearest name."""

from __future__ import annotations

from typing import Any

import pytest
from prunebench_plugins.forms import prunebench_forms
from prunebench_plugins.quantities import prunebench_quantities

from prunebench import Coefficient, FunctionalForm
from prunebench.checks.asked import QuantityTable, wrong


class Host:
    """The built-in quantities and forms, and a form of somebody's own."""

    own = FunctionalForm(
        "mine", lambda points, *, slope: slope * points.density, (Coefficient("slope", 0, 1, (0, 1)),)
    )
    kinds = {  # noqa: RUF012
        "quantities": {one.name: one for one in prunebench_quantities()},
        "forms": {one.name: one for one in (*prunebench_forms(), own)},
    }

    def get(self, kind: str, name: str) -> Any:
        return self.kinds[kind][name]

    def names(self, kind: str) -> Any:
        return list(self.kinds[kind])


def said(**asked: Any) -> str:
    return "\n".join(
        f"{'.'.join(map(str, at))}: {text}" for at, text in wrong(QuantityTable(**asked), Host())
    )


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"name": "fit:gama"}, "name: found 'gama'; did you mean 'gamma'"),
        ({"name": "fit:mu", "form": "rosenfeld-wide"}, "did you mean 'rosenfeld-width'?"),
        (
            {"name": "fit:phi", "form": "rosenfeld-lower"},
            "found 'phi', which the form 'rosenfeld-lower' does not",
        ),
        (
            {"name": "fit:mu", "region": "above-plato"},
            "region: found 'above-plato', which is no part of a curve; did you mean 'above-plateau'",
        ),
        ({"name": "fit:mu", "within": {"with": 2}}, "within: found 'with', in which networks do not differ"),
        (
            {"name": "fit:mu", "within": {"width": [2, 1]}},
            "within: found width = [2, 1]; allowed: a number above 0",
        ),
        ({"name": "fit:mu", "within": 3}, "within: found 3; allowed: a table"),
        (
            {"name": "fit:gamma", "within": {"width": 1}, "judged": {"width": 2}},
            "judged: found with fit:gamma",
        ),
        ({"name": "fit:mu", "judged": {"width": 2}}, "allowed: with fit:mu or fit:sigma, and with 'within'"),
        ({"name": "fit:invariance", "alone": True}, "alone: found true; allowed: false with fit:invariance"),
        ({"name": "fit:spread"}, "'spread' needs either 'networks' or 'points'"),
        ({"name": "fit:mu", "points": 40}, "only it takes them"),
        ({"name": "fit:fewest", "errors": [8]}, "errors: found [8]; allowed: fractions above 0, below 1"),
        ({"name": "fit:mu", "points": "forty"}, "points: found 'forty'; allowed: a whole number"),
    ],
)
def test_what_is_wrong_is_said(asked: dict[str, Any], told: str) -> None:
    assert told in said(**asked)


@pytest.mark.parametrize(
    "asked",
    [
        {"name": "fit:slope", "form": "mine"},
        {"name": "fit:knee", "form": "rosenfeld-lower", "alone": True},
        {"name": "fit:fewest", "errors": [0.08, 0.1]},
        {"name": "fit:sigma", "region": "above-plateau", "within": {"width": 1}},
        {"name": "fit:spread", "networks": 15},
        {"name": "fit:sigma", "within": {"width": [0.1, 1], "depth": 20}, "judged": {"width": 2}},
    ],
)
def test_what_may_be_asked_is_accepted(asked: dict[str, Any]) -> None:
    assert said(**asked) == ""
