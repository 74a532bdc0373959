"""Built-in methods: those that need more than a scorer's name (a scorer is a one-shot method by itself)."""

from __future__ import annotations

from collections.abc import Sequence

from prunebench import Method, hookimpl
from prunebench_plugins.methods.after_training import IMP, LTR, MAGNITUDE_AFTER_TRAINING, NONE
from prunebench_plugins.methods.at_initialization import (
    GRASP_INVERTED,
    GRASP_MAGNITUDE,
    ITERATIVE_SNIP,
    SYNFLOW,
)
from prunebench_plugins.methods.baselines import (
    ERK,
    FORCE,
    GRADUAL_MAGNITUDE,
    SYNFLOW_SHUFFLED,
    UNIFORM_MAGNITUDE,
    UNIFORM_RANDOM,
)

__all__ = ["prunebench_methods"]


@hookimpl
def prunebench_methods() -> Sequence[Method]:
    """Return the built-in methods."""
    return [
        NONE,
        SYNFLOW,
        SYNFLOW_SHUFFLED,
        MAGNITUDE_AFTER_TRAINING,
        LTR,
        IMP,
        GRADUAL_MAGNITUDE,
        ITERATIVE_SNIP,
        GRASP_INVERTED,
        GRASP_MAGNITUDE,
        FORCE,
        ERK,
        UNIFORM_RANDOM,
        UNIFORM_MAGNITUDE,
    ]
