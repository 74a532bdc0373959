"""From a network, or from its scores, to a mask of whole filters: in one shot, or in rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from prunebench.errors import ComponentError, UsageError
from prunebench.pruning.allocation import Allocation, spread
from prunebench.pruning.degenerate import NOTICED, Warn, all_zero
from prunebench.pruning.filters.choose import group_scores, keep_groups
from prunebench.pruning.filters.find import filter_groups
from prunebench.pruning.filters.groups import FilterGroups
from prunebench.pruning.filters.ties import Array
from prunebench.pruning.mask import Mask
from prunebench.pruning.mask_form import MaskForm
from prunebench.pruning.product import Product
from prunebench.pruning.rng import RandomStream
from prunebench.pruning.score import Scoring, run_scorer

__all__ = ["groups_for", "make_filter_mask"]


def groups_for(net: nn.Module, scoring: Scoring) -> FilterGroups:
    """Return the groups of filters of a network that is scored so."""
    inputs = scoring.like if scoring.batch is None else scoring.batch[0]
    return filter_groups(
        net, input_shape=scoring.input_shape, inputs=inputs, of=scoring.of, except_=scoring.except_
    )


def make_filter_mask(
    scored: nn.Module | Mapping[str, Tensor | Product],
    form: MaskForm,
    scoring: Scoring | None,
    *,
    groups: FilterGroups | None = None,
    mask: Mask | None = None,
    rng: RandomStream | None = None,
    warn: Warn | None = None,
    on_round: Callable[[int, Mask], None] | None = None,
    count: Callable[[int], Any] | None = None,
) -> Mask:
    """Return the mask of whole filters that a form makes; arguments as of `make_mask`.

    Raises: UsageError also for regrowth, which is of single weights.
    """
    if form.regrowth is not None:
        raise UsageError("unit = 'filter': regrowth lets single weights return: leave it out")
    who = "the scorer" if scoring is None else scoring.who
    if not isinstance(scored, nn.Module):
        if groups is None:
            raise UsageError("unit = 'filter': to make a mask of scores the groups of filters are wanted")
        current = None if mask is None else groups.kept(mask)
        sums = group_scores(scored, groups, who)
        return groups.mask(_selected(sums, form, groups, current, who, warn, count))
    assert scoring is not None
    groups = groups_for(scored, scoring) if groups is None else groups
    current = np.ones(len(groups), dtype=bool) if mask is None else groups.kept(mask)
    for k, kept in enumerate(form.counts(groups.mask(current)), 1):
        draws = rng if rng is None or k == 1 else rng.child("round", k)
        on = None if current.all() else groups.mask(current)
        sums = group_scores(run_scorer(scoring.network(scored, on, groups), scoring, draws), groups, who)
        if not sums[current].any() and current.all():
            raise ComponentError(all_zero(who))
        last = kept == form.kept
        kept = min(kept, int(groups.sizes[current].sum()))  # a round before may have reached fewer
        share = form.allocation if last else _share(form.allocation, groups, current, kept)
        told, tied = (warn, count) if last else (None, None)
        step = replace(form, kept=kept, allocation=share)
        current = _selected(sums, step, groups, current, who, told, tied)
        if on_round is not None:
            on_round(k, groups.mask(current))
    return groups.mask(current)


def _selected(
    sums: Array,
    form: MaskForm,
    groups: FilterGroups,
    current: Array | None,
    who: str,
    warn: Warn | None,
    count: Callable[[int], Any] | None,
) -> Array:
    """Return the groups that one scoring keeps."""
    tied: list[int] = []
    kept = keep_groups(
        sums,
        form.kept,
        groups,
        keep=form.keep,
        allocation=form.allocation,
        current=current,
        density=form.density,
        count=tied.append,
    )
    if tied and count is not None:
        count(tied[0])
    reached = int(groups.sizes[kept].sum())
    if tied and warn is not None and tied[0] > NOTICED * reached:
        warn(
            f"{who}: {tied[0]} of the {reached} weights kept are of filters chosen by position among "
            "equal scores"
        )
    return kept


def _share(allocation: Allocation, groups: FilterGroups, current: Array, kept: int) -> Allocation:
    """Return the allocation of a round before the last, of the groups that are there."""
    if not isinstance(allocation, Mapping) or set(allocation) != set(groups.shapes):
        return allocation
    return spread(allocation, groups.mask(current).counts(), kept)
