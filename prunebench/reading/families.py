"""Families: a table with `for` stands for one table for every combination of its values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any

from prunebench.errors import nearest
from prunebench.reading.cursor import Cursor
from prunebench.reading.spelling import at, show

__all__ = ["entries", "members", "names_differ", "tables"]

_PLACE = re.compile(r"\{([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)\}")
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_VALUES = "a list of values, or the name of a list in [sets]"


def tables(content: Mapping[str, Any], key: str, here: Cursor) -> Iterator[tuple[Cursor, dict[str, Any]]]:
    """Yield the tables of a key that is written in two brackets, with their places."""
    given = content.get(key)
    for i, table in enumerate(given if isinstance(given, list) else []):
        if isinstance(table, dict):
            yield here.at(key, i), table


def entries(table: Mapping[str, Any], here: Cursor) -> Iterator[tuple[Cursor, Mapping[str, Any]]]:
    """Yield the tables that the table at `here` stands for with `each`, and their places: itself without.

    `each = [{name = "a", margin = 1.0}, {name = "b"}]` makes a table of every entry: with its keys and
    the table's others; of a key that both have, the entry's. A problem is noted once, and nothing is yielded
    then.
    """
    if "each" not in table:
        yield here, table
        return
    given, place = table["each"], here / "each"
    if not isinstance(given, list) or not given or not all(isinstance(one, Mapping) for one in given):
        place.problem(f"found {show(given)}; allowed: a list of tables, at least one")
        return
    shared = {key: value for key, value in table.items() if key != "each"}
    for i, entry in enumerate(given):
        own = {key: here / key for key in shared if key not in entry}
        yield (place / i).moved(own), {**shared, **entry}


def members(table: Mapping[str, Any], here: Cursor, sets: Any, what: str) -> Iterator[Mapping[str, Any]]:
    """Yield the tables that the table at `here` stands for: itself, or one for each combination of `for`.

    `for = {network = "networks", m = ["snip", "grasp"]}` gives each name one value at a time, of a list or of
    the list of that name in `sets`. Texts take the value where they say `{m}`, or its key where they say
    `{network.architecture}`; a text that is nothing else becomes the value itself, of whatever kind. The last
    name runs fastest. `what` is what the table is called: "check". A problem is noted once, and nothing is
    yielded then.
    """
    if "for" not in table:
        yield table
        return
    lists = _lists(table["for"], sets, here / "for")
    body = {key: value for key, value in table.items() if key != "for"}
    if lists is None or any(value is None for values in lists.values() for value in values):
        return
    used = set(_used(body))
    for name in lists:
        if name not in used:
            message = f"is used nowhere in the {what}; allowed: as {{{name}}} in a text"
            here.at("for", name).problem(message)
    if not used >= set(lists):
        return
    for values in product(*lists.values()):
        chosen = dict(zip(lists, values, strict=True))
        try:
            yield {key: _filled(value, chosen, here / key, what) for key, value in body.items()}
        except _Unknown as error:
            error.place.problem(str(error) + _entry(error.path, chosen, lists, table["for"]))
            return


class _Unknown(Exception):
    """A text asks for what a value of the family does not have."""

    def __init__(self, place: Cursor, message: str, path: str = "") -> None:
        super().__init__(message)
        self.place = place
        self.path = path


def _entry(
    path: str, chosen: Mapping[str, Any], lists: Mapping[str, list[Any]], given: Mapping[str, Any]
) -> str:
    """Return which entry of a list lacks what a text asks for, where another one has it."""
    name, *keys = path.split(".")
    values = lists.get(name, [])
    if not keys or not any(_has(value, keys) for value in values):
        return ""
    number = next(i for i, value in enumerate(values) if value is chosen[name])
    spelled = given[name]
    place = at("sets", spelled, number) if isinstance(spelled, str) else at("for", name, number)
    own = values[number].get("name") if isinstance(values[number], Mapping) else None
    return f" ({place}{f', {show(own)},' if isinstance(own, str) else ''} lacks it)"


def _has(value: Any, keys: list[str]) -> bool:
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            return False
        value = value[key]
    return True


def _lists(given: Any, sets: Any, here: Cursor) -> dict[str, list[Any]] | None:
    """Return the values of each name; None where something is wrong with them."""
    if not isinstance(given, Mapping) or not given:
        here.problem(f"found {show(given)}; allowed: a table of names, each with {_VALUES}")
        return None
    known = {k: v for k, v in sets.items() if isinstance(v, list)} if isinstance(sets, Mapping) else {}
    lists: dict[str, list[Any]] = {}
    for name, values in given.items():
        if not _NAME.fullmatch(name):
            (here / name).problem("is no name for a value; allowed: letters, digits, _ and -")
        elif isinstance(values, str) and values not in known:
            hint = nearest(values, known, "this suite has no [sets]" if not sets else "[sets] has no list")
            message = f"found {show(values)}, which is no list in [sets]{hint}"
            (here / name).problem(message)
        elif isinstance(values, str):
            lists[name] = known[values]
        elif isinstance(values, list):
            lists[name] = values
        else:
            (here / name).problem(f"found {show(values)}; allowed: {_VALUES}")
        if lists.get(name) == []:
            (here / name).problem("has no values; allowed: at least one")
    return lists if len(lists) == len(given) and all(lists.values()) else None


def _used(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from (path.split(".")[0] for path in _PLACE.findall(value))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _used(item)
    elif isinstance(value, list):
        for item in value:
            yield from _used(item)


def _filled(value: Any, chosen: Mapping[str, Any], here: Cursor, what: str) -> Any:
    """Return a value with every placeholder filled in."""
    if isinstance(value, Mapping):
        return {key: _filled(item, chosen, here / key, what) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, chosen, here / i, what) for i, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    whole = _PLACE.fullmatch(value)
    if whole:
        return _looked_up(whole[1], chosen, here, what)
    return _PLACE.sub(lambda match: _text(match[1], chosen, here, what), value)


def _text(path: str, chosen: Mapping[str, Any], here: Cursor, what: str) -> str:
    value = _looked_up(path, chosen, here, what)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _Unknown(here, f"'{{{path}}}' is {show(value)}; allowed within a text: a text or a number")
    return str(value)


def _looked_up(path: str, chosen: Mapping[str, Any], here: Cursor, what: str) -> Any:
    value: Any = chosen
    reached: list[str] = []
    for part in path.split("."):
        if not isinstance(value, Mapping):
            message = f"found '{{{path}}}', but '{'.'.join(reached)}' is {show(value)}, no table"
            raise _Unknown(here, message, path)
        if part not in value:
            where = f"key of '{'.'.join(reached)}'" if reached else f"name of this {what}'s 'for'"
            raise _Unknown(here, f"found '{{{path}}}': '{part}' is no {where}{nearest(part, value)}", path)
        value = value[part]
        reached.append(part)
    return value


def names_differ(names: Iterable[tuple[Cursor, str]], key: str = "name") -> None:
    """Note every name, of the table at its place, that an earlier one has; `key` is the name's key."""
    first: dict[str, Cursor] = {}
    for here, name in names:
        other = first.get(name)
        if other is None:
            first[name] = here
        elif other.location == here.location:
            message = f"is '{name}' more than once; allowed: a name that says every value of 'for'"
            (here / key).problem(message)
        else:
            (here / key).problem(f"found '{name}', which is {other.path}'s too; allowed: another")
