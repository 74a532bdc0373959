"""Families of networks in the arrays of curves: which setting is which member, and who its relatives are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from prunebench.checks.curves import Curves
from prunebench.checks.layout import Line
from prunebench.labels import FAMILY

__all__ = ["SCALES", "Scales", "kin_of", "scales_of", "with_kin"]

SCALES = "scales"
"""The key of a plan's suite under which they are, where a check reads them."""

Scales = Mapping[tuple[str, ...], tuple[str, Mapping[str, float]]]
"""By architecture, data set, recipe and split as labels say them: the family, and its network's scales."""


def scales_of(suite: Mapping[str, Any]) -> Scales:
    """Return the scales that a plan's suite holds: planning looks them up where a check reads them."""
    width = len(FAMILY)
    return {tuple(row[:width]): (str(row[width]), row[width + 1]) for row in suite.get(SCALES, ())}


def kin_of(lines: Iterable[Line], scales: Scales) -> dict[Line, tuple[Line, ...]]:
    """Return the lines of the same method in the rest of the family, by each line that is of one."""
    members: dict[tuple[str, ...], list[Line]] = {}
    for line in lines:
        if line.family in scales:
            members.setdefault((scales[line.family][0], line.find, line.method, line.ablations), []).append(
                line
            )
    return {
        line: tuple(other for other in family if other != line)
        for family in members.values()
        for line in family
    }


def with_kin(
    curves: Mapping[Line, Curves], kin: Mapping[Line, Sequence[Line]], scales: Scales
) -> dict[Line, Curves]:
    """Return the curves with their scales, and with those of the rest of the family."""
    scaled = {line: replace(curves[line], scales=scales[line.family][1]) for line in kin}
    related = {
        line: replace(one, relatives=tuple(scaled[other] for other in kin[line]))
        for line, one in scaled.items()
    }
    return {**curves, **related}
