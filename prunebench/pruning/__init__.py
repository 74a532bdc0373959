"""Masks, scores to masks, allocation, rounds, diagnostics: tensors only."""

from prunebench.pruning.allocation import kept_count, layer_counts, round_counts
from prunebench.pruning.mask import Mask
from prunebench.pruning.network import ScoringNetwork
from prunebench.pruning.product import Product
from prunebench.pruning.prunable import prunable_weights, uncovered
from prunebench.pruning.remove import keep_top
from prunebench.pruning.rng import RandomStream
from prunebench.pruning.rounds import Regrow, prune_rounds
from prunebench.pruning.score import score_network
from prunebench.pruning.shuffle import shuffle_mask

__all__ = [
    "Mask",
    "Product",
    "RandomStream",
    "Regrow",
    "ScoringNetwork",
    "keep_top",
    "kept_count",
    "layer_counts",
    "prunable_weights",
    "prune_rounds",
    "round_counts",
    "score_network",
    "shuffle_mask",
    "uncovered",
]
