"""Which kernels compute a training, where there is a choice (imports no torch)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

__all__ = ["DENSITY", "KERNELS", "SPARSE", "WEIGHTS", "Kernels", "is_quicker", "kernels_in", "sparse_enough"]

Kernels = Literal["dense", "sparse"]
"""dense: torch's products of matrices, whatever the mask. sparse: masked linear layers compute with kept
weights alone where that is quicker (`prunebench.training.kernels.sparse`): another numerics class."""

KERNELS: tuple[Kernels, ...] = get_args(Kernels)

DENSITY = 0.2
"""Up to this density of a layer its sparse kernels are quicker. Measured on a thread of an AMD EPYC: a whole
step of LeNet-300-100 (batch of 128, both large layers at that density) takes 0.36 of the time that it takes
with dense kernels at 0.02, 0.59 at 0.1, 0.68 at 0.15, 0.82 at 0.2 and 1.09 at 0.25."""

WEIGHTS = 10_000
"""Smaller layers are left dense: a call takes longer than it saves (10×100 gains nothing at any density)."""

SPARSE = "kernels: sparse, in masked linear layers of few weights; their cells are of another numerics class"
"""What is said where they are asked for."""


def is_quicker(kept: int, prunable: int) -> bool:
    """True if sparse kernels are quicker for a linear layer of which so many weights are kept."""
    return prunable >= WEIGHTS and kept <= DENSITY * prunable


def sparse_enough(layers: Iterable[Mapping[str, Any]]) -> bool:
    """True if a mask has a layer (its counts, as in records) for which sparse kernels may be quicker."""
    return any(is_quicker(layer["kept"], layer["prunable"]) for layer in layers)


def kernels_in(numerics: str) -> Kernels:
    """Return the kernels that a numerics class speaks of; of several classes in turn, whether any are sparse.

    >>> kernels_in("torch 2.13.0+cpu, cpu AVX512, 1 thread, sparse kernels")
    'sparse'
    """
    return "sparse" if "sparse kernels" in numerics else "dense"
