"""Pruning against not pruning: does the form of unpruned networks fit the densities of a pruned one?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from prunebench.errors import FitError
from prunebench.scaling.fit import Fit, fit
from prunebench.scaling.form import Form
from prunebench.scaling.points import Bools, Points

__all__ = ["Against", "LowerFits", "above_plateau", "lower_fits", "pruning_against_unpruned"]

WHOLE, LOWER, PINNED = "rosenfeld-network", "rosenfeld-lower", "unpruned-pinned"
_FAR = 3.0
"""Densities that many times above p are far enough from the plateau for the forms without one."""
_FEW = 4


@dataclass(frozen=True)
class Against:
    """How two forms of the lower transition fit one network's densities above its plateau."""

    network: int
    points: int
    pruning_mu: float
    """Mean relative error of Eq. 8."""
    pruning_sigma: float
    unpruned_mu: float
    """Mean relative error of Eq. 6."""
    unpruned_sigma: float


@dataclass(frozen=True)
class LowerFits:
    """Eqs. 8 and 6 fitted to one network's densities above its plateau."""

    network: int
    above: Points
    """The points that both are fitted to."""
    pruning: Fit
    """Eq. 8."""
    unpruned: Fit
    """Eq. 6."""


def above_plateau(points: Points, whole: Form, *, starts: int = 10) -> Bools:
    """Return which points lie above the plateau of their network, at more than three times the p of Eq. 1.

    Forms of the lower transition have no plateau at low densities, and are fitted to these points.

    whole: Eq. 1 of Rosenfeld et al. 2021, `rosenfeld-network`, which is fitted to each whole curve

    None is of a network with fewer than four such points, or to which Eq. 1 cannot be fitted.
    """
    chosen = np.zeros(len(points), dtype=np.bool_)
    for network in np.unique(points.network):
        own = points.network == network
        with suppress(FitError):
            p = fit(whole, points.rows(own), starts=starts).parameters["p"]
            above = own & (points.density > _FAR * p)
            if above.sum() >= _FEW:
                chosen |= above
    return chosen


def lower_fits(points: Points, forms: Mapping[str, Form], *, starts: int = 10) -> Iterator[LowerFits]:
    """Yield of each network Eqs. 8 and 6 fitted to its densities above the plateau.

    Both have two coefficients and no plateau: they are fitted to what `above_plateau` leaves. Networks of
    which it leaves nothing, or to which one of them cannot be fitted, are left out.
    """
    lower = points.rows(above_plateau(points, forms[WHOLE], starts=starts))
    for network in np.unique(lower.network):
        above = lower.rows(lower.network == network)
        with suppress(FitError):
            pruning, unpruned = (fit(forms[name], above, starts=starts) for name in (LOWER, PINNED))
            yield LowerFits(int(network), above, pruning, unpruned)


def pruning_against_unpruned(points: Points, forms: Mapping[str, Form], *, starts: int = 10) -> list[Against]:
    """Return how Eqs. 8 and 6 of Rosenfeld et al. 2021 fit each network (Fig. 19, left): see `lower_fits`.

    Raises: FitError where no network is left.
    """
    rows = [
        Against(
            one.network,
            len(one.above),
            one.pruning.mu,
            one.pruning.sigma,
            one.unpruned.mu,
            one.unpruned.sigma,
        )
        for one in lower_fits(points, forms, starts=starts)
    ]
    if not rows:
        raise FitError("no network has four densities above its plateau, and a curve that Eq. 1 fits")
    return rows
