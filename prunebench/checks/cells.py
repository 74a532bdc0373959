"""Which cells a check compares, by their labels in the table: a method, and the settings it is in."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, Tag

from prunebench.checks.asked import Asked
from prunebench.reading.labels import ablations_label, find_label, point_label
from prunebench.reading.tables import Combination, FindValue, Listed, PointValue, Table, one_of

__all__ = ["EACH", "Against", "Cells", "Extreme", "Kind", "Labels", "Selection", "Side", "Where"]

Labels = Mapping[str, str]
"""What a cell is in the table: matrix, architecture, dataset, recipe, split, find, method, ablations, …"""


@dataclass(frozen=True)
class Kind:
    """Cells that differ in density and seed alone, by their labels (`matrix` among them)."""

    labels: Labels
    densities: set[str] = field(default_factory=set)


EACH = "each"
"""As the find of cells: every one of them, each in a setting of its own."""


def _every_find(value: Any) -> Any:
    return None if value == EACH else value


class Cells(Table):
    """A method, with its ablations, find and pruning step; in the check's settings, or in one of its own."""

    method: str
    ablations: Combination = Field(default=[])
    find: Annotated[FindValue | None, BeforeValidator(_every_find)] = None
    """None: every one, in a setting of its own, the same of all sides; "each" says so of several."""
    score_at: PointValue | None = None
    architecture: str | None = None
    dataset: str | None = None
    recipe: str | None = None

    @property
    def ablations_label(self) -> str:
        """The ablations as cells' labels spell them: "" or "shuffle+reinit"."""
        return ablations_label(self.ablations)

    @property
    def says_find(self) -> bool:
        """True if a find is named, or all of them."""
        return "find" in self.model_fields_set

    @property
    def setting(self) -> dict[str, str]:
        """The parts of the setting that are this selection's own."""
        named = {key: getattr(self, key) for key in ("architecture", "dataset", "recipe")}
        return {key: name for key, name in named.items() if name is not None}

    def means(self, labels: Labels, *, every_point: bool) -> bool:
        """Return True if cells of these labels are of this method and of the setting's parts named here.

        Without `score_at` the method's own point is meant; with `every_point` any. Sparsity is not asked.
        """
        if labels["method"] != self.method or labels["ablations"] != self.ablations_label:
            return False
        if self.find is not None and labels["find"] != find_label(self.find):
            return False
        point = "" if self.score_at is None else point_label(self.score_at)
        if labels["score_at"] != point and not every_point:
            return False
        return all(labels[key] == name for key, name in self.setting.items())

    def changed(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the table of these cells with other keys: itself where `changes` names no method."""
        if "method" in changes:
            return dict(changes)
        own = {key: getattr(self, key) for key in Cells.model_fields if key in self.model_fields_set}
        return {**own, **changes}


class Selection(Cells):
    """The cells of one side of a check; `quantity` is this side's own, instead of the check's."""

    quantity: Asked | None = None


class Where(Table):
    """The settings that a check is about: each key a value or a list of values."""

    matrix: Annotated[list[str] | None, Listed] = None
    architecture: Annotated[list[str] | None, Listed] = None
    dataset: Annotated[list[str] | None, Listed] = None
    recipe: Annotated[list[str] | None, Listed] = None
    split: Annotated[list[str] | None, Listed] = None

    def has(self, labels: Labels, but: Container[str] = ()) -> bool:
        """Return True if cells of these labels are in these settings; the keys in `but` are not asked."""
        named = ((key, getattr(self, key)) for key in type(self).model_fields if key not in but)
        return all(names is None or labels[key] in names for key, names in named)


def _selection(value: Any) -> Any:
    return {"method": value} if isinstance(value, str) else value


_Listed = list[Annotated[Selection, BeforeValidator(_selection)]]


class Extreme(Table):
    """The best, or the worst, of several selections, whichever it is in each setting; or their distance."""

    best: _Listed | None = None
    worst: _Listed | None = None
    gap: _Listed | None = None
    """The number of the best of these less that of the worst."""

    @property
    def given(self) -> dict[str, list[Selection]]:
        """The lists that are given, by their key: one of them in a check that is valid."""
        listed = {key: getattr(self, key) for key in Extreme.model_fields}
        return {key: selections for key, selections in listed.items() if selections is not None}


def _side(value: Any) -> str | None:
    if isinstance(value, dict):
        return "<extreme>" if Extreme.model_fields.keys() & value.keys() else "<selection>"
    return f"<{type(value).__name__.lower()}>" if isinstance(value, Extreme | Selection) else None


def _against(value: Any) -> str | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return "<number>" if number else _side(value)


Side = Annotated[
    Annotated[Selection, Tag("<selection>")] | Annotated[Extreme, Tag("<extreme>")],
    one_of(_side, "{method = …}, {best = […]}, {worst = […]} or {gap = […]}"),
]
Against = Annotated[
    Annotated[float, Tag("<number>")]
    | Annotated[Selection, Tag("<selection>")]
    | Annotated[Extreme, Tag("<extreme>")],
    one_of(_against, "a number, {method = …}, {best = […]}, {worst = […]} or {gap = […]}"),
]
