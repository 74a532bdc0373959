"""Groups of checks: `all` and `any` name checks, by patterns too."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from prunebench.errors import nearest
from prunebench.reading.cursor import Cursor
from prunebench.reading.spelling import show
from prunebench.suite.check import Check

__all__ = ["name_groups"]

_WILD = "*?["


def name_groups(checks: Sequence[tuple[Cursor, Check]]) -> list[tuple[Cursor, Check]]:
    """Return the checks with every pattern in `all` and `any` replaced by the names that it fits.

    `*` stands for any characters, `?` for one, `[ab]` for one of these; the check itself is never meant.
    """
    names = [check.name for _, check in checks]
    found = []
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
                elif pattern not in names:
                    hint = nearest(pattern, set(names) - {check.name})
                    place.problem(f"found {show(pattern)}, which is no check{hint}")
                named.setdefault(field, []).extend(fits)
        unique = {field: list(dict.fromkeys(fits)) for field, fits in named.items()}
        found.append((here, check.model_copy(update=unique)))
    return found
