"""Tables as the page has them: columns with headings and explanations, data packed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd

from prunebench.report.page.columns import packed, safe

__all__ = ["Column", "Listed", "plain_columns"]


class Column(NamedTuple):
    """A column: what it is called in the page, its heading, and what a reader is told of it."""

    id: str
    title: str
    about: str = ""
    kind: str = "text"
    """text, number, or p (a probability)."""
    digits: int | None = None
    signed: bool = False
    main: bool = True
    """False: it is shown only where all columns are asked for."""

    def plain(self) -> dict[str, Any]:
        """Return it as the page's data have it: what is not said is left out."""
        given: dict[str, Any] = {"id": self.id, "title": safe(self.title)}
        given |= {"about": safe(self.about)} if self.about else {}
        given |= {"kind": self.kind} if self.kind != "text" else {}
        given |= {"digits": self.digits} if self.digits is not None else {}
        given |= {"signed": True} if self.signed else {}
        return given | ({} if self.main else {"main": False})


@dataclass(frozen=True, eq=False)
class Listed:
    """A table of the page."""

    id: str
    title: str
    about: str
    """A sentence or two above it."""
    columns: Sequence[Column]
    frame: pd.DataFrame
    hidden: Sequence[str] = field(default=())
    """Columns that the page needs and does not list."""
    dataset: str = ""
    """The table of a figure that it lists; `frame` is that table then."""
    chosen: bool = True
    """Only the rows of the setting that is chosen are shown, until all are asked for."""

    def plain(self) -> dict[str, Any]:
        """Return it as the page's data have it."""
        whole = {
            "id": self.id,
            "title": self.title,
            "about": self.about,
            "columns": [column.plain() for column in self.columns],
            "chosen": self.chosen,
        }
        return whole | ({"dataset": self.dataset} if self.dataset else {"data": self._packed()})

    def _packed(self) -> dict[str, Any]:
        names = dict.fromkeys([*(column.id for column in self.columns), *self.hidden])
        digits = {column.id: column.digits + 1 for column in self.columns if column.digits is not None}
        return packed(self.frame, list(names), digits)


def plain_columns(frame: pd.DataFrame, abouts: Mapping[str, str] | None = None) -> list[Column]:
    """Return a column for each of a table's: numbers as numbers, everything else as text."""
    abouts = abouts or {}
    return [
        Column(str(name), str(name).replace("_", " "), abouts.get(str(name), ""), _kind(frame[name]))
        for name in frame
    ]


def _kind(values: pd.Series) -> str:
    number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    return "number" if number else "text"
