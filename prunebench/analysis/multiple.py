"""Many comparisons at once: Holm's adjustment of p values."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["holm"]

Floats = npt.NDArray[np.float64]


def holm(p: npt.ArrayLike) -> Floats:
    """Return Holm's adjusted p values (Holm, 1979): reject where they are below the level.

    With the m values sorted, the adjusted k-th is the largest of (m − j + 1) · p_j over j ≤ k, at most 1. A
    missing value (NaN) is no test: it stays missing and does not count in m.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, dtype=np.float64)
    adjusted = np.full(values.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * values[order]), 1.0) if len(order) else 0.0
    return adjusted
