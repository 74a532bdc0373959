"""Mask policies as a run's key says them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from prunebench.errors import ComponentError, LeakError, UsageError
from prunebench.jobs.context import Context
from prunebench.jobs.masks import has_diverged, scoring_arguments
from prunebench.plan.params import GradualPolicy
from prunebench.pruning import Mask, keep_top, prunable_weights, score_network
from prunebench.training.gradual import GradualMask
from prunebench.training.policy import DivergedError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["gradual_mask"]


def gradual_mask(policy: GradualPolicy, module: nn.Module, context: Context) -> GradualMask:
    """Return the policy that prunes `module` while it trains, by scores of what is left."""
    arguments = scoring_arguments(policy.scoring, context)
    rng = arguments.pop("rng")
    prunable = prunable_weights(module, arguments["of"], arguments["except_"])

    def select(step: int, mask: Mask, kept: int) -> Mask:
        network = copy.deepcopy(module).to(policy.scoring.scorer.device)
        try:
            scores = score_network(network, mask=mask, rng=rng.child("step", step), **arguments)
        except LeakError:
            raise
        except (ComponentError, UsageError) as error:
            if has_diverged(network, arguments):
                raise DivergedError from error
            raise
        return keep_top(
            scores,
            kept,
            keep=policy.keep,
            allocation=policy.allocation,
            current=mask,
            who=arguments["who"],
        )

    return GradualMask(policy.cubic(), Mask.full(prunable), select)
