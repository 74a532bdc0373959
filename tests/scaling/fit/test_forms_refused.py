"""A form that gives no errors is refused with its name and where it was written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scaling_families import family

from prunebench import Coefficient, FunctionalForm
from prunebench.errors import ComponentError
from prunebench.scaling.fit import fit

AB = (Coefficient("a", 1e-3, 1, (0.01, 0.5), log=True), Coefficient("b", 1e-3, 5, (0.1, 1), log=True))


def power(points: Any, *, a: float, b: float) -> Any:
    return a * points.density**-b


def form(function: Callable[..., Any] = power, **more: Any) -> FunctionalForm:
    return FunctionalForm("mine", function, AB, ("density",), version="1", **more)


def gradient(of_a: Callable[[Any], Any]) -> FunctionalForm:
    return form(gradient=lambda points, *, a, b: {"a": of_a(points), "b": np.ones(len(points))})


def nothing(points: Any, *, a: float, b: float) -> Any:
    return np.full(len(points), np.nan)


def negative(points: Any, *, a: float, b: float) -> Any:
    return a * np.log(points.density) - b


def complex_(points: Any, *, a: float, b: float) -> Any:
    return power(points, a=a, b=b) + 0j


def changing(points: Any, *, a: float, b: float) -> Any:
    points.error[:] = a
    return power(points, a=a, b=b)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (form(nothing), "gives nan for row 1 .* at the best coefficients, a = .*; allowed: errors above 0"),
        (form(negative), "gives -.* for row 1 .*; allowed: errors above 0"),
        (
            form(complex_),
            r"returned an array of shape \(30,\) and type complex128; 30 real numbers are wanted",
        ),
        (form(changing), "failed: ValueError: assignment destination is read-only"),
        (gradient(lambda _: np.ones(3)), r"the gradient of .* by a is an array of shape \(3,\)"),
        (gradient(lambda points: np.full(len(points), np.nan)), "the gradient of .* by a is no number"),
        (
            form(notes=lambda points, values: ["text"]),
            "returned 'text'; allowed: prunebench.scaling.form.Note",
        ),
    ],
)
def test_a_form_that_gives_no_errors_is_named(wrong: FunctionalForm, said: str) -> None:
    with pytest.raises(ComponentError, match=said) as caught:
        fit(wrong, family([20], [1], [1]), starts=2)
    assert "form 'mine' (test_forms_refused.py:" in str(caught.value)


def test_a_form_that_is_right_is_fitted() -> None:
    points = family([20], [1], [1])
    made = fit(form(), points.changed(error=0.05 * points.density**-0.3), starts=2)
    assert made.parameters == pytest.approx({"a": 0.05, "b": 0.3})
