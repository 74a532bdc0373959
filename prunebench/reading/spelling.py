"""How values and places of a suite file are spelled in messages."""

from __future__ import annotations

from typing import Any

__all__ = ["at", "show"]


def show(value: Any) -> str:
    """Return a value as TOML spells it, on one line, shortened where it is long.

    >>> show({"step": 5}), show(["a", True, 0.5])
    ('{step = 5}', "['a', true, 0.5]")
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = f"'{value}'"
    elif isinstance(value, dict):
        text = "{" + ", ".join(f"{k} = {show(v)}" for k, v in value.items()) + "}"
    elif isinstance(value, list | tuple):
        text = "[" + ", ".join(show(v) for v in value) + "]"
    else:
        text = str(value)
    return text if len(text) <= 100 else text[:97] + "…" + text[-1]


def at(*parts: str | int) -> str:
    """Return a key path.

    >>> at("matrix", 0, "sparsities", 2)
    'matrix[0].sparsities[2]'
    """
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path
