"""Whole filters: which of them go together, masks of them, and really smaller networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from prunebench.errors import UsageError
from prunebench.pruning.filters.choose import shuffle_filters
from prunebench.pruning.filters.cut import smaller
from prunebench.pruning.filters.find import filter_groups
from prunebench.pruning.filters.groups import FilterGroups, checked
from prunebench.pruning.filters.known import known_groups, remember
from prunebench.pruning.prunable import prunable_weights

__all__ = ["VERSION", "FilterGroups", "filter_groups", "shrink", "shuffle_filters", "taken_along"]

VERSION = "1"
"""Of what these modules decide: which filters go together, and which of them a mask keeps. Whoever changes
that raises it: from the second on it is in the keys of scores and masks of filters."""


def taken_along(
    net: nn.Module,
    mask: Mapping[str, Tensor],
    groups: FilterGroups | None = None,
    *,
    input_shape: Sequence[int] | None = None,
    inputs: Any = None,
) -> dict[str, Tensor]:
    """Return what stays of every parameter that removed filters take something of.

    A bool tensor by the parameter's name, True stays: the filters themselves, their biases, BatchNorm's
    factors and shifts, the inputs of the layers that read them. Parameters that lose nothing are left out. A
    network in which all the rest is zero has the outputs of the really smaller one (`shrink`).

    groups: `filter_groups` of the network, where they are known; input_shape, inputs: as of `filter_groups`

    Raises: UsageError for a mask that is not of the network's whole filters, tied ones together, and as
        `filter_groups`.
    """
    mask = checked(mask)
    return _groups(net, mask, groups, input_shape, inputs).taken_along(mask)


def shrink(
    net: nn.Module,
    mask: Mapping[str, Tensor],
    groups: FilterGroups | None = None,
    *,
    input_shape: Sequence[int] | None = None,
    inputs: Any = None,
) -> nn.Module:
    """Return a network without the filters that a mask removes: really smaller layers, the same outputs.

    A module of the same class as `net`, copied deeply: it can be trained, saved and moved like any other.
    In evaluation mode its outputs are those of `net` with the removed filters and all that they take along
    at zero. `net` is left as it is; its hooks are not on the copy.

    A layer needs one filter at least: of one of which the mask keeps none the first filter stays, and those
    that it is tied to, with everything about them zero.

    mask: of whole filters, tied ones kept or removed together, as `prune(net, …, unit="filter")` makes it
    groups: `filter_groups` of the network, where they are known; input_shape, inputs: as of `filter_groups`

    Raises: UsageError for a mask that is not of the network's whole filters, tied ones together, and as
        `filter_groups`.
    """
    mask = checked(mask)
    groups = _groups(net, mask, groups, input_shape, inputs)
    return smaller(net, groups, groups.kept(mask))


def _groups(
    net: nn.Module,
    mask: Mapping[str, Tensor],
    groups: FilterGroups | None,
    input_shape: Sequence[int] | None,
    inputs: Any,
) -> FilterGroups:
    """Return the groups of a network's filters in the layers that a mask is for, unless they are given."""
    if isinstance(groups, FilterGroups):
        return groups
    if groups is not None:
        raise UsageError(
            f"groups must be what filter_groups returns; found {groups!r:.80}: the shape of an input is "
            "given as input_shape=(channels, height, width)"
        )
    known = known_groups(net, mask)
    if known is not None:
        return known
    own = prunable_weights(net)
    others = [name for name in own if name not in mask]
    if len(others) == len(own) > 0:
        raise UsageError(
            f"the mask is not of this network: it is for {_some(mask)}, and the network's prunable weights "
            f"are {_some(own)}"
        )
    try:
        of_mask = filter_groups(net, input_shape=input_shape, inputs=inputs, except_=others)
    except UsageError:
        _refuse_parts_of_ties(net, mask, input_shape, inputs)
        raise
    if not set(mask) <= set(of_mask.shapes):
        _refuse_parts_of_ties(net, mask, input_shape, inputs)
    return remember(net, of_mask)


def _refuse_parts_of_ties(
    net: nn.Module, mask: Mapping[str, Tensor], input_shape: Sequence[int] | None, inputs: Any
) -> None:
    """Raise UsageError where a mask has some of the layers that are tied together, and not the others."""
    try:
        every = filter_groups(net, input_shape=input_shape, inputs=inputs, check=False)
    except UsageError:
        return  # ties of the whole network are not known: what the caller has to say stands
    for tied in every.sets:
        there, lacking = [n for n in tied if n in mask], [n for n in tied if n not in mask]
        if there and lacking:
            are = "is" if len(lacking) == 1 else "are"
            raise UsageError(
                f"the mask has no {_some(lacking)}, which {are} tied to {_some(there)}: tied filters are "
                "kept or removed at once, so a mask has all of their layers"
            )


def _some(names: Iterable[str]) -> str:
    """Return names in quotes, the first four."""
    quoted = [repr(name) for name in names]
    return ", ".join(quoted[:4]) + (" and others" if len(quoted) > 4 else "") if quoted else "no layer"
