"""Which kernels compute a training, where there is a choice (imports no torch)."""

from __future__ import annotations

from typing import Literal, get_args

__all__ = ["KERNELS", "Kernels", "kernels_in"]

Kernels = Literal["dense", "sparse"]
"""dense: torch's products of matrices, whatever the mask. sparse: masked linear layers compute with kept
weights alone where that is quicker (`prunebench.training.kernels.sparse`): another numerics class."""

KERNELS: tuple[Kernels, ...] = get_args(Kernels)


def kernels_in(numerics: str) -> Kernels:
    """Return the kernels that a numerics class speaks of; of several classes in turn, whether any are sparse.

    >>> kernels_in("torch 2.13.0+cpu, cpu AVX512, 1 thread, sparse kernels")
    'sparse'
    """
    return "sparse" if "sparse kernels" in numerics else "dense"
