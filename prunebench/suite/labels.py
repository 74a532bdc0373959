"""How choices are spelled for people: labels in tables, tokens in the names of cells."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from prunebench.training.recipe import AtEpoch, AtName, AtShare, AtStep, Point

__all__ = ["ablations_label", "call_label", "changes_label", "density_tokens", "point_label", "tokens"]

_OUTSIDE = re.compile(r"[^A-Za-z0-9._+-]")


def _spelled(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:.12g}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_spelled(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + changes_label(value) + "}"
    return str(value)


def changes_label(changes: Mapping[str, Any]) -> str:
    """Return the label of a table of changes.

    >>> changes_label({"lr": 0.05, "drops": [80, 120]}), changes_label({})
    ('lr=0.05,drops=[80,120]', '')
    """
    return ",".join(f"{key}={_spelled(value)}" for key, value in changes.items())


def call_label(name: str, changes: Mapping[str, Any]) -> str:
    """Return the label of a name with changes.

    >>> call_label("cifar-resnet", {"depth": 20})
    'cifar-resnet[depth=20]'
    """
    return f"{name}[{changes_label(changes)}]" if changes else name


def ablations_label(names: Sequence[str]) -> str:
    """Return the label of a combination of ablations: "" for none, "shuffle+reinit" for two."""
    return "+".join(names)


def point_label(point: Point) -> str:
    """Return the label of a point of a run.

    >>> point_label("end"), point_label(AtStep(step=1000)), point_label(AtEpoch(epoch=2.0))
    ('end', 'step 1000', 'epoch 2')
    """
    if isinstance(point, AtStep):
        return f"step {point.step}"
    if isinstance(point, AtEpoch):
        return f"epoch {point.epoch:.12g}"
    if isinstance(point, AtShare):
        return f"share {point.share:.12g}"
    return point.at if isinstance(point, AtName) else point


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
