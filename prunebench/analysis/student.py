"""Quantiles of Student's t, the same to the last digits in every release of SciPy: tables are compared."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

__all__ = ["t_quantile"]

Floats = npt.NDArray[np.float64]


def t_quantile(freedom: npt.ArrayLike, share: npt.ArrayLike) -> Floats:
    """Return the value that a t variable of `freedom` degrees of freedom does not exceed with chance `share`.

    Releases of SciPy before 1.14 give nine digits; a step of Newton's method, on the distribution function
    that all of them have whole, gives the others. NaN where a number is none.

    >>> float(t_quantile(2, 0.975).round(9))
    4.30265273
    """
    freedom, share = np.asarray(freedom, dtype=np.float64), np.asarray(share, dtype=np.float64)
    rough = np.asarray(special.stdtrit(freedom, share))
    half = (freedom + 1) / 2
    log_density = (
        special.gammaln(half)
        - special.gammaln(freedom / 2)
        - np.log(freedom * np.pi) / 2
        - half * np.log1p(rough**2 / freedom)
    )
    with np.errstate(invalid="ignore", over="ignore"):
        step = (special.stdtr(freedom, rough) - share) * np.exp(-log_density)
    return np.where(np.isfinite(step), rough - step, rough)
