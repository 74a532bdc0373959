"""Resamples of mean curves from few seeds.

Seeds drawn with replacement, as the bootstrap does it, give means that never leave what lies between the
seeds: with three seeds the lowest of them is below the true mean in 7 of 8 cases, and no bound that is an
average of seeds can be right in more than 87.5 %. And their spread is too small by the factor √((n − 1)/n).
So a resample weighs every seed with a real number, which may be negative. The weights are such that every
linear function of the mean curve has, over the resamples, exactly the distribution that the t test gives it
(Student's t with n − 1 degrees of freedom around its mean), so that bounds of what hangs on the curve at one
place alone are those of the t test; bounds of borders and crossings, which hang on it at several, follow from
the same resamples.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import special

from prunebench.checks.curves import Floats

__all__ = ["RESAMPLES", "student_weights"]

RESAMPLES = 4000


@cache
def student_weights(seeds: int, count: int = RESAMPLES) -> Floats:
    """Return how much each of `count` resamples weighs each seed: (1 + count) × seeds.

    The first row is the seeds as they are, all 1, and the sum of every row is `seeds`. A row is
    1 + (g − mean g) · √(n / q) with g normal and q the sum of squares of n − 1 other normals. Draws come in
    pairs of opposite g, and are the same on every machine.
    """
    as_they_are = np.ones((1, seeds))
    if seeds < 2:
        return as_they_are
    half = count // 2
    raw = np.random.Philox(key=20261).random_raw(half * (2 * seeds - 1)).reshape(half, 2 * seeds - 1)
    normal = special.ndtri(((raw >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53)
    mine, others = normal[:, :seeds], normal[:, seeds:]
    apart = mine - mine.mean(axis=1, keepdims=True)
    apart *= np.sqrt(seeds / (others**2).sum(axis=1, keepdims=True))
    weights = np.vstack([as_they_are, 1 + apart, 1 - apart])
    weights.flags.writeable = False
    return weights
