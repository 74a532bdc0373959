"""Which rows of a published leaderboard are claimed, which were rerun, and which of those differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from prunebench.analysis import variant_name
from prunebench.percent import percent_labels
from prunebench.report.naming import SettingName
from prunebench.report.page.listed import Column, Listed
from prunebench.report.results import Results
from prunebench.report.standings import Standing

__all__ = ["DIFFERS", "Trust"]

DIFFERS = "rerun differs"
"""What a row is called whose rerun does not agree with what is claimed."""

_COLUMN = Column("trust", "trust", "claimed, or what came out when somebody ran it again")

_WORDS = {"rerun": "rerun agrees", "differs": DIFFERS}

_Place = tuple[str, str, float]
"""Title of the setting, name of the method, sparsity in percent."""


class Trust:
    """What became of the rows of a published leaderboard that somebody ran again."""

    def __init__(self, results: Results, names: Sequence[SettingName]) -> None:
        """Read what results know of trust; `names` are those of their standings."""
        self.known = results.trust is not None
        self._at: dict[_Place, str] = {}
        self._ranges = {
            name.title: standing.ranges for standing, name in zip(results.standings, names, strict=True)
        }
        for standing, name in zip(results.standings, names, strict=True):
            self._at |= {
                (name.title, method, percent): _WORDS.get(word, word)
                for method, percent, word in _words(standing, results.trust or {})
            }

    def at(self, setting: str, method: str, percent: float) -> str:
        """Return what a row at one sparsity is: "claimed", "rerun agrees", "rerun differs"; "" if unknown."""
        return self._at.get((setting, method, round(percent, 6)), "")

    def listed(self, table: Listed) -> Listed:
        """Return a table with a column of what its rows are; as it is where they are no rows of methods."""
        frame, ids = table.frame, {column.id for column in table.columns}
        if not self.known or not {"setting", "name"} <= ids or not ids & {"percent", "range"}:
            return table
        where = next(place for place, column in enumerate(table.columns, 1) if column.id == "name")
        columns = [*table.columns[:where], _COLUMN, *table.columns[where:]]
        return replace(table, columns=columns, frame=frame if table.dataset else self.told(frame))

    def told(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return a table, of rows at a sparsity or over a range, with the column "trust"."""
        words = [self._of(row) for row in frame.to_dict("records")] if self.known else []
        return frame.assign(trust=words) if self.known else frame

    def _of(self, row: Mapping[Any, Any]) -> str:
        if row.get("at") == "range":
            return self.over(row["setting"], row["name"], row["range"])
        return self.at(row["setting"], row["name"], 100 * float(row["sparsity"]))

    def over(self, setting: str, method: str, name: str) -> str:
        """Return what a row over a range is: "claimed", "3 of 5 rerun, agree", "rerun differs at 95 %"."""
        ranges = self._ranges[setting]
        grid = percent_labels(ranges.grid)
        labels = {sparsity: grid[sparsity] for sparsity in ranges.points(name) or ()}
        words = {label: self.at(setting, method, 100 * sparsity) for sparsity, label in labels.items()}
        there = [word for word in words.values() if word]
        differing = [label for label, word in words.items() if word == DIFFERS]
        rerun = sum(word != "claimed" for word in there)
        if differing:
            return f"{DIFFERS} at {', '.join(differing)} %"
        if rerun == len(there):
            return "rerun agrees" if there else ""
        return f"{rerun} of {len(there)} rerun, {'agrees' if rerun == 1 else 'agree'}" if rerun else "claimed"


def _words(standing: Standing, trust: Mapping[tuple[str, ...], str]) -> list[tuple[str, float, str]]:
    """Return method, sparsity in percent and trust of each row of a setting at one sparsity."""
    labels = tuple(str(value) for value in standing.labels.values())
    rows: Sequence[Mapping[Any, Any]] = standing.rows.to_dict("records")
    return [
        (
            variant_name(row["method"], row["ablations"]),
            round(100 * float(row["sparsity"]), 6),
            trust.get((*labels, row["method"], row["ablations"], str(row["density"])), "claimed"),
        )
        for row in rows
        if row["at"] == "sparsity"
    ]
