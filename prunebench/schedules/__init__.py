"""Schedules: when a method scores and removes, one module each. `SCHEDULES` is all that there are.

They stand below the host, for a form holds a schedule, and below planning, which gives a schedule what it
plans with (`Planning`): so that all that a schedule is stands in its one module.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prunebench.schedules.gradual import Gradual
from prunebench.schedules.levels import Levels
from prunebench.schedules.one_shot import OneShot
from prunebench.schedules.rounds import Rounds
from prunebench.schedules.schedule import Fields, Planning, Removal, Schedule, Shrinking

__all__ = [
    "SCHEDULES",
    "Fields",
    "Gradual",
    "Levels",
    "OneShot",
    "Planning",
    "Removal",
    "Rounds",
    "Schedule",
    "Shrinking",
    "allowed",
    "parsed",
    "regrowing",
    "shrinking",
]

SCHEDULES: list[type[Schedule]] = [OneShot, Rounds, Levels, Gradual]
"""A schedule is added here, and in a module of its own."""


def parsed(value: Any) -> Any:
    """Return the schedule that a suite spells so. Raises: ValueError for what is none."""
    if isinstance(value, Schedule):
        return value
    for schedule in SCHEDULES:
        if schedule.is_spelled(value):
            return schedule.model_validate(value)
    raise ValueError(f"found {value!r:.80}; allowed: {allowed()}")


def allowed(*, built: bool = False) -> str:
    """Return how every schedule is spelled, for messages; with `built` those alone that can be planned."""
    wanted = (one for one in SCHEDULES if not built or one.unbuilt is Schedule.unbuilt)
    *others, last = (schedule.spelling for schedule in wanted)
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
