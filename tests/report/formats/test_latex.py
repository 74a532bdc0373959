"""LaTeX: read by a parser of its own that knows groups, environments, alignment and the commands that are used."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from latex_reader import check, grids

from prunebench.report.document import Cell, Document, Notes, Section, Table
from prunebench.report.formats.latex import write
from prunebench.report.leaderboard import leaderboard
from prunebench.report.results import Results


def table(rows: int = 2, **about: Any) -> Table:
    body = tuple((Cell(f"m{i}"), Cell("-1.50 [-2.00, +0.10]", True, (1,))) for i in range(rows))
    return Table("accuracy", ("method", "50 %"), body, **about)


def document(*blocks: Any) -> Document:
    return Document("A 100 % title_", ("About & all.",), (Section("lenet on mnist", blocks),))


def test_a_table_has_booktabs_rules_a_caption_and_its_footnotes() -> None:
    """The whole text of a small one."""
    found = write(document(table(1), Notes(((1, "A note."), (None, "A remark.")))))
    assert r"\section*{A 100 \% title\_}" in found
    expected = r"""
\begin{table}
  \centering\small
  \caption{lenet on mnist: accuracy}
  \label{tab:lenet-on-mnist-accuracy-HASH}
  \begin{tabular}{lr}
    \toprule
    method & 50 \% \\
    \midrule
    m0 & $-$1.50 {[}$-$2.00, +0.10{]}\textsuperscript{1} \\
    \bottomrule
  \end{tabular}
  \par\smallskip\footnotesize \textsuperscript{1}~A note.
\end{table}

A remark.
"""
    assert expected.strip() in re.sub(r"-[0-9a-f]{8}\}", "-HASH}", found)
    check(found)


def test_a_long_table_goes_over_pages_with_its_head() -> None:
    """From forty-five rows on it is a longtable, which is no float."""
    found = write(document(table(60)))
    check(found)
    assert r"\begin{table}" not in found
    assert r"\endhead" in found
    ((spec, rows),) = grids(found)
    assert spec == "lr"
    assert len(rows) == 61


def test_columns_of_sentences_have_a_width() -> None:
    """So that LaTeX breaks their lines."""
    found = write(document(table(1, left=(1,))))
    check(found)
    assert r"{l>{\raggedright\arraybackslash}p{0.40\linewidth}}" in found


def test_labels_are_unique(cells: Callable[..., pd.DataFrame]) -> None:
    """Two settings of one suite never share a label."""
    frames = [cells({"snip": {0.5: [97.0, 97.2]}}, dataset=name) for name in ("mnist", "MNIST", "m_nist")]
    found = leaderboard(Results({"name": "s", "version": "1"}, pd.concat(frames)), "latex")
    labels = re.findall(r"\\label\{(.*?)\}", found)
    assert len(labels) == len(set(labels)) >= 6
    assert all(re.fullmatch(r"tab:[a-z0-9._-]+", label) for label in labels)


@pytest.mark.parametrize(
    "name", ["snip", "a & b \\\\ c % d", "\\end{tabular}", "50 %_x^2", "}{", "$x$", "中"]
)
def test_every_row_has_as_many_cells_as_columns(name: str, cells: Callable[..., pd.DataFrame]) -> None:
    """Whatever a method is called."""
    methods = {name: {0.5: [97.0, 97.2], 0.8: ["diverged", 90.0]}, "none": {0.0: [98.0, 98.1]}}
    found = leaderboard(Results({"name": "s", "version": "1"}, cells(methods)), "latex")
    check(found)
    assert len(grids(found)) >= 2
    for spec, rows in grids(found):
        assert {len(row) for row in rows} == {len(re.sub(r"\{.*?\}", "", spec))}
