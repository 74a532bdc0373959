"""The table behind a figure has a reader's columns; tables of the page have sparsities in percent, counts whole."""

from __future__ import annotations

import pandas as pd

from prunebench.report.page.behind import behind
from prunebench.report.page.columns import packed
from prunebench.report.page.content import Content
from prunebench.report.results import Results

DRAWING = {
    *(
        "variant",
        "ablated",
        "family",
        "best_variant",
        "planned",
        "guess",
        "error",
        "place",
        "field",
        "method",
    ),
    *("error_low", "error_high", "difference_low", "difference_high", "lower", "upper", "order", "part"),
    *("density", "sparsity"),
}


def test_no_column_is_of_the_drawing_alone(small: Results) -> None:
    """Each figure's table names methods and what is seen of them; sparsities are in percent, as everywhere."""
    made = Content(small, files=False).figures
    assert {"accuracy", "places"} <= {figure.id for figure in made}
    for figure in made:
        columns = {column.id: column for column in behind(figure)}
        assert not set(columns) & DRAWING, figure.id
        assert "name" in columns, figure.id
        assert set(columns) & {"mean", "difference", "best", "margins", "share"}, figure.id
        assert ("percent" in columns) == ("sparsity" in next(iter(figure.tables.values()))), figure.id
        assert all(column.title and "_" not in column.title for column in columns.values())


def test_a_sparsity_has_as_many_decimals_as_in_tables_for_people(small: Results) -> None:
    """Not 0.488 beside 48.8."""
    tables = {table.id: table for table in Content(small, files=False).tables}
    for name in ("accuracies", "costs", "cells"):
        assert "sparsity" not in [column.id for column in tables[name].columns]
        (percent,) = [column for column in tables[name].columns if column.id == "percent"]
        assert percent.digits is not None


def test_exact_counts_stay_exact() -> None:
    """Weights kept are counted one by one, at any size."""
    kept = [136294.0, 35729.0, 123456789.0]
    assert packed(pd.DataFrame({"kept": kept}), forms={"kept": "count"})["columns"]["kept"] == kept
