"""Mask policies as a run's key says them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prunebench.jobs.context import Context, log
from prunebench.jobs.scoring import blaming_divergence, scoring_of
from prunebench.pruning import Mask, MaskForm, make_mask, prunable_weights, score_network
from prunebench.training.cubic import Cubic
from prunebench.training.gradual import GradualMask
from prunebench.training.streams import stream

if TYPE_CHECKING:
    from torch import nn

__all__ = ["gradual_mask"]


def gradual_mask(policy: Mapping[str, Any], module: nn.Module, context: Context) -> GradualMask:
    """Return the policy that prunes `module` while it trains, by scores of what is left."""
    asked = policy["scoring"]
    scoring, rng = scoring_of(asked, context), stream(asked["seed"], "scores")

    def select(step: int, mask: Mask, kept: int) -> Mask:
        network = copy.deepcopy(module).to(asked["scorer"]["device"])
        draws = rng.child("step", step)
        with blaming_divergence(network, scoring, step):
            scores = score_network(network, scoring, mask=mask, rng=draws, warn=log.warning)
        form = MaskForm(kept, keep=policy["keep"], allocation=policy["allocation"])
        return make_mask(scores, form, scoring, mask=mask)

    full = Mask.full(prunable_weights(module, scoring.of, scoring.except_))
    return GradualMask(Cubic.of(policy), full, select)
