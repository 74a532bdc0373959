"""What is allowed in any JSON that a store reads back: depth, lengths and characters (kinds: `_fields`)."""

from __future__ import annotations

import json
from typing import Any

import orjson

from prunebench.store._errors import Flaw

__all__ = ["DEEPEST", "LONGEST", "check_bounds", "parse_json", "shown"]

DEEPEST = 32
"""How deep lists and tables may lie in one another. The parser itself refuses 1,024 levels, so it is safe to
parse first; nothing else walks a value before this bound has been looked at."""

LONGEST = 20_000
"""Characters of one text, unless it is said to be longer (a log's end)."""


def parse_json(content: bytes, *, longest: int = LONGEST) -> dict[str, Any]:
    """Return the JSON object in `content`, its nesting and its texts within bounds.

    Raises: Flaw.
    """
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Flaw(f"not JSON ({error})") from None
    if not isinstance(value, dict):
        raise Flaw("not a JSON object")
    _check_depth(value)
    if orjson.dumps(value) != content.rstrip(b"\n"):  # spelled otherwise than here
        _check_names(content)
    if len(content) > longest:
        _check_texts([value], longest)
    return value


def check_bounds(value: Any, *, longest: int = LONGEST) -> None:
    """Refuse a value that is nested too deep or has too long a text in it.

    Raises: Flaw.
    """
    _check_depth(value)
    _check_texts([value], longest)


def _check_names(content: bytes) -> None:
    """Refuse a name that an object has twice: readers would differ in what it says."""

    def once(pairs: list[tuple[str, Any]]) -> None:
        names: set[str] = set()
        for name, _ in pairs:
            if name in names:
                raise Flaw(f"it says {shown(repr(name), 80)} twice")
            names.add(name)

    json.loads(content, object_pairs_hook=once)


def _check_depth(value: Any) -> None:
    """Walks level by level, never into itself."""
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [
            item
            for container in level
            for item in (container.values() if type(container) is dict else container)
            if type(item) is dict or type(item) is list
        ]
        if not level:
            return
    raise Flaw(f"nested more than {DEEPEST} levels deep")


def _check_texts(value: Any, longest: int) -> None:
    level = [value]
    while level:
        for container in level:
            for item in (*container, *container.values()) if type(container) is dict else container:
                if type(item) is str and len(item) > longest:
                    raise Flaw(f"a text of {len(item):,} characters, at most {longest:,} are read")
        level = [
            item
            for container in level
            for item in (container.values() if type(container) is dict else container)
            if type(item) is dict or type(item) is list
        ]


def shown(text: object, length: int = 200) -> str:
    """Return other people's text for a message: one line, cut, with nothing that a terminal acts upon."""
    cut = str(text)[:length]
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
