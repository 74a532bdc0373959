"""A matrix with every name looked up: the values of its axes, checked one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from prunebench.canonical import canonical, decimal12
from prunebench.errors import UsageError, nearest
from prunebench.host.datasets import spell_dataset
from prunebench.host.form import Form
from prunebench.suite.cell import ArchitectureCall
from prunebench.suite.forms import method_form
from prunebench.suite.labels import ablations_label, call_label, changes_label, point_label
from prunebench.suite.parameters import Components, changed_recipe, filled
from prunebench.suite.problems import Location, Problems, at, unknown
from prunebench.suite.schema import Call, Matrix, MethodTable, Powers
from prunebench.training.recipe import Point, Recipe

__all__ = ["Axes", "Choice", "method_label", "resolve_axes"]

T = TypeVar("T")

_AXES = (
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
    "exclude",
)


@dataclass(frozen=True)
class Choice(Generic[T]):
    """A value of an axis: its label in tables, the name it was called by, its place in the file."""

    label: str
    name: str
    value: T
    index: int


@dataclass(frozen=True)
class Axes:
    """The values of a matrix's axes, in the file's order."""

    architecture: Sequence[Choice[ArchitectureCall]]
    dataset: Sequence[Choice[str]]
    """Values are the data sets as `Host.dataset` spells them."""
    recipe: Sequence[Choice[Recipe]]
    find: Sequence[Mapping[str, Any]]
    score_at: Sequence[Point | None]
    methods: Sequence[Choice[Form]]
    ablations: Sequence[Sequence[str]]
    densities: Sequence[str]
    seeds: Sequence[int]


def method_label(item: str | MethodTable) -> str:
    """Return the label of an entry of `methods`."""
    return item if isinstance(item, str) else item.as_ or item.method or ""


def resolve_axes(matrix: Matrix, index: int, host: Components, problems: Problems) -> Axes:
    """Return the axes of the matrix at `index` of the file; notes problems of each value and of repeats."""
    here: Location = ("matrix", index)
    for key in _AXES:
        if problems.content["matrix"][index].get(key) == []:
            problems.add((*here, key), "is empty, so the matrix has no cells; allowed: at least one value")
    _measures(matrix.measures, here, host, problems)
    known = host.names("ablations")
    for i, names in enumerate(matrix.ablations):
        for j, name in enumerate(names):
            if name not in known:
                problems.add((*here, "ablations", i, j), unknown(name, "ablation", [*known, "none"]))
    axes = Axes(
        architecture=_architectures(matrix, here, host, problems),
        dataset=_datasets(matrix, here, host, problems),
        recipe=_recipes(matrix, here, host, problems),
        find=matrix.find,
        score_at=matrix.score_at if matrix.score_at is not None else [None],
        methods=_methods(matrix, here, host, problems),
        ablations=matrix.ablations,
        densities=_densities(matrix, here, problems),
        seeds=matrix.seeds,
    )
    _finds(axes, here, host, problems)
    _refuse_repeats(matrix, axes, here, problems)
    return axes


def _measures(names: Sequence[str], here: Location, host: Components, problems: Problems) -> None:
    for i, name in enumerate(names):
        if name not in host.names("diagnostics"):
            problems.add((*here, "measures", i), unknown(name, "diagnostic", host.names("diagnostics")))


def _spelled(item: str | Call) -> tuple[str, str, dict[str, Any]]:
    """Return label, name and changes of an entry of `architecture`, `dataset` or `recipe`."""
    if isinstance(item, str):
        return item, item, {}
    return item.as_ or call_label(item.name, item.changes), item.name, item.changes


def _architectures(
    matrix: Matrix, here: Location, host: Components, problems: Problems
) -> list[Choice[ArchitectureCall]]:
    found = []
    shared = matrix.overrides.architecture
    for i, item in enumerate(matrix.architecture):
        label, name, changes = _spelled(item)
        place: Location = (*here, "architecture", i)
        if name not in host.names("architectures"):
            where = place if isinstance(item, str) else (*place, "name")
            problems.add(where, unknown(name, "architecture", host.names("architectures")))
            continue
        component = host.get("architectures", name)
        presets: dict[str, Any] = {}
        while component.preset is not None:
            base, values = component.preset
            presets = {**values, **presets}
            component = host.get("architectures", base)

        def report(
            location: Location, message: str, place: Location = place, changes: dict[str, Any] = changes
        ) -> None:
            own = location[0] in changes
            problems.add((*(place if own else (*here, "overrides", "architecture")), *location), message)

        defaults = filled(presets, component.parameters, f"architecture '{component.name}'", report)
        given = {**shared, **changes}
        parameters = filled(given, defaults, f"architecture '{name}'", report)
        found.append(Choice(label, name, ArchitectureCall(component.name, parameters), i))
    return found


def _datasets(matrix: Matrix, here: Location, host: Components, problems: Problems) -> list[Choice[str]]:
    found = []
    for i, item in enumerate(matrix.dataset):
        label, name, changes = _spelled(item)
        place: Location = (*here, "dataset", i)
        if name not in host.names("datasets"):
            where = place if isinstance(item, str) else (*place, "name")
            problems.add(where, unknown(name, "data set", host.names("datasets")))
            continue

        def report(location: Location, message: str, place: Location = place) -> None:
            problems.add((*place, *location), message)

        before = len(problems.lines)
        defaults = host.get("datasets", name).parameters
        values = filled(changes, defaults, f"data set '{name}'", report)
        if len(problems.lines) > before:
            continue
        given = {key: value for key, value in values.items() if value != defaults[key]}
        try:
            found.append(Choice(label, name, host.dataset(spell_dataset(name, given)).name, i))
        except UsageError as error:
            problems.add(place, str(error))
    return found


def _recipes(matrix: Matrix, here: Location, host: Components, problems: Problems) -> list[Choice[Recipe]]:
    found = []
    shared = matrix.overrides.recipe
    for i, item in enumerate(matrix.recipe):
        label, name, changes = _spelled(item)
        place: Location = (*here, "recipe", i)
        if name not in host.names("recipes"):
            where = place if isinstance(item, str) else (*place, "name")
            problems.add(where, unknown(name, "recipe", host.names("recipes")))
            continue

        def key_path(key: str, place: Location = place, changes: dict[str, Any] = changes) -> Location:
            if key in shared and key not in changes:
                return (*here, "overrides", "recipe", key)
            return (*place, key) if key else place

        given = {**shared, **changes}
        base = host.get("recipes", name).recipe
        recipe = changed_recipe(base, given, key_path, problems, host.names("initializations"))
        if recipe is not None:
            found.append(Choice(label, name, recipe, i))
    return found


def _methods(matrix: Matrix, here: Location, host: Components, problems: Problems) -> list[Choice[Form]]:
    found = []
    for i, item in enumerate(matrix.methods):
        place: Location = (*here, "methods", i)
        given = {} if isinstance(item, str) else item.changes.get("scorer", {})
        own = given if isinstance(given, dict) else {}
        shared = {key: value for key, value in matrix.overrides.scorer.items() if key not in own}

        def report(
            location: Location, message: str, place: Location = place, shared: dict[str, Any] = shared
        ) -> None:
            is_shared = len(location) > 1 and location[0] == "scorer" and location[1] in shared
            problems.add((*((*here, "overrides") if is_shared else place), *location), message)

        form = method_form(item, host, report, shared)
        if form is not None:
            name = item if isinstance(item, str) else item.method or ""
            found.append(Choice(method_label(item), name, form, i))
    scorers = {c.value.scorer.name for c in found if c.value.scorer is not None}
    parameters = {key for name in scorers for key in host.get("scorers", name).parameters}
    for key in matrix.overrides.scorer:
        if key not in parameters and len(found) == len(matrix.methods):
            message = f"is a parameter of no scorer of the matrix{nearest(key, parameters)}"
            problems.add((*here, "overrides", "scorer", key), message)
    return found


def _densities(matrix: Matrix, here: Location, problems: Problems) -> list[str]:
    given = [key for key in ("sparsities", "densities") if getattr(matrix, key) is not None]
    if len(given) != 1:
        # where one of them is bad and was noted already, there is nothing to add
        spelled = problems.content["matrix"][here[1]]
        if not {"sparsities", "densities"} & spelled.keys():
            problems.add((*here, "sparsities"), "is missing: give either sparsities or densities")
        elif {"sparsities", "densities"} <= spelled.keys():
            problems.add((*here, "densities"), "stands beside sparsities; allowed: one of the two")
        return []
    if matrix.densities is not None:
        return [decimal12(d) for d in matrix.densities]
    if isinstance(matrix.sparsities, Powers):
        keep, count = matrix.sparsities.keep, matrix.sparsities.count
        if keep**count < 5e-13:
            message = f"found {count}; allowed: fewer, as {keep:g}^{count} is 0 in twelve digits"
            problems.add((*here, "sparsities", "count"), message)
            return []
        return [decimal12(keep**k) for k in range(1, count + 1)]
    return [decimal12(1 - s) for s in matrix.sparsities or []]


def _finds(axes: Axes, here: Location, host: Components, problems: Problems) -> None:
    for choice in axes.recipe:
        for i, changes in enumerate(axes.find):

            def key_path(key: str, i: int = i) -> Location:
                return (*here, "find", i, key) if key else (*here, "find", i)

            changed_recipe(choice.value, changes, key_path, problems, host.names("initializations"))


def _refuse_repeats(matrix: Matrix, axes: Axes, here: Location, problems: Problems) -> None:
    def choices(key: str, found: Iterable[Choice[Any]], plain: Any) -> None:
        entries = list(found)
        _repeats(key, [(c.index, c.label, canonical(plain(c.value))) for c in entries], here, problems)
        _same_labels(key, entries, here, problems)

    def values(key: str, found: Iterable[tuple[str, Any]]) -> None:
        _repeats(key, [(i, label, value) for i, (label, value) in enumerate(found)], here, problems)

    choices("architecture", axes.architecture, lambda call: [call.name, call.parameters])
    choices("dataset", axes.dataset, lambda spelled: spelled)
    choices("recipe", axes.recipe, lambda recipe: recipe.model_dump(mode="json"))
    choices("methods", axes.methods, lambda form: form.model_dump(mode="json", by_alias=True))
    values("find", ((changes_label(f) or "{}", canonical(f)) for f in axes.find))
    values("score_at", ((point_label(p), _same_point(p)) for p in matrix.score_at or []))
    values("ablations", ((ablations_label(a) or "none", tuple(a)) for a in axes.ablations))
    values("measures", ((m, m) for m in matrix.measures))
    values("seeds", ((str(s), s) for s in axes.seeds))
    if matrix.densities is not None:
        values("densities", zip(map(str, matrix.densities), axes.densities, strict=False))
    elif isinstance(matrix.sparsities, list):
        values("sparsities", zip(map(str, matrix.sparsities), axes.densities, strict=False))


def _same_point(point: Point) -> Any:
    label = point_label(point)
    return "init" if label in ("step 0", "epoch 0") else label


def _repeats(key: str, entries: Sequence[tuple[int, str, Any]], here: Location, problems: Problems) -> None:
    first: dict[Any, tuple[int, str]] = {}
    for index, label, value in entries:
        if value in first:
            other, spelled = first[value]
            message = f"'{label}' is {at(*here, key, other)} '{spelled}' again"
            problems.add((*here, key, index), message)
        else:
            first[value] = (index, label)


def _same_labels(key: str, entries: Sequence[Choice[Any]], here: Location, problems: Problems) -> None:
    first: dict[str, int] = {}
    for choice in entries:
        if choice.label in first and choice.value != entries[first[choice.label]].value:
            other = at(*here, key, entries[first[choice.label]].index)
            message = f"the label '{choice.label}' is {other}'s too; allowed: another one, with as = …"
            problems.add((*here, key, choice.index), message)
        first.setdefault(choice.label, entries.index(choice))
