"""`only` and `exclude`: entries that name values of the axes, as sets of positions on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from prunebench.errors import nearest
from prunebench.reading.cursor import Cursor
from prunebench.reading.grid import density_on_grid, nearest_on_grid
from prunebench.reading.labels import ablations_label, plain_changes
from prunebench.reading.spelling import show
from prunebench.suite.axes import Axes, Choice
from prunebench.suite.schema import Entry

__all__ = ["Selector", "selectors"]

_WHAT = {
    "architecture": "architecture",
    "dataset": "data set",
    "recipe": "recipe",
    "find": "find",
    "score_at": "pruning step",
    "method": "method",
    "ablation": "combination of ablations",
    "sparsity": "sparsity",
    "density": "density",
    "seed": "seed",
}

_AXES = {"method": "methods", "ablation": "ablations", "seed": "seeds"}

Positions = frozenset[int]


@dataclass
class Selector:
    """An entry of `only` or `exclude`: for each axis the positions that it names, or None for all."""

    outer: Sequence[Positions | None]
    density: Positions | None
    seed: Positions | None
    here: Cursor
    used: bool = False

    def allows(self, outer: Sequence[int]) -> bool:
        """True if the entry selects these positions on the outer axes."""
        return all(named is None or i in named for named, i in zip(self.outer, outer, strict=True))

    def matches(self, density: int, seed: int) -> bool:
        """True if it then selects this density and seed; notes that it was used."""
        selected = (self.density is None or density in self.density) and (
            self.seed is None or seed in self.seed
        )
        self.used = self.used or selected
        return selected


def selectors(entries: Sequence[Entry] | None, axes: Axes, here: Cursor) -> list[Selector]:
    """Return the entries at `here`; notes values that are not on the matrix's axes, which match nothing."""
    return [_selector(entry, axes, here / i) for i, entry in enumerate(entries or [])]


def _selector(entry: Entry, axes: Axes, here: Cursor) -> Selector:
    if not entry.model_fields_set:
        here.problem("is empty; allowed: at least one of " + ", ".join(Entry.model_fields))

    def positions(key: str, find: Callable[[Any], list[int]]) -> Positions | None:
        values = getattr(entry, key)
        if values is None:
            return None
        named: list[int] = []
        for i, value in enumerate(values):
            fits = find(value)
            if not fits:
                message = f"found {_shown(value)}, which is no {_WHAT[key]} of this matrix"
                here.at(key, i).problem(message + _allowed(key, value, axes))
            named.extend(fits)
        return frozenset(named)

    def on_grid(sparsity: bool) -> Callable[[Any], list[int]]:
        grid = [one.value for one in axes.densities]
        return lambda value: _equal(grid, density_on_grid(value, grid, sparsity=sparsity))

    outer = (
        positions("architecture", _called(axes.architecture)),
        positions("dataset", _called(axes.dataset)),
        positions("recipe", _called(axes.recipe)),
        positions("find", _found(axes.find)),
        positions("score_at", lambda point: _equal((c.value for c in axes.score_at), point)),
        # a method is named by its label alone: 'snip' is not the changed form that is made of it
        positions("method", lambda label: _equal((c.label for c in axes.methods), label)),
        positions("ablation", lambda names: _equal((c.value for c in axes.ablations), names)),
    )
    by_sparsity, by_density = positions("sparsity", on_grid(True)), positions("density", on_grid(False))
    if by_sparsity is not None and by_density is not None:
        by_density = by_density & by_sparsity
    seed = positions("seed", lambda seed: _equal((c.value for c in axes.seeds), seed))
    return Selector(outer, by_sparsity if by_density is None else by_density, seed, here)


def _called(axis: Sequence[Choice[Any]]) -> Callable[[Any], list[int]]:
    return lambda name: [i for i, choice in enumerate(axis) if name in (choice.label, choice.name)]


def _found(axis: Sequence[Choice[Any]]) -> Callable[[Any], list[int]]:
    """Return what finds the entries of `find` that a label, or a table of changes, names."""

    def at(find: Any) -> list[int]:
        if isinstance(find, str):
            return _equal((choice.label for choice in axis), find)
        return _equal((plain_changes(choice.value) for choice in axis), plain_changes(find))

    return at


def _equal(values: Iterable[Any], wanted: Any) -> list[int]:
    return [i for i, value in enumerate(values) if value == wanted]


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"'{ablations_label(value) or 'none'}'"
    return show(value.model_dump() if hasattr(value, "model_dump") else value)


def _allowed(key: str, value: Any, axes: Axes) -> str:
    """Return the nearest value of the axis and a listing."""
    if key in ("sparsity", "density"):
        return nearest_on_grid(value, [c.value for c in axes.densities], sparsity=key == "sparsity")
    axis: Sequence[Choice[Any]] = getattr(axes, _AXES.get(key, key))
    blank = {"find": "{}", "ablation": "none"}.get(key, "")
    labels = [choice.label or blank for choice in axis if choice.label or blank]
    spelled = ablations_label(value) if isinstance(value, list) else value
    if isinstance(spelled, str):
        return nearest(spelled, labels, f"the matrix has no {key}")
    return "; allowed: " + ", ".join(labels) if labels else f"; the matrix has no {key}"
