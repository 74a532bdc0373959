"""The names of cells, made of tokens of what was chosen on each axis."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from prunebench.suite.axes import Axes, Choice

__all__ = ["NameParts", "name_parts", "numbered", "slug", "tokens"]

_OUTSIDE = re.compile(r"[^A-Za-z0-9._+-]")


@dataclass(frozen=True)
class NameParts:
    """What the names of cells are made of, by position on each axis."""

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
    points = [c.label.replace("step ", "").replace(" ", "") for c in axes.score_at]
    finds = [c.label for c in axes.find]
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
        density=density_tokens([c.value for c in axes.densities]),
    )


def slug(label: str) -> str:
    """Return a label in the alphabet of cells' names.

    >>> slug("cifar-resnet[depth=20,width=0.5]"), slug("drops=[80,120]")
    ('cifar-resnet-depth20-width0.5', 'drops80-120')
    """
    text = label.replace("=[", "=").replace("={", "=").replace("[", "-").replace(",", "-")
    text = re.sub(r"[\]}=]", "", text).replace("{", "")
    return _OUTSIDE.sub("_", text)


def tokens(short: Sequence[str], long: Sequence[str]) -> list[str]:
    """Return one token a choice: the short ones where they differ, else the long ones, else numbered."""
    for candidates in (short, long):
        slugs = [slug(c) for c in candidates]
        if len(set(slugs)) == len(slugs):
            return slugs
    return numbered(slugs)


def numbered(names: Sequence[str]) -> list[str]:
    """Return the names with .2, .3, … after those that came before, so that all differ.

    >>> numbered(["a", "b", "a"])
    ['a', 'b', 'a.2']
    """
    taken: set[str] = set()
    result = []
    for name in names:
        free, n = name, 1
        while free in taken:
            n += 1
            free = f"{name}.{n}"
        taken.add(free)
        result.append(free)
    return result


def density_tokens(densities: Sequence[str]) -> list[str]:
    """Return densities of at most five significant digits where they still differ, else as they are.

    >>> density_tokens(["0.512", "0.018014398509", "1"])
    ['0.512', '0.018014', '1']
    """
    short = [_five_digits(d) for d in densities]
    return [s if short.count(s) == 1 else d for s, d in zip(short, densities, strict=True)]


def _five_digits(density: str) -> str:
    value = f"{float(density):.5g}"
    if "e" in value:  # tiny densities: keep the decimal spelling
        value = f"{float(value):.12f}".rstrip("0")
    return value
