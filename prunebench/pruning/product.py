"""Scores that are products of weights and factors, multiplied only where they are wanted."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Product"]


@dataclass(frozen=True)
class Product:
    """|weight · factor| of one layer, entry by entry.

    A scorer may return it in a tensor's place. In rounds of scoring it is multiplied while it is ranked,
    block by block, which spares writing and reading a tensor as large as the network.
    """

    weight: Tensor
    factor: Tensor

    def tensor(self) -> Tensor:
        """Return the product as a tensor of its own."""
        with torch.no_grad():
            return (self.weight * self.factor).abs_()

    @property
    def shape(self) -> torch.Size:
        """The weight's shape."""
        return self.weight.shape

    @property
    def plain(self) -> bool:
        """True if both are of one shape and type: floating-point numbers of single or double precision."""
        return (
            self.weight.shape == self.factor.shape
            and self.weight.dtype == self.factor.dtype
            and self.weight.dtype in (torch.float32, torch.float64)
        )
