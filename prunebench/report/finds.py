"""A leaderboard's part where masks are found by several recipes: their finds side by side, at one eval."""

from __future__ import annotations

from collections.abc import Sequence

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

__all__ = ["find_sections"]

_LEGEND = (
    "Each method's accuracy under this one recipe (eval), a row for each recipe that its masks were found "
    "under. Below stands what none of these finds concerns, as methods that are scored before any training "
    "or have a find of their own, and the unpruned network at 0 %."
)
_NETWORK = " Its network: the accuracy of the unpruned network that was scored under the find."
_BLANK = "as eval"
"""What a find is called that changes nothing."""


def find_sections(
    settings: Sequence[tuple[Standing, Sequence[Row]]], shown: Shown, measures: pd.DataFrame
) -> list[Section]:
    """Return a section for each architecture, data set, recipe, split and pruning step with several finds.

    Args:
        settings: each setting with its rows. shown: what the suite says of how they are shown.
        measures: the table of measures, of which `scored-network` is shown where it is there.
    """
    families: dict[tuple[str, ...], list[_Find]] = {}
    for standing, rows in settings:
        family = tuple(standing.labels[name] for name in SETTING if name != "find")
        families.setdefault(family, []).append(_Find(standing, rows))
    sections = (_section(finds, shown, measures) for finds in families.values() if len(finds) > 1)
    return [section for section in sections if section is not None]


class _Find:
    """One find of a family: the rows of its setting that are its own."""

    def __init__(self, standing: Standing, rows: Sequence[Row]) -> None:
        self.labels, self.label = standing.labels, standing.labels["find"]
        self.dense = dense = standing.baselines.none
        every = [row for row in rows if row["at"] == "sparsity"]
        asked = {name_of(row) for row in every if row["unselected"] < row["planned"]}
        self.methods = Methods([row for row in every if name_of(row) in asked], dense)
        lent = {*standing.lent, dense}
        self.own = [name for name in self.methods.names if name not in lent]
        self.sparsities = {row["sparsity"] for row in every if name_of(row) in self.own}
        self.seeds = max((row["planned"] for row in every), default=0)


def _section(finds: Sequence[_Find], shown: Shown, measures: pd.DataFrame) -> Section | None:
    by_method: dict[str, list[_Find]] = {}
    for find in finds:
        for name in find.own:
            by_method.setdefault(name, []).append(find)
    if not any(len(of) > 1 for of in by_method.values()):
        return None
    sparsities = [s for s in sorted(set().union(*(find.sparsities for find in finds))) if shown.shows(s)]
    unpruned = next((find for find in finds if find.methods.row(find.dense, 0.0)[0] is not None), None)
    sparsities = [*([0.0] if unpruned else []), *sparsities]
    labels = percent_labels(sparsities)
    networks = {name: [_network(name, find, measures) for find in of] for name, of in by_method.items()}
    told = any(cell.text for cells in networks.values() for cell in cells)
    notes, seeds = Footnotes(shown.absent), max(find.seeds for find in finds)

    def row(name: str, find: _Find, *first: Cell) -> tuple[Cell, ...]:
        values = (find.methods.row(name, s) for s in sparsities)
        return *first, *(accuracy(one, (remark,), seeds, notes) for one, remark in values)

    body = [
        row(name, find, Cell(f"{name}, find {find.label or _BLANK}"), *([network] if told else []))
        for name, of in by_method.items()
        for find, network in zip(of, networks[name], strict=True)
        if find.label or len(of) > 1
    ]
    body += [
        row(name, of[0], Cell(name), *([Cell()] if told else []))
        for name, of in by_method.items()
        if len(of) == 1 and not of[0].label
    ]
    if unpruned:
        body.append(row(unpruned.dense, unpruned, Cell(unpruned.dense), *([Cell()] if told else [])))
    columns = ("method", *(["its network"] if told else []), *(f"{labels[s]} %" for s in sparsities))
    title = f"Finds: {heading({**finds[0].labels, 'find': ''})}"
    name = f"finds, {title.partition(': ')[2]}"
    table = Table(name, columns, tuple(body), kind="finds")
    lines = notes.lines()
    legend = _LEGEND + (_NETWORK if told else "")
    return Section(title, (legend, table, *([Notes(tuple(lines))] if lines else [])))


def _network(name: str, find: _Find, measures: pd.DataFrame) -> Cell:
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
