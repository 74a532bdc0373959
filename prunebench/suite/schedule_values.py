"""What is wrong with the value of `schedule`: which part of it, what that takes, and the nearest name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import isclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from prunebench import schedules
from prunebench.errors import closest, nearest
from prunebench.reading.cursor import Cursor
from prunebench.reading.spelling import show
from prunebench.reading.tables import POINTS
from prunebench.schedules import Schedule
from prunebench.training.recipe import Point

__all__ = ["check_schedule"]

Place = tuple[str, ...]
"""Keys that lead to a part of a schedule's table."""

_BOUNDS = {"gt": "above {:g}", "ge": "of at least {:g}", "lt": "below {:g}", "le": "of at most {:g}"}


def check_schedule(value: Any, here: Cursor) -> None:
    """Note what is wrong with a value of `schedule`, which stands at `here`."""
    if isinstance(value, Schedule):
        return
    schedule = next((one for one in schedules.SCHEDULES if one.is_spelled(value)), None)
    if schedule is None:
        _no_schedule(value, here)
    elif schedule.is_built() and isinstance(value, dict):
        for place, told in _wrong(schedule, value).items():
            here.at(*place).problem(told)
    elif not schedule.is_built():
        _not_built(schedule, value, here)


def _no_schedule(value: Any, here: Cursor) -> None:
    spelled = {one.key(): one.spelling for one in schedules.SCHEDULES if one.is_built()}
    table = isinstance(value, dict) and len(value) > 0
    name = next(iter(value)) if table else value
    close = closest(name, spelled) if isinstance(name, str) else None
    hint = f"; did you mean {spelled[close]}? " if close is not None else "; "
    told = f"{hint}allowed: {schedules.allowed()}"
    if table:
        (here / name).problem(f"is no schedule{told}")
    else:
        here.problem(f"found {show(value)}{told}")


def _not_built(schedule: type[Schedule], value: Any, here: Cursor) -> None:
    """Note the table of a schedule that is not built yet, where it is not even right; else `Form` says it."""
    try:
        schedule.model_validate(value)
    except ValidationError:
        here.problem(
            f"found {show(value)}; {schedule.key()} is not built yet; allowed: {schedules.allowed()}"
        )


def _wrong(schedule: type[Schedule], value: Mapping[str, Any]) -> dict[Place, str]:
    """Return what is wrong with a table, part by part."""
    wrong = {place: _found(part, field) for place, part, field in _wrong_kinds(schedule, value)}
    try:
        schedule.model_validate(value)
    except ValidationError as error:
        for one in error.errors(include_url=False):
            place = _place(value, one)
            if told := _told(schedule, value, place, one):
                wrong.setdefault(place, told)
    return wrong


def _fields(table: Any) -> dict[str, FieldInfo]:
    """Return the fields of a table by their keys; none where it is no table."""
    if not (isclass(table) and issubclass(table, BaseModel)):
        return {}
    return {field.alias or name: field for name, field in table.model_fields.items()}


def _wrong_kinds(table: Any, value: Any, at: Place = ()) -> Iterator[tuple[Place, Any, FieldInfo]]:
    """Yield the truth values and texts that stand for numbers: the model would take them for some."""
    for key, field in _fields(table).items():
        if not isinstance(value, dict) or key not in value:
            continue
        part = value[key]
        if field.annotation in (int, float) and isinstance(part, bool | str):
            yield (*at, key), part, field
        yield from _wrong_kinds(field.annotation, part, (*at, key))


def _place(value: Any, error: Any) -> Place:
    """Return the part that one of pydantic's errors is about: its location less the tags of unions."""
    place: list[str] = []
    for part in error["loc"]:
        if not isinstance(value, dict) or part not in value:
            break
        place.append(part)
        value = value[part]
    if error["type"] == "missing" and len(place) == len(error["loc"]) - 1:
        return tuple(error["loc"])
    return tuple(place)


def _told(schedule: type[Schedule], value: Mapping[str, Any], place: Place, error: Any) -> str:
    """Return what one of pydantic's errors says; nothing where another says it."""
    table: Any = schedule
    for key in place[:-1]:
        table, value = _fields(table)[key].annotation, value[key]
    fields = _fields(table)
    if not place or place[-1] not in fields:
        return _unknown_key(schedule, place, list(fields)) if place else str(error["msg"])
    field = fields[place[-1]]
    if error["type"] == "missing" and len(error["loc"]) == len(place):
        misspelt = [key for key in value if key not in fields and closest(key, fields) == place[-1]]
        takes = _takes(field)
        return "" if misspelt else f"is missing; allowed: {takes}" if takes else "is missing"
    if error["type"] == "value_error" and len(error["loc"]) == len(place):
        return str(error["msg"]).removeprefix("Value error, ")
    return _found(value[place[-1]], field, str(error["msg"]))


def _unknown_key(schedule: type[Schedule], place: Place, keys: list[str]) -> str:
    if len(place) == 1 and any(place[0] == one.key() for one in schedules.SCHEDULES):
        return f"stands beside {schedule.key()}; allowed: one of the two"
    return f"is no key of {schedule.spelling}{nearest(place[-1], keys)}"


def _found(part: Any, field: FieldInfo, otherwise: str = "") -> str:
    words = ["init", "end", "rewind"] if field.annotation == Point else _words(field.annotation)
    close = closest(part, words) if isinstance(part, str) else None
    hint = f" did you mean '{close}'?" if close else ""
    takes = _takes(field)
    return f"found {show(part)};{hint} allowed: {takes}" if takes else f"found {show(part)}; {otherwise}"


def _words(annotation: Any) -> list[str]:
    return [str(word) for word in get_args(annotation)] if get_origin(annotation) is Literal else []


def _takes(field: FieldInfo) -> str:
    """Return the values that a field takes, in words; nothing where there are none for them."""
    kinds = {int: "a whole number", float: "a number", str: "a text in quotes", bool: "true or false"}
    annotation: Any = field.annotation
    if annotation == Point:
        return POINTS
    if words := _words(annotation):
        return ", ".join(f"'{word}'" for word in words)
    if fields := _fields(annotation):
        return f"a table with {', '.join(fields)}"
    bounds = [
        text.format(getattr(one, name))
        for one in field.metadata
        for name, text in _BOUNDS.items()
        if getattr(one, name, None) is not None
    ]
    kind = kinds.get(annotation, "")
    return f"{kind} {' and '.join(bounds)}".strip() if kind else ""
