"""What a curve can be read along (imports nothing)."""

from __future__ import annotations

from typing import Literal

__all__ = ["AXES", "Axis"]

Axis = Literal["sparsity", "score_at"]

AXES: tuple[Axis, ...] = ("sparsity", "score_at")
"""Sparsities, or the steps whose networks are scored."""
