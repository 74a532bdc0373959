"""How a job scores a state: the network in it, the scorer with its batch, and whose fault a failure is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any, cast

import torch

from prunebench.errors import ComponentError, DataError, LeakError, UsageError
from prunebench.host.components import Scorer
from prunebench.isolation import isolated
from prunebench.jobs.context import Context
from prunebench.plan.params import ScoreParams
from prunebench.plan.uses import ScorerUse
from prunebench.pruning import Scoring
from prunebench.training.policy import DivergedError

if TYPE_CHECKING:
    from torch import nn

    from prunebench.training.state import State

__all__ = ["blaming_divergence", "network_of", "scoring_of"]


def network_of(params: ScoreParams, context: Context, state: State) -> nn.Module:
    """Return the network that is scored, in this state, on the scorer's device."""
    module = context.network(params.architecture, None, params.seed)
    state.load_into(module)
    return module.to(params.scorer.device)


def scoring_of(params: ScoreParams, context: Context, other: ScorerUse | None = None) -> Scoring:
    """Return how the network is scored; `other` is a scorer that gets the same batch."""
    scorer = cast(Scorer, context.host.get("scorers", params.scorer.name))
    return Scoring(
        scorer.function,
        parameters=params.scorer.parameters,
        mode=scorer.mode,
        precision=scorer.precision,
        gives=scorer.gives,
        batch=_batch(params, context, [params.scorer, other or params.scorer]),
        of=cast(Any, params.prunable.of),
        except_=params.prunable.except_,
        input_shape=params.architecture.input,
        who=context.host.who("scorers", scorer.name),
    )


def _batch(
    params: ScoreParams, context: Context, scorers: list[ScorerUse]
) -> tuple[Any, torch.Tensor] | None:
    """Return the scoring batch on the scorer's device, where the scorer reads one."""
    from prunebench.training.images.data import scoring_batch

    if params.batch is None or params.data is None:
        return None
    data, device = context.data(params.data, "cpu", params.seed), params.scorer.device
    # images in floating point take four times the memory of bytes: a scorer may make them chunk by chunk
    lazy = all(context.host.get("scorers", use.name).takes_lazy(use.parameters) for use in scorers)
    try:
        x, y = scoring_batch(data, params.seed, **params.batch.model_dump(), lazy=lazy)
    except DataError as error:
        named = f"data set '{params.data.name}', training part ({params.data.split} split)"
        raise DataError(f"{named}: {error}") from error
    return x.to(device), y.to(device)


@contextmanager
def blaming_divergence(module: nn.Module, scoring: Scoring, step: int) -> Iterator[None]:
    """Raise DivergedError where scoring fails because of what `step` steps of training made of a network.

    The run itself has not met a loss that is not finite by then: it would at its next step.
    """
    try:
        yield
    except LeakError:
        raise
    except (ComponentError, UsageError) as error:
        if step > 0 and not _is_finite(module, scoring):
            raise DivergedError from error
        raise


def _is_finite(module: nn.Module, scoring: Scoring) -> bool:
    """Return True if weights, buffers and the loss on the scoring batch are finite."""
    tensors = (*module.parameters(), *module.buffers())
    finite = all(bool(torch.isfinite(tensor).all()) for tensor in tensors)
    if scoring.batch is None or not finite:
        return finite
    x, y = scoring.batch
    chunk = scoring.parameters.get("chunk")
    size = chunk if isinstance(chunk, int) and chunk > 0 else len(y)
    with isolated("the network's forward pass"), torch.no_grad():
        copy = deepcopy(module).train(scoring.mode == "train")
        for start in range(0, len(y), size):
            part = slice(start, start + size)
            if not torch.isfinite(torch.nn.functional.cross_entropy(copy(x[part]), y[part])):
                return False
    return True
