"""Fitting a form to points: what is wrong of them, the search, what its end says."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from prunebench.errors import FitError, nearest
from prunebench.scaling.fit import search
from prunebench.scaling.fit.intervals import known
from prunebench.scaling.fit.notes import notes
from prunebench.scaling.fit.obstacles import differing, untold
from prunebench.scaling.fit.problem import Problem, check_slopes, sound
from prunebench.scaling.fit.result import Fit, Worst
from prunebench.scaling.form import Form, columns_read
from prunebench.scaling.points import Floats, Points, checked
from prunebench.scaling.points.columns import SCALES

__all__ = ["LOSSES", "check_fixed", "described", "fit", "prepared"]

LOSSES = ("relative-squares", "huber-log")
"""Squares of (predicted − measured) / measured, and Huber's function of log(predicted / measured)."""

WORST = 10
"""Points with the largest relative errors that a fit keeps."""

_NONE: Mapping[str, float] = MappingProxyType({})


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
    check_slopes(problem, search.starts(problem, 1, seed)[0])
    made = search.ends(problem, loss, starts, seed)
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


def described(problem: Problem, loss: str, made: list[search.End]) -> Fit:
    """Return what the best of some ends says. Raises: FitError where none converged."""
    best = search.best(problem, loss, made)
    points, form = problem.points, problem.form
    values = problem.values(best.vector)
    predicted = sound(problem, best.vector)
    relative = predicted / points.error - 1
    sure = known(problem, best.vector, loss)
    return Fit(
        form=form,
        parameters=values,
        fixed=dict(problem.fixed),
        standard_errors=sure.errors,
        intervals=sure.intervals,
        loss=loss,
        mu=float(relative.mean()),
        sigma=float(relative.std()),
        worst=_worst(points, predicted, relative),
        starts=len(made),
        converged=sum(end.converged for end in made) / len(made),
        reached=sum(search.same(best, end) for end in made) / len(made),
        notes=tuple(notes(problem, best.vector, sure, reached=sum(search.same(best, end) for end in made))),
        ranges=_ranges(form, points),
        points=len(points),
        networks=points.networks(),
        factor=_plain(sure.factor),
        undetermined=_plain(sure.undetermined),
        spread=sure.spread,
        spreads=sure.spreads,
        freedom=len(points) - len(problem.free),
        together=sure.together,
        clusters=sure.clusters,
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
    for said in differing(form, points):
        raise FitError(f"form {form.name!r} {said}")
    for one, everywhere, given in untold(problem.free, points):
        raise FitError(
            f"every point has {everywhere}, which cannot determine {one.name}; fix it ({given}), or add "
            f"points of another {one.varies}"
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


def _ranges(form: Form, points: Points) -> dict[str, tuple[float, float]]:
    """Return the range of what the form reads, of what must agree, and of the scales that are known."""
    names = dict.fromkeys([*form.columns, *form.constant, *SCALES])
    known = {name: points.column(name) for name in names if name in points.names()}
    return {name: (float(np.nanmin(one)), float(np.nanmax(one))) for name, one in known.items()}
