"""Members of a family that were perhaps never trained: their unpruned errors, their errors at a density."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from prunebench.errors import FitError
from prunebench.scaling.law import Law, proxy
from prunebench.scaling.points import Floats, Points, points_of

__all__ = ["NORMAL", "Counter", "Member", "Predicted", "member", "predicted", "row_of"]

Counter = Callable[[float, float], int | None]
"""Of depth and width, how many prunable weights a member has; None where nobody can say."""

MEASURED, FITTED, GIVEN = "measured", "by the law of unpruned networks", "given"


@dataclass(frozen=True)
class Member:
    """A network of the family. What the points do not know of themselves is NaN."""

    depth: float
    width: float
    examples: float
    prunable: int | None
    """Its prunable weights; None where these cannot be counted."""
    error_unpruned: float
    spread: float
    """The standard deviation of the log of its unpruned error; 0 where it was measured or given."""
    source: str
    """Where its unpruned error is from."""
    extra: Mapping[str, float] = field(default_factory=dict)
    """Further columns that a form reads, by name; they go before what is known otherwise."""

    @property
    def name(self) -> str:
        """What tells it apart, in words."""
        values = {"depth": self.depth, "width": self.width, "examples": self.examples}
        return (
            ", ".join(f"{name} {value:g}" for name, value in values.items() if value == value)
            or "the network"
        )

    def points(self, density: Floats) -> Points:
        """Return it at densities; its error is not known."""
        size = float(self.prunable) if self.prunable is not None else float("nan")
        columns = {
            "error_unpruned": self.error_unpruned, "depth": self.depth, "width": self.width,
            "examples": self.examples, "parameters": size, "prunable": size,
        }  # fmt: skip
        whole = {name: np.full(len(density), value) for name, value in {**columns, **self.extra}.items()}
        own = {"density": density, "error": np.full(len(density), np.nan), "nonzero": density * size}
        return points_of({**own, **whole})


@dataclass(frozen=True)
class Predicted:
    """Errors, and between which bounds 95 % of measurements are expected."""

    error: Floats
    low: Floats
    high: Floats


def row_of(law: Law, depth: float, width: float, examples: float) -> int | None:
    """Return the row of a network among those that were measured, None where it was not."""
    mine = law.networks
    same = np.ones(len(mine), dtype=np.bool_)
    for name, value in (("depth", depth), ("width", width), ("examples", examples)):
        column = mine.column(name)
        same &= np.isclose(column, value, rtol=1e-9, atol=0) | (np.isnan(column) & np.isnan(value))
    rows = np.flatnonzero(same)
    return int(rows[0]) if len(rows) else None


def member(
    law: Law, depth: float, width: float, examples: float, count: Counter, given: float | None = None
) -> Member:
    """Return a member with its unpruned error: given, else measured, else by the law of unpruned networks.

    Raises: FitError where it is none of these.
    """
    prunable, row = count(depth, width), row_of(law, depth, width, examples)
    untrained = Member(depth, width, examples, prunable, float("nan"), 0.0, FITTED)
    if "error_unpruned" not in law.fit.form.columns:
        return untrained
    if given is not None:
        return Member(depth, width, examples, prunable, given, 0.0, GIVEN)
    if row is not None and not np.isnan(law.networks.error_unpruned[row]):
        return Member(
            depth, width, examples, prunable, float(law.networks.error_unpruned[row]), 0.0, MEASURED
        )
    if law.unpruned is None:
        raise FitError(
            f"{untrained.name} was not measured, and there is no law of unpruned networks to tell its "
            f"unpruned error; --error-unpruned gives it"
        )
    points = untrained.points(np.ones(1))
    if law.proxy:
        points = points.changed(parameters=proxy(points))
    if np.isnan(points.column("parameters")).any():
        raise FitError(f"nobody can say how many weights {untrained.name} has; --architecture in `fit` does")
    error, low, _ = law.unpruned.predict(points)
    if not error[0] <= law.fit.form.most:
        raise FitError(
            f"the law of unpruned networks says an error of {error[0]:.3g} of {untrained.name}, beyond any "
            f"that there can be; --error-unpruned gives it"
        )
    spread = float(np.log(error / low)[0]) / NORMAL
    return Member(depth, width, examples, prunable, float(error[0]), spread, FITTED)


NORMAL = 1.959963984540054
"""Standard deviations on each side of the mean that hold 95 %."""


def predicted(law: Law, one: Member, density: Floats) -> Predicted:
    """Return a member's errors at densities; what is unknown of its unpruned error widens the intervals.

    Raises: FitError for a column that the form needs and the member has not.
    """
    points = one.points(density)
    error, low, high = law.fit.predict(points)
    if not one.spread or "error_unpruned" not in law.fit.form.columns:
        return Predicted(error, low, high)
    most = np.minimum(points.error_unpruned * np.exp(one.spread), law.fit.form.most)
    other = law.fit.predict(points.changed(error_unpruned=most))[0]
    more = np.log(other / error) * NORMAL
    below, above = np.hypot(np.log(error / low), more), np.hypot(np.log(high / error), more)
    return Predicted(error, error * np.exp(-below), np.minimum(error * np.exp(above), law.fit.form.most))


def distinct(values: Sequence[float] | Floats) -> list[float]:
    """Return the values that a column has, rising; NaN alone where nothing is known."""
    known = sorted({float(value) for value in values if value == value})
    return known or [float("nan")]
