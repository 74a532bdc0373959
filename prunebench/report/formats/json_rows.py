"""JSON: objects of settings with their rows, numbers with ten significant digits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from prunebench.analysis import SETTING
from prunebench.report.escapes import json_text
from prunebench.report.formats.values import plain_value
from prunebench.report.results import COSTS, SHRUNK
from prunebench.report.standings import BORDER, LONG, Standing

__all__ = ["records", "setting", "write"]


def write(whole: Mapping[str, Any]) -> str:
    """Return plain values as JSON, with a newline at its end."""
    return json_text(whole) + "\n"


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table as a list of objects."""
    return [{str(name): plain_value(v) for name, v in row.items()} for row in frame.to_dict("records")]


def setting(standing: Standing, rows: Sequence[Mapping[Any, Any]], reported: pd.DataFrame) -> dict[str, Any]:
    """Return a setting: its labels, what is said of it, its rows, and what others report of it."""
    ranges = standing.ranges
    return {
        **standing.labels,
        "margin": ranges.margin,
        "ranges": {name: list(ranges.points(name)) for name in ("trivial", "matching", "extreme", "all")},
        "ranges_unknown": ranges.unknown,
        "borders": [
            {
                "baseline": border.baseline,
                **dict(
                    zip(BORDER, map(plain_value, (border.lost_from, border.low, border.high)), strict=True)
                ),
                "resampled": border.low is not None,
            }
            for border in ranges.borders
        ],
        "seeds_needed": {name: each.needed for name, each in standing.seeds_needed.items()},
        "same_bits": [list(pair) for pair in standing.same_bits],
        "numerics": list(standing.numerics),
        "lent": list(standing.lent),
        "rows": [
            {
                name: plain_value(row[name])
                for name in (*LONG, *COSTS, *SHRUNK, "trust")
                if name in row and name not in standing.labels
            }
            for row in rows
        ],
        "reported": records(reported.drop(columns=list(SETTING)).rename(columns={"reported": "value"})),
    }
