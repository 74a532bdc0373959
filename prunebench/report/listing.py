"""Listings for a terminal or a program: aligned plain text, or JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate

from prunebench.report.escapes import terminal as printable

__all__ = ["render", "spelled"]


def render(
    rows: Sequence[Mapping[str, Any]],
    *,
    columns: Sequence[str] | Mapping[str, str],
    as_json: bool,
    title: str | None = None,
) -> str:
    """Return `rows` as text without a newline at the end.

    As plain text: `title`, then a table of `columns` (keys, or a mapping of keys to headings), numbers to the
    right, booleans as yes and no, None as nothing, "nothing" where there are no rows; control characters of
    other people's texts are replaced. As JSON: a list of objects with everything the rows hold, `columns`
    first, absent ones null.

    >>> print(render([{"name": "snip", "version": 1}], columns=["name", "version"], as_json=False))
    name      version
    ------  ---------
    snip            1
    """
    headings = dict(columns) if isinstance(columns, Mapping) else {name: name for name in columns}
    if as_json:
        whole = [{**{name: row.get(name) for name in headings}, **row} for row in rows]
        return json.dumps(whole, indent=2, ensure_ascii=False, default=_plain)
    lines = [printable(title)] if title else []
    if not rows:
        return "\n".join([*lines, "nothing"])
    cells = [[spelled(row.get(name)) for name in headings] for row in rows]
    numeric = [all(_is_number(row.get(name)) for row in rows) for name in headings]
    text = tabulate(
        cells,
        headers=[printable(heading) for heading in headings.values()],
        tablefmt="simple",
        disable_numparse=True,  # else a key such as 12e45678 would be read as a number
        colalign=["right" if number else "left" for number in numeric],
    )
    return "\n".join([*lines, *(line.rstrip() for line in text.splitlines())])


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def spelled(value: Any) -> str:
    """Return a value as a listing shows it, on one line."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{printable(str(key))}={spelled(item)}" for key, item in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(spelled(item) for item in _ordered(value))
    return printable(str(value))


def _ordered(values: Any) -> list[Any]:
    return sorted(values, key=str) if isinstance(values, set | frozenset) else list(values)


def _plain(value: Any) -> Any:
    """Turn what JSON does not know into what it does: mappings, sets, paths and the like."""
    if isinstance(value, Mapping):
        return dict(value)
    return _ordered(value) if isinstance(value, set | frozenset) else str(value)
