"""Mask policies as a run's key says them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

from prunebench.jobs.context import Context, log
from prunebench.jobs.scoring import blaming_divergence, scoring_of
from prunebench.plan.params import Filters, Policy, Run
from prunebench.pruning import Mask, MaskForm, make_mask, prunable_weights, score_network
from prunebench.training.devices import ALONE, apart
from prunebench.training.gradual import GradualMask
from prunebench.training.policy import FixedMask
from prunebench.training.streams import stream

if TYPE_CHECKING:
    from torch import nn

    from prunebench.training.policy import MaskPolicy

__all__ = ["gradual_mask", "policy_of"]


def policy_of(run: Run, module: nn.Module, context: Context) -> MaskPolicy:
    """Return what a run's mask policy is: the mask that it begins with, or one that shrinks on the way."""
    if run.policy is not None:
        return gradual_mask(run.policy, module, context)
    if run.filters is None:
        return FixedMask()
    filters = Filters(architecture=run.architecture, prunable=run.filters)
    return FixedMask(context.groups(filters).taken_along)


def gradual_mask(policy: Policy, module: nn.Module, context: Context) -> GradualMask:
    """Return the policy that prunes `module` while it trains, by scores of what is left."""
    scoring, filters = scoring_of(policy.scoring, context), policy.scoring.filters
    groups = None if filters is None else context.groups(filters)
    rng = stream(policy.scoring.seed, "scores")

    def select(step: int, mask: Mask, kept: int) -> Mask:
        network = apart(copy.deepcopy(module)).to(policy.scoring.scorer.device)
        draws = rng.child("step", step)
        with blaming_divergence(network, scoring, step):
            scores = score_network(network, scoring, mask=mask, groups=groups, rng=draws, warn=log.warning)
        form = MaskForm(
            kept,
            keep=cast(Any, policy.keep),
            allocation=cast(Any, policy.allocation),
            unit="weight" if groups is None else "filter",
        )
        return make_mask(scores, form, scoring, mask=mask, groups=groups)

    chosen = (context.devices or ALONE).chosen(select)
    if groups is not None:
        return GradualMask(policy.shrinking, groups.full(), chosen, groups.taken_along)
    full = Mask.full(prunable_weights(module, scoring.of, scoring.except_))
    return GradualMask(policy.shrinking, full, chosen)
