"""One spread for all pairs of methods, where few seeds give none of them a good one of its own."""

from __future__ import annotations

import numpy as np

from prunebench.analysis.multiple import Floats

__all__ = ["pooled_variance"]


def pooled_variance(values: Floats) -> tuple[float, int]:
    """Return the variance of a paired difference, pooled over the methods, and its degrees of freedom.

    `values` is methods × seeds at one sparsity (or over one range) of one setting, NaN where there is none.
    The model is value = method + seed + noise, with one spread of noise for all methods: then every paired
    difference has twice the noise's variance. The noise is the residual of a least-squares fit of both
    effects (a two-way analysis of variance without replication). With all values there, the pooled variance
    is exactly the mean of the pairs' own variances and has (k − 1)(n − 1) degrees of freedom; with two
    methods it is their one pair's own. A missing value takes one degree of freedom with it.

    Returns (nan, 0) where nothing is left to estimate a spread from (one seed, or one method).
    """
    there = ~np.isnan(values)
    seeds = there.any(axis=0)
    values, there = values[there.any(axis=1)][:, seeds], there[there.any(axis=1)][:, seeds]
    k, n = values.shape
    if k < 2 or n < 2:
        return float("nan"), 0
    if there.all():
        residual = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
        df = (k - 1) * (n - 1)
        return 2 * float((residual**2).sum()) / df, df
    method, seed = np.nonzero(there)
    design = np.zeros((len(method), k + n))
    design[np.arange(len(method)), method] = 1
    design[np.arange(len(method)), k + seed] = 1
    observed = values[there] - values[there].mean()
    fit, _, rank, _ = np.linalg.lstsq(design, observed, rcond=None)
    df = len(method) - int(rank)
    if df == 0:
        return float("nan"), 0
    return 2 * float(((observed - design @ fit) ** 2).sum()) / df, df
