"""From a network, or from its scores, to a mask: in one shot, or in rounds on what is left."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from prunebench.errors import ComponentError
from prunebench.isolation import isolated
from prunebench.pruning.allocation import Allocation, spread
from prunebench.pruning.degenerate import Warn, all_zero, chosen_by_position, only_score
from prunebench.pruning.filters.groups import FilterGroups
from prunebench.pruning.filters.rounds import make_filter_mask
from prunebench.pruning.keep import keep_top
from prunebench.pruning.mask import Mask
from prunebench.pruning.mask_form import MaskForm, Regrow
from prunebench.pruning.network import ScoringNetwork
from prunebench.pruning.product import Product
from prunebench.pruning.rng import RandomStream
from prunebench.pruning.score import Scoring, run_scorer

__all__ = ["make_mask"]

Scores = Mapping[str, Tensor | Product]


def make_mask(
    scored: nn.Module | Scores,
    form: MaskForm,
    scoring: Scoring | None = None,
    *,
    mask: Mask | None = None,
    groups: FilterGroups | None = None,
    rng: RandomStream | None = None,
    warn: Warn | None = None,
    on_round: Callable[[int, Mask], None] | None = None,
    count: Callable[[int], Any] | None = None,
) -> Mask:
    """Return the mask that a form makes of a network, or, in one shot, of the scores that it was given.

    scored: the network; or its scores as `score_network` returned them, of the network under the same `mask`
    scoring: how the network is scored
    mask: the one that is on already. What it removed never returns, by no regrowth either, and the counts of
        the rounds fall from what it keeps. With `unit = "filter"` it is a mask of whole filters
    groups: which filters go together, for `unit = "filter"`; unless given they are found in the network
    rng: round 1 draws from it, round k from rng.child("round", k)
    warn: is told of scores too few for the last count, or, in rounds, all zero in a network of which weights
        are removed: no path may be left then
    on_round: is told of each round's number and mask
    count: is told how many of the weights kept were chosen by position among equal scores, where some were

    In rounds a weight that is removed stays removed, unless there is `regrowth` (de Jorge et al. 2021): then
    all weights are ranked in each round, the removed ones by its function, and one that returns has the value
    it has in the network. One round is one-shot pruning. The network is copied once and put back between
    rounds.

    Raises: as `score_network` and `keep_top`; UsageError for counts that cannot be kept.
    """
    if form.unit == "filter":
        told: Any = {"rng": rng, "warn": warn, "on_round": on_round, "count": count}
        with isolated("the scorer" if scoring is None else scoring.who):
            return make_filter_mask(scored, form, scoring, groups=groups, mask=mask, **told)
    if not isinstance(scored, nn.Module):
        return _selected(scored, form, mask, "the scorer" if scoring is None else scoring.who, warn, count)
    assert scoring is not None
    alone = form.regrowth is None  # then it is looked once at what the scorer's rounds leave behind
    with isolated(scoring.who) if alone else nullcontext():
        return _in_rounds(scored, form, scoring, mask, rng, warn, on_round, count)


def _in_rounds(
    module: nn.Module,
    form: MaskForm,
    scoring: Scoring,
    mask: Mask | None,
    rng: RandomStream | None,
    warn: Warn | None,
    on_round: Callable[[int, Mask], None] | None,
    count: Callable[[int], Any] | None,
) -> Mask:
    """Score and select as often as the form says; one shot is one round with words of its own."""
    net = scoring.network(module, mask)
    first = mask = net.mask
    counts = form.counts(first)
    zero: int | None = None
    for k, kept in enumerate(counts, 1):
        draws = rng if rng is None or k == 1 else rng.child("round", k)
        regrowth = form.regrowth if form.regrowth is not None and form.regrowth.in_round(k) else None
        net, scores = _scored(net if k == 1 else net.fresh(mask), scoring, regrowth, draws)
        scores = {name: _on_cpu(score) for name, score in scores.items()}
        current = mask if regrowth is None else first
        last = k == len(counts)
        share = form.allocation if last else _share(form.allocation, current, kept)
        if only_score(scores, current) == 0:
            if k == 1 and first.kept == first.prunable:
                raise ComponentError(all_zero(scoring.who))
            zero = zero or k
        counted = last and (zero is None or form.rounds is None)
        told, tied = (warn, count) if counted else (None, None)
        mask = _selected(scores, replace(form, kept=kept, allocation=share), current, scoring.who, told, tied)
        if on_round is not None:
            on_round(k, mask)
    if zero is not None and form.rounds is not None and count is not None:
        count(mask.kept)
    if zero is not None and form.rounds is not None and warn is not None:
        warn(
            f"{scoring.who}: in round {zero} of {len(counts)} every score of what was left was 0: from there "
            "on weights are kept by position"
        )
    return mask


def _selected(
    scores: Scores,
    form: MaskForm,
    current: Mask | None,
    who: str,
    warn: Warn | None,
    count: Callable[[int], Any] | None,
) -> Mask:
    """Return the mask that one scoring makes: all masks are made here."""
    how: Any = {"keep": form.keep, "allocation": form.allocation, "current": current, "who": who}
    mask = keep_top(scores, form.kept, **how)
    if warn is None and count is None:
        return mask
    few = chosen_by_position(scores, mask, **how, count=count)
    if few and warn is not None:
        warn(few)
    return mask


def _scored(
    net: ScoringNetwork, scoring: Scoring, regrowth: Regrow | None, rng: RandomStream | None
) -> tuple[ScoringNetwork, Scores]:
    """Return the scores of a round: with regrowth, those of removed weights are its function's."""
    live = run_scorer(net, scoring, rng)
    if regrowth is None or _is_same(regrowth, scoring):
        return net, live
    copied = {name: _tensor(score).clone() for name, score in live.items()}
    net = net.fresh(net.mask)
    other = replace(scoring, function=regrowth.function, parameters=regrowth.parameters, who=regrowth.who)
    removed = run_scorer(net, other, None if rng is None else rng.child("regrowth"))
    # one of them may have made its scores on the CPU, as random ones are
    return net, {
        name: torch.where(net.mask[name].to(score.device), score, _tensor(removed[name]).to(score.device))
        for name, score in copied.items()
    }


def _is_same(regrowth: Regrow, scoring: Scoring) -> bool:
    """Return True if one function scores removed weights and the others alike: then it is asked once."""
    return regrowth.function is scoring.function and dict(regrowth.parameters) == dict(scoring.parameters)


def _on_cpu(score: Tensor | Product) -> Tensor | Product:
    """Return scores where they are ranked, brought there once: they are read several times."""
    device = score.weight.device if isinstance(score, Product) else score.device
    return score if device.type == "cpu" else _tensor(score).cpu()


def _tensor(score: Tensor | Product) -> Tensor:
    return score.tensor() if isinstance(score, Product) else score


def _share(allocation: Allocation, mask: Mask, kept: int) -> Allocation:
    """Return the allocation of a round before the last, of the weights that this mask keeps."""
    if not isinstance(allocation, Mapping):
        return allocation
    limits = mask.counts()
    if allocation.keys() != limits.keys() or any(
        not 0 <= count <= math.prod(mask[name].shape) for name, count in allocation.items()
    ):
        return allocation  # keep_top says what is wrong with it
    return spread(allocation, limits, kept)
