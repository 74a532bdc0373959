"""Markdown that can also be read as it stands: GitHub's dialect, tables with pipes."""

from __future__ import annotations

from collections.abc import Iterator

from tabulate import tabulate

from prunebench.report.document import Block, Cell, Document, Notes, Table
from prunebench.report.escapes import markdown as escaped

__all__ = ["write"]


def write(document: Document) -> str:
    """Return a document as markdown, with a newline at its end."""
    return "\n\n".join(_blocks(document)) + "\n"


def _blocks(document: Document) -> Iterator[str]:
    yield f"# {escaped(document.title)}"
    yield from map(_block, document.blocks)
    for section in document.sections:
        yield f"## {escaped(section.title)}"
        yield from map(_block, section.blocks)


def _block(block: Block) -> str:
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Notes):
        return "\n".join(f"- {_mark(number)}{escaped(text)}" for number, text in block.lines)
    return escaped(block)


def _mark(number: int | None) -> str:
    return "" if number is None else f"[{number}] "


def _table(table: Table) -> str:
    align = ["left" if i == 0 or i in table.left else "right" for i in range(len(table.columns))]
    return tabulate(
        [[_cell(cell) for cell in row] for row in table.rows],
        headers=[escaped(column) for column in table.columns],
        tablefmt="pipe",
        disable_numparse=True,
        colalign=align,
    )


def _cell(cell: Cell) -> str:
    text = cell.text if cell.number else escaped(cell.text)
    return text + "".join(f" [{number}]" for number in cell.marks)
