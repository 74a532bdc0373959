"""Scores that rank nothing, or too few weights: the sentences that say so, as position decides then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from prunebench.errors import ComponentError
from prunebench.pruning.allocation import Allocation
from prunebench.pruning.keep import Keep, part_of
from prunebench.pruning.largest import only_value, ties
from prunebench.pruning.mask import Mask
from prunebench.pruning.product import Product

__all__ = [
    "NOTICED",
    "Warn",
    "all_zero",
    "chosen_by_position",
    "emptied_layers",
    "only_score",
    "tell_no_ranking",
]

Warn = Callable[[str], Any]
"""Who is told of what is no error: takes a sentence."""

NOTICED = 0.01
"""The share of the kept weights from which on a choice by position among equal scores is worth a word."""


def only_score(scores: Mapping[str, Tensor | Product], mask: Mask | None = None) -> float | None:
    """Return the one score of all weights that the mask keeps; None where they have several."""
    return only_value([part_of(name, score, mask) for name, score in scores.items()])


def all_zero(who: str) -> str:
    """Return what to tell of scores that are all zero."""
    return (
        f"{who}: every score is 0, which ranks nothing: what it scores by does not depend on the weights "
        "(are outputs or loss constant, all units dead, or all weights 0?)"
    )


def tell_no_ranking(
    scores: Mapping[str, Tensor | Product], mask: Mask | None, who: str, warn: Warn | None = None
) -> None:
    """Refuse scores that are all zero in a network that has all its weights, and tell of others all equal.

    In a network with a mask zeros are no error: of a network that is pruned to the bone no path may be left.

    Raises: ComponentError.
    """
    value = only_score(scores, mask)
    if value is None:
        return
    if value != 0:
        equal = f"{who}: every score is {value:g}: equal scores rank nothing, weights are kept by position"
    elif mask is None or mask.kept == mask.prunable:
        raise ComponentError(all_zero(who))
    else:
        equal = (
            f"{who}: every score of the {mask.kept} weights that are left is 0: what it scores by no longer "
            "depends on them, and they are kept by position"
        )
    if warn is not None:
        warn(equal)


def chosen_by_position(
    scores: Mapping[str, Tensor | Product],
    mask: Mask,
    *,
    keep: Keep = "high",
    allocation: Allocation = "global",
    current: Mask | None = None,
    who: str,
    count: Callable[[int], Any] | None = None,
) -> str | None:
    """Return a sentence where the scores were too few for the mask made of them; None where they sufficed.

    That is where the last weights kept have the score of others that were removed: with a score of 0 it is
    always told, with another where it concerns more than a hundredth of what is kept. Where `current` removed
    weights before, scores of 0 that are kept as the highest are told as well: what was removed could not be
    lower. Arguments as of `keep_top`, which made the mask. `count` is told how many weights were chosen by
    position among equal scores, where there are some.
    """
    parts = [part_of(name, score, current) for name, score in scores.items()]
    marks = [mask[name].numpy().reshape(-1) for name in scores]
    together = isinstance(allocation, str) and allocation == "global"
    groups = [(parts, marks)] if together else [([p], [m]) for p, m in zip(parts, marks, strict=True)]
    zeros = equals = equal = by_position = 0
    split = False
    for own, chosen in groups:
        value, kept, all_ = ties(own, chosen, keep)
        by_position += kept if kept < all_ else 0
        fewer = any(part.left < part.values.size for part in own)
        if value == 0 and (kept < all_ or (fewer and keep in ("high", "far"))):
            zeros, split = zeros + kept, split or kept < all_
        elif kept < all_:
            equals, equal = equals + kept, equal + all_
    if by_position and count is not None:
        count(by_position)
    if zeros:
        rest = ", the rest was chosen by position" if split else ""
        return (
            f"{who}: {zeros} of the {mask.kept} weights kept have the score 0: the scores rank only "
            f"{mask.kept - zeros}{rest}"
        )
    if equals > NOTICED * mask.kept:
        return (
            f"{who}: {equals} of the {mask.kept} weights kept were chosen by position among {equal} with "
            "equal scores"
        )
    return None


def emptied_layers(mask: Mask, who: str) -> str | None:
    """Return a sentence that names the layers of which no weight is kept; None where there is none."""
    names = [layer["name"] for layer in mask.layers() if layer["prunable"] and not layer["kept"]]
    if not names:
        return None
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    layers = f"{len(names)} of {len(mask)} layers"
    return f"{who} kept {mask.kept} of {mask.prunable} weights and none in {layers}: {shown}"
