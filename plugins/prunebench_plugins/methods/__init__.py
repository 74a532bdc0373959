"""Built-in methods: those that need more than a scorer's name (a scorer is a one-shot method by itself)."""

from __future__ import annotations

from collections.abc import Sequence

from prunebench import Method, hookimpl
from prunebench_plugins.methods.after_training import LTR, MAGNITUDE_AFTER_TRAINING, NONE
from prunebench_plugins.methods.at_initialization import (
    GRASP_INVERTED,
    GRASP_MAGNITUDE,
    ITERATIVE_SNIP,
    SYNFLOW,
)

__all__ = ["prunebench_methods"]


@hookimpl
def prunebench_methods() -> Sequence[Method]:
    """Return the built-in methods."""
    return [NONE, SYNFLOW, MAGNITUDE_AFTER_TRAINING, LTR, ITERATIVE_SNIP, GRASP_INVERTED, GRASP_MAGNITUDE]
