"""A matrix's product: cells in the file's order, each once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, Literal

from pydantic import ValidationError

from prunebench.errors import PrunebenchError
from prunebench.faults import place_of, said
from prunebench.host.form import Form
from prunebench.suite.axes import Axes, Choice
from prunebench.suite.cell import Cell
from prunebench.suite.filters import Filter, filters
from prunebench.suite.forms import DENSE, changed_form, intern
from prunebench.suite.labels import (
    ablations_label,
    changes_label,
    numbered,
    point_label,
    slug,
)
from prunebench.suite.names import NameParts, name_parts
from prunebench.suite.parameters import Components, changed_recipe
from prunebench.suite.problems import Location, Problems
from prunebench.suite.schema import Matrix
from prunebench.training.recipe import Recipe

__all__ = ["Product", "expand_matrix"]

Combination = tuple[int, int, int, int]
"""Places on the axes find, score_at, methods and ablations: what makes a form."""


def expand_matrix(
    matrix: Matrix,
    axes: Axes,
    index: int,
    host: Components,
    problems: Problems,
    forms: dict[bytes, Form],
    *,
    strict: bool,
) -> list[Cell]:
    """Return the cells of the matrix at `index` of the file.

    The axes are nested as architecture, dataset, recipe, find, pruning step, method, ablation, sparsity,
    seed. The unpruned cells of an architecture, data set and recipe come before its others.
    `strict` notes entries of `only` and `exclude` that match nothing.
    """
    return Product(matrix, axes, ("matrix", index), host, problems, forms).cells(strict=strict)


@dataclass
class Product:
    """The product of one matrix."""

    matrix: Matrix
    axes: Axes
    here: Location
    host: Components
    problems: Problems
    forms: dict[bytes, Form]
    _resolved: dict[tuple[int, Combination], Form | None] = field(default_factory=dict)

    def cells(self, *, strict: bool) -> list[Cell]:
        """Return the cells; notes an empty product, and two spellings of one cell."""
        noted = self.problems if strict else None
        only = filters(self.matrix.only, self.axes, (*self.here, "only"), noted)
        exclude = filters(self.matrix.exclude, self.axes, (*self.here, "exclude"), noted)
        if self.problems:
            return []
        axes, names = self.axes, name_parts(self.axes)
        cells: list[Cell] = []
        for a, architecture in enumerate(axes.architecture):
            for d, dataset in enumerate(axes.dataset):
                for r, recipe in enumerate(axes.recipe):
                    setting = (architecture, dataset, recipe)
                    cells += self._setting((a, d, r), setting, names, only, exclude)
        if strict:
            for key, entries in (("only", only), ("exclude", exclude)):
                for i, entry in enumerate(entries):
                    if not entry.used:
                        self.problems.add((*self.here, key, i), "matches no cell of the matrix")
        if not cells and not self.problems:
            both = "only and exclude leave none" if only and exclude else ""
            one = "only leaves none" if only else "exclude leaves none" if exclude else ""
            reason = f": {both or one}" if both or one else ""
            self.problems.add(self.here, f"matrix '{self.matrix.name}' has no cells{reason}")
        distinct = numbered([cell.name for cell in cells])
        if any(name != cell.name for name, cell in zip(distinct, cells, strict=True)):
            cells = [replace(cell, name=name) for cell, name in zip(cells, distinct, strict=True)]
        return cells

    def _setting(
        self,
        places: tuple[int, int, int],
        setting: tuple[Choice[Any], Choice[str], Choice[Recipe]],
        names: NameParts,
        only: Sequence[Filter],
        exclude: Sequence[Filter],
    ) -> list[Cell]:
        axes = self.axes
        found: list[Cell] = []
        unpruned: set[int] = set()  # places of the seeds with a dense cell
        seen: dict[int, dict[tuple[int, int], Combination]] = {}
        for combination in product(
            range(len(axes.find)),
            range(len(axes.score_at)),
            range(len(axes.methods)),
            range(len(axes.ablations)),
        ):
            kept = self._kept((*places, *combination), only, exclude)
            if not kept:
                continue
            if self.matrix.dense:
                unpruned.update(s for _, s in kept)
            dense = axes.methods[combination[2]].value.scorer is None
            unpruned.update(s for k, s in kept if dense or axes.densities[k] == "1")
            if dense:
                continue
            form = self._form(places[2], combination)
            if form is None:
                continue
            kept = [(k, s) for k, s in kept if axes.densities[k] != "1"]
            self._refuse_repeats(seen.setdefault(id(form), {}), kept, combination)
            found += self._combination(places, setting, combination, form, kept, names)
        return self._dense(places, setting, sorted(unpruned), names) + found

    def _kept(
        self, outer: tuple[int, ...], only: Sequence[Filter], exclude: Sequence[Filter]
    ) -> list[tuple[int, int]]:
        """Return the places of density and seed that only and exclude leave at a place of the outer axes."""
        wanted = [entry for entry in only if entry.allows(outer)]
        if only and not wanted:
            return []
        unwanted = [entry for entry in exclude if entry.allows(outer)]
        kept = list(product(range(len(self.axes.densities)), range(len(self.axes.seeds))))
        if wanted:
            kept = [p for p in kept if _match(wanted, p)]
        if unwanted:
            kept = [p for p in kept if not _match(unwanted, p)]
        return kept

    def _combination(
        self,
        places: tuple[int, int, int],
        setting: tuple[Choice[Any], Choice[str], Choice[Recipe]],
        combination: Combination,
        form: Form,
        kept: Sequence[tuple[int, int]],
        names: NameParts,
    ) -> list[Cell]:
        f, p, m, b = combination
        architecture, dataset, recipe = setting
        axes, matrix, measures = self.axes, self.matrix.name, tuple(self.matrix.measures)
        ablations = ablations_label(axes.ablations[b])
        labels = self._labels(setting, axes.methods[m].label, ablations)
        point = axes.score_at[p]
        labels["find"] = changes_label(axes.find[f])
        labels["score_at"] = "" if point is None else point_label(point)
        middle = f"-{slug(ablations)}" if ablations else ""
        start = f"{names.setting[places]}-{names.method[m]}{middle}{names.point[p]}{names.find[f]}-d"
        split: Literal["test", "val"] = self.matrix.split
        call, values, densities, seeds = architecture.value, recipe.value, axes.densities, axes.seeds
        return [
            Cell(
                matrix,
                f"{start}{names.density[k]}-s{seeds[s]}",
                call,
                dataset.value,
                split,
                values,
                form,
                densities[k],
                seeds[s],
                measures,
                labels,
            )
            for k, s in kept
        ]

    def _dense(
        self,
        places: tuple[int, int, int],
        setting: tuple[Choice[Any], Choice[str], Choice[Recipe]],
        seeds: Sequence[int],
        names: NameParts,
    ) -> list[Cell]:
        architecture, dataset, recipe = setting
        form = intern(DENSE, self.forms)
        labels = self._labels(setting, "none", "")
        start = f"{names.setting[places]}-none-d1-s"
        return [
            Cell(
                self.matrix.name,
                f"{start}{self.axes.seeds[s]}",
                architecture.value,
                dataset.value,
                self.matrix.split,
                recipe.value,
                form,
                "1",
                self.axes.seeds[s],
                tuple(self.matrix.measures),
                labels,
            )
            for s in seeds
        ]

    def _labels(
        self, setting: tuple[Choice[Any], Choice[str], Choice[Recipe]], method: str, ablations: str
    ) -> dict[str, str]:
        architecture, dataset, recipe = setting
        return {
            "architecture": architecture.label,
            "dataset": dataset.label,
            "recipe": recipe.label,
            "method": method,
            "ablations": ablations,
            "find": "",
            "score_at": "",
            "split": self.matrix.split,
        }

    def _form(self, recipe: int, combination: Combination) -> Form | None:
        """Return the form that a combination resolves to under a recipe, one object for equal forms."""
        key = (recipe, combination)
        if key not in self._resolved:
            self._resolved[key] = self._make_form(self.axes.recipe[recipe].value, combination)
        return self._resolved[key]

    def _make_form(self, recipe: Recipe, combination: Combination) -> Form | None:
        f, p, m, b = combination
        axes = self.axes
        place: Location = (*self.here, "methods", axes.methods[m].index)
        form: Form | None = axes.methods[m].value
        assert form is not None
        point = axes.score_at[p]
        changes: dict[str, Any] = {} if point is None else {"score_at": point}
        if axes.find[f]:
            changes["find"] = {**form.find, **axes.find[f]}
        if changes:
            form = form.changed(**changes)
        for i, name in enumerate(axes.ablations[b]):
            try:
                form = self.host.ablated(form, name)
            except (Exception, SystemExit) as error:  # whatever a plugin does
                where = f"ablation '{name}' of method '{axes.methods[m].label}': {_told(error)}"
                self.problems.add((*self.here, "ablations", b, i), where)
                return None
        assert form is not None
        find = self._find(recipe, form, place)
        if find is None:
            return None
        if find != form.find:
            form = form.changed(find=find)
        form = changed_form(form, {}, self.host, lambda loc, text: self.problems.add((*place, *loc), text))
        return None if form is None else intern(form, self.forms)

    def _find(self, recipe: Recipe, form: Form, place: Location) -> dict[str, Any] | None:
        """Return a form's changes to a recipe in one spelling; None where there were problems.

        What is as in the recipe is no change: find = {lr = 0.1} of a recipe with lr = 0.1.
        """
        if not form.find:
            return {}
        trained = changed_recipe(
            recipe,
            form.find,
            lambda key: (*place, "find", key) if key else (*place, "find"),
            self.problems,
            self.host.names("initializations"),
        )
        if trained is None:
            return None
        before, after = recipe.model_dump(mode="json"), trained.model_dump(mode="json")
        return {k: after[k] for k in form.find if after[k] != before[k]}

    def _refuse_repeats(
        self,
        seen: dict[tuple[int, int], Combination],
        kept: Sequence[tuple[int, int]],
        combination: Combination,
    ) -> None:
        for place in kept:
            other = seen.setdefault(place, combination)
            if other != combination:
                first, second = self._spelled(combination, other), self._spelled(other, combination)
                message = f"{first} is the same cell as {second}; leave one out, or exclude it"
                self.problems.add(self.here, message)

    def _spelled(self, combination: Combination, other: Combination) -> str:
        """Return where a combination stands in the file, on the axes on which it differs from another."""
        axes = self.axes
        f, p, m, b = combination
        point = axes.score_at[p]
        spelled = (
            f"find[{f}] '{changes_label(axes.find[f]) or '{}'}'",
            f"score_at[{p}] '{'' if point is None else point_label(point)}'",
            f"methods[{axes.methods[m].index}] '{axes.methods[m].label}'",
            f"ablations[{b}] '{ablations_label(axes.ablations[b]) or 'none'}'",
        )
        pairs = zip(spelled, combination, other, strict=True)
        return " with ".join(text for text, mine, theirs in pairs if mine != theirs)


def _told(error: BaseException) -> str:
    """Return what an ablation has against a form, or a form against what an ablation makes of it."""
    if isinstance(error, ValidationError):
        return "; ".join(one["msg"].removeprefix("Value error, ") for one in error.errors())
    if isinstance(error, PrunebenchError):
        return str(error)
    place = place_of(error)
    return f"failed: {said(error)}" + (f" ({place})" if place else "")


def _match(entries: Sequence[Filter], place: tuple[int, int]) -> bool:
    """Whether any entry matches; all are asked, so that each notes whether it was used."""
    return sum(entry.matches(*place) for entry in entries) > 0
