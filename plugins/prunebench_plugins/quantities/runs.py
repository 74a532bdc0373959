"""Quantities that every run has by itself: a number for each seed, over the places that are asked for."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prunebench import Curves

__all__ = ["accuracy", "distance", "diverged", "drop", "mean", "measure", "spread"]


def accuracy(curves: Curves) -> Any:
    """Top-1 accuracy in percent: each seed's mean over the places. A diverged run has that of a guess.

    A seed that lacks one of the places has no number, so that no mean is over easier places than another.
    """
    return curves.accuracy.mean(axis=0)


def measure(curves: Curves, *, of: str) -> Any:
    """The number that a diagnostic gave, each seed's mean over the places (`measure:NAME.FIELD`)."""
    return _numbers(curves, of).mean(axis=0)


def mean(curves: Curves, *, of: str) -> Any:
    """The mean over fields of a measure: each seed's mean over the places and the fields.

    `mean:layer-sparsity.layers.*.sparsity` is the mean of the layers' sparsities, each layer counting alike.
    """
    import numpy as np

    names = _names(curves, of)
    if not names:
        return np.full(len(curves.seeds), np.nan)
    return np.mean([_numbers(curves, name) for name in names], axis=(0, 1))


def spread(curves: Curves) -> Any:
    """How far a seed's accuracy lies from the median over the seeds, in points: the mean over the places.

    These distances are what Brown and Forsythe (1974) compare in place of variances: a single standard
    deviation over a few seeds has no interval of its own. Two seeds lie equally far from their median,
    which is one number and says nothing of its own spread; so there is none where fewer than three seeds
    have a result.
    """
    import numpy as np

    there = ~np.isnan(curves.accuracy)
    if (there.sum(axis=1) < 3).any():
        return np.full(len(curves.seeds), np.nan)
    median = np.nanmedian(curves.accuracy, axis=1, keepdims=True)
    return np.abs(curves.accuracy - median).mean(axis=0)


def diverged(curves: Curves) -> Any:
    """The share of runs that diverged: yes or no for each run."""
    return curves.diverged


def distance(curves: Curves, *, of: str, reference: Curves) -> Any:
    """The mean over fields of a measure of the absolute difference from `reference`, at each seed.

    `distance:layer-sparsity.layers.*.sparsity` says how unlike two methods' layerwise sparsities are.
    """
    import numpy as np

    places = reference.places_of(curves)
    apart = []
    for name in _names(curves, of):
        other = _numbers(reference, name)[places]
        other[places < 0] = np.nan
        apart.append(np.abs(_numbers(curves, name) - other))
    if not apart:
        return np.full(len(curves.seeds), np.nan)
    return np.mean(apart, axis=0).mean(axis=0)


def drop(curves: Curves, *, to: Curves) -> Any:
    """How many points lower the accuracy of `to` is at each seed: the mean over the places."""
    import numpy as np

    places = to.places_of(curves)
    lower = np.where((places < 0)[:, None], np.nan, to.accuracy[places])
    return (curves.accuracy - lower).mean(axis=0)


def _names(curves: Curves, pattern: str) -> list[str]:
    return [name for name in curves.measures if fnmatchcase(name, pattern)]


def _numbers(curves: Curves, name: str) -> Any:
    """Return a field's numbers, P × S; NaN where there are none at all."""
    import numpy as np

    return curves.measures.get(name, np.full(curves.accuracy.shape, np.nan))
