"""A cell: one measured network, fully resolved (imports no torch)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from prunebench.host.form import Form
from prunebench.reading.cursor import Cursor
from prunebench.training.recipe import Recipe

__all__ = ["ArchitectureCall", "Cell", "Place"]


@dataclass(frozen=True, slots=True)
class ArchitectureCall:
    """An architecture's registered base name (presets resolved) and all its parameters."""

    name: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where in its suite's file the values of some cells stand."""

    architecture: Cursor
    dataset: Cursor
    recipe: Cursor
    method: Cursor
    score_at: Cursor
    """The axis' value where it has one, else the method's own."""
    find: Cursor
    """The same of its changes."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One measured network. Labels are for people and tables; everything else decides the cell's key.

    `density` is a decimal of at most 12 digits; "1" with a form without scorer is the dense cell.
    Cells of one setting share their architecture, recipe and form objects, so that planning is quick.
    """

    matrix: str
    name: str
    architecture: ArchitectureCall
    dataset: str
    split: Literal["test", "val"]
    recipe: Recipe
    form: Form
    density: str
    seed: int
    measures: tuple[str, ...]
    labels: Mapping[str, str]
    """As spelled in the suite: architecture, dataset, recipe, method, ablations ("" or "shuffle+reinit"),
    find ("" or "lr=0.05"), score_at ("" or "step 1000"), split."""
    place: Place = field(compare=False, repr=False)
    density_place: Cursor = field(compare=False, repr=False)

    @property
    def sparsity(self) -> float:
        """1 − density, rounded to 12 digits."""
        return round(1 - float(self.density), 12)
