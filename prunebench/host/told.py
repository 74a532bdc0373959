"""What is said of a value that a field of a form does not take (imports no torch)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from prunebench import schedules
from prunebench.reading.messages import not_taken
from prunebench.reading.tables import POINTS

__all__ = ["misfits", "takes"]

_TAKES = {
    "scorer": "the name of a scorer, or a table {name = …} with its parameters, batch and device",
    "score_at": POINTS,
    "find": "a table of changes to the recipe",
    "keep": "'high', 'low', 'far' or 'near'",
    "allocation": "'global', 'uniform', 'erk' or {like = …}",
    "prunable": "'weights', 'convolutions' or {of = …, except = [names]} (filters: unit = 'filter')",
    "unit": "'weight', 'filter' or {n = 2, m = 4}, n below m",
    "regrowth": "'none' or {scorer = …, every = n, fraction = …}",
    "train_from": f"'scored', {POINTS}; {{at = …, run = 'find'}} or {{step = k, run = 'find'}}",
    "clock": POINTS,
    "alter": "a list with 'shuffle' or 'reinit', each once",
}

_BATCH = "{per_class = n} or {examples = n}, and draw = n for another one of this size"


def takes(key: str) -> str:
    """Return the values that a field of a form takes, in words; "" of what is no field."""
    return schedules.allowed() if key == "schedule" else _TAKES.get(key, "")


def misfits(error: ValidationError, given: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """Return the key paths of the fields that are wrong of those given to a form, and what to say of each.

    What does not go together has no key path.
    """
    listed = []
    errors = error.errors(include_url=False)
    for location in dict.fromkeys(_field(one["loc"]) for one in errors):
        own = [one["msg"].removeprefix("Value error, ") for one in errors if _field(one["loc"]) == location]
        if not location or not takes(location[0]):
            listed.append((location, "; ".join(own)))
            continue
        value, text = given.get(location[0]), takes(location[0])
        if location == ("scorer", "batch") and isinstance(value, Mapping):
            value, text = value["batch"], _BATCH
        listed.append((location, not_taken(value, text, _word(value))))
    return listed


def _field(location: tuple[str | int, ...]) -> tuple[str, ...]:
    if not location:
        return ()
    return ("scorer", "batch") if location[:2] == ("scorer", "batch") else (str(location[0]),)


def _word(value: Any) -> Any:
    """Return what of a value of a field may be a misspelt word."""
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    return value.get("of") if isinstance(value, dict) else value
