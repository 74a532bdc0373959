"""What is allowed in any JSON that a store reads back: depth, lengths and characters (kinds: `_fields`)."""

from __future__ import annotations

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
    check_bounds(value, longest=longest)
    return value


def check_bounds(value: Any, *, longest: int = LONGEST) -> None:
    """Refuse a value that is nested too deep or has too long a text in it; walks level by level.

    Raises: Flaw.
    """
    level = [value]
    for _ in range(DEEPEST + 1):
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                if len(item) > longest:
                    raise Flaw(f"a text of {len(item):,} characters, at most {longest:,} are read")
            elif isinstance(item, dict):
                below.extend(item)
                below.extend(item.values())
            elif isinstance(item, list | tuple):
                below.extend(item)
        if not below:
            return
        level = below
    raise Flaw(f"nested more than {DEEPEST} levels deep")


def shown(text: object, length: int = 200) -> str:
    """Return other people's text for a message: one line, cut, with nothing that a terminal acts upon."""
    cut = str(text)[:length]
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
