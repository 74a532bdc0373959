"""Measures of a suite as tables for people, or as CSV or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from prunebench.analysis import SETTING, variant_name
from prunebench.percent import percent_labels
from prunebench.report.document import Cell, Document, Section, Table
from prunebench.report.escapes import json_text
from prunebench.report.formats import csv_rows
from prunebench.report.leaderboard import TEXT

__all__ = ["measures_text"]


def measures_text(
    found: pd.DataFrame, format: str, *, title: str = "measures", about: Mapping[str, Any] | None = None
) -> str:
    """Return a table of measures, summarized or seed by seed, with a newline at its end.

    csv and json hold every column; json is an object of `about` and the `rows`. The formats for people have a
    table for each setting and measure: a row a method, sparsity and field with mean ± standard deviation and
    the number of seeds, or a row a seed.
    """
    if format == "csv":
        rows: list[dict[Any, Any]] = found.to_dict("records")
        return csv_rows.write(rows, [str(name) for name in found], digits=None)
    if format == "json":
        plain = json.loads(found.to_json(orient="records", double_precision=15))
        return json_text({**(about or {}), "rows": plain}) + "\n"
    sections = tuple(_sections(found))
    return TEXT[format](Document(title, () if sections else ("No measures.",), sections))


def _sections(found: pd.DataFrame) -> Iterator[Section]:
    labels = percent_labels(found["sparsity"])
    for names, part in found.groupby([*SETTING, "measure"], sort=False):
        setting = ", ".join(str(name) for name in names[:-1] if name)
        rows = [_row(dict(row), labels) for row in part.to_dict("records")]
        table = Table(str(names[-1]), tuple(rows[0]), tuple(tuple(row.values()) for row in rows), left=(2,))
        yield Section(f"{names[-1]}: {setting}", (table,))


def _row(row: dict[Any, Any], labels: Mapping[float, str]) -> dict[str, Cell]:
    method = variant_name(str(row["method"]), str(row["ablations"]))
    if row.get("also"):
        method += f" (also: {', '.join(row['also'])})"
    start = {
        "method": Cell(method),
        "sparsity": Cell(f"{labels[row['sparsity']]} %", True, value=row["sparsity"]),
        "field": Cell(row["field"]),
    }
    if "mean" not in row:
        finished = row["status"] == "finished"
        value = Cell(_number(row["value"]), True) if finished else Cell(row["status"])
        return {**start, "seed": Cell(str(row["seed"]), True), "value": value}
    lacking = [f"{row[status]} {status}" for status in ("diverged", "missing", "failed") if row[status]]
    mean = _number(row["mean"]) + (f" ± {_number(row['sd'])}" if pd.notna(row["sd"]) else "")
    return {
        **start,
        "mean": Cell(mean if row["n"] else "", True),
        "seeds": Cell(", ".join([str(row["n"]), *lacking])),
    }


def _number(value: float) -> str:
    return f"{value:.6g}"
