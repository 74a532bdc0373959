"""What finds say, as the page has it: for each recipe of evaluation their table, and their means in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from prunebench.analysis import AT_RANGE, SETTING, VARIANT, against, compare, summarize, variant_name
from prunebench.analysis.table import distinct
from prunebench.numbers import spelled
from prunebench.percent import percent_labels
from prunebench.report.document import Notes, Table
from prunebench.report.escapes import plain
from prunebench.report.finds import AS_EVAL, Find, FindTable, find_tables
from prunebench.report.leaderboard import rows_by_setting
from prunebench.report.naming import SettingName, setting_names
from prunebench.report.results import Results
from prunebench.report.settings import Shown
from prunebench.report.standings import ALPHA

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
    cells = results.board.cells
    return [_part(table, name.title, ids, cells) for table, name in zip(tables, titles, strict=True)]


def first_setting(parts: Sequence[FindsPart], names: Sequence[SettingName], finds: Sequence[str]) -> int:
    """Return the number of the setting that a page opens with: the first one that has a find beside others.

    finds: the label of the find of each setting
    """
    among = {id for part in parts for id in part.settings}
    mine = [i for i, name in enumerate(names) if name.id in among]
    return next((i for i in mine if finds[i]), mine[0] if mine else 0)


def _part(found: FindTable, title: str, ids: dict[tuple[str, ...], str], cells: pd.DataFrame) -> FindsPart:
    settings = [ids[tuple(find.labels[name] for name in SETTING)] for find in found.finds]
    legend, table, *rest = found.section.blocks
    assert isinstance(legend, str)
    assert isinstance(table, Table)
    notes = [line for block in rest if isinstance(block, Notes) for line in block.lines]
    first = next((i for i, find in enumerate(found.finds) if find.label), 0)
    return FindsPart(
        title, settings[first], settings, _said(found, cells), legend, table, found.methods, notes
    )


def _said(found: FindTable, cells: pd.DataFrame) -> list[str]:
    """Return what masks of each find reach, a sentence a method that has several."""
    by_method: dict[str, list[Find]] = {}
    for find in found.finds:
        for name in find.own:
            by_method.setdefault(name, []).append(find)
    labels = percent_labels(set().union(*(find.sparsities for find in found.finds)))
    told = (_told(name, finds, labels, cells) for name, finds in by_method.items() if len(finds) > 1)
    return [text for text in told if text]


def _told(name: str, finds: Sequence[Find], labels: Mapping[float, str], cells: pd.DataFrame) -> str:
    """Return the means over the sparsities at which every find has a result of every seed."""
    shared = sorted(set.intersection(*(_whole(name, find) for find in finds)))
    if not shared:
        return ""
    over = _over(name, finds, shared, cells)
    ordered = summarize(over, at=AT_RANGE).sort_values("mean", ascending=False, kind="stable")
    rows: Sequence[Mapping[Any, Any]] = ordered.to_dict("records")
    reached = [f"{plain(row['method'])} {_reached(row)}" for row in rows]
    where = f"at {labels[shared[0]]} %"
    if len(shared) > 1:
        where = f"mean over {len(shared)} sparsities, {labels[shared[0]]}–{labels[shared[-1]]} %"
    said = f"{plain(name)}, {where}: masks found under {', under '.join(reached)}."
    best, *others = [row["method"] for row in rows]
    pairs = against(compare(over, at=AT_RANGE), best)
    better = set(pairs.loc[pairs["p_holm"] < ALPHA, "of_method"])
    alike = [plain(other) for other in others if other not in better]
    if alike:
        said += f" By seed, {plain(best)} cannot be told apart from {' and '.join(alike)}."
    return said


def _over(name: str, finds: Sequence[Find], shared: Sequence[float], cells: pd.DataFrame) -> pd.DataFrame:
    """Return a method's mean over sparsities, a row a find and seed, as `over_ranges` does: a find is what
    is compared, and stands where methods do."""
    mine = distinct(cells[cells["sparsity"].isin(shared)])
    names = [variant_name(*each) for each in mine[list(VARIANT)].itertuples(index=False, name=None)]
    mine = mine[pd.Series(names, index=mine.index, dtype=object) == name]
    rows = []
    for find in finds:
        own = mine[(mine[list(SETTING)] == pd.Series(find.labels)).all(axis=1)]
        for seed, accuracy in own.groupby("seed")["accuracy"].mean().items():
            rows.append({"method": find.label or AS_EVAL, "seed": seed, "accuracy": accuracy})
    labels = {**finds[0].labels, "find": "", "ablations": "", "range": "all", "status": "finished"}
    over = pd.DataFrame(rows).assign(**labels, classes=float("nan"))
    return over.assign(counted=over["accuracy"], also=pd.Series([()] * len(over), dtype=object))


def _whole(name: str, find: Find) -> set[float]:
    """Return the sparsities at which every seed of a method finished."""
    rows: Sequence[Mapping[Any, Any]] = find.standing.rows.to_dict("records")
    mine = [row for row in rows if variant_name(row["method"], row["ablations"]) == name]
    return {row["sparsity"] for row in mine if row["at"] == "sparsity" and row["n"] == row["planned"]}


def _reached(row: Mapping[Any, Any]) -> str:
    """Return a mean with its interval in words."""
    low, high = (min(max(float(row[end]), 0.0), 100.0) for end in ("low", "high"))
    ends = "" if low != low else f" ({spelled(low, 'points')} to {spelled(high, 'points')})"
    return f"{spelled(row['mean'], 'points')} %{ends}"
