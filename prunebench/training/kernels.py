"""Which kernels compute a training, where there is a choice (imports no torch)."""

from __future__ import annotations

from typing import Literal, get_args

__all__ = ["KERNELS", "Kernels"]

Kernels = Literal["dense", "sparse"]
"""dense: torch's products of matrices, whatever the mask. sparse: masked linear layers compute with kept
weights alone, where that is quicker (`prunebench.training.sparse`): other bits, and a numerics class."""

KERNELS: tuple[Kernels, ...] = get_args(Kernels)
