"""`only` and `exclude`: entries that name values of the axes, as sets of places on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from prunebench.canonical import canonical, decimal12
from prunebench.errors import nearest
from prunebench.suite.axes import Axes, Choice
from prunebench.suite.labels import ablations_label, changes_label, point_label
from prunebench.suite.problems import Location, Problems, show
from prunebench.suite.schema import Entry

__all__ = ["Filter", "density_on_grid", "filters", "nearest_on_grid"]

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

Places = frozenset[int]


class Filter:
    """An entry of `only` or `exclude`: for each axis the places that it names, or None for all."""

    def __init__(self, outer: Sequence[Places | None], density: Places | None, seed: Places | None) -> None:
        self.outer = outer
        self.density = density
        self.seed = seed
        self.used = False

    def allows(self, outer: Sequence[int]) -> bool:
        """Whether the entry speaks of this place on the outer axes."""
        return all(named is None or place in named for named, place in zip(self.outer, outer, strict=True))

    def matches(self, density: int, seed: int) -> bool:
        """Whether it then speaks of this density and seed; notes that it was used."""
        found = (self.density is None or density in self.density) and (self.seed is None or seed in self.seed)
        self.used = self.used or found
        return found


def density_on_grid(value: float, densities: Sequence[str], *, sparsity: bool) -> str | None:
    """Return the density of a grid that a person means by `value`.

    The very one, or the nearest within 0.0005 of a sparsity (within 0.05 % of a density): papers print
    98.2 % for 1 − 0.8^18.

    >>> density_on_grid(0.982, ["0.022517998137", "0.018014398509"], sparsity=True)
    '0.018014398509'
    """
    exact = decimal12(1 - value if sparsity else value)
    if exact in densities or not densities:
        return exact if densities else None
    target = float(exact)
    best = min(densities, key=lambda d: abs(float(d) - target))
    allowed = 5e-4 if sparsity else 5e-4 * float(best)
    return best if abs(float(best) - target) <= allowed else None


def nearest_on_grid(value: float, densities: Sequence[str], *, sparsity: bool) -> str:
    """Return the end of a message: the sparsity, or density, of a grid that is nearest to a value.

    >>> nearest_on_grid(0.5, ["0.8", "0.64"], sparsity=True)
    '; the nearest is 0.36'
    """
    values = [round(1 - float(d), 12) if sparsity else float(d) for d in densities]
    near = min(values, key=lambda v: abs(v - value), default=None)
    return "" if near is None else f"; the nearest is {near:.12g}"


def filters(
    entries: Sequence[Entry] | None, axes: Axes, here: Location, problems: Problems | None
) -> list[Filter]:
    """Return the entries at the key path `here`; notes values that are not on the matrix's axes.

    Without `problems` such values match nothing: a suite whose seeds were cut down stays valid.
    """
    return [_filter(entry, axes, (*here, i), problems) for i, entry in enumerate(entries or [])]


def _filter(entry: Entry, axes: Axes, here: Location, problems: Problems | None) -> Filter:
    if problems is not None and not entry.model_fields_set:
        problems.add(here, "is empty; allowed: at least one of " + ", ".join(Entry.model_fields))

    def places(key: str, values: Iterable[Any] | None, find: Callable[[Any], list[int]]) -> Places | None:
        if values is None:
            return None
        named: list[int] = []
        for i, value in enumerate(values):
            found = find(value)
            if not found and problems is not None:
                message = f"found {_shown(value)}, which is no {_WHAT[key]} of this matrix"
                problems.add((*here, key, i), message + _allowed(key, value, axes))
            named.extend(found)
        return frozenset(named)

    def choices(axis: Sequence[Choice[Any]]) -> Callable[[Any], list[int]]:
        return lambda name: [i for i, c in enumerate(axis) if name in (c.label, c.name)]

    def equal(axis: Iterable[Any], key: Callable[[Any], Any] = lambda v: v) -> Callable[[Any], list[int]]:
        spelled = [key(v) for v in axis]
        return lambda value: [i for i, s in enumerate(spelled) if s == key(value)]

    def on_grid(sparsity: bool) -> Callable[[Any], list[int]]:
        def find(value: Any) -> list[int]:
            density = density_on_grid(value, axes.densities, sparsity=sparsity)
            return [i for i, d in enumerate(axes.densities) if d == density]

        return find

    outer = (
        places("architecture", entry.architecture, choices(axes.architecture)),
        places("dataset", entry.dataset, choices(axes.dataset)),
        places("recipe", entry.recipe, choices(axes.recipe)),
        places("find", entry.find, equal(axes.find, _numbers)),
        places("score_at", entry.score_at, equal(axes.score_at)),
        places("method", entry.method, _methods(axes)),
        places("ablation", entry.ablation, equal(axes.ablations, list)),
    )
    by_sparsity = places("sparsity", entry.sparsity, on_grid(True))
    by_density = places("density", entry.density, on_grid(False))
    if by_sparsity is not None and by_density is not None:
        by_density = by_density & by_sparsity
    seed = places("seed", entry.seed, equal(axes.seeds))
    return Filter(outer, by_sparsity if by_density is None else by_density, seed)


def _methods(axes: Axes) -> Callable[[Any], list[int]]:
    """A method is named by its label alone: 'snip' is not the changed form that is made of it."""
    return lambda name: [i for i, c in enumerate(axes.methods) if name == c.label]


def _numbers(changes: Any) -> Any:
    """Spell changes so that 1 and 1.0 are equal."""
    plain = {k: float(v) if isinstance(v, int) and not isinstance(v, bool) else v for k, v in changes.items()}
    return canonical(plain)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"'{ablations_label(value) or 'none'}'"
    return show(value.model_dump() if hasattr(value, "model_dump") else value)


def _allowed(key: str, value: Any, axes: Axes) -> str:
    """Return the nearest value of the axis and a listing."""
    if key in ("sparsity", "density"):
        return nearest_on_grid(value, axes.densities, sparsity=key == "sparsity")
    labels = {
        "architecture": [c.label for c in axes.architecture],
        "dataset": [c.label for c in axes.dataset],
        "recipe": [c.label for c in axes.recipe],
        "find": [changes_label(f) or "{}" for f in axes.find],
        "score_at": [point_label(p) for p in axes.score_at if p is not None],
        "method": [c.label for c in axes.methods],
        "ablation": [ablations_label(a) or "none" for a in axes.ablations],
        "seed": [str(s) for s in axes.seeds],
    }[key]
    spelled = ablations_label(value) if isinstance(value, list) else value
    if isinstance(spelled, str):
        return nearest(spelled, labels)
    return "; allowed: " + (", ".join(labels) if labels else "nothing")
