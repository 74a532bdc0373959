"""Which members of a family a plan's networks are: what quantities that read a whole family need."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prunebench.host.datasets import spell_dataset, whole_of
from prunebench.labels import FAMILY
from prunebench.plan.builder import Builder
from prunebench.plan.cells import PlannedCell
from prunebench.plan.params import RecordedCell, RecordParams

__all__ = ["SCALED", "family_name", "scales"]

SCALED = ("depth", "width")
"""Parameters of an architecture in which the members of a family differ."""


def family_name(cell: RecordedCell) -> str:
    """Return a cell's architecture and data set without what members of a family differ in."""
    parameters = cell.architecture["parameters"].items()
    alike = {name: value for name, value in parameters if name not in SCALED}
    return f"{spell_dataset(cell.architecture['name'], alike)} on {whole_of(cell.dataset)}"


def scales(planned: Iterable[PlannedCell], builder: Builder) -> list[list[Any]]:
    """Return a row for each setting: its labels, its family, and its network's scales.

    Families of different recipes or splits are different ones.
    """
    rows: dict[tuple[str, ...], list[Any]] = {}
    for cell in planned:
        labels = tuple(cell.labels.get(name, "") for name in FAMILY)
        if labels in rows:
            continue
        recorded = builder.jobs[cell.key].params_as(RecordParams).cell
        parameters = recorded.architecture["parameters"]
        own = {name: float(parameters[name]) for name in SCALED if name in parameters}
        own |= {
            "examples": float(builder.facts.data(recorded.dataset, recorded.split).examples),
            "prunable": float(cell.prunable),
        }
        family = f"{family_name(recorded)}, {cell.labels.get('recipe', '')}, {recorded.split}"
        rows[labels] = [*labels, family, own]
    return list(rows.values())
