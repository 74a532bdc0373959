"""Measures of a suite as markdown, CSV or JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
from tabulate import tabulate

from prunebench.analysis import SETTING, variant_name
from prunebench.report.escapes import markdown as escape

__all__ = ["measures_text"]


def measures_text(
    found: pd.DataFrame, format: str, *, title: str = "measures", about: Mapping[str, Any] | None = None
) -> str:
    """Return a table of measures, summarized or seed by seed, with a newline at its end.

    csv and json hold every column; json is an object of `about` and the `rows`. md has a table for each
    setting and measure: a row a method, sparsity and field with mean ± standard deviation and the number of
    seeds, or a row a seed.
    """
    if format == "csv":
        flat = found.assign(also=found["also"].map("; ".join)) if "also" in found else found
        return flat.to_csv(index=False)
    if format == "json":
        rows = json.loads(found.to_json(orient="records", double_precision=15))
        return json.dumps({**(about or {}), "rows": rows}, indent=2, ensure_ascii=False) + "\n"
    blocks = [f"# {escape(title)}"]
    for names, part in found.groupby([*SETTING, "measure"], sort=False):
        setting = ", ".join(str(name) for name in names[:-1] if name)
        heading = f"## {escape(str(names[-1]))}: {escape(setting)}"
        table = tabulate(
            [_row(dict(row)) for row in part.to_dict("records")],
            headers="keys",
            tablefmt="github",
            disable_numparse=True,
        )
        blocks.append(f"{heading}\n\n{table}")
    if len(blocks) == 1:
        blocks.append("No measures.")
    return "\n\n".join(blocks) + "\n"


def _row(row: dict[Any, Any]) -> dict[str, str]:
    method = variant_name(str(row["method"]), str(row["ablations"]))
    if row.get("also"):
        method += f" (also: {', '.join(row['also'])})"
    start = {"method": escape(method), "sparsity": f"{100 * row['sparsity']:.4g} %", "field": row["field"]}
    if "mean" not in row:
        value = _number(row["value"]) if row["status"] == "finished" else row["status"]
        return {**start, "seed": str(row["seed"]), "value": value}
    lacking = [f"{row[status]} {status}" for status in ("diverged", "missing", "failed") if row[status]]
    mean = _number(row["mean"]) + (f" ± {_number(row['sd'])}" if pd.notna(row["sd"]) else "")
    return {
        **start,
        "mean": mean if row["n"] else "",
        "seeds": ", ".join([str(row["n"]), *lacking]),
    }


def _number(value: float) -> str:
    return f"{value:.6g}"
