"""Which cells a sparsity means, spelled as tables print it (imports no torch)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

from prunebench.errors import UsageError
from prunebench.labels import SETTING
from prunebench.percent import percent_labels
from prunebench.plan.cells import PlannedCell

__all__ = ["of_sparsity", "sparsity_of"]

_SPELLED = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(%?)")


def of_sparsity(cells: Sequence[PlannedCell], wanted: Iterable[str]) -> list[PlannedCell]:
    """Return the cells of these sparsities, in their order.

    A sparsity is a share below 1 (`0.95`) or percent (`95`, `95 %`, `98.6`). It means the cells that have
    exactly that, else those of the column that is headed so in their setting's table, else those that it is
    the rounding of.

    Raises: UsageError for what is no sparsity, is none of these cells', or may be several.
    """
    spelled = list(wanted)
    if not spelled:
        return list(cells)
    labels = _labels(cells)
    places: set[tuple[tuple[str, ...], float]] = set()
    for text in spelled:
        places |= _meant(text, labels)
    return [cell for cell in cells if (_setting(cell), sparsity_of(cell)) in places]


def sparsity_of(cell: PlannedCell) -> float:
    """Return a cell's sparsity as tables have it."""
    return round(1 - float(cell.density), 12)


def _setting(cell: PlannedCell) -> tuple[str, ...]:
    return tuple(cell.labels.get(name, "") for name in SETTING)


def _labels(cells: Sequence[PlannedCell]) -> dict[tuple[tuple[str, ...], float], str]:
    """Return what tables print for each setting and sparsity."""
    grids: dict[tuple[str, ...], set[float]] = {}
    for cell in cells:
        grids.setdefault(_setting(cell), set()).add(sparsity_of(cell))
    return {
        (setting, value): label
        for setting, grid in grids.items()
        for value, label in percent_labels(grid).items()
    }


def _meant(text: str, labels: dict[tuple[tuple[str, ...], float], str]) -> set[tuple[tuple[str, ...], float]]:
    percent, digits = _percent(text)
    exact = {place for place in labels if abs(Decimal(repr(place[1])) * 100 - percent) < Decimal("1e-9")}
    if exact:
        return exact
    headed = {place for place, label in labels.items() if Decimal(label) == percent}
    if headed:
        return headed
    near = {place for place in labels if round(Decimal(repr(place[1])) * 100, digits) == percent}
    several: dict[tuple[str, ...], list[float]] = {}
    for setting, value in sorted(near):
        several.setdefault(setting, []).append(value)
    for setting, values in several.items():
        if len(values) > 1:
            which = ", ".join(f"{labels[setting, value]} %" for value in values)
            raise UsageError(f"--sparsity {text}: may be {which}; give more digits")
    if not near:
        shown = {value: label for (_, value), label in labels.items()}
        closest = min(shown, key=lambda value: abs(Decimal(repr(value)) * 100 - percent))
        every = ", ".join(f"{shown[value]} %" for value in sorted(shown))
        raise UsageError(
            f"--sparsity {text}: no cell has it; the nearest is {shown[closest]} %; allowed: {every}"
        )
    return near


def _percent(text: str) -> tuple[Decimal, int]:
    """Return a sparsity in percent and the digits behind the point that it was given with."""
    spelled = _SPELLED.fullmatch(text.strip())
    if spelled is None:
        raise UsageError(
            f"--sparsity: found '{text}', allowed: a share below 1 as 0.95, or percent as 95, 98.6 or '95 %'"
        )
    value = Decimal(spelled[1])
    digits = len(spelled[1].partition(".")[2])
    if not spelled[2] and value < 1:
        value, digits = value * 100, max(0, digits - 2)
    if value >= 100:
        raise UsageError(f"--sparsity {text}: a sparsity is below 100 %: the share of weights removed")
    return value, digits
