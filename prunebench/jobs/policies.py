"""Mask policies as a run's key says them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

from prunebench.jobs.context import Context, log
from prunebench.jobs.scoring import blaming_divergence, scoring_of
from prunebench.plan.params import Policy
from prunebench.pruning import Mask, MaskForm, make_mask, prunable_weights, score_network
from prunebench.training.devices import ALONE, apart
from prunebench.training.gradual import GradualMask
from prunebench.training.streams import stream

if TYPE_CHECKING:
    from torch import nn

__all__ = ["gradual_mask"]


def gradual_mask(policy: Policy, module: nn.Module, context: Context) -> GradualMask:
    """Return the policy that prunes `module` while it trains, by scores of what is left."""
    scoring = scoring_of(policy.scoring, context)
    rng = stream(policy.scoring.seed, "scores")

    def select(step: int, mask: Mask, kept: int) -> Mask:
        network = apart(copy.deepcopy(module)).to(policy.scoring.scorer.device)
        draws = rng.child("step", step)
        with blaming_divergence(network, scoring, step):
            scores = score_network(network, scoring, mask=mask, rng=draws, warn=log.warning)
        form = MaskForm(kept, keep=cast(Any, policy.keep), allocation=cast(Any, policy.allocation))
        return make_mask(scores, form, scoring, mask=mask)

    full = Mask.full(prunable_weights(module, scoring.of, scoring.except_))
    return GradualMask(policy.shrinking, full, (context.devices or ALONE).chosen(select))
