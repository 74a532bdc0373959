"""What is wrong with the value of `schedule`: which part of it, what that takes, and the nearest name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from prunebench import schedules
from prunebench.errors import closest
from prunebench.reading.cursor import Cursor
from prunebench.reading.messages import keys, translate
from prunebench.reading.spelling import show
from prunebench.schedules import Schedule

__all__ = ["check_schedule"]


def check_schedule(value: Any, here: Cursor) -> None:
    """Note what is wrong with a value of `schedule`, which stands at `here`."""
    if isinstance(value, Schedule):
        return
    schedule = next((one for one in schedules.SCHEDULES if one.is_spelled(value)), None)
    if schedule is None:
        _no_schedule(value, here)
    elif isinstance(value, dict):
        for place, told in _wrong(schedule, value).items():
            here.at(*place).problem(told)


def _no_schedule(value: Any, here: Cursor) -> None:
    spelled = {one.key(): one.spelling for one in schedules.SCHEDULES}
    table = isinstance(value, dict) and len(value) > 0
    name = next(iter(value)) if table else value
    close = closest(name, spelled) if isinstance(name, str) else None
    hint = f"; did you mean {spelled[close]}? " if close is not None else "; "
    told = f"{hint}allowed: {schedules.allowed()}"
    if table:
        (here / name).problem(f"is no schedule{told}")
    else:
        here.problem(f"found {show(value)}{told}")


def _wrong(schedule: type[Schedule], value: Mapping[str, Any]) -> dict[tuple[str, ...], str]:
    """Return what is wrong with a table, part by part."""
    wrong: dict[tuple[str, ...], str] = {}
    for error in _errors(schedule, value):
        place = error["loc"]
        told = translate(error, schedule, place, schedule.spelling)
        if error["type"] == "extra_forbidden" and place in [(one.key(),) for one in schedules.SCHEDULES]:
            told = f"stands beside {schedule.key()}; allowed: one of the two"
        wrong.setdefault(place, told)
    return wrong


def _errors(schedule: type[Schedule], value: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield pydantic's errors by keys; first truth values and texts, which it would take for numbers."""
    for strict in (True, None):
        try:
            schedule.model_validate(value, strict=strict)
        except ValidationError as error:
            for one in error.errors(include_url=False):
                told = _of_a_key(one, schedule, value)
                if told and (not strict or _is_for_a_number(told)):
                    yield told


def _is_for_a_number(error: Mapping[str, Any]) -> bool:
    return error["type"] in ("int_type", "float_type") and isinstance(error["input"], bool | str)


def _of_a_key(error: Mapping[str, Any], table: Any, value: Any) -> Mapping[str, Any] | None:
    """Return an error within a union or a list as one of the whole value; None for a key that is misspelt."""
    for depth, key in enumerate(error["loc"]):
        fields = keys(table)
        if not fields:
            return {**error, "type": "", "loc": error["loc"][:depth], "input": value}
        if not isinstance(value, dict):  # what a table stands for in short
            return {**error, "loc": error["loc"][:depth], "input": value}
        if key not in fields:
            return {**error, "type": "extra_forbidden", "loc": error["loc"][: depth + 1]}
        if key not in value and any(closest(other, fields) == key for other in value if other not in fields):
            return None
        table, value = fields[key].annotation, value.get(key)
    return error
