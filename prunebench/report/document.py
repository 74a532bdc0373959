"""What a leaderboard says, before it is written in any format: sections of sentences, tables and footnotes.

Texts are as they are; the writers in `prunebench.report.formats` escape every one of them.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Block", "Cell", "Document", "Notes", "Section", "Table"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of a table."""

    text: str = ""
    number: bool = False
    """True if the text is a number as prunebench spells it: nobody else's, and set as one."""
    marks: tuple[int, ...] = ()
    """The footnotes that it needs, by number."""
    value: float | None = None
    """What it is sorted by, where its text does not say that."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; its first column is aligned to the left, the others to the right."""

    name: str
    """What it holds: "accuracy", "ranges", "cost", …; tables of one section differ in it."""
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    left: tuple[int, ...] = ()
    """Further columns that hold sentences, and are aligned to the left."""
    kind: str = ""
    """What it is of, where its name says more than that; else its name."""

    def __post_init__(self) -> None:
        if not self.kind:
            object.__setattr__(self, "kind", self.name)


@dataclass(frozen=True, slots=True)
class Notes:
    """Footnotes, each with its number, and remarks without one."""

    lines: tuple[tuple[int | None, str], ...]


Block = str | Table | Notes
"""What stands in a section: a paragraph, a table, footnotes."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part with a heading."""

    title: str
    blocks: tuple[Block, ...]

    @property
    def tables(self) -> list[Table]:
        """Its tables, in order."""
        return [block for block in self.blocks if isinstance(block, Table)]


@dataclass(frozen=True, slots=True)
class Document:
    """All of it: a title, what stands before the first section, and the sections."""

    title: str
    blocks: tuple[Block, ...]
    sections: tuple[Section, ...]
