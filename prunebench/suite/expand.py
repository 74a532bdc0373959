"""A matrix's product: cells in the file's order, each once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from pydantic import ValidationError

from prunebench.errors import PrunebenchError, UsageError
from prunebench.faults import place_of, said
from prunebench.host.form import Form, Like
from prunebench.reading.cursor import Cursor
from prunebench.suite.axes import Axes, Choice
from prunebench.suite.cell import Cell, Place
from prunebench.suite.cell_names import NameParts, name_parts, numbered, slug
from prunebench.suite.methods import DENSE, changed_form, intern, method_form
from prunebench.suite.only import Selector, selectors
from prunebench.suite.own_methods import OwnMethods, shared_of
from prunebench.suite.parameters import Components, found_recipe
from prunebench.suite.schema import Matrix, MethodTable
from prunebench.training.recipe import Recipe

__all__ = ["expand_matrix"]

Combination = tuple[int, int, int, int]
"""Positions on the axes find, score_at, methods and ablations: what makes a form."""
Setting = tuple[int, int, int]
"""Positions on the axes architecture, dataset and recipe."""


def expand_matrix(
    matrix: Matrix,
    axes: Axes,
    here: Cursor,
    host: Components,
    forms: dict[bytes, Form],
    own: OwnMethods,
    *,
    strict: bool,
) -> list[Cell]:
    """Return the cells of the matrix that stands at `here`.

    The axes are nested as architecture, dataset, recipe, find, pruning step, method, ablation, sparsity,
    seed. The unpruned cells of an architecture, data set and recipe come before its others.
    `strict` notes entries of `only` and `exclude` that match nothing. `own` are the suite's own methods.
    """
    before, entries = here.noted, here if strict else here.aside()
    only = selectors(matrix.only, axes, entries / "only")
    exclude = selectors(matrix.exclude, axes, entries / "exclude")
    if here.noted > before:
        return []
    product_of = Product(matrix, axes, here, host, forms, own, name_parts(axes), only, exclude)
    cells = [cell for setting in product_of.settings() for cell in product_of.cells_of(setting)]
    for entry in (*only, *exclude):
        if not entry.used:
            entry.here.problem("matches no cell of the matrix")
    if not cells and here.noted == before:
        keys = " and ".join(key for key, given in (("only", only), ("exclude", exclude)) if given)
        reason = f": {keys} {'leave' if ' ' in keys else 'leaves'} none" if keys else ""
        here.problem(f"matrix '{matrix.name}' has no cells{reason}")
    distinct = numbered([cell.name for cell in cells])
    return [
        cell if cell.name == name else replace(cell, name=name)
        for cell, name in zip(cells, distinct, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Kind:
    """What cells that differ in density and seed alone share."""

    form: Form
    labels: Mapping[str, str]
    start: str
    """Their names as far as the density."""
    place: Place


@dataclass
class Product:
    """The product of one matrix."""

    matrix: Matrix
    axes: Axes
    here: Cursor
    host: Components
    forms: dict[bytes, Form]
    own: OwnMethods
    names: NameParts
    only: Sequence[Selector]
    exclude: Sequence[Selector]
    _resolved: dict[tuple[int, Combination], Form | None] = field(default_factory=dict)

    def settings(self) -> Iterable[Setting]:
        """Return the positions of the settings, in the file's order."""
        axes = self.axes
        return product(range(len(axes.architecture)), range(len(axes.dataset)), range(len(axes.recipe)))

    def cells_of(self, setting: Setting) -> list[Cell]:
        """Return the cells of a setting; notes two spellings of one cell."""
        axes = self.axes
        pruned: list[Cell] = []
        unpruned: set[int] = set()  # positions of the seeds with a dense cell
        seen: dict[int, dict[tuple[int, int], Combination]] = {}
        for combination in product(
            range(len(axes.find)),
            range(len(axes.score_at)),
            range(len(axes.methods)),
            range(len(axes.ablations)),
        ):
            kept = self._kept((*setting, *combination))
            dense = axes.methods[combination[2]].value.scorer is None
            whole = {s for k, s in kept if dense or axes.densities[k].value == "1"}
            unpruned |= {s for _, s in kept} if self.matrix.dense else whole
            form = self._form(setting[2], combination) if kept and not dense else None
            if form is None:
                continue
            kept = [(k, s) for k, s in kept if axes.densities[k].value != "1"]
            self._refuse_repeats(seen.setdefault(id(form), {}), kept, combination)
            pruned += self._cells(
                setting,
                self._pruned(setting, combination, form),
                ((axes.densities[k], self.names.density[k], axes.seeds[s].value) for k, s in kept),
            )
        seeds = (axes.seeds[s].value for s in sorted(unpruned))
        whole_net = Choice("", "", "1", self.here / "sparsities")
        return self._cells(setting, self._dense(setting), ((whole_net, "1", s) for s in seeds)) + pruned

    def _kept(self, outer: tuple[int, ...]) -> list[tuple[int, int]]:
        """Return the positions of density and seed that only and exclude leave, given the outer axes'."""
        wanted = [entry for entry in self.only if entry.allows(outer)]
        if self.only and not wanted:
            return []
        unwanted = [entry for entry in self.exclude if entry.allows(outer)]
        kept = list(product(range(len(self.axes.densities)), range(len(self.axes.seeds))))
        if wanted:
            kept = [place for place in kept if _matches(wanted, place)]
        if unwanted:
            kept = [place for place in kept if not _matches(unwanted, place)]
        return kept

    def _cells(
        self, setting: Setting, kind: _Kind, points: Iterable[tuple[Choice[str], str, int]]
    ) -> list[Cell]:
        """Return the cells of a kind; `points` are the density, its token in names, and the seed of each."""
        a, d, r = setting
        axes, place, measures = self.axes, kind.place, tuple(self.matrix.measures)
        return [
            Cell(
                self.matrix.name,
                f"{kind.start}{token}-s{seed}",
                axes.architecture[a].value,
                axes.dataset[d].value,
                self.matrix.split,
                axes.recipe[r].value,
                kind.form,
                density.value,
                seed,
                measures,
                kind.labels,
                place,
                density.here,
            )
            for density, token, seed in points
        ]

    def _pruned(self, setting: Setting, combination: Combination, form: Form) -> _Kind:
        f, p, m, b = combination
        axes, names = self.axes, self.names
        method, point, ablations = axes.methods[m], axes.score_at[p], axes.ablations[b].label
        labels = self._labels(setting, method.label, ablations, axes.find[f].label, point.label)
        middle = f"-{slug(ablations)}" if ablations else ""
        start = f"{names.setting[setting]}-{names.method[m]}{middle}{names.point[p]}{names.find[f]}-d"
        return _Kind(form, labels, start, self._place(setting, method.here, point, axes.find[f]))

    def _dense(self, setting: Setting) -> _Kind:
        labels = self._labels(setting, "none", "", "", "")
        method = next((c.here for c in self.axes.methods if c.label == "none"), self.here / "methods")
        place = self._place(setting, method, Choice("", "", None, method))
        return _Kind(intern(DENSE, self.forms), labels, f"{self.names.setting[setting]}-none-d", place)

    def _place(
        self, setting: Setting, method: Cursor, point: Choice[Any], find: Choice[Any] | None = None
    ) -> Place:
        a, d, r = setting
        axes = self.axes
        score_at = method.spelled("score_at") if point.value is None else point.here
        find_at = find.here if find is not None and find.value else method.spelled("find")
        setting_at = axes.architecture[a].here, axes.dataset[d].here, axes.recipe[r].here
        return Place(*setting_at, method, score_at, find_at)

    def _labels(self, setting: Setting, method: str, ablations: str, find: str, point: str) -> dict[str, str]:
        a, d, r = setting
        return {
            "architecture": self.axes.architecture[a].label,
            "dataset": self.axes.dataset[d].label,
            "recipe": self.axes.recipe[r].label,
            "method": method,
            "ablations": ablations,
            "find": find,
            "score_at": point,
            "split": self.matrix.split,
        }

    def _form(self, recipe: int, combination: Combination) -> Form | None:
        """Return the form that a combination resolves to under a recipe, one object for equal forms."""
        key = (recipe, combination)
        if key not in self._resolved:
            self._resolved[key] = self._make_form(self.axes.recipe[recipe].value, combination)
        return self._resolved[key]

    def _make_form(self, recipe: Recipe, combination: Combination) -> Form | None:
        *chosen, m, b = combination
        method = self.axes.methods[m]
        form = self._chosen(recipe, method, *chosen)
        altered = None if form is None else self._altered(form, method, self.axes.ablations[b])
        find = None if altered is None else self._find(recipe, altered, method.here)
        if altered is None or find is None:
            return None
        if find != altered.find:
            altered = altered.changed(find=find)
        whole = changed_form(altered, {}, self.host, method.here)
        return None if whole is None else intern(whole, self.forms)

    def _chosen(self, recipe: Recipe, method: Choice[Form], f: int, p: int) -> Form | None:
        """Return a method's form with what the axes find and score_at say at these positions."""
        item = self.matrix.methods[int(method.here.location[-1])]
        return self._placed(recipe, item, method.value, method.here, f, p)

    def _placed(
        self, recipe: Recipe, item: str | MethodTable, plain: Form, here: Cursor, f: int, p: int
    ) -> Form | None:
        """Return what the axes make of an entry of `methods` whose form is `plain` without them.

        The form that it is like has that too where it is told by changes to it, as far as these are not of
        the same fields, or by the label of a method of the suite.
        """
        find, point = self.axes.find[f].value, self.axes.score_at[p].value
        changes: dict[str, Any] = {} if point is None else {"score_at": point}
        if find:
            changes["find"] = {**plain.find, **find}
        if not changes or not isinstance(plain.allocation, Like):
            return plain.changed(**changes) if changes else plain
        if find:  # in its one spelling, as the donor's is not looked at again
            spelled = self._find(recipe, plain.changed(**changes), here)
            if spelled is None:
                return None
            changes["find"] = spelled
        own = replace(self.own, placed=lambda other, form: self._donor(recipe, other, form, here, f, p))
        return method_form(item, self.host, here, shared_of(self.matrix, item), changes, own)

    def _donor(
        self, recipe: Recipe, item: MethodTable, plain: Form, here: Cursor, f: int, p: int
    ) -> Form | None:
        """Return what the axes make of a method of the suite whose layers' counts another takes."""
        form = self._placed(recipe, item, plain, here.aside(), f, p)
        find = None if form is None else self._find(recipe, form, here.aside())
        return None if form is None or find is None else form.changed(find=find)

    def _altered(self, form: Form, method: Choice[Form], ablations: Choice[Sequence[str]]) -> Form | None:
        """Return what the ablations make of a method's form, one after the other."""
        for name in ablations.value:
            try:
                form = self.host.ablated(form, name)
            except (Exception, SystemExit) as error:  # whatever a plugin does
                told = f"ablation '{name}' of method '{method.label}': {_told(error)}"
                if form.schedule.prunes_in_training and isinstance(error, UsageError | ValidationError):
                    out = f'{{method = "{method.label}", ablation = "{ablations.label}"}}'
                    told += f"; leave it out by exclude = [{out}]"
                ablations.here.problem(told)
                return None
        return form

    def _find(self, recipe: Recipe, form: Form, method: Cursor) -> dict[str, Any] | None:
        """Return a form's changes to a recipe in one spelling; None where there were problems.

        What is as in the recipe is no change: find = {lr = 0.1} of a recipe with lr = 0.1.
        """
        if isinstance(form.allocation, Like) and not self._find_of_donor(recipe, form.allocation, method):
            return None
        if not form.find:
            return {}
        trained = found_recipe(recipe, form.find, method / "find", self.host, self.axes.network_parameters)
        if trained is None:
            return None
        before, after = recipe.model_dump(mode="json"), trained.model_dump(mode="json")
        return {k: after[k] for k in form.find if after[k] != before[k]}

    def _find_of_donor(self, recipe: Recipe, allocation: Like, method: Cursor) -> bool:
        """Return whether the recipe takes the changes that a donor of counts is found by."""
        place, network = method.at("allocation", "like"), self.axes.network_parameters
        donor = Form.model_validate(allocation.like)
        if donor.find and found_recipe(recipe, donor.find, place / "find", self.host, network) is None:
            return False
        return not isinstance(donor.allocation, Like) or self._find_of_donor(recipe, donor.allocation, place)

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
                self.here.problem(message)

    def _spelled(self, combination: Combination, other: Combination) -> str:
        """Return where a combination stands in the file, on the axes on which it differs from another."""
        axes: Sequence[tuple[str, Sequence[Choice[Any]], str]] = (
            ("find", self.axes.find, "{}"),
            ("score_at", self.axes.score_at, ""),
            ("methods", self.axes.methods, ""),
            ("ablations", self.axes.ablations, "none"),
        )
        differ = ((*axis, i) for axis, i, j in zip(axes, combination, other, strict=True) if i != j)
        return " with ".join(
            f"{key}[{axis[i].here.location[-1]}] '{axis[i].label or blank}'" for key, axis, blank, i in differ
        )


def _told(error: BaseException) -> str:
    """Return what an ablation has against a form, or a form against what an ablation makes of it."""
    if isinstance(error, ValidationError):
        return "; ".join(one["msg"].removeprefix("Value error, ") for one in error.errors())
    if isinstance(error, PrunebenchError):
        return str(error)
    place = place_of(error)
    return f"failed: {said(error)}" + (f" ({place})" if place else "")


def _matches(entries: Sequence[Selector], place: tuple[int, int]) -> bool:
    """True if any entry matches; all are asked, so that each notes whether it was used."""
    return sum(entry.matches(*place) for entry in entries) > 0
