"""What finds say, as the page has it: for each recipe of evaluation their table, and their means in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prunebench.analysis import SETTING, variant_name
from prunebench.numbers import spelled
from prunebench.percent import percent_labels
from prunebench.report.document import Notes, Table
from prunebench.report.escapes import plain
from prunebench.report.finds import AS_EVAL, Find, FindTable, find_tables
from prunebench.report.leaderboard import rows_by_setting
from prunebench.report.naming import SettingName, setting_names
from prunebench.report.page.answer import span
from prunebench.report.results import Results
from prunebench.report.settings import Shown

__all__ = ["FindsPart", "first_setting", "parts_of_finds"]


@dataclass(frozen=True)
class FindsPart:
    """The finds under one recipe of evaluation, and at one pruning step, of a network and data set."""

    title: str
    id: str
    """Of the first of its settings, for links."""
    settings: Sequence[str]
    """Ids of the settings that it is of: one for each find, and that of what no find concerns."""
    said: Sequence[str]
    """What masks of each find reach, a sentence a method."""
    legend: str
    table: Table
    methods: Sequence[str]
    """The method of each row of the table."""
    notes: Sequence[tuple[int | None, str]]
    """Footnotes with their numbers."""

    def called(self, other: FindsPart) -> str:
        """Return what another part is called beside this one: of the same network and data by the rest."""
        place = self.title.partition(", ")[0]
        return other.title.removeprefix(f"{place}, ") or other.title

    @property
    def rows(self) -> Sequence[tuple[str, Sequence[object]]]:
        """The rows of the table, each with its method."""
        return list(zip(self.methods, self.table.rows, strict=True))


def parts_of_finds(results: Results, names: Sequence[SettingName]) -> list[FindsPart]:
    """Return the tables of finds, in the suite's order; none where no setting has several finds.

    names: what the page calls the settings of `results.standings`
    """
    if not any(standing.labels["find"] for standing in results.standings):
        return []
    ids = {
        tuple(standing.labels[name] for name in SETTING): each.id
        for standing, each in zip(results.standings, names, strict=True)
    }
    tables = find_tables(rows_by_setting(results), Shown.of(results.suite), results.measures)
    titles = setting_names([{**table.finds[0].labels, "find": ""} for table in tables])
    return [_part(table, name.title, ids) for table, name in zip(tables, titles, strict=True)]


def first_setting(parts: Sequence[FindsPart], names: Sequence[SettingName], finds: Sequence[str]) -> int:
    """Return the number of the setting that a page opens with: the first one that has a find beside others.

    finds: the label of the find of each setting
    """
    among = {id for part in parts for id in part.settings}
    mine = [i for i, name in enumerate(names) if name.id in among]
    return next((i for i in mine if finds[i]), mine[0] if mine else 0)


def _part(found: FindTable, title: str, ids: dict[tuple[str, ...], str]) -> FindsPart:
    settings = [ids[tuple(find.labels[name] for name in SETTING)] for find in found.finds]
    legend, table, *rest = found.section.blocks
    assert isinstance(legend, str)
    assert isinstance(table, Table)
    notes = [line for block in rest if isinstance(block, Notes) for line in block.lines]
    first = next((i for i, find in enumerate(found.finds) if find.label), 0)
    return FindsPart(title, settings[first], settings, _said(found), legend, table, found.methods, notes)


def _said(found: FindTable) -> list[str]:
    """Return what masks of each find reach, a sentence a method that has several: over all sparsities, or
    at the middle one of those that it has under each."""
    by_method: dict[str, list[Find]] = {}
    for find in found.finds:
        for name in find.own:
            by_method.setdefault(name, []).append(find)
    told = (_told(name, finds) for name, finds in by_method.items() if len(finds) > 1)
    return [text for text in told if text]


def _told(name: str, finds: Sequence[Find]) -> str:
    spans = {span(find.standing.ranges, "all") for find in finds}
    rows = {find: _rows(name, find) for find in finds}
    shared = sorted(set.intersection(*({at for at in own if at != "all"} for own in rows.values())))
    if len(spans) == 1 and all("all" in own for own in rows.values()):
        at, where = "all", f"over {spans.pop()}"
    elif shared:
        at = shared[len(shared) // 2]
        where = f"at {percent_labels(shared)[at]} %"
    else:
        return ""
    ordered = sorted(finds, key=lambda find: -rows[find][at]["mean"])
    reached = [f"{plain(find.label or AS_EVAL)} {_reached(rows[find][at])}" for find in ordered]
    return f"{plain(name)}, {where}: masks found under {', under '.join(reached)}."


def _rows(name: str, find: Find) -> dict[Any, Mapping[Any, Any]]:
    """Return a method's rows of which every seed finished, by sparsity, and that over "all" of them."""
    rows: Sequence[Mapping[Any, Any]] = find.standing.rows.to_dict("records")
    mine = [row for row in rows if variant_name(row["method"], row["ablations"]) == name]
    whole = [row for row in mine if row["n"] == row["planned"] and row["range"] in ("", "all")]
    return {row["range"] or row["sparsity"]: row for row in whole}


def _reached(row: Mapping[Any, Any]) -> str:
    """Return a mean with its interval in words."""
    low, high = (min(max(float(row[end]), 0.0), 100.0) for end in ("low", "high"))
    ends = "" if low != low else f" ({spelled(low, 'points')} to {spelled(high, 'points')})"
    return f"{spelled(row['mean'], 'points')} %{ends}"
