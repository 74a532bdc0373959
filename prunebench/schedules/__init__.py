"""Schedules: when a method scores and removes, one module each. `SCHEDULES` is all that there are.

They stand below the host, for a form holds a schedule, and below planning, which gives a schedule what it
plans with (`Planning`): so that all that a schedule is stands in its one module (docs/schedules.md).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from prunebench.schedules.gradual import Gradual
from prunebench.schedules.levels import Levels
from prunebench.schedules.one_shot import OneShot
from prunebench.schedules.rounds import Rounds
from prunebench.schedules.schedule import Fields, Misfit, Planning, Removal, Schedule, Shrinking

__all__ = [
    "MODULES",
    "SCHEDULES",
    "Fields",
    "Gradual",
    "Levels",
    "Misfit",
    "OneShot",
    "Planning",
    "Removal",
    "Rounds",
    "Schedule",
    "Shrinking",
    "allowed",
    "collected",
    "parsed",
    "regrowing",
    "shrinking",
]

MODULES = [
    "one_shot",
    "rounds",
    "levels",
    "gradual",
]
"""A schedule is a module beside this one, and its name here."""


def collected(modules: Iterable[ModuleType]) -> list[type[Schedule]]:
    """Return the schedules that are written in these modules, in their order.

    Raises: ValueError where two have one key in suites, or one kind in the keys of runs.
    """
    schedules: list[type[Schedule]] = []
    for module in modules:
        own = [one for one in vars(module).values() if getattr(one, "__module__", "") == module.__name__]
        schedules += [one for one in own if isinstance(one, type) and issubclass(one, Schedule)]
    taken: dict[tuple[str, str], type[Schedule]] = {}
    for schedule in schedules:
        kind = schedule.shrinking.kind if schedule.shrinking is not None else ""
        names = {"key": schedule.key(), "kind": kind}
        for what, name in names.items():
            if name and (other := taken.setdefault((what, name), schedule)) is not schedule:
                two = " and ".join(f"{one.__name__} in {one.__module__}" for one in (other, schedule))
                raise ValueError(f"two schedules have the {what} {name!r}: {two}")
    return schedules


SCHEDULES = collected(importlib.import_module(f"{__name__}.{name}") for name in MODULES)


def parsed(value: Any) -> Any:
    """Return the schedule that a suite spells so. Raises: ValueError for what is none."""
    if isinstance(value, Schedule):
        return value
    for schedule in SCHEDULES:
        if schedule.is_spelled(value):
            return schedule.model_validate(value)
    raise ValueError(f"found {value!r:.80}; allowed: {allowed()}")


def allowed() -> str:
    """Return how every schedule is spelled, for messages."""
    *others, last = (schedule.spelling for schedule in SCHEDULES)
    return f"{', '.join(others)} or {last}"


def regrowing() -> str:
    """Return how the schedules are spelled that take a regrowth."""
    return " or ".join(f"schedule = {schedule.spelling}" for schedule in SCHEDULES if schedule.regrows)


def shrinking(value: Mapping[str, Any]) -> Shrinking:
    """Return how weights go while a run trains, from its plain form in the run's key. Raises: ValueError."""
    for schedule in SCHEDULES:
        if schedule.shrinking is not None and value.get("kind") == schedule.shrinking.kind:
            return schedule.shrinking.of(value)
    raise ValueError(f"no schedule prunes while training as {value.get('kind')!r:.40}")
