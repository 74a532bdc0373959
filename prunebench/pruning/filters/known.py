"""Which filters go together, found once in a process for networks that are built alike."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from weakref import WeakKeyDictionary

from torch import nn

from prunebench.pruning.filters.groups import FilterGroups

__all__ = ["built_as", "known_groups", "remember"]

_HELD = 8
"""How many ways of building networks are remembered, the latest ones."""

_built: WeakKeyDictionary[nn.Module, Hashable] = WeakKeyDictionary()
_found: dict[Hashable, list[FilterGroups]] = {}


def built_as(net: nn.Module, how: Hashable) -> nn.Module:
    """Note how a network was built, and return it: with an equal `how`, layers and ties are the same."""
    _built[net] = how
    return net


def remember(net: nn.Module, groups: FilterGroups) -> FilterGroups:
    """Keep the groups of a network for those that are built alike, where that is noted; return them."""
    if net in _built:
        _found.setdefault(_built[net], []).append(groups)
        while len(_found) > _HELD:
            del _found[next(iter(_found))]
    return groups


def known_groups(net: nn.Module, layers: Collection[str]) -> FilterGroups | None:
    """Return the groups of exactly these layers that were found in a network built like this one."""
    of_its_kind = _found.get(_built.get(net), [])
    return next((groups for groups in of_its_kind if set(groups.shapes) == set(layers)), None)
