"""Points as somebody wrote them down: rows that are there twice, counts that differ within a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from prunebench.errors import FitError
from prunebench.scaling.points import Floats, Ints, Points
from prunebench.scaling.points.columns import COUNTS

__all__ = ["Accuracies", "Once", "accuracies", "contradictions", "once", "with_counts"]

_COUNTED = "a whole number of weights of every network, or no such column"

_DIFFERS = 0.05
"""From this share of the unpruned error on it is told that two sources of it differ."""


_FALLS = 0.8
"""Dips below the unpruned error are not so deep: an error that falls to this share of it is suspected."""

_SURE = 0.5
"""What falls from above this share to below this share of itself in all networks is no error."""


class Once(NamedTuple):
    """Points of which none is there twice, the rows that they were, and what was left out."""

    points: Points
    rows: Ints
    said: Sequence[str]


def once(points: Points, places: Iterable[str], *, seeded: bool) -> Once:
    """Return the points without rows that repeat another's every number.

    A point that is there twice counts twice, and makes all that is told of a fit too sure. Where no seeds are
    known, two runs may have the same error by chance: then rows are left out only if all repeat.

    places: columns that tell a form where a point is, beside its network and density
    seeded: True if somebody said the seeds
    """
    place: list[npt.NDArray[Any]] = [points.network, points.seed, points.density, *map(points.column, places)]
    places_there = len(_distinct(place))
    first = _distinct([*place, *map(points.column, points.names())])
    rows, said = np.arange(len(points)), []
    if len(first) < len(points) and (seeded or len(first) == places_there):
        rows = np.sort(first)
        said.append(f"{len(points) - len(rows):,} rows repeat others in all numbers: each counts once")
    if seeded and len(first) > places_there:
        several = len(first) - places_there
        said.append(f"{several:,} rows have network, density and seed of another row, and other numbers")
    return Once(points.rows(rows), rows, said)


def _distinct(columns: Sequence[npt.NDArray[Any]]) -> Ints:
    """Return the first row of each kind; what is not known is a kind too."""
    values = np.nan_to_num(np.stack([column.astype(np.float64) for column in columns], axis=1), nan=-1.0)
    return np.asarray(np.unique(values, axis=0, return_index=True)[1])


def with_counts(points: Points, wrong: Callable[[int, str, str], FitError]) -> Points:
    """Return the points with the counts of weights of each network in all its rows.

    wrong: of row, column and what is wrong there, the error

    Raises: FitError where a network has two, or none.
    """
    for name in COUNTS:
        if name not in points.extra:
            continue
        filled = points.extra[name].copy()
        for network in np.unique(points.network):
            mine = np.flatnonzero((points.network == network) & ~np.isnan(filled))
            if not len(mine):
                row = int(np.flatnonzero(points.network == network)[0])
                raise wrong(row, name, f"found nothing in any row of its network; allowed: {_COUNTED}")
            other = mine[filled[mine] != filled[mine[0]]]
            if len(other):
                raise wrong(int(other[0]), name, _two(filled, mine[0], other[0]))
            filled[points.network == network] = filled[mine[0]]
        points = points.changed(**{name: filled})
    return points


def _two(values: Floats, first: int, other: int) -> str:
    return (
        f"found {values[other]:,.0f}, and {values[first]:,.0f} in another row of the same network; "
        f"allowed: the weights before pruning (those that are left may be called 'nonzero')"
    )


def contradictions(points: Points) -> Iterator[str]:
    """Yield where a network's unpruned error is not that of its own points at density 1."""
    off = {}
    for network in np.unique(points.network):
        mine = points.network == network
        whole = mine & (points.density == 1)
        if whole.any():
            measured, given = points.error[whole].mean(), points.error_unpruned[mine].mean()
            off[int(np.flatnonzero(mine)[0])] = (given, measured)
    wrong = {row: pair for row, pair in off.items() if abs(pair[0] / pair[1] - 1) > _DIFFERS}
    if wrong:
        row = max(wrong, key=lambda one: abs(np.log(wrong[one][0] / wrong[one][1])))
        given, measured = wrong[row]
        yield (
            f"error_unpruned of {len(wrong)} of {len(off)} networks is not their error at density 1, most of "
            f"{points.network_said(row)}: {given:.4g}, at density 1 {measured:.4g}; both are used as they are"
        )


class Accuracies(NamedTuple):
    """What makes errors look like accuracies: in words, and True where they cannot be errors."""

    said: str
    sure: bool


def accuracies(points: Points) -> Accuracies | None:
    """Return what makes the errors of some points look like accuracies, None where nothing does.

    Errors rise as networks are pruned, and fall with their size; accuracies do the opposite. Errors that fall
    to less than half in every network, from more than a half on, are none.
    """
    ends = [_ends(points.rows(points.network == network)) for network in np.unique(points.network)]
    spans = [(dense, sparse) for dense, sparse in ends if dense == dense]
    falling = [pair for pair in spans if pair[1] < _FALLS * pair[0]]
    if len(falling) > len(spans) / 2:
        dense, sparse = min(falling, key=lambda pair: pair[1] / pair[0])
        sure = all(sparse < _SURE * dense and dense > _SURE for dense, sparse in spans)
        many = f"{len(falling)} of {len(spans)} networks"
        return Accuracies(f"falls with the density in {many}, as from {dense:.3g} to {sparse:.3g}", sure)
    return _rising(points)


def _ends(mine: Points) -> tuple[float, float]:
    """Return a network's mean error at its greatest and its least density; NaN where it has but one."""
    most, least = mine.density.max(), mine.density.min()
    if not least < most / 2:
        return np.nan, np.nan
    return float(mine.error[mine.density == most].mean()), float(mine.error[mine.density == least].mean())


def _rising(points: Points) -> Accuracies | None:
    """Return that unpruned errors above a half rise with every step in the networks' size."""
    rows = points.rows(np.unique(points.network, return_index=True)[1])
    size = rows.extra.get(
        "prunable", np.nan_to_num(rows.depth, nan=1.0) * np.nan_to_num(rows.width, nan=1.0) ** 2
    )
    if len(rows) < _FEWEST or len(np.unique(size)) < len(rows) or np.isnan(rows.error_unpruned).any():
        return None
    errors = rows.error_unpruned[np.argsort(size)]
    if errors.min() <= _SURE or (np.diff(errors) <= 0).any():
        return None
    return Accuracies(f"rises with the size of the networks, from {errors[0]:.3g} to {errors[-1]:.3g}", False)


_FEWEST = 3
"""Fewer networks are in the order of their sizes by chance."""
