"""Families of networks in the arrays of curves: which setting is which member, and who its relatives are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from prunebench.checks.curves import Curves
from prunebench.checks.layout import FAMILY, Line

__all__ = ["SCALES", "Scales", "scales_of", "with_kin"]

SCALES = "scales"
"""The key of a plan's suite under which they are, where a check reads them."""

Scales = Mapping[tuple[str, ...], tuple[str, Mapping[str, float]]]
"""By architecture, data set, recipe and split as labels say them: the family, and its network's scales."""


def scales_of(suite: Mapping[str, Any]) -> Scales:
    """Return the scales that a plan's suite holds: planning looks them up where a check reads them."""
    width = len(FAMILY)
    return {tuple(row[:width]): (str(row[width]), row[width + 1]) for row in suite.get(SCALES, ())}


def with_kin(curves: Mapping[Line, Curves], scales: Scales) -> dict[Line, Curves]:
    """Return the curves with their scales, and with those of the same method in the rest of the family."""
    if not scales:
        return dict(curves)
    members: dict[tuple[str, ...], dict[Line, Curves]] = {}
    for line, one in curves.items():
        if line.family in scales:
            family, own = scales[line.family]
            of = (family, line.find, line.method, line.ablations)
            members.setdefault(of, {})[line] = replace(one, scales=own)
    kin = dict(curves)
    for family_curves in members.values():
        for line, one in family_curves.items():
            others = tuple(other for name, other in family_curves.items() if name != line)
            kin[line] = replace(one, relatives=others)
    return kin
