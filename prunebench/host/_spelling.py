"""What a function carries besides its text: a partial's arguments, values that it closes over, its object.

Two scorers made by one factory have one text; their arguments tell them apart. Everything is spelled as
plain JSON with its type beside it, the same under every Python; what has no fixed spelling is refused.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

from pydantic import BaseModel

from prunebench.canonical import canonical

__all__ = ["FILE_MODULE", "Speller", "Unspellable"]

FILE_MODULE = "prunebench_plugin_file_"
"""How the names of modules made of plugin files begin; the rest of such a name depends on the path."""

_SCALARS = (bool, int, float, complex, str, bytes, type(None), type(...))


class Code(NamedTuple):
    """Code that runs: where it is written, its qualified name and, of a function, its compiled form."""

    module: str
    name: str
    code: types.CodeType | None = None


class Unspellable(Exception):
    """A value without a fixed spelling; the text says which."""


class Speller:
    """Spells values, functions among them; `code` lists the code that they run."""

    def __init__(self) -> None:
        self.code: list[Code] = []
        self._within: list[int] = []  # a function may hold itself, a class does so through `super()`

    def spell(self, value: Any) -> list[Any]:
        """Return the spelling of a value, its type first: 1, 1.0 and True are three values.

        Raises: Unspellable.
        """
        if type(value) in _SCALARS:
            return [type(value).__name__, repr(value)]
        if id(value) in self._within:
            return ["again", self._within[::-1].index(id(value))]
        self._within.append(id(value))
        try:
            return self._code(value) or self._container(value) or self._object(value)
        finally:
            self._within.pop()

    def _code(self, value: Any) -> list[Any] | None:
        """Spell what can be called and has a text somewhere; None for anything else."""
        if isinstance(value, functools.partial):
            return ["partial", self.spell(value.func), self.spell(value.args), self.spell(value.keywords)]
        if isinstance(value, types.MethodType):
            return ["method", self.spell(value.__func__), self.spell(value.__self__)]
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, type):
            return self._class(value)
        if isinstance(
            getattr(value, "__wrapped__", None), types.FunctionType
        ):  # functools.cache and its like
            return ["wrapper", self.spell(value.__wrapped__)]
        return None

    def _function(self, function: types.FunctionType) -> list[Any]:
        module = str(function.__globals__.get("__name__"))
        cells = _cells(function)
        wrapped = getattr(function, "__wrapped__", None)
        if (
            wrapped is not None
        ):  # of a decorator its plain values count, and its text where it is the plugin's
            inner = self.spell(wrapped)
            self.code.append(Code(module, function.__code__.co_qualname, function.__code__))
            plain = {name: cell for name, cell in cells.items() if _is_plain(cell)}
            return ["wrapper", _label(module), self.spell(plain), inner]
        self.code.append(Code(module, function.__code__.co_qualname, function.__code__))
        spelled: list[Any] = ["function", _label(module), function.__qualname__]
        defaults = [list(function.__defaults__ or ()), function.__kwdefaults__ or {}]
        if "<locals>" in function.__qualname__:
            spelled += [self.spell(cells), self.spell(defaults)]
        elif _is_plain(defaults):  # functions made in a loop have one text
            spelled.append(self.spell(defaults))
        return spelled

    def _class(self, cls: type) -> list[Any]:
        self.code.append(Code(cls.__module__, cls.__qualname__))
        spelled: list[Any] = ["class", _label(cls.__module__), cls.__qualname__]
        if (
            "<locals>" in cls.__qualname__
        ):  # made by a function: its methods may close over that one's arguments
            spelled += [
                [name, self.spell(_cells(member))]
                for name, member in sorted(vars(cls).items())
                if isinstance(member, types.FunctionType) and not name.startswith("__annotate")
            ]
        return spelled

    def _container(self, value: Any) -> list[Any] | None:
        if isinstance(value, enum.Enum):
            return ["enum", type(value).__qualname__, value.name]
        if isinstance(value, list | tuple):
            return [type(value).__name__, [self.spell(item) for item in value]]
        if isinstance(value, set | frozenset):
            return [type(value).__name__, sorted((self.spell(item) for item in value), key=canonical)]
        if isinstance(value, Mapping):
            pairs = [[self.spell(key), self.spell(item)] for key, item in value.items()]
            return ["mapping", sorted(pairs, key=canonical)]
        if isinstance(value, PurePath):
            return ["path", value.as_posix()]
        if isinstance(value, types.ModuleType):
            return ["module", _label(value.__name__)]
        if isinstance(value, BaseModel):
            return ["model", type(value).__qualname__, self.spell(value.model_dump(exclude_defaults=True))]
        return None

    def _object(self, value: Any) -> list[Any]:
        """Spell an object by its class and attributes, where these are all that it has."""
        cls = type(value)
        if cls is object:  # a sentinel
            return ["object"]
        if cls.__module__ == "torch" and cls.__name__ in ("dtype", "device", "Size"):
            return [cls.__name__, str(value)]
        if dataclasses.is_dataclass(value):
            state = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        elif hasattr(value, "__dict__") and not _keeps_more(cls):
            state = vars(value)
        else:
            raise Unspellable(f"it holds an object of type {cls.__module__}.{cls.__qualname__}")
        return ["object", self.spell(cls), self.spell(state)]


def _cells(function: types.FunctionType) -> dict[str, Any]:
    """Return the values that a function closes over; one that is not bound yet is left out."""
    values = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            values[name] = cell.cell_contents
        except ValueError:
            continue
    return values


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, value)) and all(map(_is_plain, value.values()))
    return type(value) in _SCALARS


def _keeps_more(cls: type) -> bool:
    """True if objects of this class may keep state outside their attributes (tensors, generators, files)."""
    own_pickling = any(
        "__reduce__" in vars(base) or "__reduce_ex__" in vars(base) for base in cls.__mro__[:-1]
    )
    return own_pickling or any(
        base.__module__.partition(".")[0] in ("torch", "numpy") for base in cls.__mro__
    )


def _label(module: str) -> str:
    """Return a module's name, without what depends on where a plugin file lies."""
    return "" if module.startswith(FILE_MODULE) else module
