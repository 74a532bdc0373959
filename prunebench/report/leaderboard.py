"""The leaderboard of a suite: markdown for people, long CSV or JSON with every statistic for programs."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from typing import Any, Literal

import pandas as pd

from prunebench.analysis import EmptyLayer
from prunebench.errors import UsageError, nearest
from prunebench.report.markdown import Shown, markdown
from prunebench.report.standings import BORDER, LONG, Standing, standings

__all__ = ["SCHEMA", "leaderboard"]

SCHEMA = 1
"""Of the CSV and JSON: it rises when a column or field changes its meaning or goes; new ones may come."""


def leaderboard(
    frame: pd.DataFrame, *, suite: Mapping[str, Any], format: Literal["md", "csv", "json"] | str = "md"
) -> str:
    """Return the leaderboard of a table of cells (`prunebench.analysis.table`), ending in a newline.

    `suite` has `name`, `version`, and may have `baselines` (see `prunebench.baselines`) and `margin` (a
    number of points, or numbers by data set), and `leaderboard` (its `title`) and `sparsities` (see
    `markdown.Shown`). Settings and methods stand in the table's order, the unpruned
    network first, sparsities rising; the same table gives the same bytes. `absent` says what cells without a
    result are called (see `markdown.Shown`).

    Formats: "md" rounds and explains itself; "csv" and "json" are long, a row for each
    setting, method and sparsity or range (columns: `standings.LONG`, explained in docs/statistics.md), with
    ten significant digits; absent values are empty or null. They begin with the number of their schema,
    `SCHEMA`. Numbers that others report are in "md" and "json", apart from ours.

    Raises: UsageError for another format, or where two different cells stand in one place.
    """
    if format not in _FORMATS:
        raise UsageError(f"no leaderboard format {format!r}{nearest(format, _FORMATS)}")
    return _FORMATS[format](suite, standings(frame, suite))


def _markdown(suite: Mapping[str, Any], found: list[Standing]) -> str:
    how = suite.get("leaderboard") or {}
    shown = Shown(
        title=f"{how.get('title') or suite['name']} (version {suite['version']}): leaderboard",
        sparsities=suite.get("sparsities", ()),
        absent=suite.get("absent", "missing"),
        reported=suite.get("reported", ()),
    )
    return markdown(shown, found)


def _csv(suite: Mapping[str, Any], found: list[Standing]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["schema", "suite", "version", *LONG])
    for standing in found:
        for row in standing.rows.to_dict("records"):
            values = (_plain(row[name]) for name in LONG)
            texts = (_flat(v) for v in values)
            writer.writerow([SCHEMA, suite["name"], suite["version"], *texts])
    return out.getvalue()


def _json(suite: Mapping[str, Any], found: list[Standing]) -> str:
    settings = [
        {
            **standing.labels,
            "margin": standing.ranges.margin,
            "ranges": {
                name: list(standing.ranges.points(name)) for name in ("trivial", "matching", "extreme", "all")
            },
            "ranges_unknown": standing.ranges.unknown,
            "borders": [
                {
                    "baseline": border.baseline,
                    **dict(
                        zip(BORDER, map(_plain, (border.lost_from, border.low, border.high)), strict=True)
                    ),
                    "resampled": border.low is not None,
                }
                for border in standing.ranges.borders
            ],
            "seeds_needed": dict(standing.seeds_needed),
            "numerics": list(standing.numerics),
            "lent": list(standing.lent),
            "rows": [
                {name: _plain(row[name]) for name in LONG if name not in standing.labels}
                for row in standing.rows.to_dict("records")
            ],
            "reported": [
                {name: _plain(value) for name, value in row.items()}
                for row in standing.reported(suite.get("reported", ()))
            ],
        }
        for standing in found
    ]
    whole = {
        "schema": SCHEMA,
        "suite": {name: suite.get(name) for name in ("name", "version")},
        "settings": settings,
    }
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


_FORMATS = {"md": _markdown, "csv": _csv, "json": _json}


def _flat(value: Any) -> Any:
    """Return a plain value as one field of CSV: of a list its entries, of a layer its name and seeds."""
    if isinstance(value, list):
        return "; ".join(str(_flat(item)) for item in value)
    if isinstance(value, dict):
        return f"{value['layer']}{' (output)' if value['output'] else ''}: {value['seeds']}"
    return "" if value is None else value


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; floats with ten digits, so that no machine's last bits show."""
    if value is pd.NA or value is None:
        return None
    if isinstance(value, EmptyLayer):
        return value._asdict()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.10g}") if math.isfinite(value) else None
    return value
