"""Asking a quantity for its numbers: what it returns is looked at, and what is wrong is said in its name."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from prunebench.checks.curves import Curves, Floats
from prunebench.errors import ComponentError
from prunebench.faults import blamed

__all__ = ["QuantityLike", "numbers", "tests", "which"]


class QuantityLike(Protocol):
    """What of a `prunebench.Quantity` is needed to ask it."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def function(self) -> Any: ...  # noqa: D102
    @property
    def inference(self) -> str: ...  # noqa: D102
    @property
    def reads(self) -> Any: ...  # noqa: D102
    @property
    def tests(self) -> Any: ...  # noqa: D102


def numbers(quantity: QuantityLike, curves: Curves, parameters: Mapping[str, Any]) -> Floats:
    """Return a quantity's numbers of a method's curves.

    They are S (one a seed), R (one a resample of the seeds) or P × S (1 or 0 for each run), as the quantity's
    inference is "seeds", "curve" or "counts". NaN is what a missing result decides.

    Raises: ComponentError where the function fails, or what it returns has another shape, is no number, or is
    not 0 or 1 where it counts.
    """
    who = f"quantity {quantity.name!r}"
    with blamed(who), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a mean over nothing: the answer, NaN, says so
        answer = quantity.function(curves, **parameters)
    array = _floats(answer, who)
    wanted: tuple[int, ...]
    each, wanted = {
        "seeds": ("one a seed", (len(curves.seeds),)),
        "curve": ("one a resample", (len(curves.weights),)),
        "counts": ("one a place and seed", curves.accuracy.shape),
    }[quantity.inference]
    if array.shape != wanted:
        raise ComponentError(
            f"{who} must return {_spelled(wanted)} numbers, {each} (inference = {quantity.inference!r}); "
            f"found {_spelled(array.shape)}"
        )
    if quantity.inference == "counts" and not np.isin(array[~np.isnan(array)], (0.0, 1.0)).all():
        raise ComponentError(f"{who} counts runs: it must return 1, 0 or NaN for each; found other numbers")
    return array


def which(quantity: QuantityLike, curves: Curves, parameters: Mapping[str, Any]) -> list[bool]:
    """Return which of the curves' relatives a quantity reads, by what it says itself.

    Raises: ComponentError where the function fails, or says something else.
    """
    who = f"what quantity {quantity.name!r} reads"
    with blamed(who):
        answer = [bool(one) for one in quantity.reads(curves, **parameters)]
    if len(answer) != len(curves.relatives):
        raise ComponentError(
            f"{who} must be said of {len(curves.relatives)} relatives, one by one; found {len(answer)}"
        )
    return answer


Line = tuple[Floats, Floats, Floats]
"""Values that a number could have, and p values that are small where it is surely more, and surely less."""


def tests(quantity: QuantityLike, curves: Curves, parameters: Mapping[str, Any]) -> list[Line]:
    """Return how sure it is for each value that a quantity of mean curves could have that it has another.

    A line for each number that the quantity is the mean of.

    Raises: ComponentError where its `tests` fail, or return no rising values with two p values for each.
    """
    who = f"the tests of quantity {quantity.name!r}"
    with blamed(who), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        lines = [tuple(_floats(each, who) for each in line) for line in quantity.tests(curves, **parameters)]
    for line in lines:
        if len(line) != 3 or len({each.shape for each in line}) != 1 or line[0].ndim != 1:
            raise ComponentError(f"{who} must return values, and two p values for each of them")
        if not (np.diff(line[0]) > 0).all() or np.isnan(line[0]).any():
            raise ComponentError(f"{who} must return rising values")
        if not all(((p >= 0) & (p <= 1)).all() for p in line[1:]):
            raise ComponentError(f"{who} must return p values from 0 to 1")
    return [(line[0], line[1], line[2]) for line in lines]


def _floats(answer: Any, who: str) -> Floats:
    """Return an answer as float64; complex numbers and texts are none."""
    try:
        array = np.asarray(answer)
        if array.dtype.kind in "biufO":
            return array.astype(np.float64)
        what = "complex numbers" if array.dtype.kind == "c" else type(answer).__name__
    except Exception:  # whatever an object of somebody's own does when it is asked for its numbers
        what = type(answer).__name__
    raise ComponentError(f"{who} must return numbers, found {what}")


def _spelled(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or "a single one"
