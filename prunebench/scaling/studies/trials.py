"""How a law does on points that it was not fitted to, and how many points it needs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import numpy as np

from prunebench.errors import FitError
from prunebench.scaling.fit import Fit, fit, prepared
from prunebench.scaling.fit.search import least
from prunebench.scaling.form import Form
from prunebench.scaling.points import Bools, Floats, Ints, Points
from prunebench.scaling.studies.baseline import interpolated

__all__ = [
    "HeldOut",
    "Needed",
    "each_network",
    "enough",
    "extrapolated",
    "leave_one_network_out",
    "points_needed",
]

_NONE: Mapping[str, float] = {}


def each_network(
    form: Form,
    points: Points,
    *,
    fixed: Mapping[str, float] = _NONE,
    loss: str = "relative-squares",
    starts: int = 20,
) -> dict[int, Fit]:
    """Return the fit of a form to each network alone, by the network's number.

    Of Eq. 1 of Rosenfeld et al. 2021 its gamma and error_up are alike over a family. Networks that a fit of
    their own is refused for, with too few densities say, are left out.
    """
    made = {}
    for network in np.unique(points.network):
        with suppress(FitError):
            own = points.rows(points.network == network)
            made[int(network)] = fit(form, own, fixed=fixed, loss=loss, starts=starts)
    return made


@dataclass(frozen=True)
class HeldOut:
    """Relative errors of predictions of points that took no part in the fit."""

    rows: Ints
    """Which points, by their rows."""
    predicted: Floats
    mu: float
    """The mean of (predicted − measured) / measured."""
    sigma: float
    """Its standard deviation."""
    baseline_mu: float
    """The same of interpolation between the points that took part."""
    baseline_sigma: float

    @property
    def is_better(self) -> bool:
        """True if the law is less off than interpolation, by the root of the mean square."""
        return math.hypot(self.mu, self.sigma) < math.hypot(self.baseline_mu, self.baseline_sigma)


def leave_one_network_out(made: Fit, points: Points) -> HeldOut:
    """Return how each network is predicted by a fit to all others; searches go on from the whole fit.

    Raises: FitError for fewer than three networks, where the others cannot determine a coefficient, or a
    search does not converge.
    """
    points = points.told_apart(made.form.columns)
    networks = np.unique(points.network)
    if len(networks) < 3:
        raise FitError(f"leaving a network out needs three or more; the points are of {len(networks)}")
    predicted, baseline = np.empty(len(points)), np.empty(len(points))
    for network in networks:
        out = points.network == network
        predicted[out] = _without(made, points, out)
        baseline[out] = interpolated(points.rows(~out), points.rows(out), made.form.columns)
    return _held_out(points, np.arange(len(points)), predicted, baseline)


def _without(made: Fit, points: Points, out: Bools) -> Floats:
    try:
        return _from_others(made, points.rows(~out), points.rows(out))
    except FitError as error:
        raise FitError(f"without the network of {points.said(int(np.argmax(out)))}: {error}") from error


def _from_others(made: Fit, points: Points, others: Points) -> Floats:
    """Return other points by a law that is fitted to some, from the coefficients of a fit on."""
    problem = prepared(made.form, points, made.fixed)
    end = least(problem, made.loss, problem.vector(made.parameters))
    if not end.converged:
        raise FitError("the fit did not converge")
    return np.asarray(made.form.function(others, **problem.values(end.vector)))


def extrapolated(
    form: Form,
    points: Points,
    small: Bools,
    *,
    fixed: Mapping[str, float] = _NONE,
    loss: str = "relative-squares",
    starts: int = 50,
) -> tuple[Fit, HeldOut]:
    """Return the fit to some points, by a mask, and how it predicts the others.

    Rosenfeld et al. 2021, App. F: from widths 1/8 and 1/4 at depths 14 and 20 to all that are larger.

    Raises: FitError as `fit`, and where no point is left to be predicted.
    """
    if small.all():
        raise FitError("every point takes part in the fit: none is left to be predicted")
    made = fit(form, points.rows(small), fixed=fixed, loss=loss, starts=starts)
    others = points.rows(~small)
    baseline = interpolated(points.rows(small), others, form.columns)
    return made, _held_out(points, np.flatnonzero(~small), made.predict(others)[0], baseline)


def _held_out(points: Points, rows: Ints, predicted: Floats, baseline: Floats) -> HeldOut:
    measured = points.error[rows]
    own, other = predicted / measured - 1, baseline / measured - 1
    numbers = (float(one) for part in (own, other) for one in (part.mean(), part.std()))
    return HeldOut(rows, predicted, *numbers)


@dataclass(frozen=True)
class Needed:
    """How much fits to random parts of the points differ, judged on all points."""

    size: int
    """Networks, or single points, that take part in each."""
    mu: float
    """µ over all points, on average over the fits."""
    sigma: float
    mu_spread: float
    """The standard deviation of µ between the fits."""
    sigma_spread: float
    failed: int
    """Draws without a fit: too few points, one width alone, no convergence."""


def points_needed(
    made: Fit,
    points: Points,
    sizes: Sequence[int],
    *,
    of: Literal["networks", "points"] = "networks",
    repeats: int = 30,
    seed: int = 0,
) -> list[Needed]:
    """Return the quality of fits to random networks, with all their densities, or to random single points.

    Section 5 of Rosenfeld et al. 2021: about 15 networks or 40 points, until the spread is under 1 %.
    Searches go on from the whole fit.

    Raises: FitError for a size that the points have not.
    """
    rng = np.random.default_rng(seed)
    most = points.networks() if of == "networks" else len(points)
    for size in sizes:
        if not 1 <= size <= most:
            raise FitError(f"a size is {size}; allowed: 1 to {most}, the {of} that there are")
    return [_needed(made, points, size, list(_chosen(points, size, of, repeats, rng))) for size in sizes]


def _chosen(points: Points, size: int, of: str, repeats: int, rng: np.random.Generator) -> Iterator[Bools]:
    units = points.network if of == "networks" else np.arange(len(points))
    names = np.unique(units)
    for _ in range(repeats):
        yield np.isin(units, rng.choice(names, size, replace=False))


def _needed(made: Fit, points: Points, size: int, chosen: list[Bools]) -> Needed:
    quality = []
    for part in chosen:
        with suppress(FitError):
            predicted = _from_others(made, points.rows(part), points)
            relative = predicted / points.error - 1
            quality.append((relative.mean(), relative.std()))
    if not quality:
        return _row(size, np.full(4, np.nan), len(chosen))
    mean = np.mean(quality, axis=0)
    spread = np.std(quality, axis=0, ddof=1) if len(quality) > 1 else np.full(2, np.nan)
    return _row(size, np.concatenate([mean, spread]), len(chosen) - len(quality))


def _row(size: int, numbers: Floats, failed: int) -> Needed:
    mu, sigma, mu_spread, sigma_spread = map(float, numbers)
    return Needed(size, mu, sigma, mu_spread, sigma_spread, failed)


def enough(curve: Sequence[Needed], spread: float = 0.01) -> int | None:
    """Return the least size from which on the spreads of µ and σ stay under a bound; None where none does."""
    size = None
    for one in sorted(curve, key=lambda one: -one.size):
        if one.failed or not max(one.mu_spread, one.sigma_spread) < spread:
            break
        size = one.size
    return size
