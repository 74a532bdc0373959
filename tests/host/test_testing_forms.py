"""The conformance kit, and loading, find what is wrong with a functional form, and say it in a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from prunebench import Coefficient, FunctionalForm, PluginError
from prunebench.errors import ComponentError
from prunebench.host import Host
from prunebench.scaling.fit import fit
from prunebench.scaling.points import points_of
from prunebench.testing import check_component

LEVEL = Coefficient("level", 0.01, 1, (0.1, 0.9), log=True)
SLOPE = Coefficient("slope", 0, 5, (0.1, 2), varies="width")


def power(points: Any, *, level: float) -> Any:
    """A power law."""
    return level * points.density**-0.5


def gradient(points: Any, *, level: float) -> Any:
    return {"level": points.density**-0.5}


def form(function: Any = power, *coefficients: Coefficient, **fields: Any) -> FunctionalForm:
    return FunctionalForm("sample", function, coefficients or (LEVEL,), **fields)


def test_good_forms_pass() -> None:
    """With a gradient, and without one."""
    check_component(form(gradient=gradient))
    check_component(form())


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (form(gradient=lambda points, level: {"level": points.density}), "the derivative by level at .* is not that"),
        (form(lambda points, level: level), "returned an array of shape"),
        (form(lambda points, level: points.density - level), "not every error is above 0"),
        (form(lambda points, level: level * points.density / points.density.max() * np.arange(1, 13)),
         "a point's error depends on other points"),
        (form(power, Coefficient("level", 0.5, 1, (0.1, 0.9))), "starts from 0.1 to 0.9, outside its bounds, 0.5 to 1"),
        (form(power, Coefficient("level", 0, 1, (0.1, 0.9), log=True)), "its least value must be above 0, found 0"),
        (form(power, LEVEL, LEVEL), "two of its coefficients have one name"),
        (form(power, SLOPE), "slope varies with 'width'; allowed: density"),
        (form(lambda points, other: points.density), r"form 'sample' \(.*\) failed: TypeError"),
        (form(gradient=lambda points, level: {}), r"the gradient of form 'sample' \(.*\) failed: KeyError"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(made: FunctionalForm, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        check_component(made)


def test_a_form_that_cannot_be_fitted_is_not_loaded(plugin_file: Any) -> None:
    """Its fields are looked at when it is registered."""
    text = """
import prunebench

@prunebench.hookimpl
def prunebench_forms():
    return [prunebench.FunctionalForm("sample", lambda points, level: level, [("level", 0, 1)])]
"""
    with pytest.raises(PluginError, match="coefficients must be a tuple of prunebench"):
        Host.load(plugins=[plugin_file(text)], third_party=False)


def test_a_form_that_fails_while_it_is_fitted_is_named() -> None:
    """Its own error, with where it arose."""

    def broken(points: Any, *, level: float) -> Any:
        raise ValueError("no")

    points = points_of({"density": [1.0, 0.5], "error": [0.1, 0.2]})
    with pytest.raises(ComponentError, match=r"form 'sample' \(.*\) failed: ValueError: no"):
        fit(form(broken), points)
