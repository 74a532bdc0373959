"""A leaderboard's part where masks are found by several recipes: their finds side by side, at one eval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from prunebench.analysis import SETTING
from prunebench.numbers import spelled
from prunebench.percent import percent_labels
from prunebench.report.document import Cell, Notes, Section, Table
from prunebench.report.fields import accuracy
from prunebench.report.footnotes import Footnotes
from prunebench.report.methods import Methods, Row, name_of
from prunebench.report.settings import Shown, heading
from prunebench.report.standings import Standing

__all__ = ["AS_EVAL", "Find", "FindTable", "Finds", "find_tables", "finds_of"]

_LEGEND = (
    "Each method's accuracy under this one recipe (eval), a row for each recipe that its masks were found "
    "under. Below stands what none of these finds concerns, as methods that are scored before any training "
    "or have a find of their own, and the unpruned network at 0 %."
)
_NETWORK = " Its network: the accuracy of the unpruned network that was scored under the find."
AS_EVAL = "as eval"
"""What a find is called that changes nothing."""


@dataclass(frozen=True)
class FindTable:
    """Finds side by side: one architecture, data set, recipe, split and pruning step."""

    finds: Sequence[Find]
    section: Section
    """Its legend, its table, and footnotes."""
    methods: Sequence[str]
    """The method of each row of the table."""


def find_tables(
    settings: Iterable[tuple[Standing, Sequence[Row]]], shown: Shown, measures: pd.DataFrame
) -> list[FindTable]:
    """Return a table for each architecture, data set, recipe, split and pruning step with several finds.

    Args:
        settings: each setting with its rows. shown: what the suite says of how they are shown.
        measures: the table of measures, of which `scored-network` is shown where it is there.
    """
    return [_table(finds, shown, measures) for finds in finds_of(settings)]


def finds_of(settings: Iterable[tuple[Standing, Sequence[Row]]]) -> list[Finds]:
    """Return the finds of each architecture, data set, recipe, split and pruning step that has several.

    One that only lends its baselines to another is none: some method must have rows of its own under two.
    """
    families: dict[tuple[str, ...], list[Find]] = {}
    for standing, rows in settings:
        family = tuple(standing.labels[name] for name in SETTING if name != "find")
        families.setdefault(family, []).append(Find(standing, rows))
    several = (Finds(tuple(finds)) for finds in families.values() if len(finds) > 1)
    return [finds for finds in several if any(len(of) > 1 for of in finds.by_method.values())]


class Find:
    """One find of a family: the rows of its setting that are its own."""

    def __init__(self, standing: Standing, rows: Sequence[Row]) -> None:
        self.standing, self.labels, self.label = standing, standing.labels, standing.labels["find"]
        self.dense = dense = standing.baselines.none
        every = [row for row in rows if row["at"] == "sparsity"]
        asked = {name_of(row) for row in every if row["unselected"] < row["planned"]}
        self.methods = Methods([row for row in every if name_of(row) in asked], dense)
        lent = {*standing.lent, dense}
        self.own = [name for name in self.methods.names if name not in lent]
        self.sparsities = {row["sparsity"] for row in every if name_of(row) in self.own}
        self.seeds = max((row["planned"] for row in every), default=0)


class Finds:
    """The finds of one architecture, data set, recipe, split and pruning step."""

    def __init__(self, finds: Sequence[Find]) -> None:
        self.finds = finds
        self.labels = {**finds[0].labels, "find": ""}
        self.by_method: dict[str, list[Find]] = {}
        """The finds under which each method has masks of its own; a single one that no find concerns."""
        for find in finds:
            for name in find.own:
                self.by_method.setdefault(name, []).append(find)

    def concerned(self, name: str) -> bool:
        """Say whether a method's masks are found under these recipes, or it is the same for all."""
        of = self.by_method[name]
        return len(of) > 1 or bool(of[0].label)

    def rows(self) -> list[tuple[str, Find, str]]:
        """Return method, find and name of each row, those last that no find concerns, but for no pruning."""
        told = [
            (name, find, f"{name}, find {find.label or AS_EVAL}")
            for name, of in self.by_method.items()
            if self.concerned(name)
            for find in of
        ]
        return told + [(name, of[0], name) for name, of in self.by_method.items() if not self.concerned(name)]


def _table(finds: Finds, shown: Shown, measures: pd.DataFrame) -> FindTable:
    every = finds.finds
    sparsities = [s for s in sorted(set().union(*(find.sparsities for find in every))) if shown.shows(s)]
    unpruned = next((find for find in every if find.methods.row(find.dense, 0.0)[0] is not None), None)
    sparsities = [*([0.0] if unpruned else []), *sparsities]
    labels = percent_labels(sparsities)
    rows = finds.rows()
    networks = [_network(name, find, measures) if finds.concerned(name) else Cell() for name, find, _ in rows]
    told = any(cell.text for cell in networks)
    if unpruned:
        rows.append((unpruned.dense, unpruned, unpruned.dense))
        networks.append(Cell())
    notes, seeds = Footnotes(shown.absent), max(find.seeds for find in every)

    def values(name: str, find: Find) -> list[Cell]:
        own = (find.methods.row(name, s) for s in sparsities)
        return [accuracy(one, (remark,), seeds, notes) for one, remark in own]

    body = [
        (Cell(title), *([network] if told else []), *values(name, find))
        for (name, find, title), network in zip(rows, networks, strict=True)
    ]
    columns = ("method", *(["its network"] if told else []), *(f"{labels[s]} %" for s in sparsities))
    title = f"Finds: {heading(finds.labels)}"
    name = f"finds, {title.partition(': ')[2]}"
    table = Table(name, columns, tuple(body), kind="finds")
    lines = notes.lines()
    legend = _LEGEND + (_NETWORK if told else "")
    section = Section(title, (legend, table, *([Notes(tuple(lines))] if lines else [])))
    return FindTable(every, section, tuple(name for name, _, _ in rows))


def _network(name: str, find: Find, measures: pd.DataFrame) -> Cell:
    """Return how accurate the unpruned network of a find was, the mean over its seeds."""
    if not len(measures):
        return Cell()
    frame = measures[
        (measures["measure"] == "scored-network")
        & (measures["field"] == "unpruned.accuracy")
        & (measures["status"] == "finished")
    ]
    for label in SETTING:
        frame = frame[frame[label] == find.labels[label]]
    names = [name_of(row) for row in frame[["method", "ablations"]].to_dict("records")]
    frame = frame[pd.Series([own == name for own in names], index=frame.index, dtype=bool)]
    values = frame.groupby("seed")["value"].first()
    if not len(values):
        return Cell()
    spread = f" ± {spelled(values.std(ddof=1), 'points')}" if len(values) > 1 else ""
    return Cell(f"{spelled(values.mean(), 'points')}{spread}", True, value=float(values.mean()))
