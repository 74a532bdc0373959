"""Cells that cannot be planned: what is said of them, with file and key path, all at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import ValidationError

from prunebench.canonical import decimal12
from prunebench.errors import PrunebenchError, SuiteError, UsageError
from prunebench.host.datasets import EXAMPLES
from prunebench.host.form import Form, Like
from prunebench.plan.builder import Builder
from prunebench.plan.donors import OF_DONOR
from prunebench.plan.idle_finds import IdleFind
from prunebench.plan.runs import find_recipe
from prunebench.plan.scoring import liked
from prunebench.plan.setting import Setting, setting_of
from prunebench.pruning.allocation import kept_count
from prunebench.reading.cursor import Cursor
from prunebench.schedules import Misfit
from prunebench.suite.cell import Cell
from prunebench.suite.schema import Powers
from prunebench.training.recipe import AtName, Point, Recipe, of_find

if TYPE_CHECKING:
    from prunebench.suite import Suite

__all__ = ["Refusals"]


class Refusals:
    """Collects the cells that cannot be planned; a line for each place in the file and reason."""

    def __init__(self, suite: Suite, builder: Builder) -> None:
        self._suite, self._builder = suite, builder
        self._powers = {m.name: m.sparsities for m in suite.matrices if isinstance(m.sparsities, Powers)}
        self._cells: dict[tuple[str, str], list[str]] = {}

    def add(self, cell: Cell, error: UsageError | ValidationError) -> None:
        """Note that a cell cannot be planned."""
        key = self._too_many(cell) or self._off_grid(cell, error)
        key = key or self._idle_find(cell, error) or (self._place(cell, error).path, _told(error))
        self._cells.setdefault(key, []).append(f"{cell.matrix}::{cell.name}")

    def raise_all(self) -> None:
        """Raise everything noted as one SuiteError, if there is anything."""
        lines = []
        for (path, told), cells in self._cells.items():
            more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
            lines.append(f"{self._suite.file}: {path}: {told} (cell {cells[0]}{more})")
        if lines:
            raise SuiteError("\n".join(lines))

    def _too_many(self, cell: Cell) -> tuple[str, str] | None:
        """Return place and message of a count of sparsities whose last ones keep no weight: once for all."""
        powers = self._powers.get(cell.matrix)
        try:
            prunable = setting_of(self._builder, cell).network.prunable
        except UsageError:
            return None
        if powers is None or cell.form.scorer is None or kept_count(cell.density, prunable):
            return None
        last = next(k for k in range(powers.count, -1, -1) if kept_count(decimal12(powers.keep**k), prunable))
        if not last:
            return None
        keeps_none = f"{powers.keep:g}^{last + 1} keeps none of {prunable} prunable weights"
        told = f"found {powers.count}; allowed: at most {last}, as {keeps_none}"
        return (cell.density_place / "count").path, told

    def _off_grid(self, cell: Cell, error: UsageError | ValidationError) -> tuple[str, str] | None:
        """Return place and message of powers with densities that a schedule does not reach: once for all."""
        powers = self._powers.get(cell.matrix)
        if powers is None or not isinstance(error, Misfit) or not error.powers:
            return None
        return (cell.density_place / "keep").path, f"found {powers.keep:g}; {error.powers}"

    def _idle_find(self, cell: Cell, error: UsageError | ValidationError) -> tuple[str, str] | None:
        """Return place and message of a method to which a find makes no difference: once for all finds."""
        if not isinstance(error, IdleFind):
            return None
        here, find = cell.place.method, cell.place.find
        own = find.location[: len(here.location)] == here.location
        told = f"find makes no difference to '{cell.labels['method']}': {_told(error)}"
        return (find if own else here).path, told

    def _place(self, cell: Cell, error: UsageError | ValidationError) -> Cursor:
        place = cell.place
        if isinstance(error, Misfit):
            own = {"density": cell.density_place, "score_at": place.score_at, "find": place.find}
            return own.get(error.field) or _spelled(place.method, error.field)
        try:
            self._builder.facts.data(cell.dataset, cell.split)
        except UsageError:
            return place.dataset.spelled(EXAMPLES)
        try:
            setting = setting_of(self._builder, cell)
        except UsageError:
            return place.architecture
        if (
            cell.form.scorer is not None
            and kept_count(cell.density, setting.network.prunable) < setting.network.least
        ):
            return cell.density_place
        if _cannot_be_shared(cell.recipe, setting):
            return place.recipe.spelled("devices")
        for key, point, recipe in _points(self._builder, cell.form, cell.recipe):
            if _lies_beyond(point, recipe, setting):
                if _named(point) == "rewind":
                    changed = "rewind" in cell.form.find and recipe is not cell.recipe
                    return (place.find if changed else place.recipe).spelled("rewind")
                return place.score_at if key == "score_at" else _spelled(place.method, key)
        return place.method


def _spelled(here: Cursor, path: str) -> Cursor:
    """Return the place of a key, or of one inside it (a.b.c), as far as the file spells it."""
    for key in path.split("."):
        further = here.spelled(key)
        if further is here:
            break
        here = further
    return here


def _points(builder: Builder, form: Form, recipe: Recipe) -> Iterator[tuple[str, Point, Recipe]]:
    """Yield the points that a form names, under which key, and the recipe whose schedule they are of.

    Those of the form whose counts it takes come last.
    """
    find = find_recipe(builder, form, recipe)
    yield "score_at", form.score_at, find
    if form.train_from != "scored":
        yield "train_from", form.train_from, find if of_find(form.train_from) else recipe
    yield "clock", form.clock, recipe
    for point in form.schedule.points():
        yield "schedule", point, recipe
    if isinstance(form.allocation, Like):
        for key, point, of in _points(builder, liked(builder, form, form.allocation), recipe):
            yield f"{OF_DONOR}{key}", point, of


def _named(point: Point) -> str:
    return point.at if isinstance(point, AtName) else point if isinstance(point, str) else ""


def _lies_beyond(point: Point, recipe: Recipe, setting: Setting) -> bool:
    try:
        recipe.step_of(point, setting.data.examples)
    except UsageError:
        return True
    return False


def _cannot_be_shared(recipe: Recipe, setting: Setting) -> bool:
    try:
        recipe.check_shares(setting.data.examples)
    except UsageError:
        return True
    return False


def _told(error: PrunebenchError | ValidationError) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(one["msg"].removeprefix("Value error, ") for one in error.errors())
    return str(error).partition("\n")[0]  # torch tells some of its own at length
