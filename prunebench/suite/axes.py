"""A matrix with every name looked up: the values of its axes, checked one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from prunebench.canonical import canonical, decimal12
from prunebench.checks.cells import EACH
from prunebench.errors import UsageError, nearest
from prunebench.host.datasets import EXAMPLES, spell_dataset
from prunebench.host.form import Form
from prunebench.reading.cursor import Cursor
from prunebench.reading.labels import ablations_label, point_label
from prunebench.suite.cell import ArchitectureCall
from prunebench.suite.methods import method_form, shared_keys
from prunebench.suite.own_methods import OwnMethods, shared_of
from prunebench.suite.parameters import Components, changed_recipe, filled, found_recipe
from prunebench.suite.schema import Matrix, Powers, label_of
from prunebench.training.recipe import Point, Recipe

__all__ = ["Axes", "Choice", "resolve_axes"]

T = TypeVar("T")

_NEVER_EMPTY = (
    "architecture",
    "dataset",
    "recipe",
    "find",
    "score_at",
    "methods",
    "ablations",
    "sparsities",
    "densities",
    "seeds",
    "only",
)


@dataclass(frozen=True, slots=True)
class Choice(Generic[T]):
    """A value of an axis: its label in tables, the name it was called by, its place in the file."""

    label: str
    name: str
    value: T
    here: Cursor


@dataclass(frozen=True)
class Axes:
    """The values of a matrix's axes, in the file's order."""

    architecture: Sequence[Choice[ArchitectureCall]]
    dataset: Sequence[Choice[str]]
    """Values are the data sets as `Host.dataset` spells them."""
    recipe: Sequence[Choice[Recipe]]
    find: Sequence[Choice[Mapping[str, Any]]]
    score_at: Sequence[Choice[Point | None]]
    methods: Sequence[Choice[Form]]
    ablations: Sequence[Choice[Sequence[str]]]
    densities: Sequence[Choice[str]]
    """Values are decimals of at most twelve digits."""
    seeds: Sequence[Choice[int]]

    @property
    def network_parameters(self) -> set[str]:
        """The parameters of the architectures."""
        return {key for choice in self.architecture for key in choice.value.parameters}


def resolve_axes(
    matrix: Matrix, given: Mapping[str, Any], here: Cursor, host: Components, own: OwnMethods
) -> Axes:
    """Return the axes of a matrix; `given` is its table at `here`. Notes problems of values, and repeats.

    own: the suite's own methods, as the matrix sees them
    """
    for key in _NEVER_EMPTY:
        if given.get(key) == []:
            (here / key).problem("is empty, so the matrix has no cells; allowed: at least one value")
    for i, name in enumerate(matrix.measures):
        if name not in host.names("diagnostics"):
            here.at("measures", i).unknown(name, "diagnostic", host.names("diagnostics"))
    ablations = host.names("ablations")
    for i, names in enumerate(matrix.ablations):
        for j, name in enumerate(names):
            if name not in ablations:
                here.at("ablations", i, j).unknown(name, "ablation", [*ablations, "none"])
    for i, entry in enumerate(matrix.find):
        if entry.as_ == EACH:
            here.at("find", i, "as").problem(
                f"found '{EACH}', which means every find in checks; allowed: another label"
            )
    axes = Axes(
        architecture=list(_architectures(matrix, here, host)),
        dataset=list(_datasets(matrix, here, host)),
        recipe=list(_recipes(matrix, here, host)),
        find=[
            Choice(one.label, one.label, one.changes, here.at("find", i)) for i, one in enumerate(matrix.find)
        ],
        score_at=_plain(here / "score_at", matrix.score_at or [None], lambda p: point_label(p) if p else ""),
        methods=_methods(matrix, here, host, own),
        ablations=_plain(here / "ablations", matrix.ablations, ablations_label),
        densities=_densities(matrix, given, here),
        seeds=_plain(here / "seeds", matrix.seeds, str),
    )
    for recipe in axes.recipe:
        for find in axes.find:
            found_recipe(recipe.value, find.value, find.here, host, axes.network_parameters)
    _refuse_repeats(matrix, axes, here)
    return axes


def _plain(here: Cursor, values: Iterable[Any], label: Callable[[Any], str]) -> list[Choice[Any]]:
    return [Choice(label(value), label(value), value, here / i) for i, value in enumerate(values)]


def _named(
    items: Iterable[Any], here: Cursor, what: str, names: Iterable[str]
) -> Iterator[tuple[str, str, dict[str, Any], Cursor]]:
    """Yield label, name, changes and place of each entry whose name is there; notes the others."""
    for i, item in enumerate(items):
        place, bare = here / i, isinstance(item, str)
        name = item if bare else item.name
        if name in names:
            yield label_of(item), name, {} if bare else item.changes, place
        else:
            (place if bare else place / "name").unknown(name, what, names)


def _architectures(matrix: Matrix, here: Cursor, host: Components) -> Iterator[Choice[ArchitectureCall]]:
    shared, overrides = matrix.overrides.architecture, here.at("overrides", "architecture")
    entries, known = here / "architecture", host.names("architectures")
    for label, name, changes, place in _named(matrix.architecture, entries, "architecture", known):
        component = host.get("architectures", name)
        presets: dict[str, Any] = {}
        while component.preset is not None:
            base, values = component.preset
            presets = {**values, **presets}
            component = host.get("architectures", base)
        place = place.moved({key: overrides / key for key in shared if key not in changes})
        defaults = filled(presets, component.parameters, f"architecture '{component.name}'", place)
        parameters = filled({**shared, **changes}, defaults, f"architecture '{name}'", place)
        yield Choice(label, name, ArchitectureCall(component.name, parameters), place)


def _datasets(matrix: Matrix, here: Cursor, host: Components) -> Iterator[Choice[str]]:
    known = host.names("datasets")
    for label, name, changes, place in _named(matrix.dataset, here / "dataset", "data set", known):
        before = here.noted
        defaults = host.get("datasets", name).parameters
        examples = {key: value for key, value in changes.items() if key == EXAMPLES}
        own = {key: value for key, value in changes.items() if key != EXAMPLES}
        values = filled(own, defaults, f"data set '{name}'", place, also=[EXAMPLES])
        if here.noted > before:
            continue
        given = {key: value for key, value in values.items() if value != defaults[key]}
        try:
            whole = spell_dataset(name, given)
            host.dataset(whole)
        except UsageError as error:
            place.problem(str(error))
            continue
        try:
            yield Choice(label, name, host.dataset(spell_dataset(name, {**given, **examples})).name, place)
        except UsageError as error:
            (place / EXAMPLES).problem(str(error).removeprefix(f"data set '{whole}': "))


def _recipes(matrix: Matrix, here: Cursor, host: Components) -> Iterator[Choice[Recipe]]:
    shared, overrides = matrix.overrides.recipe, here.at("overrides", "recipe")
    known = host.names("recipes")
    for label, name, changes, place in _named(matrix.recipe, here / "recipe", "recipe", known):
        place = place.moved({key: overrides / key for key in shared if key not in changes})
        recipe = changed_recipe(host.get("recipes", name).recipe, {**shared, **changes}, place, host)
        if recipe is not None:
            yield Choice(label, name, recipe, place)


def _methods(matrix: Matrix, here: Cursor, host: Components, own: OwnMethods) -> list[Choice[Form]]:
    methods = []
    overrides = here.at("overrides", "scorer")
    for i, item in enumerate(matrix.methods):
        place = here.at("methods", i)
        shared = shared_of(matrix, item)
        scorer = (place / "scorer").moved({key: overrides / key for key in shared})
        form = method_form(item, host, place.moved({"scorer": scorer}), shared, own=own)
        if form is not None:
            name = item if isinstance(item, str) else item.method or ""
            methods.append(Choice(label_of(item), name, form, place))
    scorers = {one.value.scorer.name for one in methods if one.value.scorer is not None}
    parameters = {key for name in scorers for key in shared_keys(host.get("scorers", name))}
    for key in matrix.overrides.scorer:
        if key not in parameters and len(methods) == len(matrix.methods):
            (overrides / key).problem(f"is a parameter of no scorer of the matrix{nearest(key, parameters)}")
    return methods


def _densities(matrix: Matrix, given: Mapping[str, Any], here: Cursor) -> list[Choice[str]]:
    sparsities, densities = here / "sparsities", here / "densities"
    if (matrix.sparsities is None) == (matrix.densities is None):
        # where one of them is bad and was noted already, there is nothing to add
        if not {"sparsities", "densities"} & given.keys():
            sparsities.problem("is missing: give either sparsities or densities")
        elif {"sparsities", "densities"} <= given.keys():
            densities.problem("stands beside sparsities; allowed: one of the two")
        return []
    if matrix.densities is not None:
        return [Choice(str(d), "", decimal12(d), densities / i) for i, d in enumerate(matrix.densities)]
    if isinstance(matrix.sparsities, Powers):
        keep, count = matrix.sparsities.keep, matrix.sparsities.count
        if keep**count >= 5e-13:
            return [Choice(str(k), "", decimal12(keep**k), sparsities) for k in range(1, count + 1)]
        message = f"found {count}; allowed: fewer, as {keep:g}^{count} is 0 in twelve digits"
        (sparsities / "count").problem(message)
        return []
    return [
        Choice(str(s), "", decimal12(1 - s), sparsities / i) for i, s in enumerate(matrix.sparsities or [])
    ]


def _refuse_repeats(matrix: Matrix, axes: Axes, here: Cursor) -> None:
    for choices, plain in (
        (axes.architecture, lambda call: [call.name, call.parameters]),
        (axes.dataset, lambda spelled: spelled),
        (axes.recipe, lambda recipe: recipe.cell_fields()),
        (axes.methods, lambda form: form.model_dump(mode="json", by_alias=True)),
    ):
        _repeats([(one.label, canonical(plain(one.value)), one.here) for one in choices])
        _same_labels(choices)
    _repeats([(one.label or "{}", canonical(one.value), one.here) for one in axes.find])
    _same_labels(axes.find)
    _repeats([(one.label, _same_point(one.label), one.here) for one in axes.score_at])
    _repeats([(one.label or "none", tuple(one.value), one.here) for one in axes.ablations])
    _repeats([(name, name, here.at("measures", i)) for i, name in enumerate(matrix.measures)])
    _repeats([(one.label, one.value, one.here) for one in axes.seeds])
    if not isinstance(matrix.sparsities, Powers):
        _repeats([(one.label, one.value, one.here) for one in axes.densities])


def _same_point(label: str) -> str:
    return "init" if label in ("step 0", "epoch 0") else label


def _repeats(entries: Iterable[tuple[str, Any, Cursor]]) -> None:
    """Note each entry, of label, value and place, whose value an earlier one has."""
    first: dict[Any, tuple[str, Cursor]] = {}
    for label, value, here in entries:
        if value in first:
            spelled, other = first[value]
            here.problem(f"'{label}' is {other.path} '{spelled}' again")
        else:
            first[value] = (label, here)


def _same_labels(choices: Iterable[Choice[Any]]) -> None:
    first: dict[str, Choice[Any]] = {}
    for choice in choices:
        other = first.setdefault(choice.label, choice)
        if choice.value != other.value:
            message = f"the label '{choice.label}' is {other.here.path}'s too"
            choice.here.problem(f"{message}; allowed: another one, with as = …")
