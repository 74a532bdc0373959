"""Asking a quantity for its numbers: what it returns is looked at, and what is wrong is said in its name."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from prunebench.checks.curves import Curves, Floats
from prunebench.errors import ComponentError

__all__ = ["QuantityLike", "numbers"]


class QuantityLike(Protocol):
    """What of a `prunebench.Quantity` is needed to ask it."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def function(self) -> Any: ...  # noqa: D102
    @property
    def inference(self) -> str: ...  # noqa: D102


def numbers(quantity: QuantityLike, curves: Curves, parameters: Mapping[str, Any]) -> Floats:
    """Return a quantity's numbers of a method's curves.

    They are S (one a seed), R (one a resample of the seeds) or P × S (1 or 0 for each run), as the quantity's
    inference is "seeds", "curve" or "counts". NaN is what a missing result decides.

    Raises: ComponentError where what the function returns has another shape, is no number, or is not 0 or 1
    where it counts.
    """
    who = f"quantity {quantity.name!r}"
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a mean over nothing: the answer, NaN, says so
        answer = quantity.function(curves, **parameters)
    try:
        array = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError):
        raise ComponentError(f"{who} must return numbers, found {type(answer).__name__}") from None
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


def _spelled(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or "a single one"
