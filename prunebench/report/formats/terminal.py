"""A terminal: tables that fit its width, in columns side by side where they fit and below each other else."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator, Mapping

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from prunebench.report.document import Block, Cell, Document, Notes, Table
from prunebench.report.escapes import terminal as escaped

__all__ = ["write"]

_GAP = 2
_SENTENCE = 16
"""Columns of sentences have at least so much room, and a gap."""
_NAMES = 0.45
"""The first column takes at most this share of the width; longer names go on in the next line."""


def write(document: Document, *, width: int | None = None) -> str:
    """Return a document for a terminal of so many columns, with a newline at its end.

    `width` is this terminal's own where none is given. There is no colour in it, so that it can be piped.
    """
    wide = max(40, width or shutil.get_terminal_size().columns)
    out = io.StringIO()
    console = Console(
        file=out,
        width=wide,
        force_terminal=False,
        color_system=None,
        highlight=False,
        markup=False,
        emoji=False,
    )
    console.print(Text(escaped(document.title)))
    _print(console, document.blocks)
    for section in document.sections:
        console.print()
        console.print(Text("── " + escaped(section.title)))
        _print(console, section.blocks)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _print(console: Console, blocks: tuple[Block, ...]) -> None:
    for block in blocks:
        console.print()
        if isinstance(block, Table):
            for i, part in enumerate(_parts(block, console.width)):
                if i:
                    console.print()
                console.print(part)
        elif isinstance(block, Notes):
            for number, text in block.lines:
                _hang(console, "" if number is None else f"[{number}] ", escaped(text))
        else:
            console.print(Text(escaped(block)))


def _hang(console: Console, mark: str, text: str) -> None:
    """Print a footnote with its lines below each other."""
    grid = RichTable.grid()
    grid.add_column(width=len(mark))
    grid.add_column()
    grid.add_row(Text(mark), Text(text))
    console.print(grid if mark else Text(text))


def _parts(table: Table, width: int) -> Iterator[RichTable]:
    """Yield the table, or where it is too wide so many of its columns at a time as fit beside the first."""
    shown = [[_shown(cell) for cell in row] for row in table.rows]
    widths = [
        max(cell_len(escaped(head)), *(cell_len(row[i].plain) for row in shown), 1)
        for i, head in enumerate(table.columns)
    ]
    if table.left:
        yield _grid(table, shown, list(range(len(widths))), dict.fromkeys(_whole(widths, width)))
        return
    first = min(widths[0], int(_NAMES * width))
    fixed = {0: first, **dict.fromkeys(range(1, len(widths)))}
    some: list[int] = []
    room = width - first
    for column in range(1, len(widths)):
        if some and room < widths[column] + _GAP:
            yield _grid(table, shown, [0, *some], fixed, whole=False)
            some, room = [], width - first
        some.append(column)
        room -= widths[column] + _GAP
    yield _grid(table, shown, [0, *some], fixed, whole=len(some) == len(widths) - 1)


def _whole(widths: list[int], width: int) -> list[int]:
    """Return which columns of a table with sentences are never wrapped: the narrow ones, while they fit."""
    whole: list[int] = []
    for column in sorted(range(len(widths)), key=lambda column: widths[column]):
        others = len(widths) - len(whole) - 1
        if sum(widths[one] + _GAP for one in [*whole, column]) + _SENTENCE * others > width:
            break
        whole.append(column)
    return whole


def _grid(
    table: Table,
    shown: list[list[Text]],
    columns: list[int],
    fixed: Mapping[int, int | None],
    *,
    whole: bool = True,
) -> RichTable:
    """Return some columns; unless they are all there are, without the rows that have nothing in them.

    `fixed` columns have this width, or where it is None that of their longest line; the others are wrapped.
    """
    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        left = column == 0 or column in table.left
        grid.add_column(
            Text(escaped(table.columns[column])),
            justify="left" if left else "right",
            width=fixed.get(column),
            no_wrap=column in fixed and fixed[column] is None,
            overflow="fold",
        )
    for row in shown:
        if whole or any(row[column].plain for column in columns[1:]):
            grid.add_row(*(row[column] for column in columns))
    return grid


def _shown(cell: Cell) -> Text:
    return Text(escaped(cell.text) + "".join(f" [{number}]" for number in cell.marks))
