"""What is said of a value that is wrong: what was found, what is allowed, the nearest name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from inspect import isclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, Tag
from pydantic.fields import FieldInfo

from prunebench.errors import closest, nearest
from prunebench.reading.slips import IN_TWO_BRACKETS, meant
from prunebench.reading.spelling import show
from prunebench.reading.tables import POINTS
from prunebench.training.recipe import Point

__all__ = ["from_a_file", "keys", "kinds_differ", "not_taken", "translate", "unknown"]

_IN_PLUGINS = ("method", "scorer", "ablation", "diagnostic", "architecture", "data set", "recipe", "quantity")

_KINDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text in quotes",
    list: "a list",
    tuple: "a list",
    dict: "a table",
}
_NAMED = {
    **{kind.__name__: words for kind, words in _KINDS.items()},
    "string": _KINDS[str],
    "model": _KINDS[dict],
}
"""Kinds by what pydantic's errors call them."""
_BOUNDS = {"gt": "above {:g}", "ge": "of at least {:g}", "lt": "below {:g}", "le": "of at most {:g}"}


def unknown(value: str, what: str, allowed: Iterable[str]) -> str:
    """Return the message for a name that is none of those allowed, with the nearest.

    allowed: read twice.

    >>> unknown("snap", "method", ["snip", "grasp"])
    "found 'snap', which is no method; did you mean 'snip'? allowed: grasp, snip"
    """
    return (
        f"found {show(value)}, which is no {what}{nearest(value, allowed)}{from_a_file(what, value, allowed)}"
    )


def from_a_file(what: str, name: str, allowed: Iterable[str]) -> str:
    """Return where a component may come from that is none of those there are, misspelt: a plugin file."""
    known = [one.lower() for one in allowed]
    if what not in _IN_PLUGINS or difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.7):
        return ""
    return '; one of your own comes with plugins = ["mine.py"] in the suite, or with --plugin mine.py'


_ALSO = {
    "model": "architecture",
    "network": "architecture",
    "net": "architecture",
    "pruner": "methods",
    "pruners": "methods",
    "data": "dataset",
    "training": "recipe",
    "diagnostics": "measures",
    "metrics": "measures",
}
"""What keys are called elsewhere."""


def translate(
    error: Mapping[str, Any], model: type[BaseModel], inner: Sequence[str | int], spelling: str = ""
) -> str:
    """Return the text for one of pydantic's errors, at `inner` in a table of `model`.

    spelling: how a file spells the whole table, where all is told that a key takes, not only what is wrong
    """
    kind, value, field = error["type"], error["input"], _field(model, inner)
    if kind == "extra_forbidden":
        return _unknown_key(str(inner[-1]), model, inner[:-1], spelling)
    takes = _takes(field) if spelling and field is not None else ""
    if kind == "missing":
        return f"is missing; allowed: {takes}" if takes else "is missing"
    if spelling and kind != "value_error":
        return not_taken(value, takes) if takes else f"found {show(value)}; {error['msg']}"
    if kind == "literal_error":
        words = _words(field.annotation) if field is not None else []
        if isinstance(value, str) and words:
            return f"found {show(value)}{nearest(value, words)}"
        return f"found {show(value)}; allowed: {error['ctx']['expected']}"
    if (
        kind in ("list_type", "tuple_type")
        and isinstance(value, dict)
        and len(inner) == 1
        and inner[0] in IN_TWO_BRACKETS
    ):
        return f"is one table; write [[{inner[0]}]], in two brackets, for each"
    wanted = _wanted(error)
    if not wanted:
        return str(error["msg"]).removeprefix("Value error, ")
    return f"found {show(value)}; allowed: {wanted}{meant(value, wanted)}"


def not_taken(value: Any, takes: str, word: Any = None) -> str:
    """Return the message for a value that a key does not take, with the nearest word of those that it takes.

    word: what of the value may be a misspelt word, unless it is the value itself

    >>> not_taken("hi", "'high' or 'low'")
    "found 'hi'; did you mean 'high'? allowed: 'high' or 'low'"
    """
    word = value if word is None else word
    words = re.findall(r"'([\w-]+)'", takes.split(" (")[0])
    close = closest(word, words) if isinstance(word, str) else None
    hint = f" did you mean '{close}'?" if close and close != word else ""
    return f"found {show(value)};{hint} allowed: {takes}"


def _wanted(error: Mapping[str, Any]) -> str:
    """Return what the value of an error should be instead, in words; nothing where there are none for it."""
    kind = error["type"]
    name, _, slip = kind.partition("_")
    if kind == "wanted":
        return str(error["msg"]).removeprefix("allowed: ")
    if kind == "finite_number":
        return "a finite number"
    if name in _NAMED and slip in ("type", "parsing", "from_float", "attributes_type"):
        return _NAMED[name]
    bounds = _bounds(error.get("ctx", {}))
    return f"a number {bounds}" if bounds else ""


def _takes(field: FieldInfo) -> str:
    """Return the values that a field takes, in words; nothing where there are none for them."""
    annotation: Any = field.annotation
    if text := getattr(annotation, "takes", ""):
        return str(text)
    if set(get_args(Point)) <= set(get_args(annotation)):
        words = (f"'{word}', " for word in _words(annotation) if word not in _words(Point))
        return "".join(words) + POINTS
    if get_origin(annotation) is Literal:
        return ", ".join(f"'{word}'" for word in _words(annotation))
    if fields := keys(annotation):
        return f"a table with {', '.join(fields)}"
    limits = {name: getattr(one, name) for one in field.metadata for name in _BOUNDS if hasattr(one, name)}
    return f"{_KINDS[annotation]} {_bounds(limits)}".strip() if annotation in _KINDS else ""


def _bounds(limits: Mapping[str, Any]) -> str:
    """Return the bounds of a number in words."""
    given = (text.format(limits[name]) for name, text in _BOUNDS.items() if limits.get(name) is not None)
    return " and ".join(given)


def _unknown_key(key: str, model: type[BaseModel], inner: Sequence[str | int], spelling: str) -> str:
    table = _table_at(model, inner)
    allowed = keys(table)
    if (other := _ALSO.get(key.lower())) in allowed:
        return f"is no key here; did you mean '{other}'? allowed: {', '.join(sorted(allowed))}"
    for name, below in getattr(table, "below", {}).items():
        if not inner and key in below.model_fields:
            return f"is no key of the file; it stands below a line [[{name}]]"
    return f"is no key {f'of {spelling}' if spelling else 'here'}{nearest(key, allowed)}"


def keys(table: Any) -> dict[str, FieldInfo]:
    """Return the fields of a table by their keys in files; none where it is no table."""
    if not (isclass(table) and issubclass(table, BaseModel)):
        return {}
    return {field.alias or name: field for name, field in table.model_fields.items()}


def _field(model: type[BaseModel], inner: Sequence[str | int]) -> FieldInfo | None:
    *above, key = [part for part in inner if isinstance(part, str)] or [""]
    return keys(_table_at(model, above)).get(key)


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the models in an annotation, unions and lists opened."""
    if isinstance(annotation, type) and not get_args(annotation):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for inner in get_args(annotation) for model in _models(inner)]


def _tagged(annotation: Any, tag: str) -> Any:
    """Return a union's member with this tag, or None."""
    if any(isinstance(one, Tag) and one.tag == tag for one in getattr(annotation, "__metadata__", ())):
        return annotation
    members = (_tagged(part, tag) for part in get_args(annotation))
    return next((one for one in members if one is not None), None)


def _table_at(model: type[BaseModel], inner: Sequence[str | int]) -> type[BaseModel] | None:
    """Return the model of the table at `inner`; of a union's members the one whose tag is on the way."""
    annotations: list[Any] = [model]
    for key in inner:
        if isinstance(key, int):
            continue
        if key.startswith("<"):
            tagged = (_tagged(one, key) for one in annotations)
            annotations = [one for one in tagged if one is not None] or annotations
        else:
            tables = [table for one in annotations for table in _models(one)]
            annotations = [keys(table)[key].annotation for table in tables if key in keys(table)]
    return next((table for one in annotations for table in _models(one)), None)


def _words(annotation: Any) -> list[str]:
    """Return the words that an annotation allows, unions and lists opened."""
    if get_origin(annotation) is Literal:
        return [str(word) for word in get_args(annotation)]
    return [word for part in get_args(annotation) for word in _words(part)]


def kinds_differ(given: Any, default: Any) -> str | None:
    """Return what kind of value is wanted where `given` is of another kind than `default`, or None.

    Whole numbers are numbers; None as the default takes anything.

    >>> kinds_differ("2", 2.0), kinds_differ(2, 2.0), kinds_differ(True, 2)
    ('a number', None, 'a whole number')
    """
    if default is None:
        return None
    kind = next((kind for kind in _KINDS if isinstance(default, kind)), dict)
    others: dict[Any, Any] = {float: int, list: tuple, tuple: list}
    fits = isinstance(given, (kind, others.get(kind, kind)))
    if kind is int and isinstance(given, float):
        fits = given.is_integer()
    if isinstance(given, bool):
        fits = kind is bool
    return None if fits else _KINDS[kind]
