"""Intervals of coefficients from networks drawn again: points of one network err together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from prunebench.errors import FitError
from prunebench.scaling.fit.fitting import prepared
from prunebench.scaling.fit.intervals import NORMAL, known, quantile
from prunebench.scaling.fit.notes import MANY
from prunebench.scaling.fit.problem import Problem
from prunebench.scaling.fit.result import Fit
from prunebench.scaling.fit.search import least
from prunebench.scaling.form import Note
from prunebench.scaling.points import Floats, Points

__all__ = ["bootstrap"]


def bootstrap(fit: Fit, points: Points, *, resamples: int = 1000, seed: int = 0) -> Fit:
    """Return the fit with 95 % intervals from a bootstrap over networks, in `Fit.bootstrap`.

    Each time as many networks as there are, G, drawn with replacement, are fitted from the fit's own
    coefficients on. Draws in which a coefficient is undetermined (all of one width, say) are drawn again. The
    ends are percentiles by their distance from the median, longer by Student's t of G − 1 over the normal's
    and by the root of G / (G − 1), since networks are few; and they reach as far as the fit is known to be
    off (see `Fit.intervals`), which percentiles of fits that are all off alike do not show.

    Raises: FitError for a single network, or where more than a tenth of the searches do not converge.
    """
    problem = prepared(fit.form, points, fit.fixed)
    networks = problem.points.networks()
    if networks < 2:
        raise FitError("a bootstrap draws networks again: two or more are needed, and the points are of one")
    start = problem.vector(fit.parameters)
    made = [least(part, fit.loss, start) for part in _drawn(problem, resamples, seed)]
    vectors = np.array([end.vector for end in made if end.converged])
    if len(vectors) < 0.9 * resamples:
        raise FitError(f"of {resamples} fits to networks drawn again only {len(vectors)} converged")
    shift = known(problem, start, fit.loss).shift
    return replace(
        fit, bootstrap=_intervals(problem, start, vectors, shift), notes=(*fit.notes, *_notes(problem))
    )


def _drawn(problem: Problem, resamples: int, seed: int) -> Iterator[Problem]:
    """Yield the problem with networks drawn again, each as often as it was drawn."""
    names, number = np.unique(problem.points.network, return_inverse=True)
    rng = np.random.default_rng(seed)
    columns = [problem.points.column(one.varies) for one in problem.free if one.varies]
    for _ in range(resamples):
        for _ in range(1000):
            counts = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
            weights = counts[number].astype(np.float64)
            if all(len(np.unique(column[weights > 0])) > 1 for column in columns):
                break
        else:
            raise FitError("networks drawn again hardly ever differ in what a coefficient is determined by")
        yield problem.counted(weights)


def _intervals(
    problem: Problem, vector: Floats, vectors: Floats, shift: Floats
) -> dict[str, tuple[float, float]]:
    networks = problem.points.networks()
    longer = quantile(networks, 0) / NORMAL * np.sqrt(networks / (networks - 1))
    low, middle, high = np.percentile(vectors, [2.5, 50, 97.5], axis=0)
    low = vector - longer * (middle - low) + np.minimum(shift, 0)
    high = vector + longer * (high - middle) + np.maximum(shift, 0)
    least_values = problem.values(np.maximum(low, problem.low))
    most_values = problem.values(np.minimum(high, problem.high))
    return {name: (least_values[name], most_values[name]) for name in problem.names}


def _notes(problem: Problem) -> Iterator[Note]:
    networks, coefficients = problem.points.networks(), len(problem.free)
    if networks < MANY * coefficients:
        yield Note(
            f"the bootstrap draws from {networks} networks only, for {coefficients} coefficients: its "
            "intervals are rough"
        )
