"""Checks that are about other checks: patterns of names, and circles."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from prunebench.checks.grammar import Check
from prunebench.errors import nearest
from prunebench.reading.cursor import Cursor
from prunebench.reading.spelling import show

__all__ = ["name_groups", "refuse_circles"]

_WILD = "*?["


def name_groups(checks: Sequence[tuple[Cursor, Check]]) -> list[tuple[Cursor, Check]]:
    """Return the checks with every pattern in `all` and `any` replaced by the names that it fits.

    `*` stands for any characters, `?` for one, `[ab]` for one of these; the check itself is never meant.
    """
    names = [check.name for _, check in checks]
    known = set(names)
    result = []
    for here, check in checks:
        named: dict[str, list[str]] = {}
        for field, key in (("all_", "all"), ("any_", "any")):
            for j, pattern in enumerate(getattr(check, field) or []):
                place, fits = here.at(key, j), [pattern]
                if any(c in pattern for c in _WILD):
                    fits = [name for name in names if name != check.name and fnmatchcase(name, pattern)]
                    if not fits:
                        place.problem(f"found {show(pattern)}, which fits no other check")
                elif pattern == check.name:
                    place.problem("names the check itself")
                elif pattern not in known:
                    hint = nearest(pattern, known - {check.name}, "this suite has no other [[check]]")
                    place.problem(f"found {show(pattern)}, which is no check{hint}")
                named.setdefault(field, []).extend(fits)
        unique = {field: list(dict.fromkeys(fits)) for field, fits in named.items()}
        result.append((here, check.model_copy(update=unique)))
    return result


def refuse_circles(checks: Sequence[tuple[Cursor, Check]]) -> None:
    """Note every check that rests on itself."""
    uses = {c.name: [*(c.all_ or []), *(c.any_ or [])] for _, c in checks}
    for here, check in checks:
        reached: set[str] = set()
        todo = [name for name in uses[check.name] if name != check.name]
        while todo:
            name = todo.pop()
            if name == check.name:
                here.problem(f"'{check.name}' rests on itself, by way of the checks that it names")
                break
            if name not in reached:
                reached.add(name)
                todo += [n for n in uses.get(name, []) if n != name]
