"""How a data set with parameters is spelled: `image-folder[path=flowers,size=64]` (imports no torch).

Every data set has one parameter more than its own: `examples`, of how many of its training images a part is
drawn to train on, as a number or as a share of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from prunebench.errors import UsageError

__all__ = ["EXAMPLES", "examples_of", "number_of_examples", "parse_dataset", "spell_dataset", "whole_of"]

EXAMPLES = "examples"
"""The parameter that every data set has."""

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


def examples_of(spelled: str) -> int | float | None:
    """Return how many training examples a spelling asks for, a number or a share; None where it says nothing.

    >>> examples_of("mnist[examples=937]"), examples_of("mnist")
    (937, None)
    """
    examples: int | float | None = parse_dataset(spelled)[1].get(EXAMPLES)
    return examples


def whole_of(spelled: str) -> str:
    """Return the spelling of the data set that a part is drawn of: itself where it is whole.

    >>> whole_of("image-folder[path=flowers,examples=100]"), whole_of("mnist")
    ('image-folder[path=flowers]', 'mnist')
    """
    name, parameters = parse_dataset(spelled)
    return spell_dataset(name, {key: value for key, value in parameters.items() if key != EXAMPLES})


def number_of_examples(examples: Any, train: int | None, name: str) -> int | float:
    """Return how many of the `train` examples of a data set are meant: a share becomes a number.

    A share x is max(1, round(x · train)), with Python's rounding. Where `train` is not known yet (None) a
    share stays one.

    >>> number_of_examples(0.25, 60_000, "mnist"), number_of_examples(937, 60_000, "mnist")
    (15000, 937)

    Raises: UsageError for what is neither a whole number from 1 to `train` nor a share above 0 up to 1.
    """
    a_number = isinstance(examples, int) and not isinstance(examples, bool) and examples >= 1
    a_share = isinstance(examples, float) and 0 < examples <= 1
    if not (a_number or a_share) or (a_number and train is not None and examples > train):
        most = "" if train is None else f" to {train}"
        raise UsageError(
            f"data set '{name}': examples = {json.dumps(examples, default=str)}; allowed: a whole number "
            f"from 1{most}, or a share above 0 and below 1 of its training examples"
        )
    number: int | float = examples if a_number or train is None else max(1, round(examples * train))
    return number


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
