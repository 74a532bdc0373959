"""The labels of cells that say what is held fixed: everything that names or compares them agrees on these."""

from __future__ import annotations

__all__ = ["FAMILY", "RANGES", "SETTING", "STEP"]

STEP = ("dataset", "recipe", "split", "find", "score_at")
"""The labels that say which step of training a pruning point is."""

SETTING = ("architecture", *STEP)
"""A cell less its method, ablations, density and seed: what is held fixed when methods are compared."""

FAMILY = tuple(name for name in SETTING if name not in ("find", "score_at"))
"""Cells that agree in these have the same unpruned network, seeds and margin."""

RANGES = ("trivial", "matching", "extreme", "all")
"""Ranges of sparsity of a setting, by what pruning costs there."""
