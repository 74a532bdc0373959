"""Pruning in rounds: scored again each time, on what is left."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal, ParamSpec, TypeVar

import torch
from torch import Tensor, nn

from prunebench.errors import ComponentError, UsageError
from prunebench.isolation import isolated
from prunebench.pruning.allocation import Allocation, keeps_none, round_counts, spread
from prunebench.pruning.losses import Loss, Reduction
from prunebench.pruning.mask import Mask
from prunebench.pruning.network import ScoringNetwork
from prunebench.pruning.precision import Precision
from prunebench.pruning.product import Product
from prunebench.pruning.ranking import Warn, all_zero, chosen_by_position, only_score, warn_user
from prunebench.pruning.remove import Keep, keep_top
from prunebench.pruning.rng import RandomStream
from prunebench.pruning.score import ScoringFunction, run_scorer

__all__ = ["Regrow", "prune_rounds"]

Scores = dict[str, Tensor | Product]


@dataclass(frozen=True)
class Regrow:
    """Removed weights may return: they are ranked with the others, at the same count.

    function: what scores removed weights. It sees the network with them at zero, in the same mode and
        precision and on the same batch as the other scorer; `net.dense` has the values they would return with
    parameters: the function's
    every: they may return in each n-th round; in the others what is removed stays removed
    who: the function's name, for messages
    """

    function: ScoringFunction
    parameters: Mapping[str, Any] = field(default_factory=dict)
    every: int = 1
    who: str = "the scorer of regrowth"

    def __post_init__(self) -> None:
        if self.every < 1:
            raise UsageError(f"regrowth is every 1 or more rounds; found {self.every}")


P = ParamSpec("P")
T = TypeVar("T")


def _in_one_bracket(function: Callable[P, T]) -> Callable[P, T]:
    """Look only once at what a scorer's rounds leave behind, unless another scorer runs between them."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        alone = kwargs.get("regrowth") is None
        with isolated(str(kwargs.get("who", "the scorer"))) if alone else nullcontext():
            return function(*args, **kwargs)

    return call


@_in_one_bracket
def prune_rounds(
    module: nn.Module,
    function: ScoringFunction,
    *,
    density: float | str,
    rounds: int,
    keep: Keep = "high",
    allocation: Allocation = "global",
    mode: Literal["train", "eval"] = "eval",
    precision: Precision = "float32",
    batch: tuple[Any, Any] | None = None,
    rng: RandomStream | None = None,
    mask: Mask | None = None,
    of: Literal["weights", "convolutions"] = "weights",
    except_: Iterable[str] = (),
    loss: Loss | None = None,
    reduction: Reduction | None = None,
    input_shape: Sequence[int] | None = None,
    like: Any = None,
    parameters: Mapping[str, Any] | None = None,
    who: str = "the scorer",
    warn: Warn = warn_user,
    regrowth: Regrow | None = None,
    on_round: Callable[[int, Mask], None] | None = None,
) -> Mask:
    """Return the mask after n rounds; round k scores what is left and keeps round(density^(k/n) · prunable).

    A weight that is removed stays removed, unless there is `regrowth` (de Jorge et al. 2021): then all
    weights are ranked in each round, the removed ones by its function, and one that returns has the value it
    has in `module`. One round is one-shot pruning. The network is copied once and put back between rounds;
    round 1 draws from `rng`, round k from rng.child("round", k). An `allocation` given as counts is that of
    the last round; the rounds before it share in its proportions, as far as a layer goes. `on_round(k, mask)`
    is told of each round. `mask` is one that is on already: what it removed never returns, by no regrowth
    either, and the counts fall from what it keeps (`round_counts`). Scores that are all zero are an error in
    the first round of a network that has all its weights; later, when no path may be left, `warn` is told of
    them, as of scores too few for the last round's count.

    Raises: as `score_network` and `keep_top`.
    """
    parameters = parameters or {}
    net = ScoringNetwork(
        module,
        mask,
        mode=mode,
        precision=precision,
        of=of,
        except_=except_,
        loss=loss,
        reduction=reduction,
        input_shape=input_shape,
        like=like if batch is None else batch[0],
    )
    first = mask = net.mask
    counts = round_counts(density, mask.prunable, rounds, first.kept)
    if counts[-1] < 1:
        raise UsageError(keeps_none(density, mask.prunable))
    if isinstance(allocation, Mapping) and sum(allocation.values()) != counts[-1]:
        raise UsageError(
            f"the allocation keeps {sum(allocation.values())} weights; {counts[-1]} are to be kept"
        )
    zero: int | None = None
    for k, kept in enumerate(counts, 1):
        draws = rng if rng is None or k == 1 else rng.child("round", k)
        if k > 1:
            net = net.fresh(mask)
        scores = run_scorer(net, function, batch=batch, rng=draws, parameters=parameters, who=who)
        grows = regrowth is not None and k > 1 and k % regrowth.every == 0
        if regrowth is not None and grows and not _one_scoring(regrowth, function, parameters):
            live = {name: _tensor(score).clone() for name, score in scores.items()}
            net = net.fresh(mask)
            scores = run_scorer(
                net,
                regrowth.function,
                batch=batch,
                rng=None if draws is None else draws.child("regrowth"),
                parameters=regrowth.parameters,
                who=regrowth.who,
            )
            scores = _joined(live, scores, mask)
        current = first if grows else mask
        share = allocation if k == rounds else _share(allocation, current, kept)
        if only_score(scores, current) == 0:
            if k == 1 and first.kept == first.prunable:
                raise ComponentError(all_zero(who))
            zero = zero or k
        mask = keep_top(scores, kept, keep=keep, allocation=share, current=current, who=who)
        if k == rounds and zero is None:
            few = chosen_by_position(scores, mask, keep=keep, allocation=share, current=current, who=who)
            if few:
                warn(few)
        if on_round is not None:
            on_round(k, mask)
    if zero is not None:
        warn(
            f"{who}: in round {zero} of {rounds} every score of what was left was 0: from there on weights "
            "are kept by position"
        )
    return mask


def _one_scoring(regrowth: Regrow, function: ScoringFunction, parameters: Mapping[str, Any]) -> bool:
    """Whether one function scores removed weights and the others alike: then it is asked once."""
    return regrowth.function is function and dict(regrowth.parameters) == dict(parameters)


def _joined(live: Mapping[str, Tensor], removed: Scores, mask: Mask) -> Scores:
    """Return the one's scores for weights that are there, the other's for those that are not."""
    return {
        name: torch.where(mask[name].to(score.device), score, _tensor(removed[name]))
        for name, score in live.items()
    }


def _tensor(score: Tensor | Product) -> Tensor:
    return score.tensor() if isinstance(score, Product) else score


def _share(allocation: Allocation, mask: Mask, kept: int) -> Allocation:
    """Return the allocation of a round before the last, of the weights that this mask keeps."""
    if not isinstance(allocation, Mapping):
        return allocation
    limits = {layer["name"]: layer["kept"] for layer in mask.layers()}
    if allocation.keys() != limits.keys() or any(
        not 0 <= count <= math.prod(mask[name].shape) for name, count in allocation.items()
    ):
        return allocation  # keep_top says what is wrong with it
    return spread(allocation, limits, kept)
