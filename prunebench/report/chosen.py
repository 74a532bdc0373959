"""Which rows of a suite's tables are shown where cells were chosen; what they say is of the whole suite."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from prunebench.analysis import SETTING, VARIANT, variant_name
from prunebench.report.standings import Standing

__all__ = ["Chosen"]


@dataclass(frozen=True)
class Chosen:
    """The places of some cells in tables."""

    places: frozenset[tuple[str, ...]]
    """For each cell its setting's labels, its method as tables name it, and its density."""

    @classmethod
    def of(cls, cells: Iterable[tuple[Mapping[str, str], str]]) -> Chosen:
        """Return the places of cells that are told by their labels and density."""
        return cls(
            frozenset(
                (
                    *(labels.get(name, "") for name in SETTING),
                    variant_name(labels["method"], labels.get("ablations", "")),
                    density,
                )
                for labels, density in cells
            )
        )

    def standings(self, standings: Sequence[Standing]) -> list[Standing]:
        """Return the settings of which a cell was chosen, each with the rows of such cells."""
        few = (replace(one, rows=self._rows(one)) for one in standings)
        return [one for one in few if len(one.rows)]

    def methods(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of methods of which a cell was chosen, in whatever setting."""
        methods = {place[-2] for place in self.places}
        variants = rows[list(VARIANT)].itertuples(index=False, name=None)
        keep = [variant_name(*names) in methods for names in variants]
        return rows[np.array(keep, dtype=bool)].reset_index(drop=True)  # a list might be empty, and no mask

    def cells(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of these cells, of a table with a cell's labels and density."""
        if rows.empty:
            return rows
        names = self._variants(rows, "")
        settings = rows[list(SETTING)].astype(str).itertuples(index=False, name=None)
        places = zip(settings, names, rows["density"].astype(str), strict=True)
        keep = [(*setting, name, density) in self.places for setting, name, density in places]
        return rows[np.array(keep, dtype=bool)].reset_index(drop=True)

    def pairs(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the comparisons of two methods of both of which a cell was chosen in their setting."""
        if rows.empty:
            return rows
        known = {place[:-1] for place in self.places}
        settings = list(rows[list(SETTING)].astype(str).itertuples(index=False, name=None))
        both = (zip(settings, self._variants(rows, side), strict=True) for side in ("of_", "against_"))
        keep = [all((*setting, name) in known for setting, name in pair) for pair in zip(*both, strict=True)]
        return rows[np.array(keep, dtype=bool)].reset_index(drop=True)

    @staticmethod
    def _variants(rows: pd.DataFrame, prefix: str) -> list[str]:
        pairs = zip(rows[f"{prefix}method"], rows[f"{prefix}ablations"], strict=True)
        return [variant_name(*pair) for pair in pairs]

    def _rows(self, standing: Standing) -> pd.DataFrame:
        setting = tuple(standing.labels[name] for name in SETTING)
        here = {place[-2:] for place in self.places if place[:-2] == setting}
        methods = {method for method, _ in here}
        rows: Sequence[Mapping[Any, Any]] = standing.rows.to_dict("records")
        keep = [
            bool(methods & names if row["at"] == "range" else here & {(one, row["density"]) for one in names})
            for row in rows
            for names in [{variant_name(row["method"], row["ablations"]), *row["also"]}]
        ]
        return standing.rows[np.array(keep, dtype=bool)].reset_index(drop=True)
