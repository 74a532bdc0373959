"""What a law is fitted to: the errors of networks at densities, as columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from prunebench.errors import FitError, nearest
from prunebench.scaling.points.arrays import Bools, Floats, Ints
from prunebench.scaling.points.columns import ALIKE, SCALES
from prunebench.scaling.points.networks import numbered

__all__ = ["Points", "checked", "points_of"]

_COLUMNS = ("density", "error", "error_unpruned", *SCALES)


@dataclass(frozen=True)
class Points:
    """Measured errors: one row for a network at a density and seed; arrays of equal length n."""

    density: Floats
    """Share of the prunable weights that is left, in (0, 1]."""
    error: Floats
    """Top-1 error on the test set, a fraction in (0, 1] (of laws of a loss: that loss, above 0)."""
    error_unpruned: Floats
    """The error of the same network at density 1. NaN where unknown, as in the columns below."""
    depth: Floats
    """Layers, shortcuts not counted."""
    width: Floats
    """Factor by which all channels are multiplied."""
    examples: Floats
    """Training examples."""
    network: Ints
    """Which network of the family a row is of: what a bootstrap draws."""
    seed: Ints
    extra: Mapping[str, Floats] = field(default_factory=dict)
    """Further columns that some forms need, by name (`parameters`, `nonzero`, …)."""

    def __len__(self) -> int:
        return len(self.density)

    def column(self, name: str) -> Floats:
        """Return a column of numbers by name, an extra one too. Raises: FitError with the nearest name."""
        if name in _COLUMNS:
            values: Floats = getattr(self, name)
            return values
        if name not in self.extra:
            raise FitError(f"the points have no column {name!r}{nearest(name, self.names(), alike=ALIKE)}")
        return self.extra[name]

    def names(self) -> list[str]:
        """Return the names of the columns of numbers in which something is known."""
        known = [name for name in _COLUMNS if not np.isnan(getattr(self, name)).all()]
        return [*known, *self.extra]

    def rows(self, chosen: Bools | Ints) -> Points:
        """Return the points of some rows, by a mask or by their numbers, in that order."""
        columns = {name: getattr(self, name)[chosen] for name in (*_COLUMNS, "network", "seed")}
        return Points(**columns, extra={name: values[chosen] for name, values in self.extra.items()})

    def changed(self, **columns: Floats) -> Points:
        """Return the points with other values in some columns."""
        extra = {name: values for name, values in columns.items() if name not in _COLUMNS}
        own: dict[str, Any] = {name: values for name, values in columns.items() if name in _COLUMNS}
        return dataclasses.replace(self, **own, extra={**self.extra, **extra})

    def kept(self) -> Points:
        """Return the points in arrays of their own that nobody can change."""
        columns = {name: getattr(self, name).copy() for name in (*_COLUMNS, "network", "seed")}
        extra = {name: values.copy() for name, values in self.extra.items()}
        for values in (*columns.values(), *extra.values()):
            values.setflags(write=False)
        return Points(**columns, extra=extra)

    def told_apart(self, reads: Iterable[str]) -> Points:
        """Return the points with networks told apart by what a form reads too, where they would be mixed."""
        columns = {name: self.column(name) for name in (*_COLUMNS, *self.extra)}
        unknown = np.full(len(self), np.nan)
        known = {**columns, "depth": self.network.astype(np.float64), "width": unknown, "examples": unknown}
        network = numbered(known, self.seed.astype(np.float64), [one for one in reads if one in self.extra])
        same = len(np.unique(network)) == self.networks()
        return self if same else dataclasses.replace(self, network=network)

    def networks(self) -> int:
        """Return how many networks there are."""
        return len(np.unique(self.network))

    def said(self, row: int) -> str:
        """Return a row as a person would name it: its number, from 1 on, and which network it is of."""
        places = [*self._places(row), f"density {self.density[row]:g}"]
        return f"row {row + 1} ({', '.join(places)})"

    def network_said(self, row: int) -> str:
        """Return the network of a row as a person would name it."""
        return ", ".join(self._places(row)) or f"unpruned error {self.error_unpruned[row]:.4g}"

    def _places(self, row: int) -> list[str]:
        places = [f"{name} {getattr(self, name)[row]:g}" for name in SCALES]
        return [place for place in places if not place.endswith("nan")]


def points_of(columns: Mapping[str, npt.ArrayLike], reads: Iterable[str] = ()) -> Points:
    """Return points of the columns that are there; the others are unknown (NaN), seeds are 0.

    Networks are numbered by what tells them apart: depth, width, examples, then prunable weights, parameters
    and what a form reads, and, where none of these is given, the unpruned error. `network` says it itself.

    reads: columns that a form reads
    """
    arrays = {name: np.atleast_1d(np.asarray(values, dtype=np.float64)) for name, values in columns.items()}
    length = max(map(len, arrays.values()), default=0)
    for name, values in arrays.items():
        if len(values) != length:
            raise FitError(f"column {name!r} has {len(values)} rows, another has {length}")
    unknown = np.full(length, np.nan)
    own = {name: arrays.get(name, unknown) for name in _COLUMNS}
    seed = arrays.get("seed", np.zeros(length))
    network = arrays["network"] if "network" in arrays else numbered({**arrays, **own}, seed, reads)
    rest = {name: values for name, values in arrays.items() if name not in (*own, "network", "seed")}
    return Points(**own, network=network.astype(np.int64), seed=seed.astype(np.int64), extra=rest)


def checked(points: Points, columns: Iterable[str], most: float = 1.0, *, error: bool = True) -> None:
    """See that the columns hold numbers that a form can take, and that the errors do.

    most: the largest error that there can be, 1 for a fraction
    error: False where the errors are to be predicted

    Raises: FitError, which names column and row.
    """
    for name in dict.fromkeys([*columns, *(["error"] if error else [])]):
        values = points.column(name)
        if len(values) and np.isnan(values).all():
            raise FitError(f"column {name!r} is missing; there are: {', '.join(points.names())}")
        _first(points, name, ~np.isfinite(values), "allowed: a number")
        _first(points, name, values <= 0, "allowed: above 0")
    _first(points, "density", points.density > 1, f"allowed: a share in (0, 1]{_percent(points.density)}")
    for name in ("error", "error_unpruned") if error else ("error_unpruned",):
        values = points.column(name)
        allowed = f"allowed: a fraction in (0, {most:g}]{_percent(values)}"
        _first(points, name, values > most, allowed)


def _first(points: Points, name: str, wrong: Bools, allowed: str) -> None:
    rows = np.flatnonzero(wrong)
    if len(rows):
        row = int(rows[0])
        more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
        raise FitError(f"{name} of {points.said(row)} is {points.column(name)[row]:g}{more}; {allowed}")


def _percent(values: Floats) -> str:
    known = values[~np.isnan(values)]
    if len(known) and 1 < known.max() <= 100 and (known > 1).mean() > 0.5:
        return ": these look like percent, so divide them by 100"
    return ""
