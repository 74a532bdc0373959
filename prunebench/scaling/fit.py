"""Fitting a form to points, and what a fit says of itself."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from prunebench.errors import FitError, nearest
from prunebench.scaling import _data, _intervals, _search
from prunebench.scaling._problem import Problem, check_slopes, sound
from prunebench.scaling.form import Form, Note, columns_read
from prunebench.scaling.notes import notes
from prunebench.scaling.points import Floats, Points, checked

__all__ = ["LOSSES", "Fit", "Worst", "check_fixed", "fit"]

LOSSES = ("relative-squares", "huber-log")
"""Squares of (predicted − measured) / measured, and Huber's function of log(predicted / measured)."""

WORST = 10
"""Points with the largest relative errors that a fit keeps."""

_NONE: Mapping[str, float] = MappingProxyType({})


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
        return _intervals.predicted(self, points)

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
                    f"form {self.form.name!r} is of one {_one(name)}, {low:g} here; found {name} {value:g}, "
                    "of which it says nothing"
                )
        return None

    def to_json(self) -> str:
        """Return the fit as JSON; `from_json` reads it back. Infinite numbers are null in it."""
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        plain["form"] = self.form.name
        plain["worst"] = [dataclasses.asdict(one) for one in self.worst]
        plain["notes"] = [dataclasses.asdict(one) for one in self.notes]
        return json.dumps(_finite(plain), indent=1, allow_nan=False)

    @staticmethod
    def from_json(text: str, forms: Mapping[str, Form]) -> Fit:
        """Return the fit that a JSON text holds, with its form out of those given by name.

        Raises: FitError for a text that is no fit, or of a form that is not there.
        """
        return _data.fit_of(text, forms)


def fit(
    form: Form,
    points: Points,
    *,
    fixed: Mapping[str, float] = _NONE,
    loss: str = "relative-squares",
    starts: int = 50,
    seed: int = 0,
) -> Fit:
    """Return the fit of a form to points: the best end of searches from many starts.

    Raises: FitError for points that the form cannot be fitted to, and where no search converged.
    """
    problem = prepared(form, points, fixed)
    if loss not in LOSSES:
        raise FitError(f"there is no loss {loss!r}{nearest(loss, LOSSES)}")
    if starts < 1:
        raise FitError(f"starts is {starts}; allowed: 1 or more")
    check_slopes(problem, _search.starts(problem, 1, seed)[0])
    made = _search.ends(problem, loss, starts, seed)
    return described(problem, loss, made)


def prepared(form: Form, points: Points, fixed: Mapping[str, float] = _NONE) -> Problem:
    """Return the problem of fitting a form to points. Raises: FitError, saying what is wrong of them."""
    check_fixed(form, fixed)
    checked(points, columns_read(form, fixed), form.most)
    points = points.told_apart(form.columns).kept()  # a form that changes them would be fitted to its own
    problem = Problem(form, points, dict(fixed), np.ones(len(points)))
    _check_columns(form, points, problem)
    if len(points) < len(problem.free):
        names = ", ".join(problem.names)
        raise FitError(f"{len(points)} points cannot determine {len(problem.free)} coefficients ({names})")
    return problem


def described(problem: Problem, loss: str, made: list[_search.End]) -> Fit:
    """Return what the best of some ends says. Raises: FitError where none converged."""
    best = _search.best(problem, loss, made)
    points, form = problem.points, problem.form
    values = problem.values(best.vector)
    predicted = sound(problem, best.vector)
    relative = predicted / points.error - 1
    known = _intervals.known(problem, best.vector, loss)
    return Fit(
        form=form,
        parameters=values,
        fixed=dict(problem.fixed),
        standard_errors=known.errors,
        intervals=known.intervals,
        loss=loss,
        mu=float(relative.mean()),
        sigma=float(relative.std()),
        worst=_worst(points, predicted, relative),
        starts=len(made),
        converged=sum(end.converged for end in made) / len(made),
        reached=sum(_search.same(best, end) for end in made) / len(made),
        notes=tuple(notes(problem, best.vector, known, reached=sum(_search.same(best, end) for end in made))),
        ranges=_ranges(form, points),
        points=len(points),
        networks=points.networks(),
        factor=_plain(known.factor),
        undetermined=_plain(known.undetermined),
        spread=known.spread,
        spreads=known.spreads,
        freedom=len(points) - len(problem.free),
        together=known.together,
        clusters=known.clusters,
        version=getattr(form, "version", None),
    )


def check_fixed(form: Form, fixed: Mapping[str, float]) -> None:
    """See that coefficients that are given are those of a form, between their bounds. Raises: FitError."""
    bounds = {one.name: one for one in form.coefficients}
    for name, value in fixed.items():
        if name not in bounds:
            raise FitError(f"form {form.name!r} has no coefficient {name!r}{nearest(name, bounds)}")
        one = bounds[name]
        if not one.low <= value <= one.high or (one.log and value <= 0):
            raise FitError(f"{name} is fixed at {value:g}; allowed: {one.low:g} to {one.high:g}")


def _check_columns(form: Form, points: Points, problem: Problem) -> None:
    for name in form.constant:
        values = np.unique(points.column(name)[~np.isnan(points.column(name))])
        if len(values) > 1:
            listed = ", ".join(f"{value:g}" for value in values[:6])
            raise FitError(f"form {form.name!r} is of one {name}; the points have {len(values)}: {listed}")
    for one in problem.free:
        if one.varies and len(np.unique(points.column(one.varies))) < 2:
            raise FitError(
                f"every point has {one.varies} {points.column(one.varies)[0]:g}, which cannot determine "
                f"{one.name}; fix it ({one.name}=0 leaves {one.varies} out), "
                f"or add points of another {one.varies}"
            )


def _worst(points: Points, predicted: Floats, relative: Floats) -> tuple[Worst, ...]:
    rows = np.argsort(-np.abs(relative), kind="stable")[:WORST]
    return tuple(
        Worst(
            row=int(i),
            measured=float(points.error[i]),
            predicted=float(predicted[i]),
            relative=float(relative[i]),
            density=float(points.density[i]),
            network=int(points.network[i]),
            seed=int(points.seed[i]),
        )
        for i in rows
    )


def _plain(rows: Floats) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(map(float, row)) for row in rows)


_SCALES = ("depth", "width", "examples")


def _one(column: str) -> str:
    return "number of examples" if column == "examples" else column


def _ranges(form: Form, points: Points) -> dict[str, tuple[float, float]]:
    """Return the range of what the form reads, of what must agree, and of the scales that are known."""
    names = dict.fromkeys([*form.columns, *form.constant, *_SCALES])
    known = {name: points.column(name) for name in names if name in points.names()}
    return {name: (float(np.nanmin(one)), float(np.nanmax(one))) for name, one in known.items()}


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
