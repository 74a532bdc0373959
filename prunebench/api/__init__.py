"""Pruning without the harness: `prune` and `score` for any torch.nn.Module."""

from __future__ import annotations

from prunebench.api.pruning import prune
from prunebench.api.scoring import score

__all__ = ["prune", "score"]
