"""The methods of one setting as a table shows them: which have a row of their own, and what stands where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prunebench.analysis import variant_name

__all__ = ["Methods", "Row", "name_of"]

Row = Mapping[Any, Any]
"""A row of a standing, as a mapping."""


def name_of(row: Row) -> str:
    """Return the name under which a row's method is shown."""
    return variant_name(row["method"], row["ablations"])


class Methods:
    """The rows of a setting's tables by method, and at a sparsity or over a range."""

    def __init__(self, rows: Sequence[Row], dense: str) -> None:
        self._rows: dict[tuple[str, Any], Row] = {}
        self._counted_as: dict[tuple[str, Any], Row] = {}
        others: dict[str, dict[str, None]] = {}
        own: dict[str, None] = {}
        for row in rows:
            place, name = row["range"] or row["sparsity"], name_of(row)
            self._rows[name, place] = row
            for other in row["also"]:
                self._counted_as[other, place] = row
            if row["at"] == "sparsity":
                own[name] = None
                for other in row["also"]:
                    others.setdefault(other, {})[name] = None
        beside = {name: next(iter(firsts)) for name, firsts in others.items() if len(firsts) == 1}
        self._also: dict[str, list[str]] = {}
        for name, first in beside.items():
            if name not in own:
                self._also.setdefault(first, []).append(name)
        own |= dict.fromkeys(name for name in others if name not in beside)
        self.names = sorted(own, key=lambda name: name != dense)
        """The methods with a row of their own, the unpruned network first."""

    def shown(self, name: str) -> str:
        """Return a method's name with the others that its cells have."""
        also = self._also.get(name)
        return f"{name} (also: {', '.join(also)})" if also else name

    def row(self, name: str, place: Any) -> tuple[Row | None, str]:
        """Return what stands for a method at a sparsity or range, and a remark where it is another's row."""
        row = self._rows.get((name, place))
        if row is None and (name, place) in self._counted_as:
            row = self._counted_as[name, place]
            return row, f"One cell with {name_of(row)}: counted once, under that name."
        return row, ""
