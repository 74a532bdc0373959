"""LaTeX for papers: a `tabular` with booktabs' rules for each table, a `longtable` where it is long.

For pdfLaTeX of 2020 or later. What is needed of the preamble stands at the beginning, as a comment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prunebench.report.document import Block, Cell, Document, Notes, Section, Table
from prunebench.report.escapes import file_name
from prunebench.report.escapes import latex as escaped

__all__ = ["write"]

_PREAMBLE = r"""% \usepackage[T1]{fontenc}
% \usepackage{array,booktabs,longtable}"""

_LONG = 45
"""Rows from which on a table may go over several pages."""


def write(document: Document) -> str:
    """Return a document as LaTeX's sections and tables, with a newline at its end."""
    parts = [f"% {escaped(document.title)}\n{_PREAMBLE}", rf"\section*{{{escaped(document.title)}}}"]
    parts += _blocks("", document.blocks)
    for section in document.sections:
        parts += [rf"\subsection*{{{escaped(section.title)}}}", *_section(section)]
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> Iterator[str]:
    yield from _blocks(section.title, section.blocks)


def _blocks(title: str, blocks: tuple[Block, ...]) -> Iterator[str]:
    notes = {n: text for block in blocks if isinstance(block, Notes) for n, text in block.lines if n}
    for block in blocks:
        if isinstance(block, Table):
            yield _table(title, block, notes)
        elif isinstance(block, Notes):
            remarks = [text for number, text in block.lines if number is None]
            yield from map(escaped, remarks)
        else:
            yield escaped(block)


def _table(title: str, table: Table, notes: Mapping[int, str]) -> str:
    """Return a table with those of the footnotes under it that it needs."""
    used = sorted({number for row in table.rows for cell in row for number in cell.marks})
    below = [rf"\textsuperscript{{{number}}}~{escaped(notes[number])}" for number in used if number in notes]
    caption = rf"\caption{{{escaped(f'{title}: {table.name}' if title else table.name)}}}"
    label = rf"\label{{tab:{file_name(f'{title} {table.name}').replace('_', '-')}}}"
    head = " & ".join(escaped(column) for column in table.columns) + r" \\"
    body = [" & ".join(map(_cell, row)) + r" \\" for row in table.rows]
    spec = "".join(_align(table, i) for i in range(len(table.columns)))
    write_table = _longtable if len(table.rows) > _LONG else _tabular
    return "\n".join(write_table(spec, caption, label, head, body, below))


def _tabular(
    spec: str, caption: str, label: str, head: str, body: list[str], below: list[str]
) -> Iterator[str]:
    yield from (r"\begin{table}", r"  \centering\small", f"  {caption}", f"  {label}")
    yield from (rf"  \begin{{tabular}}{{{spec}}}", r"    \toprule", f"    {head}", r"    \midrule")
    yield from (f"    {line}" for line in body)
    yield from (r"    \bottomrule", r"  \end{tabular}")
    yield from (rf"  \par\smallskip\footnotesize {line}" for line in below)
    yield r"\end{table}"


def _longtable(
    spec: str, caption: str, label: str, head: str, body: list[str], below: list[str]
) -> Iterator[str]:
    yield from (r"\begingroup\small", rf"\begin{{longtable}}{{{spec}}}", rf"  {caption}{label}\\")
    yield from (r"  \toprule", f"  {head}", r"  \midrule", r"  \endhead", r"  \bottomrule", r"  \endfoot")
    yield from (f"  {line}" for line in body)
    yield from (r"\end{longtable}", *(rf"\par\footnotesize {line}" for line in below), r"\endgroup")


def _align(table: Table, column: int) -> str:
    """Return a column's kind; a column of sentences has a width, so that they are broken into lines."""
    if column in table.left:
        return rf">{{\raggedright\arraybackslash}}p{{{0.8 / len(table.columns):.2f}\linewidth}}"
    return "l" if column == 0 else "r"


def _cell(cell: Cell) -> str:
    text = cell.text.replace("-", "\u2212") if cell.number else cell.text
    marks = ",".join(str(number) for number in cell.marks)
    return escaped(text) + (rf"\textsuperscript{{{marks}}}" if marks else "")
