"""What checks can name: the names that a suite's matrices spell, and its cells by their labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from prunebench.checks.cells import Kind
from prunebench.checks.references import Finds, Spelled, known
from prunebench.reading.cursor import Cursor
from prunebench.reading.labels import ablations_label, point_label
from prunebench.suite.cell import Cell
from prunebench.suite.schema import Matrix, SuiteTable, label_of

__all__ = ["baselines_there", "kinds_of", "spelled"]


def spelled(matrices: Sequence[tuple[Matrix, set[str]]], table: SuiteTable | None) -> Spelled:
    """Return what the matrices spell; nothing of a key that is bad in one of them."""

    def every(key: str, names: Callable[[Matrix], Iterable[str]]) -> set[str] | None:
        if any(key in bad for _, bad in matrices):
            return None
        return {name for matrix, _ in matrices for name in names(matrix)}

    def labels(key: str) -> Callable[[Matrix], Iterable[str]]:
        return lambda matrix: (label_of(item) for item in getattr(matrix, key))

    methods = every("methods", labels("methods"))
    if methods is not None and any(m.dense for m, _ in matrices):
        methods.add("none")
    return Spelled(
        methods=methods,
        ablations=every("ablations", lambda m: (ablations_label(a) or "none" for a in m.ablations)),
        find=None if any({"find", "methods", "name"} & bad for _, bad in matrices) else _finds(matrices),
        score_at=every("score_at", lambda m: map(point_label, m.score_at or [])),
        measures=every("measures", lambda m: m.measures),
        where={
            "matrix": every("name", lambda m: [m.name]),
            "architecture": every("architecture", labels("architecture")),
            "dataset": every("dataset", labels("dataset")),
            "recipe": every("recipe", labels("recipe")),
            "split": every("split", lambda m: [m.split]),
        },
        needed=_needed(table),
    )


def _finds(matrices: Sequence[tuple[Matrix, set[str]]]) -> list[Finds]:
    return [
        Finds(one.name, {label_of(item) for item in one.methods}, {f.label: f.changes for f in one.find})
        for one, _ in matrices
    ]


def _needed(table: SuiteTable | None) -> dict[str, tuple[str, ...]]:
    """Return the baselines with whose accuracies each range of ours is found."""
    if table is None:
        return {}
    names = table.baselines
    return {
        "trivial": (names.random, names.none),
        "matching": (names.after_training, names.random, names.none),
        "extreme": (names.after_training, names.none),
    }


def baselines_there(
    table: SuiteTable | None, content: Mapping[str, Any], names: Spelled, here: Cursor
) -> None:
    """Note every baseline that the file names and no matrix has."""
    for key, method in table.baselines.model_dump(by_alias=True).items() if table is not None else ():
        if key in content.get("baselines", {}):
            known(here.at("baselines", key), method, "method", names.methods)


def kinds_of(cells: Iterable[Cell]) -> list[Kind]:
    """Return the kinds of cells that there are, in their order: those of one kind share their labels."""
    kinds: dict[int, Kind] = {}
    for cell in cells:
        kind = kinds.get(id(cell.labels))
        if kind is None:
            kind = kinds[id(cell.labels)] = Kind({**cell.labels, "matrix": cell.matrix})
        kind.densities.add(cell.density)
    return list(kinds.values())
