"""Which network of a family each point is of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from prunebench.scaling.points.arrays import Bools, Floats, Ints
from prunebench.scaling.points.columns import SCALES

__all__ = ["numbered"]

_SIZES = ("prunable", "parameters")
_APART = 1e-3
"""Sizes that differ by less than this share are one: weights that are left are counted in whole numbers."""


def numbered(columns: Mapping[str, Floats], seed: Floats, reads: Iterable[str] = ()) -> Ints:
    """Return for each row the number of its network, from 0 on.

    Networks differ in depth, width or examples. Where two rows of one density and seed agree in these they
    are told apart by other columns: prunable weights, parameters, then those that a form reads. A column
    that changes with the density of one network (`nonzero`) counts by its ratio to the density. Where nothing
    else is given networks are told apart by the unpruned error, unless each seed has but one.
    """
    rows = len(columns["density"])
    known = [name for name in SCALES if not np.isnan(columns[name]).all()]
    network = _kinds([columns[name] for name in known], rows)
    skipped = {"density", "error", "error_unpruned", *SCALES}
    for name in dict.fromkeys([*_SIZES, *reads]):
        if name in skipped or name not in columns or np.isnan(columns[name]).all():
            continue
        if _differs(columns[name], [network, columns["density"], seed], rows):
            network = _kinds([network, _of_network(columns[name], columns["density"])], rows)
            known.append(name)
    error = columns["error_unpruned"]
    if not known and _differs(error, [seed], rows):
        network = _kinds([error], rows)
    return network


def _kinds(columns: list[Floats | Ints], rows: int) -> Ints:
    if not columns:
        return np.zeros(rows, dtype=np.int64)
    values = np.nan_to_num(np.stack([one.astype(np.float64) for one in columns], axis=1), nan=-1.0)
    return np.unique(values, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _differs(values: Floats, place: list[Floats | Ints], rows: int) -> bool:
    """True if rows of one place differ in a column."""
    places = _kinds(place, rows)
    return bool(len(np.unique(_kinds([places, _levels(values)], rows))) > len(np.unique(places)))


def _of_network(values: Floats, density: Floats) -> Ints:
    """Return the levels of a column, or of its ratio to the density if these are fewer."""
    own, ratio = _levels(values), _levels(values / density)
    return ratio if ratio.max() < own.max() else own


def _levels(values: Floats) -> Ints:
    """Return for each value the number of its level: one ends where the next value is a step off."""
    order = np.argsort(values, kind="stable")
    there: Bools = ~np.isnan(values[order])
    steps = np.zeros(len(values), dtype=np.int64)
    sorted_ = np.abs(values[order])
    with np.errstate(invalid="ignore"):
        steps[1:] = (np.diff(values[order]) > _APART * sorted_[1:]) | (there[:-1] & ~there[1:])
    answer = np.empty(len(values), dtype=np.int64)
    answer[order] = np.cumsum(steps)
    return answer
