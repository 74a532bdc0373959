"""What no smooth falling law can follow: the noise of seeds, and dips below the unpruned error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from prunebench.scaling.fit import Fit, fit
from prunebench.scaling.points import Points

__all__ = ["Dips", "SeedNoise", "dips", "seed_noise", "unpruned_noise"]


@dataclass(frozen=True)
class SeedNoise:
    """How much the error differs between seeds, as a share of the error."""

    sd: float
    """Pooled over networks and densities, each seed against the mean of its place."""
    places: int
    """Networks at densities that were measured with two seeds or more."""
    freedom: int
    """Measurements there less places."""


def seed_noise(points: Points) -> SeedNoise | None:
    """Return the relative standard deviation between seeds; None where no place has two.

    Rows of one seed are taken together: without seeds nothing is known of how these differ.

    A fit's σ cannot be much below it unless the seeds are averaged; where it is, the fit averages them.
    """
    keys = np.stack([points.network.astype(np.float64), points.density, points.seed], axis=1)
    runs, run = np.unique(keys, axis=0, return_inverse=True)
    errors = np.bincount(run.reshape(-1), points.error) / np.bincount(run.reshape(-1))
    place = np.unique(runs[:, :2], axis=0, return_inverse=True)[1].reshape(-1)
    counts = np.bincount(place)
    means = np.bincount(place, errors) / counts
    squares = np.bincount(place, (errors / means[place] - 1) ** 2)
    freedom = int((counts - 1).sum())
    if freedom == 0:
        return None
    return SeedNoise(float(np.sqrt(squares.sum() / freedom)), int((counts > 1).sum()), freedom)


def unpruned_noise(points: Points) -> float | None:
    """Return the relative standard deviation of the unpruned error between seeds; None where none has two."""
    first = np.unique(np.stack([points.network, points.seed]), axis=1, return_index=True)[1]
    rows = points.rows(first)
    if np.isnan(rows.error_unpruned).any():
        return None
    whole = rows.changed(error=rows.error_unpruned, density=np.ones(len(rows)))
    noise = seed_noise(whole)
    return None if noise is None else noise.sd


@dataclass(frozen=True)
class Dips:
    """How far errors fall below the unpruned error, which the law never does, and what that changes."""

    share: float
    """Of the points, those below their network's unpruned error."""
    deepest: float
    """The least error / unpruned error − 1."""
    density: float
    """Where that is."""
    bias: float
    """µ of the fit, less µ of a fit to the same points with dips filled up to the unpruned error."""
    parameters: Mapping[str, float]
    """The coefficients of that other fit."""


def dips(made: Fit, points: Points, *, starts: int = 10) -> Dips:
    """Return the dips of some points, and how they bias a fit to them.

    App. H of Rosenfeld et al. 2021: the law cannot fall below the unpruned error as measured errors do,
    which leaves a mean relative error µ of about 1 %, and a bias in gamma and p.

    Raises: FitError where the other fit does not converge.
    """
    relative = points.error / points.error_unpruned - 1
    filled = points.changed(error=np.maximum(points.error, points.error_unpruned))
    other = fit(made.form, filled, fixed=made.fixed, loss=made.loss, starts=starts)
    deepest = int(np.argmin(relative))
    return Dips(
        share=float((relative < 0).mean()),
        deepest=float(min(relative[deepest], 0.0)),
        density=float(points.density[deepest]),
        bias=made.mu - other.mu,
        parameters=other.parameters,
    )
