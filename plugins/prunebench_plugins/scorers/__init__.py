"""Built-in scorers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prunebench import Scorer, hookimpl
from prunebench_plugins.scorers import filters, force, grasp, magnitude, random, snip, synflow

__all__ = ["prunebench_scorers"]

_ON_DATA: Any = {"needs": "batch", "mode": "train", "examples": "lazy"}


@hookimpl
def prunebench_scorers() -> Sequence[Scorer]:
    """Return the built-in scorers."""
    return [
        Scorer("random", random.score, passes=0, gives="either", reads="shapes", version="1"),
        Scorer("magnitude", magnitude.score, passes=0, version="1"),
        Scorer("snip", snip.score, **_ON_DATA, version="1"),
        Scorer("grasp", grasp.score, **_ON_DATA, passes=grasp.passes, version="1"),
        Scorer("force", force.score, **_ON_DATA, version="1"),
        Scorer("synflow", synflow.score, precision="float64", version="1"),
        Scorer(
            "batchnorm",
            filters.batchnorm,
            passes=0,
            gives="filters",
            unfit=filters.without_factors,
            version="1",
        ),
        Scorer("filter-norm", filters.norm, passes=0, gives="filters", version="1"),
    ]
