"""What the names of cells are made of."""

from __future__ import annotations

from dataclasses import dataclass

from prunebench.suite.axes import Axes, Choice
from prunebench.suite.labels import changes_label, density_tokens, point_label, tokens

__all__ = ["NameParts", "name_parts"]


@dataclass(frozen=True)
class NameParts:
    """What the names of cells are made of, by place on each axis."""

    setting: dict[tuple[int, int, int], str]
    point: list[str]
    find: list[str]
    method: list[str]
    density: list[str]


def _short(dataset: Choice[str]) -> str:
    """Return a data set's name where its label is made of name and parameters, else the label chosen."""
    return dataset.name if dataset.label.startswith(f"{dataset.name}[") else dataset.label


def name_parts(axes: Axes) -> NameParts:
    """Return the parts of the names of a matrix's cells; recipes only where there are several."""
    architectures = tokens([c.name for c in axes.architecture], [c.label for c in axes.architecture])
    datasets = tokens([_short(c) for c in axes.dataset], [c.label for c in axes.dataset])
    recipes = [""]
    if len(axes.recipe) > 1:
        recipes = [f"-{t}" for t in tokens([c.name for c in axes.recipe], [c.label for c in axes.recipe])]
    points = [
        "" if p is None else point_label(p).replace("step ", "").replace(" ", "") for p in axes.score_at
    ]
    finds = [changes_label(f) for f in axes.find]
    methods = [c.label for c in axes.methods]
    return NameParts(
        setting={
            (a, d, r): f"{first}-{second}{third}"
            for a, first in enumerate(architectures)
            for d, second in enumerate(datasets)
            for r, third in enumerate(recipes)
        },
        point=[f"-at{p}" if p else "" for p in points],
        find=[f"-find-{t}" if t else "" for t in tokens(finds, finds)],
        method=tokens(methods, methods),
        density=density_tokens(axes.densities),
    )
