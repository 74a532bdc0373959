"""Families of networks whose errors follow a law exactly, and with noise."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

import numpy as np

from prunebench.scaling.points import Floats, Points, points_of

LAW = {"error_up": 0.85, "gamma": 0.6, "p": 2e-3, "phi": 0.9, "psi": 1.4}
EXAMPLES = 50_000.0


def law(points: Points, coefficients: Mapping[str, float] = LAW) -> Floats:
    """Eq. 2 of Rosenfeld et al. 2021 as it is printed, with complex numbers."""
    error_up, gamma, p, phi, psi = (coefficients[name] for name in LAW)
    m = points.depth**phi * points.width**psi * points.density
    r = (error_up / points.error_unpruned) ** (1 / gamma)
    return points.error_unpruned * np.abs((m - 1j * p * r) / (m - 1j * p)) ** gamma


def family(
    depths: Iterable[float] = (8, 20, 50),
    widths: Iterable[float] = (1 / 8, 1 / 2, 1, 2),
    parts: Iterable[float] = (1, 4),
    levels: int = 30,
    coefficients: Mapping[str, float] = LAW,
) -> Points:
    """Networks of every depth and width on N / part examples, at densities 0.8^k for k below `levels`."""
    rows = np.array(list(itertools.product(depths, widths, parts, 0.8 ** np.arange(levels))))
    depth, width, part, density = rows.T
    unpruned = 0.06 * (20 / depth) ** 0.15 * width**-0.25 * part**0.3
    columns = {"depth": depth, "width": width, "examples": EXAMPLES / part, "density": density}
    points = points_of({**columns, "error_unpruned": unpruned, "error": unpruned})
    return points.changed(error=law(points, coefficients))


def noisy(points: Points, share: float, seed: int) -> Points:
    """The points with errors that scatter by a share of themselves, normally, at most 1."""
    scatter = 1 + share * np.random.default_rng(seed).standard_normal(len(points))
    return points.changed(error=np.minimum(points.error * scatter, 1.0))
