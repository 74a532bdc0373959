"""The table behind a figure: the columns that a reader has of it, as the page has columns."""

from __future__ import annotations

from prunebench.report.figures import Figure
from prunebench.report.page.listed import Column
from prunebench.report.page.tables import sparsity_column

__all__ = ["behind"]


def behind(figure: Figure) -> list[Column]:
    """Return the columns of the table behind a figure; sparsities with as many decimals as elsewhere."""
    table = next(iter(figure.tables.values()))
    listed = [column for column in figure.columns if column.id in table]
    return [
        sparsity_column(table["sparsity"])
        if column.id == "percent"
        else Column(column.id, column.title, column.about, column.form)
        for column in listed
    ]
