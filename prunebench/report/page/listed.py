"""Tables as the page has them: columns with headings and explanations, data packed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd

from prunebench.numbers import FORMS
from prunebench.report.page.columns import packed, safe

__all__ = ["NUMBER", "Column", "Listed"]

NUMBER = "number"
"""The form of numbers of no particular kind: whole ones are counts, others quantities."""


class Column(NamedTuple):
    """A column: what it is called in the page, its heading, and what a reader is told of it."""

    id: str
    title: str
    about: str = ""
    form: str = ""
    """How its numbers are written, a key of `numbers.FORMS` or "number"; "" of texts."""
    by: str = ""
    """The column that says of each row how its number is written, where rows differ in that."""
    digits: int | None = None
    """So many decimals, in place of a form."""
    main: bool = True
    """False: it is shown only where all columns are asked for."""

    def plain(self) -> dict[str, Any]:
        """Return it as the page's data have it: what is not said is left out."""
        given: dict[str, Any] = {"id": self.id, "title": safe(self.title)}
        given |= {"about": safe(self.about)} if self.about else {}
        given |= {"kind": "number"} if self.form else {}
        given |= {"form": self.form} if self.form not in ("", NUMBER) else {}
        given |= {"by": self.by} if self.by else {}
        given |= {"digits": self.digits} if self.digits is not None else {}
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
        forms = {column.id: column.form for column in self.columns if column.form in FORMS}
        return packed(self.frame, list(names), forms)
