"""One fit as numbers: free coefficients as a vector, residuals and their Jacobian."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from prunebench.errors import ComponentError
from prunebench.faults import blamed
from prunebench.scaling.form import Coefficient, Form
from prunebench.scaling.points import Floats, Points

__all__ = ["Problem", "check_slopes", "origin", "sound"]

_STEP = 1e-6
"""Of central differences, where a form has no gradient: near the cube root of a float's precision."""


@dataclass(frozen=True)
class Problem:
    """A form, points and what is fixed.

    A vector holds the free coefficients, k of them, by logarithm where they say so.
    """

    form: Form
    points: Points
    fixed: Mapping[str, float]
    weights: Floats
    """How often each point counts."""
    logs: bool = False
    """True if residuals are log(predicted / measured), False if predicted / measured − 1."""

    @cached_property
    def free(self) -> tuple[Coefficient, ...]:
        """The coefficients that are searched for."""
        return tuple(one for one in self.form.coefficients if one.name not in self.fixed)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(one.name for one in self.free)

    @cached_property
    def low(self) -> Floats:
        """The least vector."""
        return np.array([_scaled(one, one.low) for one in self.free])

    @cached_property
    def high(self) -> Floats:
        """The greatest vector."""
        return np.array([_scaled(one, one.high) for one in self.free])

    @cached_property
    def roots(self) -> Floats:
        """Square roots of the weights: what residuals are multiplied by."""
        return np.sqrt(self.weights)

    def values(self, vector: Floats) -> dict[str, float]:
        """Return all coefficients by name."""
        searched = {
            one.name: float(np.exp(value)) if one.log else float(value)
            for one, value in zip(self.free, vector, strict=True)
        }
        return {
            one.name: searched.get(one.name, self.fixed.get(one.name, np.nan))
            for one in self.form.coefficients
        }

    def vector(self, values: Mapping[str, float]) -> Floats:
        """Return the free ones of some coefficients as a vector."""
        return np.array([_scaled(one, values[one.name]) for one in self.free])

    def predicted(self, vector: Floats) -> Floats:
        """Return the errors that the form gives, n. Raises: ComponentError where it does not give them."""
        with np.errstate(all="ignore"), blamed(origin(self.form)):
            raw = np.asarray(self.form.function(self.points, **self.values(vector)))
        if raw.shape != self.points.error.shape or raw.dtype.kind not in "fiu":
            given = f"an array of shape {raw.shape} and type {raw.dtype}"
            raise ComponentError(
                f"{origin(self.form)} returned {given}; {len(self.points)} real numbers are wanted"
            )
        return raw.astype(np.float64)

    def residuals(self, vector: Floats) -> Floats:
        """Return the residuals, n; large where the form gives no number."""
        ratio = self.predicted(vector) / self.points.error
        with np.errstate(all="ignore"):
            raw = np.log(ratio) if self.logs else ratio - 1
        return np.asarray(self.roots * _numbers(raw, nan=1e10, far=1e10))

    def slopes(self, vector: Floats) -> Floats:
        """Return the derivatives of the predicted errors by the vector, n × k."""
        if not self.free:
            return np.zeros((len(self.points), 0))
        if self.form.gradient is None:
            return self._differences(vector)
        values = self.values(vector)
        with np.errstate(all="ignore"), blamed(f"the gradient of {origin(self.form)}"):
            columns = self.form.gradient(self.points, **values)
            scaled = [
                np.asarray(columns[one.name]) * (values[one.name] if one.log else 1.0) for one in self.free
            ]
        for one, column in zip(self.free, scaled, strict=True):
            if column.shape != self.points.error.shape or column.dtype.kind not in "fiu":
                given = f"an array of shape {column.shape} and type {column.dtype}"
                raise ComponentError(
                    f"the gradient of {origin(self.form)} by {one.name} is {given}; "
                    f"{len(self.points)} real numbers are wanted"
                )
        return np.stack(scaled, axis=1).astype(np.float64)

    def _differences(self, vector: Floats) -> Floats:
        columns = []
        for i, value in enumerate(vector):
            step = _STEP * max(abs(value), 1.0)
            up, down = vector.copy(), vector.copy()
            up[i], down[i] = min(value + step, self.high[i]), max(value - step, self.low[i])
            columns.append((self.predicted(up) - self.predicted(down)) / (up[i] - down[i]))
        return np.stack(columns, axis=1)

    def jacobian(self, vector: Floats) -> Floats:
        """Return the derivatives of the residuals by the vector, n × k."""
        by = self.predicted(vector) if self.logs else self.points.error
        with np.errstate(all="ignore"):
            return _numbers(self.slopes(vector) * (self.roots / by)[:, None], nan=0.0, far=0.0)

    def inside(self, vector: Floats) -> Floats:
        """Return a vector moved between the bounds, not onto them."""
        width = np.minimum(self.high - self.low, 1e6)
        return np.clip(vector, self.low + 1e-9 * width, self.high - 1e-9 * width)

    def counted(self, weights: Floats) -> Problem:
        """Return the same problem with points that count otherwise; those of weight 0 are left out."""
        there = weights > 0
        return replace(self, points=self.points.rows(there), weights=weights[there])


def _numbers(values: Floats, *, nan: float, far: float) -> Floats:
    """Return values with numbers for NaN and for what is infinite: as they are, nearly every time."""
    if np.isfinite(values).all():
        return values
    return np.nan_to_num(values, nan=nan, posinf=far, neginf=-far)


def origin(form: Form) -> str:
    """Return a form's name, and where its function was written."""
    code = getattr(form.function, "__code__", None)
    where = "" if code is None else f" ({Path(code.co_filename).name}:{code.co_firstlineno})"
    return f"form {form.name!r}{where}"


def sound(problem: Problem, vector: Floats) -> Floats:
    """Return the errors that a form gives where a search ended.

    Raises: ComponentError naming form and point where one is no number above 0, or a derivative is none.
    """
    predicted = problem.predicted(vector)
    wrong = np.flatnonzero(~(np.isfinite(predicted) & (predicted > 0)))
    if len(wrong):
        row = int(wrong[0])
        raise ComponentError(
            f"{origin(problem.form)} gives {predicted[row]:g} for {problem.points.said(row)} at the best "
            f"coefficients, {_told(problem, vector)}; allowed: errors above 0"
        )
    check_slopes(problem, vector)
    return predicted


def check_slopes(problem: Problem, vector: Floats) -> None:
    """Raises: ComponentError for a gradient that is no number where the form's errors are numbers."""
    if not np.isfinite(problem.predicted(vector)).all():
        return
    wrong = np.flatnonzero(~np.isfinite(problem.slopes(vector)).all(axis=0))
    if len(wrong):
        raise ComponentError(
            f"the gradient of {origin(problem.form)} by {problem.names[wrong[0]]} is no number at "
            f"{_told(problem, vector)}"
        )


def _told(problem: Problem, vector: Floats) -> str:
    return ", ".join(f"{name} = {value:.4g}" for name, value in problem.values(vector).items())


def _scaled(one: Coefficient, value: float) -> float:
    with np.errstate(divide="ignore"):
        return float(np.log(value)) if one.log else value
