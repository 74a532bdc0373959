"""Families of checks: a [[check]] table with `for` stands for a check of every combination of its values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import product
from typing import Any

from prunebench.errors import nearest
from prunebench.suite.check import Check
from prunebench.suite.problems import Location, Problems, show

__all__ = ["members", "name_groups"]

_PLACE = re.compile(r"\{([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)\}")
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_WILD = "*?["
_VALUES = "a list of values, or the name of a list in [sets]"


def members(
    table: Mapping[str, Any], index: int, sets: Any, problems: Problems
) -> Iterator[Mapping[str, Any]]:
    """Yield the checks that a [[check]] table stands for: itself, or one for each combination of `for`.

    `for = {network = "networks", m = ["snip", "grasp"]}` gives each name one value at a time, of a list or of
    the list of that name in `sets`. Texts take the value where they say `{m}`, or its key where they say
    `{network.architecture}`; a text that is nothing else becomes the value itself, of whatever kind. The last
    name runs fastest. A problem is noted once, and nothing is yielded then.
    """
    if "for" not in table:
        yield table
        return
    here: Location = ("check", index)
    lists = _lists(table["for"], sets, (*here, "for"), problems)
    body = {key: value for key, value in table.items() if key != "for"}
    if lists is None or any(value is None for values in lists.values() for value in values):
        return
    used = set(_used(body))
    for name in lists:
        if name not in used:
            message = f"is used nowhere in the check; allowed: as {{{name}}} in a text"
            problems.add((*here, "for", name), message)
    if not used >= set(lists):
        return
    for values in product(*lists.values()):
        chosen = dict(zip(lists, values, strict=True))
        try:
            yield {key: _filled(value, chosen, (*here, key)) for key, value in body.items()}
        except _Unknown as error:
            problems.add(error.location, str(error))
            return


class _Unknown(Exception):
    """A text asks for what no value of the family has."""

    def __init__(self, location: Location, message: str) -> None:
        super().__init__(message)
        self.location = location


def _lists(given: Any, sets: Any, here: Location, problems: Problems) -> dict[str, list[Any]] | None:
    """Return the values of each name; None where something is wrong with them."""
    if not isinstance(given, Mapping) or not given:
        problems.add(here, f"found {show(given)}; allowed: a table of names, each with {_VALUES}")
        return None
    known = {k: v for k, v in sets.items() if isinstance(v, list)} if isinstance(sets, Mapping) else {}
    lists: dict[str, list[Any]] = {}
    for name, values in given.items():
        if not _NAME.fullmatch(name):
            problems.add((*here, name), "is no name for a value; allowed: letters, digits, _ and -")
        elif isinstance(values, str) and values not in known:
            message = f"found {show(values)}, which is no list in [sets]{nearest(values, known)}"
            problems.add((*here, name), message)
        elif isinstance(values, str):
            lists[name] = known[values]
        elif isinstance(values, list):
            lists[name] = values
        else:
            problems.add((*here, name), f"found {show(values)}; allowed: {_VALUES}")
        if lists.get(name) == []:
            problems.add((*here, name), "has no values; allowed: at least one")
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


def _filled(value: Any, chosen: Mapping[str, Any], here: Location) -> Any:
    """Return a value with every placeholder filled in."""
    if isinstance(value, Mapping):
        return {key: _filled(item, chosen, (*here, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, chosen, (*here, i)) for i, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    whole = _PLACE.fullmatch(value)
    if whole:
        return _looked_up(whole[1], chosen, here)
    return _PLACE.sub(lambda found: _text(found[1], chosen, here), value)


def _text(path: str, chosen: Mapping[str, Any], here: Location) -> str:
    value = _looked_up(path, chosen, here)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _Unknown(here, f"'{{{path}}}' is {show(value)}; allowed within a text: a text or a number")
    return str(value)


def _looked_up(path: str, chosen: Mapping[str, Any], here: Location) -> Any:
    value: Any = chosen
    reached: list[str] = []
    for part in path.split("."):
        if not isinstance(value, Mapping):
            raise _Unknown(here, f"found '{{{path}}}', but '{'.'.join(reached)}' is {show(value)}, no table")
        if part not in value:
            where = f"key of '{'.'.join(reached)}'" if reached else "name of this check's 'for'"
            raise _Unknown(here, f"found '{{{path}}}': '{part}' is no {where}{nearest(part, value)}")
        value = value[part]
        reached.append(part)
    return value


def name_groups(checks: Sequence[tuple[int, Check]], problems: Problems) -> list[tuple[int, Check]]:
    """Return the checks with every pattern in `all` and `any` replaced by the names that it fits.

    `*` stands for any characters, `?` for one, `[ab]` for one of these; the check itself is never meant.
    """
    names = [check.name for _, check in checks]
    found = []
    for index, check in checks:
        named: dict[str, list[str]] = {}
        for field, key in (("all_", "all"), ("any_", "any")):
            for j, pattern in enumerate(getattr(check, field) or []):
                place, fits = ("check", index, key, j), [pattern]
                if any(c in pattern for c in _WILD):
                    fits = [name for name in names if name != check.name and fnmatchcase(name, pattern)]
                    if not fits:
                        problems.add(place, f"found {show(pattern)}, which fits no other check")
                elif pattern == check.name:
                    problems.add(place, "names the check itself")
                elif pattern not in names:
                    hint = nearest(pattern, set(names) - {check.name})
                    problems.add(place, f"found {show(pattern)}, which is no check{hint}")
                named.setdefault(field, []).extend(fits)
        unique = {field: list(dict.fromkeys(fits)) for field, fits in named.items()}
        found.append((index, check.model_copy(update=unique)))
    return found
