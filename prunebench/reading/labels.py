"""The labels that choices have in tables, and by which checks select them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prunebench.canonical import canonical
from prunebench.training.recipe import AtEpoch, AtName, AtShare, AtStep, Point

__all__ = [
    "ablations_label",
    "call_label",
    "changes_label",
    "find_label",
    "plain_changes",
    "point_label",
]


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


def find_label(find: str | Mapping[str, Any]) -> str:
    """Return the label of a `find`: a label itself, or the table of its changes.

    >>> find_label("slow"), find_label({"lr": 0.05})
    ('slow', 'lr=0.05')
    """
    return find if isinstance(find, str) else changes_label(find)


def plain_changes(changes: Mapping[str, Any]) -> bytes:
    """Return a table of changes in its one spelling: in whatever order, and 1 as 1.0.

    >>> plain_changes({"warmup": 1, "lr": 0.5}) == plain_changes({"lr": 0.5, "warmup": 1.0})
    True
    """
    numbers = (int, float)
    return canonical(
        {k: float(v) if isinstance(v, numbers) and not isinstance(v, bool) else v for k, v in changes.items()}
    )


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
