"""Values whose plain form is JSON: written once, read back by their annotations (imports no torch)."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, Literal, Self, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from prunebench.training.recipe import Recipe

__all__ = ["Plain", "Reader", "called"]

T = TypeVar("T")

_AS_THEY_ARE = frozenset({str, int, float, bool, dict, tuple})
"""Kinds that JSON has: looked up, for asking `isinstance` of pydantic's is slow."""


class Plain:
    """A value that JSON writes as an object of its fields; those that are None are left out.

    Subclasses are frozen dataclasses with slots, whose fields' annotations say how they are read back.
    """

    __slots__ = ("_plain",)
    _plain: dict[str, Any]

    def plain(self) -> dict[str, Any]:
        """Return the value as JSON has it: the same object each time, which nobody changes."""
        try:
            return self._plain
        except AttributeError:
            written = self._written()
            object.__setattr__(self, "_plain", written)
            return written

    def _written(self) -> dict[str, Any]:
        kind: Any = type(self)
        keys, values = _access(kind)
        return {
            key: value if value.__class__ in _AS_THEY_ARE else _plain(value)
            for key, value in zip(keys, values(self), strict=True)
            if value is not None
        }

    @classmethod
    def read(cls, value: Mapping[str, Any], reader: Reader) -> Self:
        """Return the value that JSON holds. Raises: ValueError, TypeError or KeyError for another shape."""
        kind: Any = cls
        read = _readers(kind)
        given = {}
        for key, part in value.items():
            name, hint, read_part = read[key]
            given[name] = part if part.__class__ is hint else read_part(part, reader)
        return cls(**given)


def called(key: str) -> Mapping[str, str]:
    """Return the metadata of a field that JSON calls `key`."""
    return {"key": key}


class Reader:
    """Reads values of a file in which objects that several share stand in one table, as {"$": place}."""

    def __init__(self, table: Sequence[Any] = ()) -> None:
        self._table = table
        self._read: dict[tuple[int, Any], Any] = {}

    def read(self, kind: type[T], value: Any) -> T:
        """Return the value of this kind that JSON holds, the same object for the same place."""
        if not isinstance(value, dict):
            raise TypeError(f"{kind.__name__} is an object; found {value!r:.40}")
        read_whole = _whole(cast(Any, kind))
        if "$" not in value:
            return cast(T, read_whole(value, self))
        place = (value["$"], kind)
        if place not in self._read:
            self._read[place] = read_whole(self._table[value["$"]], self)
        return cast(T, self._read[place])

    def shared(self, value: Any) -> Any:
        """Return what stands in the table, where a value says so."""
        return self._table[value["$"]] if isinstance(value, dict) and "$" in value else value

    def one_of(self, kinds: Sequence[type[T]], value: Any) -> T:
        """Return the value of the one of these kinds that has this shape."""
        if len(kinds) == 1:
            return self.read(kinds[0], value)
        names = frozenset(self.shared(value))
        return self.read(_kind_of_shape(tuple(kinds), names), value)


@cache
def _whole(kind: Any) -> Callable[[Any, Reader], Any]:
    """Return what reads a whole value of this kind."""
    return kind.read if issubclass(kind, Plain) else lambda value, reader: kind.model_validate(value)


@cache
def _kind_of_shape(kinds: tuple[Any, ...], names: frozenset[str]) -> type:
    for kind in kinds:
        if not issubclass(kind, Plain):
            continue
        keys = _keys(kind)
        needed = {keys[f.name] for f in fields(kind) if f.default is MISSING}
        if needed <= names <= set(keys.values()):
            return cast(type, kind)
    raise ValueError(f"no {' or '.join(kind.__name__ for kind in kinds)} has {sorted(names)}")


def _plain(value: Any) -> Any:
    if isinstance(value, Plain):
        return value.plain()
    return _dumped_once(value) if isinstance(value, BaseModel) else value


_seen: dict[int, tuple[BaseModel, dict[str, Any]]] = {}
"""Plain forms of the very objects that were asked last, which are kept alive: to compare them is slow."""


def _dumped_once(value: BaseModel) -> dict[str, Any]:
    known = _seen.get(id(value))
    if known is None:
        if len(_seen) >= 4096:
            _seen.clear()
        known = _seen[id(value)] = (value, _dumped(value))
    return known[1]


@lru_cache(maxsize=4096)
def _dumped(value: BaseModel) -> dict[str, Any]:
    """Return the plain form of a validated value, one object for equal ones."""
    if isinstance(value, Recipe):
        return value.run_fields()
    return value.model_dump(mode="json", by_alias=True, exclude_none=True)


@cache
def _keys(kind: Any) -> dict[str, str]:
    """Return the names of a value's fields, and what JSON calls them."""
    return {field.name: field.metadata.get("key", field.name) for field in fields(kind)}


@cache
def _access(kind: Any) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """Return what JSON calls a value's fields, and what returns all of them at once, which is quicker."""
    names = _keys(kind)
    first, *rest = names
    get = attrgetter(first, *rest)
    return tuple(names.values()), get if rest else lambda value: (get(value),)


@cache
def _readers(kind: Any) -> dict[str, tuple[str, Any, Callable[[Any, Reader], Any]]]:
    """Return for each of a value's names in JSON the field, its annotation, and what reads it by that."""
    hints = get_type_hints(kind)
    return {key: (name, hints[name], _reader(hints[name])) for name, key in _keys(kind).items()}


def _reader(hint: Any) -> Callable[[Any, Reader], Any]:
    origin, kinds = get_origin(hint), [kind for kind in get_args(hint) if kind is not type(None)]
    if origin in (Union, types.UnionType):
        if len(kinds) == 1:
            return _reader(kinds[0])
        return lambda value, reader: reader.one_of(kinds, value)
    if origin is Literal:
        return lambda value, reader: _checked(value, value in kinds)
    if origin is tuple:
        return lambda value, reader: tuple(_checked(value, isinstance(value, list)))
    if origin is not None:  # a mapping, of others
        return lambda value, reader: _checked(reader.shared(value), isinstance(value, dict))
    if issubclass(hint, Plain | BaseModel):
        return lambda value, reader: reader.read(hint, value)
    return lambda value, reader: _checked(value, isinstance(value, hint))


def _checked(value: T, right: bool) -> T:
    if not right:
        raise TypeError(f"found {value!r:.40}")
    return value
