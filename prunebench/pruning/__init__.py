"""Masks, and how they are made of networks and scores; diagnostics of masks: tensors only.

`make_mask` is the one way from a network to a mask.
"""

from prunebench.pruning.allocation import kept_count, layer_counts
from prunebench.pruning.keep import keep_top
from prunebench.pruning.mask import Mask
from prunebench.pruning.mask_form import MaskForm, Regrow
from prunebench.pruning.network import ScoringNetwork
from prunebench.pruning.product import Product
from prunebench.pruning.prunable import prunable_weights, uncovered
from prunebench.pruning.prune import make_mask
from prunebench.pruning.rng import RandomStream
from prunebench.pruning.score import Scoring, score_network
from prunebench.pruning.shuffle import shuffle_mask

__all__ = [
    "Mask",
    "MaskForm",
    "Product",
    "RandomStream",
    "Regrow",
    "Scoring",
    "ScoringNetwork",
    "keep_top",
    "kept_count",
    "layer_counts",
    "make_mask",
    "prunable_weights",
    "score_network",
    "shuffle_mask",
    "uncovered",
]
