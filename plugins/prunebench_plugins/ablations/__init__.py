"""Built-in ablations."""

from __future__ import annotations

from collections.abc import Sequence

from prunebench import Ablation, hookimpl
from prunebench_plugins.ablations.frankle import (
    fixed_variance,
    fixed_variance_scores,
    invert,
    reinit,
    shuffle,
)

__all__ = [
    "fixed_variance",
    "fixed_variance_scores",
    "invert",
    "prunebench_ablations",
    "reinit",
    "shuffle",
]


@hookimpl
def prunebench_ablations() -> Sequence[Ablation]:
    """Return the built-in ablations."""
    return [
        Ablation("shuffle", shuffle),
        Ablation("reinit", reinit),
        Ablation("invert", invert),
        Ablation("fixed-variance", fixed_variance),
        Ablation("fixed-variance-scores", fixed_variance_scores),
    ]
