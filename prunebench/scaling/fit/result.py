"""A fit: coefficients, how well and how surely they fit, and what they say of networks."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from prunebench.errors import FitError
from prunebench.scaling.fit.intervals import quantile
from prunebench.scaling.fit.problem import Problem
from prunebench.scaling.fit.regions import spread_at
from prunebench.scaling.form import Form, Note, columns_read
from prunebench.scaling.points import Floats, Points, checked
from prunebench.scaling.points.columns import in_words

__all__ = ["Fit", "Worst"]

_UNKNOWN = 500.0
"""Of the logarithm of an error: any that there can be."""
_DEPENDS = 1e-4
"""The share of a prediction's slopes along an undetermined direction from which on it is undetermined too."""


@dataclass(frozen=True)
class Worst:
    """A point where a fit is far off."""

    row: int
    """Its row among the points, from 0 on."""
    measured: float
    predicted: float
    relative: float
    """(predicted − measured) / measured."""
    density: float
    network: int
    seed: int


@dataclass(frozen=True)
class Fit:
    """A form with the coefficients that fit some points best, and how well and how surely they do."""

    form: Form
    parameters: Mapping[str, float]
    """All coefficients by name, the fixed ones among them."""
    fixed: Mapping[str, float]
    standard_errors: Mapping[str, float]
    """Of the coefficients that were searched for; infinite where the data do not determine one."""
    intervals: Mapping[str, tuple[float, float]]
    """Their 95 % intervals, from the covariance."""
    loss: str
    mu: float
    """The mean of (predicted − measured) / measured over the points."""
    sigma: float
    """Their standard deviation."""
    worst: tuple[Worst, ...]
    starts: int
    converged: float
    """The share of the starts from which the search converged."""
    reached: float
    """The share of the starts that reached the same least loss."""
    notes: tuple[Note, ...]
    """What the data do not determine."""
    ranges: Mapping[str, tuple[float, float]]
    """The least and the greatest value of each column that the form reads or that must agree, and of depth,
    width and examples where these are known: the law is of such networks alone."""
    points: int
    networks: int
    factor: tuple[tuple[float, ...], ...]
    """A row for each coefficient in `standard_errors`; F Fᵀ is their covariance, by the logarithm where they
    are searched for so. What is undetermined is not in it."""
    undetermined: tuple[tuple[float, ...], ...]
    """Directions of these coefficients, one a row, along which no point's prediction changes."""
    spread: float
    """The standard deviation of a point's relative error around the law."""
    spreads: tuple[tuple[float, float], ...]
    """Densities, rising, and the spread around each: where networks err as a whole, of networks left out."""
    freedom: int
    """Points less coefficients searched for."""
    together: float
    """The correlation of relative errors of neighbouring densities of a network."""
    clusters: int
    """Networks that the covariance counts in place of points, as these go together; 0 where they do not."""
    version: str | None = None
    """That of the form: another may be of another function."""
    bootstrap: Mapping[str, tuple[float, float]] | None = None
    """95 % intervals over networks drawn again, where these were asked for."""

    @property
    def covariance(self) -> Floats:
        """Of the coefficients in `standard_errors`, k × k; those of an infinite error have no place in it."""
        factor = np.array(self.factor)
        return np.asarray(factor @ factor.T)

    @property
    def rosenfeld(self) -> bool:
        """True if the form is one of Rosenfeld et al. 2021: a power law between two plateaus."""
        return {"error_up", "gamma", "p"} <= set(self.parameters)

    def is_open(self, name: str) -> bool:
        """True if a coefficient is no estimate, as a note says: open in the points, or at a bound."""
        told = (note.parameters for note in self.notes if note.no_estimate)
        return name not in self.fixed and any(name in names for names in told)

    def predict(self, points: Points) -> tuple[Floats, Floats, Floats]:
        """Return the errors of networks, and between which bounds a measurement of each is expected.

        The interval holds a new measurement with a chance of 95 %: it has what is unknown of the
        coefficients and the points' spread around the law in it. `points.error` is not read.

        Raises: FitError for a column that the form needs and the points have not.
        """
        checked(points, columns_read(self.form, self.fixed), self.form.most, error=False)
        if other := self.of_another(points):
            raise FitError(f"{other[1]}; a form that reads {other[0]} may say it")
        return _predicted(self, points)

    def outside(self, points: Points) -> dict[str, tuple[float, float]]:
        """Return the columns in which a point lies outside what was fitted, with the range that was.

        These are all columns in `ranges` that are known of the points.
        """
        near, known = 1e-9, points.names()
        return {
            name: (low, high)
            for name, (low, high) in self.ranges.items()
            if name in known
            and ((points.column(name) < low * (1 - near)) | (points.column(name) > high * (1 + near))).any()
        }

    def of_another(self, points: Points) -> tuple[str, str] | None:
        """Return the column in which points differ from those fitted, of which the law is of one value alone.

        With it a sentence. A law of one depth has that depth in its coefficients, and is wrong of any other.
        """
        outside = self.outside(points)
        for name in self.form.constant:
            if name in outside:
                low = outside[name][0]
                values = points.column(name)
                value = values[~np.isclose(values, low, rtol=1e-9) & ~np.isnan(values)][0]
                return name, (
                    f"form {self.form.name!r} is of one {in_words(name)}, {low:g} here; "
                    f"found {name} {value:g}, of which it says nothing"
                )
        return None

    def to_json(self) -> str:
        """Return the fit as JSON; `stored.fit_of` reads it back. Infinite numbers are null in it."""
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        plain["form"] = self.form.name
        plain["worst"] = [dataclasses.asdict(one) for one in self.worst]
        plain["notes"] = [dataclasses.asdict(one) for one in self.notes]
        return json.dumps(_finite(plain), indent=1, allow_nan=False)


def _predicted(fit: Fit, points: Points) -> tuple[Floats, Floats, Floats]:
    """Return predictions with 95 % intervals for a measurement, on the logarithm of the error."""
    blank = points.changed(error=np.ones(len(points)))
    problem = Problem(fit.form, blank, fit.fixed, np.ones(len(points)))
    vector = problem.vector(fit.parameters)
    error = problem.predicted(vector)
    slopes = problem.slopes(vector) / error[:, None]
    k = len(vector)
    factor = np.array(fit.factor).reshape(k, -1) if k else np.zeros((0, 0))
    variance = np.sum((slopes @ factor) ** 2, axis=1)
    density = np.nan_to_num(points.density, nan=1.0)
    half = quantile(fit.clusters, fit.freedom) * np.sqrt(variance + spread_at(fit.spreads, density) ** 2)
    half += _open(problem, slopes, np.array(fit.undetermined).reshape(-1, k) if k else ())
    half = np.minimum(half, _UNKNOWN) if fit.freedom > 0 else np.full(len(points), _UNKNOWN)
    return error, error * np.exp(-half), np.minimum(error * np.exp(half), fit.form.most)


def _open(problem: Problem, slopes: Floats, undetermined: Iterable[Floats]) -> Floats:
    """Return how far each prediction may be off because of directions that the points do not determine.

    Without end where it depends on one. Where its slopes along one cancel it does not; what rounding leaves
    of them counts as far as the coefficients' bounds let one go.
    """
    answer = np.zeros(len(slopes))
    for direction in undetermined:
        terms = slopes * direction
        moved, whole = np.abs(terms.sum(axis=1)), np.abs(terms).sum(axis=1)
        room = float(np.min((problem.high - problem.low) / np.maximum(np.abs(direction), 1e-300)))
        answer += np.where(moved > _DEPENDS * whole + 1e-300, _UNKNOWN, moved * room)
    return answer


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
