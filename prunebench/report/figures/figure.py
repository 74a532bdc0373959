"""A figure: a chart that reads named tables, those tables, and what somebody who cannot see it is told."""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prunebench.report.figures.reader import Column
from prunebench.report.figures.style import config

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

__all__ = ["Figure"]


@dataclass(frozen=True, eq=False)
class Figure:
    """One figure of a report, for every setting that it can be chosen for.

    The chart holds no data: it reads tables by their names (`{"data": {"name": "accuracy"}}`), so that a page
    has each table once however many figures show it. Rows are chosen before they are handed to it: of a table
    with a column `setting` those of one setting, of one with a column `name` those of the methods that are
    shown, of the first one those that `keep` keeps.
    """

    id: str
    """A word for links and file names: "accuracy", "layers"."""
    title: str
    caption: str
    """What is shown, how to read it, and what its lines and bars are; a paragraph of plain text."""
    alts: Mapping[str, str]
    """What it shows in words, made from the data: by setting, or under "" where it is of all settings
    together.
    """
    chart: alt.TopLevelMixin
    tables: Mapping[str, pd.DataFrame]
    """By the names that the chart reads; the first has what the figure shows."""
    settings: tuple[str, ...]
    """Values of the column `setting` that it can be chosen for, those that it has something to show of; none
    where it shows all settings together.
    """
    columns: Sequence[Column] = ()
    """What a reader is told of the first table: its columns with headings and units."""
    keep: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Of the first table the rows that it shows: values of columns, all others are left out."""
    among: Sequence[str] = ()
    """Of a figure of all settings together those that it is about: a page shows it where one of them is
    chosen; () where it always does."""

    @property
    def alt(self) -> str:
        """The alternative text of the first setting."""
        return next(iter(self.alts.values()), "")

    @property
    def table(self) -> pd.DataFrame:
        """The table behind the figure, of all its settings: what it shows, as a reader has it."""
        shown = self._kept(next(iter(self.tables)), next(iter(self.tables.values())))
        if self.settings:
            shown = shown[shown["setting"].isin(self.settings)]
        listed = [column for column in self.columns if column.id in shown]
        return shown[[column.id for column in listed]].set_axis([column.title for column in listed], axis=1)

    def _kept(self, name: str, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of one of its tables that it shows."""
        if name == next(iter(self.tables)):
            for column, values in self.keep.items():
                table = table[table[column].isin(values)]
        return table

    def rows(
        self, setting: str | None = None, methods: Collection[str] | None = None
    ) -> dict[str, pd.DataFrame]:
        """Return its tables with the rows of one setting (the first) and of these methods (all)."""
        setting = setting if setting is not None or not self.settings else self.settings[0]
        return {
            name: _chosen(self._kept(name, table), setting, methods) for name, table in self.tables.items()
        }

    def spec(
        self,
        setting: str | None = None,
        methods: Collection[str] | None = None,
        *,
        dark: bool = False,
    ) -> dict[str, Any]:
        """Return a Vega-Lite specification with the data of one setting and the colours of light or dark
        ground.
        """
        whole = copy.deepcopy(self.chart.to_dict())
        whole["datasets"] = {
            name: json.loads(rows.to_json(orient="records", double_precision=15))
            for name, rows in self.rows(setting, methods).items()
        }
        present = {
            str(row.get(name)) for rows in whole["datasets"].values() for row in rows for name in _NAMES
        }
        _keep_in_legends(whole, present)
        whole["config"] = {**whole.get("config", {}), **config(dark=dark)}
        whole["description"] = self.alts.get(setting or "", self.alt)
        return whole


_NAMES = ("name",)
"""Columns whose values legends list."""


def _keep_in_legends(part: Any, present: Collection[str]) -> None:
    """Leave in every scale of names those that are in the data: a legend lists what is drawn."""
    if isinstance(part, list):
        for each in part:
            _keep_in_legends(each, present)
    elif isinstance(part, dict):
        scale = part.get("scale")
        if part.get("field") in _NAMES and isinstance(scale, dict):
            names, values = scale.get("domain"), scale.get("range")
            if isinstance(names, list) and isinstance(values, list) and len(names) == len(values):
                kept = [pair for pair in zip(names, values, strict=True) if pair[0] in present]
                scale["domain"], scale["range"] = [name for name, _ in kept], [value for _, value in kept]
        for key, each in part.items():
            if key != "datasets":
                _keep_in_legends(each, present)


def _chosen(table: pd.DataFrame, setting: str | None, methods: Collection[str] | None) -> pd.DataFrame:
    if setting is not None and "setting" in table:
        table = table[table["setting"] == setting]
    if methods is not None and "name" in table:
        table = table[table["name"].isin(methods)]
    return table
