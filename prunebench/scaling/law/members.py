"""Members of a family that were perhaps never trained: their unpruned errors, their errors at a density."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from prunebench.errors import FitError
from prunebench.scaling.fit import Fit
from prunebench.scaling.fit.intervals import NORMAL
from prunebench.scaling.law.law import Law, proxy
from prunebench.scaling.points import Floats, Points, points_of

__all__ = ["Counter", "Member", "Predicted", "member", "predicted", "row_of", "unpruned_points"]

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
    parameters: float | None = None
    """What the points call its parameters, which need not be prunable weights; None where they are."""
    unit: float = 1.0
    """What the points call `nonzero`, for each weight that is left; NaN where nobody can say."""

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
        parameters = size if self.parameters is None else self.parameters
        columns = {
            "error_unpruned": self.error_unpruned, "depth": self.depth, "width": self.width,
            "examples": self.examples, "parameters": parameters, "prunable": size,
        }  # fmt: skip
        whole = {name: np.full(len(density), value) for name, value in {**columns, **self.extra}.items()}
        own = {
            "density": density,
            "error": np.full(len(density), np.nan),
            "nonzero": density * size * self.unit,
        }
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
    untrained = _untrained(law, depth, width, examples, count)
    _check_of_the_law(law.fit, untrained, law.wider)
    row = row_of(law, depth, width, examples)
    if "error_unpruned" not in law.fit.form.columns:
        return untrained
    if given is not None:
        return replace(untrained, error_unpruned=given, source=GIVEN)
    if row is not None and not np.isnan(law.networks.error_unpruned[row]):
        return replace(untrained, error_unpruned=float(law.networks.error_unpruned[row]), source=MEASURED)
    if law.unpruned is None:
        raise FitError(
            f"{untrained.name} was not measured, and there is no law of unpruned networks to tell its "
            f"unpruned error; --error-unpruned gives it"
        )
    points = unpruned_points(law, untrained)
    if np.isnan(points.column("parameters")).any():
        raise FitError(_nobody_can_say(law, untrained))
    _check_of_the_law(law.unpruned, untrained, {}, "; --error-unpruned gives its unpruned error")
    error, low, _ = law.unpruned.predict(points)
    if not error[0] <= law.fit.form.most:
        raise FitError(
            f"the law of unpruned networks says an error of {error[0]:.3g} of {untrained.name}, beyond any "
            f"that there can be; --error-unpruned gives it"
        )
    spread = float(np.log(error / low)[0]) / NORMAL
    return replace(untrained, error_unpruned=float(error[0]), spread=spread)


def _untrained(law: Law, depth: float, width: float, examples: float, count: Counter) -> Member:
    """Return a member of unknown unpruned error, with its sizes as the points count them."""
    unit = parameters = None
    extra = law.points.extra
    if "parameters" in extra and "prunable" not in extra and not law.proxy:
        of_weights = _ratio(law, "parameters", count)
        size = count(depth, width)
        own = _own(law, depth, width)
        parameters = own if own is not None else float("nan") if size is None else size * of_weights
    if "nonzero" in law.fit.form.columns and "nonzero" in extra:
        unit = _ratio(law, "nonzero", count)
    return Member(
        depth,
        width,
        examples,
        count(depth, width),
        float("nan"),
        0.0,
        FITTED,
        parameters=parameters,
        unit=1.0 if unit is None else unit,
    )


_ALIKE = 0.02
"""Ratios that differ by less than this share are one."""


def _own(law: Law, depth: float, width: float) -> float | None:
    """Return the parameters of a network that was measured, with whatever data."""
    points, same = law.networks, np.ones(len(law.networks), dtype=np.bool_)
    for name, value in (("depth", depth), ("width", width)):
        same &= np.isclose(points.column(name), value, rtol=1e-9, equal_nan=True)
    return float(points.extra["parameters"][same][0]) if same.any() else None


def _ratio(law: Law, column: str, count: Counter) -> float:
    """Return how many of a column there are for each weight that is left; NaN where nobody can say."""
    points = law.points
    scales = np.nan_to_num(np.stack([points.depth, points.width], axis=1), nan=-1.0)
    _, first, kind = np.unique(scales, axis=0, return_index=True, return_inverse=True)
    counts = [count(float(points.depth[row]), float(points.width[row])) for row in first]
    weights = [counts[one] for one in kind.reshape(-1)]
    there = np.array([np.nan if one is None else float(one) for one in weights])
    if column == "nonzero":
        there = there * points.density
    ratio = points.extra[column] / there
    middle = float(np.median(ratio))
    return middle if np.all(np.abs(ratio / middle - 1) <= _ALIKE) else float("nan")


def unpruned_points(law: Law, one: Member) -> Points:
    """Return a member as the law of unpruned networks is asked of it: by the sizes that it was fitted by."""
    points = one.points(np.ones(1))
    return points.changed(parameters=proxy(points)) if law.proxy else points


def _nobody_can_say(law: Law, one: Member) -> str:
    if "parameters" in law.points.extra and "prunable" not in law.points.extra:
        return (
            f"the law of unpruned networks goes by the points' column 'parameters', and nobody can say that "
            f"of {one.name}; --error-unpruned gives its unpruned error, or a column 'prunable' its size"
        )
    return f"nobody can say how many weights {one.name} has; --architecture in `fit` does"


def _check_of_the_law(made: Fit, one: Member, wider: Mapping[str, str], else_: str = "") -> None:
    """Raises: FitError for a member in which a law differs that is of one value of a column alone."""
    other = made.of_another(one.points(np.ones(1)))
    if other is not None:
        column, said = other
        name = wider.get(column)
        fits = f"; fit form {name!r} to networks of several" if name else else_
        raise FitError(f"{said}{fits}")


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
