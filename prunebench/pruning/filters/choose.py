"""From scores to masks of whole filters: groups in the order of their scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from prunebench.errors import ComponentError, UsageError, nearest
from prunebench.pruning.allocation import Allocation, spread
from prunebench.pruning.filters.groups import FilterGroups
from prunebench.pruning.filters.ties import Array
from prunebench.pruning.keep import KEEP, Keep
from prunebench.pruning.mask import Mask
from prunebench.pruning.precision import not_finite
from prunebench.pruning.product import Product
from prunebench.pruning.rng import RandomStream

__all__ = ["Room", "group_scores", "keep_groups", "rooms", "shuffle_filters"]


def group_scores(scores: Mapping[str, Tensor | Product], groups: FilterGroups, who: str = "") -> Array:
    """Return the score of each group in float64: the sum over its filters.

    scores: of weights, in their shapes (a filter's is then the sum over its weights), or of filters, one a
        filter (1-D); what is not for `groups.shapes` counts for nothing

    Raises: ComponentError for scores that are not finite.
    """
    sums = np.zeros(len(groups))
    for name, numbers in groups.groups.items():
        score = scores[name]
        tensor = score.tensor() if isinstance(score, Product) else score
        tensor = tensor.detach().to("cpu", torch.float64)
        bad = not_finite(tensor)
        if bad:
            by = f"{who}: " if who else ""
            raise ComponentError(f"{by}{bad} of {tensor.numel()} scores of '{name}' are NaN or infinite")
        if tuple(tensor.shape) == groups.shapes[name]:
            tensor = tensor.movedim(groups.dims[name], 0).reshape(len(numbers), -1).sum(1)
        np.add.at(sums, numbers, tensor.numpy())
    return sums


def keep_groups(
    scores: Array,
    kept: int,
    groups: FilterGroups,
    *,
    keep: Keep = "high",
    allocation: Allocation = "global",
    current: Array | None = None,
    density: float | str | None = None,
    count: Callable[[int], Any] | None = None,
) -> Array:
    """Return which groups are kept (bool, one a group): the longest run in score order that fits.

    scores: one a group; equal ones go by position
    kept: how many weights may be kept at most, on the output side of the groups
    keep: which scores are kept, as of `keep_top`
    allocation: "global": all groups are in one order. Otherwise each set of tied layers has an order and a
        number of weights of its own: "uniform" gives every set the same share; "erk" one in proportion to
        the sum of the dimensions of its layers' weights (Evci et al. 2020); counts by layer as many groups
        as no layer gets more of than its count
    current: the groups that are there; the others stay removed
    density: what `kept` was asked for as, for messages
    count: is told how many of the weights kept were chosen by position among equal scores, where some were

    Raises: UsageError where no group fits, more are to be kept than there are, or counts are not for these
        layers.
    """
    if keep not in KEEP:
        raise UsageError(f"unknown keep '{keep}'{nearest(str(keep), KEEP)}")
    keys = np.abs(scores) if keep in ("far", "near") else scores
    keys = -keys if keep in ("high", "far") else keys
    there = np.ones(len(groups), dtype=bool) if current is None else current
    sizes = groups.sizes
    left = int(sizes[there].sum())
    if not 1 <= kept <= left:
        raise UsageError(f"cannot keep {kept} weights of the {left} there are in the groups of filters")
    chosen = np.zeros(len(groups), dtype=bool)
    tied = 0
    rooms = []
    for own, limit in _limits(groups, kept, allocation, there):
        order = own[np.argsort(keys[own], kind="stable")]
        rooms += [(limit, int(order[0]))] if len(order) else []
        fits = int(np.searchsorted(np.cumsum(sizes[order]), limit, side="right"))
        chosen[order[:fits]] = True
        if 0 < fits < len(order) and keys[order[fits - 1]] == keys[order[fits]]:
            tied += int(sizes[order[:fits]][keys[order[:fits]] == keys[order[fits]]].sum())
    if not chosen.any():
        raise _none_fits(kept, groups, rooms, density)
    if tied and count is not None:
        count(tied)
    return chosen


def _none_fits(
    kept: int, groups: FilterGroups, rooms: list[tuple[int, int]], density: float | str | None
) -> UsageError:
    """Return what to say where the first group of no order fits; rooms: how many may stay, and that group."""
    sizes = groups.sizes
    shares = [
        f"{limit} may stay, and the first group in the order of scores, of {groups.layers_of(group)}, has "
        f"{sizes[group]}"
        for limit, group in rooms[:4]
    ]
    told = (
        "no group of filters is kept" if density is None else f"density {density} keeps no group of filters"
    )
    each = "" if len(rooms) == 1 else f"{kept} may stay; of each set of tied layers "
    more = "; …" if len(rooms) > 4 else ""
    return UsageError(
        f"unit = 'filter': {told}: of {groups.prunable} weights {each}{'; '.join(shares)}{more}"
    )


@dataclass(frozen=True, slots=True)
class Room:
    """How many weights may be kept of the groups in one order, and the smallest and largest of these."""

    kept: int
    small: int
    """The number of a group of the smallest size."""
    smallest: int
    large: int
    largest: int


def rooms(groups: FilterGroups, kept: int, allocation: Allocation) -> list[Room]:
    """Return what there is room for in each order of groups, whatever their scores are.

    kept, allocation: as of `keep_groups`
    """
    sizes = groups.sizes
    rooms = []
    for own, limit in _limits(groups, kept, allocation, np.ones(len(groups), dtype=bool)):
        small, large = int(own[sizes[own].argmin()]), int(own[sizes[own].argmax()])
        rooms.append(Room(limit, small, int(sizes[small]), large, int(sizes[large])))
    return rooms


def _limits(groups: FilterGroups, kept: int, allocation: Allocation, there: Array) -> list[tuple[Array, int]]:
    """Return the groups that are in one order, and how many weights may be kept of them."""
    if isinstance(allocation, str) and allocation == "global":
        return [(np.flatnonzero(there), kept)]
    sets = {str(number): layers for number, layers in enumerate(groups.sets)}
    members = {number: groups.groups_of(layers) for number, layers in sets.items()}
    own = {number: numbers[there[numbers]] for number, numbers in members.items()}
    sizes = groups.sizes
    caps = {number: int(sizes[numbers].sum()) for number, numbers in own.items()}
    if isinstance(allocation, Mapping):
        return _given(groups, own, allocation)
    if allocation in ("uniform", "erk"):
        shares = {
            number: sum(
                math.prod(groups.shapes[name]) if allocation == "uniform" else sum(groups.shapes[name])
                for name in layers
            )
            for number, layers in sets.items()
        }
        limits = spread(shares, caps, kept)
    else:
        raise UsageError(
            f"unknown allocation '{allocation}'{nearest(str(allocation), ['global', 'uniform', 'erk'])}"
        )
    return [(own[number], limits[number]) for number in sets]


def _given(
    groups: FilterGroups, sets: Mapping[str, Array], counts: Mapping[str, int]
) -> list[tuple[Array, int]]:
    """Return the groups that are in one order, and their number of weights, by counts of layers.

    sets: the groups that are there of each set of tied layers

    Groups with as many filters in each layer are in one order: a concatenation, tied to another layer by a
    sum, has several such kinds in one set. Of each kind there are as many as all layers together have room
    for: where the counts are those of a mask of filters, each layer gets its own.
    """
    if set(counts) != set(groups.shapes):
        differing = ", ".join(sorted(set(counts) ^ set(groups.shapes)))
        raise UsageError(
            f"the allocation and the network have different layers whose filters may go: {differing}"
        )
    for name, shape in groups.shapes.items():
        if not 0 <= counts[name] <= math.prod(shape):
            raise UsageError(
                f"the allocation wants {counts[name]} weights of layer '{name}', which has {math.prod(shape)}"
            )
    wanted = np.array([counts[name] for name in groups.shapes])
    weights = groups.weights
    limits = []
    for own in sets.values():
        kinds, which, there = np.unique(weights[own], axis=0, return_inverse=True, return_counts=True)
        most = _most(kinds, there, wanted)
        which = which.reshape(-1)
        limits += [(own[which == k], int(most[k] * kinds[k].sum())) for k in range(len(kinds))]
    return limits


def _most(kinds: Array, there: Array, wanted: Array) -> Array:
    """Return how many groups of each kind (weights by layer) fit: the most weights within all counts."""
    if len(kinds) == 1:
        layers = kinds[0] > 0
        least: Array = np.minimum(there, (wanted[layers] // kinds[0][layers]).min())
        return least
    from scipy.optimize import Bounds, LinearConstraint, milp  # here, as few networks have several kinds

    fits = LinearConstraint(kinds.T, ub=wanted)
    chosen = milp(-kinds.sum(1), constraints=fits, bounds=Bounds(0, there), integrality=np.ones_like(there))
    assert chosen.x is not None  # nothing of each is always within the counts
    most: Array = np.rint(chosen.x).astype(np.int64)
    return most


def shuffle_filters(mask: Mask, groups: FilterGroups, rng: RandomStream, within: Mask | None = None) -> Mask:
    """Return a mask in which every set of tied layers keeps as many groups, at random places.

    Drawn from rng.child(the set's first layer); groups change places with those alone that have as many
    filters in each layer, so that every layer keeps its count. With `within` they go to places alone that it
    keeps.

    Raises: UsageError for masks that are not of whole filters, tied ones together.
    """
    kept = groups.kept(mask)
    there = np.ones(len(groups), dtype=bool) if within is None else groups.kept(within)
    shuffled = np.zeros(len(groups), dtype=bool)
    weights = groups.weights
    for layers in groups.sets:
        draws = rng.child(layers[0])
        own = groups.groups_of(layers)
        for alike in np.unique(weights[own], axis=0):
            places = own[(weights[own] == alike).all(axis=1) & there[own]]
            shuffled[places] = kept[places][draws.permutation(len(places))]
    return groups.mask(shuffled)
