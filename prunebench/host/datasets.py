"""How a data set with parameters is spelled: `image-folder[path=flowers,size=64]` (imports no torch)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from prunebench.errors import UsageError

__all__ = ["parse_dataset", "spell_dataset"]

_DECODER = json.JSONDecoder()
_KEY = re.compile(r"([A-Za-z_]\w*)=")
_BARE = re.compile(r"[^\[\],={}\"\s][^\[\],={}\"]*")


def spell_dataset(name: str, parameters: Mapping[str, Any]) -> str:
    """Return the spelling of a data set: its name, then its parameters in brackets, in the order given.

    Texts stand without quotes where they can be read back so.

    >>> spell_dataset("image-folder", {"path": "flowers", "size": 64}), spell_dataset("mnist", {})
    ('image-folder[path=flowers,size=64]', 'mnist')
    >>> spell_dataset("image-folder", {"path": "a, b", "mean": (0.5, 0.25)})
    'image-folder[path="a, b",mean=[0.5,0.25]]'
    """
    spelled = ",".join(f"{key}={_spelled(value)}" for key, value in parameters.items())
    return f"{name}[{spelled}]" if spelled else name


def parse_dataset(spelled: str) -> tuple[str, dict[str, Any]]:
    """Return name and parameters of a spelled data set. Raises: UsageError where it cannot be read.

    >>> parse_dataset("image-folder[path=flowers,size=64]")
    ('image-folder', {'path': 'flowers', 'size': 64})
    """
    name, bracket, rest = spelled.partition("[")
    if not bracket:
        return name, {}
    parameters: dict[str, Any] = {}
    place = 0
    while True:
        key = _KEY.match(rest, place)
        if key is None or key[1] in parameters:
            raise _unreadable(spelled)
        try:
            parameters[key[1]], place = _value(rest, key.end())
        except ValueError:
            raise _unreadable(spelled) from None
        if rest[place:] == "]":
            return name, parameters
        if rest[place] != ",":
            raise _unreadable(spelled)
        place += 1


def _unreadable(spelled: str) -> UsageError:
    return UsageError(f"data set '{spelled}': allowed: a name, or name[parameter=value,…]")


def _spelled(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if isinstance(value, str) and _BARE.fullmatch(value):
        read, end = _value(f"{value}]", 0)
        if read == value and end == len(value):
            return value
    return text


def _value(text: str, place: int) -> tuple[Any, int]:
    """Return the value at a place, which "," or "]" must follow, and where it ends. Raises: ValueError."""
    try:
        value, end = _DECODER.raw_decode(text, place)
    except ValueError:
        pass
    else:
        if text[end : end + 1] in (",", "]"):
            return value, end
    bare = _BARE.match(text, place)
    if bare is None or text[bare.end() : bare.end() + 1] not in (",", "]"):
        raise ValueError(text)
    return bare[0], bare.end()
