"""What is to be said of an answer that a law was not made for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from prunebench.scaling.law.law import Law
from prunebench.scaling.law.members import FITTED, Member, predicted, unpruned_points
from prunebench.scaling.points import Floats, Points

__all__ = ["apart", "cautions"]

_FAR = 4.0
"""From a density so many times below the least measured one on nothing says that the law goes on."""


def cautions(law: Law, one: Member, density: Floats) -> Iterator[str]:
    """Yield in sentences where a member at densities lies outside what its law knows.

    That is what lies outside the points of the law, or of the law of unpruned networks where this tells its
    unpruned error; scales that the points say nothing of; and errors that fall the further it is pruned.
    """
    points = one.points(density)
    for text in _outside(law, points, law.fit.outside(points)):
        yield f"extrapolated: {text}"
    if law.unpruned is not None and one.source == FITTED and one.error_unpruned == one.error_unpruned:
        asked = unpruned_points(law, one)
        ranges = {
            name: ends for name, ends in law.unpruned.outside(asked).items() if name not in law.fit.ranges
        }
        for text in _outside(law, asked, ranges):
            yield f"the unpruned error is extrapolated: {text}"
    for name in ("depth", "width", "examples"):
        if name not in law.fit.ranges and not np.isnan(points.column(name)).any():
            value = points.column(name)[0]
            yield f"{name} {value:g} makes no difference: the points say nothing of their {name}"
    yield from _far(law, one, density)
    yield from _rising(law, one, density)


def _outside(law: Law, points: Points, ranges: Mapping[str, tuple[float, float]]) -> Iterator[str]:
    for name, (low, high) in ranges.items():
        values = points.column(name)
        value = values[(values < low * (1 - 1e-9)) | (values > high * (1 + 1e-9))][0]
        shown, first, last = apart(value, low, high)
        told = f"which all have {first}" if low == high else f"which go from {first} to {last}"
        counted = name == "parameters" and "prunable" in law.points.extra
        what = "prunable weights" if counted else name.replace("_", " ")
        yield f"{what} {shown} lies outside the points, {told}"


def apart(*values: float) -> list[str]:
    """Return numbers in four digits, or in as many as it takes that those that differ are spelled so.

    >>> apart(15000.5, 938.0, 15000.0), apart(0.0123456, 0.5)
    (['15,000.5', '938', '15,000'], ['0.01235', '0.5'])
    """
    for digits in range(4, 18):
        shown = [_spelled(value, digits) for value in values]
        if len(set(shown)) == len(set(values)):
            break
    return shown


def _spelled(value: float, digits: int) -> str:
    whole = len(f"{abs(value):.0f}") if abs(value) < 1e15 else 0
    return f"{value:,.{max(digits, whole)}g}"


def _far(law: Law, one: Member, density: Floats) -> Iterator[str]:
    low = law.fit.ranges.get("density", (0.0, 1.0))[0]
    least = float(density.min())
    if least < low / _FAR:
        left = "" if one.prunable is None else f", {max(round(least * one.prunable), 1):,} weights,"
        yield (
            f"density {least:.3g}{left} is {low / least:,.0f} times below the least measured one: nothing "
            "says that the law holds so far down, where whole layers may be empty"
        )


def _rising(law: Law, one: Member, density: Floats) -> Iterator[str]:
    """Yield that an error falls below that of the same member less pruned, which no pruning does for ever."""
    if "density" not in law.fit.form.columns or "density" in law.fit.form.constant:
        return
    error, whole = predicted(law, one, density).error, predicted(law, one, np.ones(1)).error[0]
    if (error < whole * (1 - 1e-6)).any():
        why = ""
        up = law.fit.parameters.get("error_up")
        if up is not None and one.error_unpruned > up:
            why = f", since its unpruned error, {one.error_unpruned:.3g}, is above error_up, {up:.3g}"
        yield f"by this law its error falls the further it is pruned{why}: the law is of no such network"
