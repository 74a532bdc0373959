"""What is asked of a suite beyond its file: methods added to every matrix, other seeds, a smoke run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Changes", "lacking"]


@dataclass(frozen=True, slots=True)
class Changes:
    """Methods that every matrix gets where it does not have them, and seeds 0 … n−1 in place of its own."""

    methods: tuple[str, ...] = ()
    seeds: int | None = None
    limit: int | None = None
    """Of a smoke run: so many examples at most are trained on, and evaluated on."""

    def made(self, table: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a [[matrix]] table with the changes."""
        changed = dict(table)
        if self.methods:
            labels = _methods(table)
            given = table["methods"] if isinstance(table["methods"], list) else [table["methods"]]
            changed["methods"] = [*given, *(name for name in self.methods if name not in labels)]
        if self.seeds is not None:
            changed["seeds"] = self.seeds
        return changed

    def content(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the content of a suite's file with the changes, which its digest is of."""
        if self == Changes():
            return content
        tables = [self.made(table) for table in content.get("matrix", ())]
        limit = {} if self.limit is None else {"limit": self.limit}
        return {**content, "matrix": tables, **limit}


def lacking(content: Mapping[str, Any], methods: Iterable[str]) -> tuple[str, ...]:
    """Return those of the methods that no matrix of a suite's file has, each once."""
    known = {name for table in content.get("matrix", ()) for name in _methods(table)}
    return tuple(name for name in dict.fromkeys(methods) if name not in known)


def _methods(table: Mapping[str, Any]) -> set[Any]:
    """Return what the methods of a [[matrix]] table are called."""
    given = table.get("methods", ())
    named = given if isinstance(given, list) else [given]
    return {one.get("as") or one.get("method") if isinstance(one, Mapping) else one for one in named}
