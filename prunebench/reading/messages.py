"""What is said of a value that is wrong: what was found, what is allowed, the nearest name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, Tag

from prunebench.errors import nearest
from prunebench.reading.slips import IN_TWO_BRACKETS, meant
from prunebench.reading.spelling import show

__all__ = ["from_a_file", "kinds_differ", "translate", "unknown"]

_IN_PLUGINS = ("method", "scorer", "ablation", "diagnostic", "architecture", "data set", "recipe", "quantity")

_WANTED = {
    "string_type": "allowed: a text in quotes",
    "int_type": "allowed: a whole number",
    "int_from_float": "allowed: a whole number",
    "int_parsing": "allowed: a whole number",
    "float_type": "allowed: a number",
    "float_parsing": "allowed: a number",
    "bool_type": "allowed: true or false",
    "bool_parsing": "allowed: true or false",
    "list_type": "allowed: a list",
    "tuple_type": "allowed: a list",
    "dict_type": "allowed: a table",
    "model_type": "allowed: a table",
    "model_attributes_type": "allowed: a table",
    "finite_number": "allowed: a finite number",
}
_BOUNDS = {
    "greater_than": ("gt", "allowed: a number above {}"),
    "greater_than_equal": ("ge", "allowed: a number of at least {}"),
    "less_than": ("lt", "allowed: a number below {}"),
    "less_than_equal": ("le", "allowed: a number of at most {}"),
}


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


_KINDS_OF_LISTS = ("list_type", "tuple_type")

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


def translate(error: Mapping[str, Any], model: type[BaseModel], inner: Sequence[str | int]) -> str:
    """Return the text for one of pydantic's errors, at `inner` in a table of `model`."""
    kind, found, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(str(inner[-1]), model, inner[:-1])
    if kind == "missing":
        return "is missing"
    if kind == "literal_error":
        allowed = _literals(model, inner)
        if isinstance(found, str) and allowed:
            return f"found {show(found)}{nearest(found, allowed)}"
        return f"found {show(found)}; allowed: {context['expected']}"
    if (
        kind in _KINDS_OF_LISTS
        and isinstance(found, dict)
        and len(inner) == 1
        and inner[0] in IN_TWO_BRACKETS
    ):
        return f"is one table; write [[{inner[0]}]], in two brackets, for each"
    if kind in _BOUNDS:
        key, text = _BOUNDS[kind]
        allowed_is = text.format(f"{context[key]:g}")
    elif kind == "wanted":
        allowed_is = str(error["msg"])
    elif kind in _WANTED:
        allowed_is = _WANTED[kind]
    else:
        return str(error["msg"]).removeprefix("Value error, ")
    return f"found {show(found)}; {allowed_is}{meant(found, allowed_is.removeprefix('allowed: '))}"


def _unknown_key(key: str, model: type[BaseModel], inner: Sequence[str | int]) -> str:
    table = _table_at(model, inner)
    allowed = [info.alias or name for name, info in table.model_fields.items()] if table else []
    if (other := _ALSO.get(key.lower())) in allowed:
        return f"is no key here; did you mean '{other}'? allowed: {', '.join(sorted(allowed))}"
    for name, below in getattr(table, "below", {}).items():
        if not inner and key in below.model_fields:
            return f"is no key of the file; it stands below a line [[{name}]]"
    return f"is no key here{nearest(key, allowed)}"


def _annotation(model: type[BaseModel], key: str) -> Any:
    for name, info in model.model_fields.items():
        if key in (name, info.alias):
            return info.annotation
    return None


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the models that an annotation speaks of, unions and lists opened."""
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
            annotations = [_annotation(table, key) for one in annotations for table in _models(one)]
    return next((table for one in annotations for table in _models(one)), None)


def _literals(model: type[BaseModel], inner: Sequence[str | int]) -> list[str]:
    keys = [key for key in inner if isinstance(key, str)]
    table = _table_at(model, keys[:-1]) if keys else None
    values: list[str] = []

    def walk(annotation: Any) -> None:
        if get_origin(annotation) is Literal:
            values.extend(str(value) for value in get_args(annotation))
        else:
            for part in get_args(annotation):
                walk(part)

    if table is not None:
        walk(_annotation(table, keys[-1]))
    return values


def kinds_differ(given: Any, default: Any) -> str | None:
    """Return what kind of value is wanted where `given` is of another kind than `default`, or None.

    Whole numbers are numbers; None as the default takes anything.

    >>> kinds_differ("2", 2.0), kinds_differ(2, 2.0), kinds_differ(True, 2)
    ('a number', None, 'a whole number')
    """
    if default is None:
        return None
    wanted, fits = "a table", isinstance(given, dict)
    if isinstance(default, bool):
        wanted, fits = "true or false", isinstance(given, bool)
    elif isinstance(default, int):
        whole = isinstance(given, float) and given.is_integer()
        wanted = "a whole number"
        fits = (isinstance(given, int) or whole) and not isinstance(given, bool)
    elif isinstance(default, float):
        wanted, fits = "a number", isinstance(given, int | float) and not isinstance(given, bool)
    elif isinstance(default, str):
        wanted, fits = "a text in quotes", isinstance(given, str)
    elif isinstance(default, list | tuple):
        wanted, fits = "a list", isinstance(given, list | tuple)
    return None if fits else wanted
