"""The conformance kit finds what is wrong with a quantity, and says it in a sentence."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from prunebench import Curves, Quantity
from prunebench.testing import check_component

CALLS = itertools.count()


def quantity(function: Any, inference: Any = "seeds", **fields: Any) -> Quantity:
    function.__doc__ = "What it is."
    return Quantity("sample", function, inference, **fields)


def fails(component: Quantity, match: str) -> None:
    with pytest.raises(AssertionError, match=match):
        check_component(component)


def best(curves: Curves) -> Any:
    return curves.accuracy.max(axis=0)


def top(curves: Curves) -> Any:
    return curves.mean().max(axis=1)


def low(curves: Curves) -> Any:
    return np.where(np.isnan(curves.accuracy), np.nan, curves.accuracy < 60)


def test_good_quantities_pass() -> None:
    """One of each inference, in three lines."""
    check_component(quantity(best))
    check_component(quantity(top, "curve"))
    check_component(quantity(low, "counts"))


def test_tests_of_a_curve_have_to_give_values_and_p_values() -> None:
    """Rising values, each with two numbers from 0 to 1; with curves of which nothing is known as well."""
    good = quantity(top, "curve", tests=lambda curves: [([1.0, 2.0], [0.1, 1.0], [1.0, 0.2])])
    check_component(good)
    for lines, match in (
        ([([2.0, 1.0], [0.1, 1.0], [1.0, 0.2])], "rising values"),
        ([([1.0, 2.0], [0.1, 1.0])], "two p values for each"),
        ([([1.0, 2.0], [0.1, 1.0], [1.0])], "two p values for each"),
        ([([1.0, 2.0], [0.1, 1.5], [1.0, 0.2])], "p values from 0 to 1"),
        ([([1.0, 2.0], [0.1, np.nan], [1.0, 0.2])], "p values from 0 to 1"),
        ([(["a"], [0.1], [1.0])], "must return numbers"),
        (3, "failed: TypeError"),
    ):
        fails(quantity(top, "curve", tests=lambda curves, lines=lines: lines), match)


def falls(curves: Curves) -> Any:
    return curves.accuracy[1] - curves.accuracy[0]


def test_a_quantity_is_asked_at_a_single_place() -> None:
    """Where a range leaves one sparsity it must answer too, NaN if that says nothing."""
    fails(quantity(falls), r"^quantity 'sample' on curves over sparsities at a single place.*IndexError")


def writes(curves: Curves) -> Any:
    curves.accuracy[0] = 0.0
    return curves.accuracy[0]


def leans_on_its_neighbours(curves: Curves) -> Any:
    return top(curves) - top(curves).mean()


def fills_in(curves: Curves) -> Any:
    return np.nan_to_num(curves.accuracy).mean(axis=0)


@pytest.mark.parametrize(
    ("function", "inference", "match"),
    [
        (lambda curves: 3.0, "seeds", r"must return 5 numbers, one a seed .*; found a single one"),
        (lambda curves: top(curves), "seeds", r"must return 5 numbers, one a seed .*; found 7"),
        (lambda curves: best(curves), "curve", r"must return 7 numbers, one a resample .*; found 5"),
        (
            lambda curves: best(curves),
            "counts",
            r"must return 4 × 5 numbers, one a place and seed .*; found 5",
        ),
        (lambda curves: curves.accuracy, "counts", "must return 1, 0 or NaN for each"),
        (lambda curves: "high", "seeds", "must return numbers, found str"),
        (lambda curves: best(curves) + next(CALLS), "seeds", "other numbers when it is asked again"),
        (lambda curves: best(curves) + range(5), "seeds", "when the seeds come in another order"),
        (lambda curves: curves.accuracy[0, :1].repeat(7), "curve", "when the seeds come in another order"),
        (writes, "seeds", "read-only"),
        (leans_on_its_neighbours, "curve", "another number when other resamples stand beside it"),
        (fills_in, "seeds", "allowed: NaN for what no run has a result of"),
        (lambda curve, extra: curve, "seeds", "its function must take"),
    ],
)
def test_a_bad_quantity_is_refused(function: Any, inference: str, match: str) -> None:
    """Each breach of the contract is named."""
    fails(quantity(function, inference), match)


def test_parameters_that_no_suite_can_give_are_refused() -> None:
    """One without a default that is neither curves, nor a field, nor the axis; one that is declared only."""

    def needs(curves: Curves, *, power: float) -> Any:
        return best(curves) ** power

    fails(quantity(needs), "its parameter 'power' needs a default")
    fails(quantity(best, selections=("other",)), "has no parameter 'other' by keyword alone")
    fails(quantity(best, axis="along"), "has no parameter 'along' by keyword alone")
