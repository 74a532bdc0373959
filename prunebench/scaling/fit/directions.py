"""What points determine of coefficients: directions, their errors, and whether networks err as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from prunebench.scaling.points import Bools, Floats, Ints, Points

__all__ = ["Directions", "clustered", "directions", "left_out", "together"]

_SINGULAR = 1e-7
"""A direction of the scaled Jacobian with a smaller singular value is undetermined."""
_LEVERAGE = 0.98
"""The most that one network is taken to determine of a direction: beyond it nothing tells its scatter."""
_ONE_SIDED = 3.5
"""Standard deviations that are exceeded by chance in two cases of ten thousand."""
_NOTED = 2.33
"""In one of a hundred: of a single network, where it changes no number and is only told."""
_ROUNDING = 1e-10
"""Residuals below it are those of a fit without any scatter."""


class Directions(NamedTuple):
    """The Jacobian of the logs of n predictions by k coefficients, by its singular vectors."""

    basis: Floats
    """n × r, orthonormal: how the predictions change along each direction that is determined."""
    back: Floats
    """k × r: by how much the coefficients change for a step of length one of the predictions."""
    undetermined: Floats
    """Directions along which no prediction changes, one a row, by the coefficients."""


def directions(slopes: Floats) -> Directions:
    """Return the directions of a Jacobian, each column scaled to length one before.

    A covariance is kept as a factor of these, never as the inverse of JᵀJ: where coefficients are known only
    together its entries would be huge, and cancel in a prediction to nothing but rounding.
    """
    n, k = slopes.shape
    if not k:
        return Directions(np.zeros((n, 0)), np.zeros((0, 0)), np.zeros((0, 0)))
    lengths = np.maximum(np.linalg.norm(slopes, axis=0), 1e-12)
    basis, sizes, rows = np.linalg.svd(slopes / lengths, full_matrices=False)
    known = sizes > _SINGULAR
    back = (rows[known] / sizes[known, None] / lengths).T
    return Directions(basis[:, known], back, rows[~known] / lengths)


def together(points: Points, residuals: Floats) -> tuple[float, bool]:
    """Return how residuals of neighbours within networks go together, and True if that is no chance.

    Neighbours are points next to each other when a network's are ordered by density, the seeds of each
    together, or when each seed's are, since an unpruned error is that of a seed. Their correlation is tested
    against none by the sum of products over the root of the sum of their squares, which is nearly
    standard normal for independent residuals of any spread: it is no chance beyond 3.5, or, of a single
    network, 2.33.
    """
    size = float(np.mean(residuals**2))
    if size < _ROUNDING**2:
        return 0.0, False
    sure = _ONE_SIDED if points.networks() > 1 else _NOTED
    orders = ((points.seed, points.density), (points.density, points.seed))
    pairs = [_neighbours(points, residuals, order) for order in orders]
    products = max(pairs, key=lambda one: float(one.mean()) if len(one) else -np.inf)
    if not products.any():
        return 0.0, False
    return float(products.mean() / size), bool(products.sum() > sure * np.sqrt(np.sum(products**2)))


def _neighbours(points: Points, residuals: Floats, order: tuple[Floats | Ints, ...]) -> Floats:
    """Return the products of residuals of neighbours in an order of each network's points."""
    rows = np.lexsort((*order, points.network))
    own, sorted_ = points.network[rows], residuals[rows]
    return np.asarray((sorted_[1:] * sorted_[:-1])[own[1:] == own[:-1]])


def clustered(made: Directions, networks: Ints, residuals: Floats, spread: float) -> Floats:
    """Return a factor of the covariance of the coefficients, k × r, where residuals of a network go together.

    The covariance is that of networks left out one by one (Bell and McCaffrey 2002, their jackknife, CR3),
    (G − 1) / G · Σ b_g b_gᵀ with b_g = (I − U_gᵀ U_g)⁻¹ U_gᵀ e_g in the basis U, for G networks. It is
    taken as no less in any direction than that of independent points.
    """
    scores = np.array([_score(made.basis[own], residuals[own]) for own in _each(networks)])
    meat = (len(scores) - 1) / len(scores) * scores.T @ scores
    sizes, vectors = np.linalg.eigh(meat)
    return np.asarray(made.back @ (vectors * np.sqrt(np.maximum(sizes, spread**2))))


def left_out(made: Directions, units: Ints, residuals: Floats) -> Floats:
    """Return the residual that each point has of a fit without its unit (network), in the first order."""
    if len(np.unique(units)) == len(units):  # the same, of all at once
        return np.asarray(residuals / (1 - np.minimum(np.sum(made.basis**2, axis=1), _LEVERAGE)))
    answer = residuals.copy()
    for own in _each(units):
        answer[own] += made.basis[own] @ _score(made.basis[own], residuals[own])
    return answer


def _score(basis: Floats, residuals: Floats) -> Floats:
    sizes, vectors = np.linalg.eigh(basis.T @ basis)
    inverse = (vectors / (1 - np.minimum(sizes, _LEVERAGE))) @ vectors.T
    return np.asarray(inverse @ (basis.T @ residuals))


def _each(units: Ints) -> Iterator[Bools]:
    for unit in np.unique(units):
        yield units == unit
