"""Pruning in rounds: scored again each time, on what is left."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from torch import nn

from prunebench.errors import UsageError
from prunebench.pruning.allocation import Allocation, keeps_none, round_counts, spread
from prunebench.pruning.mask import Mask
from prunebench.pruning.network import Loss, ScoringNetwork
from prunebench.pruning.remove import Keep, keep_top
from prunebench.pruning.rng import RandomStream
from prunebench.pruning.score import ScoringFunction, run_scorer, shape_of

__all__ = ["prune_rounds"]


def prune_rounds(
    module: nn.Module,
    function: ScoringFunction,
    *,
    density: float | str,
    rounds: int,
    keep: Keep = "high",
    allocation: Allocation = "global",
    mode: Literal["train", "eval"] = "eval",
    precision: Literal["float32", "float64"] = "float32",
    batch: tuple[Any, Any] | None = None,
    rng: RandomStream | None = None,
    of: Literal["weights", "convolutions"] = "weights",
    except_: Iterable[str] = (),
    loss: Loss | None = None,
    input_shape: Sequence[int] | None = None,
    parameters: Mapping[str, Any] | None = None,
    who: str = "the scorer",
    on_round: Callable[[int, Mask], None] | None = None,
) -> Mask:
    """Return the mask after n rounds; round k scores what is left and keeps round(density^(k/n) · prunable).

    A weight that is removed stays removed. One round is one-shot pruning. The network is copied once and put
    back between rounds; round 1 draws from `rng`, round k from rng.child("round", k). An `allocation` given
    as counts is that of the last round; the rounds before it share in its proportions, as far as a layer
    goes. `on_round(k, mask)` is told of each round.

    Raises: as `score_network` and `keep_top`.
    """
    except_ = tuple((except_,) if isinstance(except_, str) else except_)
    shape = shape_of(batch) if input_shape is None else input_shape

    def build(mask: Mask | None) -> ScoringNetwork:
        return ScoringNetwork(
            module,
            mask,
            mode=mode,
            precision=precision,
            of=of,
            except_=except_,
            loss=loss,
            input_shape=shape,
        )

    net = build(None)
    mask = net.mask
    counts = round_counts(density, mask.prunable, rounds)
    if counts[-1] < 1:
        raise UsageError(keeps_none(density, mask.prunable))
    if isinstance(allocation, Mapping) and sum(allocation.values()) != counts[-1]:
        raise UsageError(
            f"the allocation keeps {sum(allocation.values())} weights; {counts[-1]} are to be kept"
        )
    for k, kept in enumerate(counts, 1):
        if k > 1 and not net.restore(mask):
            net = build(mask)
        scores = run_scorer(
            net,
            function,
            batch=batch,
            rng=rng if rng is None or k == 1 else rng.child("round", k),
            parameters=parameters or {},
            who=who,
        )
        share = _share(allocation, mask, kept) if k < rounds else allocation
        mask = keep_top(scores, kept, keep=keep, allocation=share, current=mask, who=who)
        if on_round is not None:
            on_round(k, mask)
    return mask


def _share(allocation: Allocation, mask: Mask, kept: int) -> Allocation:
    """Return the allocation of a round before the last."""
    if not isinstance(allocation, Mapping):
        return allocation
    live = {layer["name"]: layer["kept"] for layer in mask.layers()}
    if allocation.keys() != live.keys() or any(
        not 0 <= count <= math.prod(mask[name].shape) for name, count in allocation.items()
    ):
        return allocation  # keep_top says what is wrong with it
    return spread(allocation, live, kept)
