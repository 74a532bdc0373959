"""Pruning against not pruning: does the form of unpruned networks fit the densities of a pruned one?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from prunebench.errors import FitError
from prunebench.scaling.fit import fit
from prunebench.scaling.form import Form
from prunebench.scaling.points import Points

__all__ = ["Against", "pruning_against_unpruned"]

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


def pruning_against_unpruned(points: Points, forms: Mapping[str, Form], *, starts: int = 10) -> list[Against]:
    """Return how Eqs. 8 and 6 of Rosenfeld et al. 2021 fit each network (Fig. 19, left).

    Both have two coefficients and no plateau. So they are fitted to the densities that lie three times above
    the p of Eq. 1, which is fitted to the whole curve first. Networks with fewer than four such points, or to
    which Eq. 1 cannot be fitted, are left out.

    Raises: FitError where no network is left.
    """
    rows = []
    for network in np.unique(points.network):
        own = points.rows(points.network == network)
        try:
            p = fit(forms[WHOLE], own, starts=starts).parameters["p"]
            above = own.rows(own.density > _FAR * p)
            if len(above) < _FEW:
                continue
            pruning, unpruned = (fit(forms[name], above, starts=starts) for name in (LOWER, PINNED))
        except FitError:
            continue
        quality = (pruning.mu, pruning.sigma, unpruned.mu, unpruned.sigma)
        rows.append(Against(int(network), len(above), *quality))
    if not rows:
        raise FitError("no network has four densities above its plateau, and a curve that Eq. 1 fits")
    return rows
