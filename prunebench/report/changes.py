"""What changed from one store, or version of a suite, to another: what `prunebench compare A/ B/` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from prunebench.analysis import SETTING, VARIANT, compare, variant_name
from prunebench.analysis.names import ALSO
from prunebench.numbers import spelled
from prunebench.percent import percent_labels
from prunebench.report.comparison import p_value
from prunebench.report.document import Block, Cell, Document, Notes, Section, Table
from prunebench.report.escapes import json_text
from prunebench.report.fields import absent, signed
from prunebench.report.formats import csv_rows, markdown
from prunebench.report.formats.values import plain_value
from prunebench.report.settings import heading

__all__ = ["CELLS", "FORMATS", "SCHEMA", "Changed", "changes", "methods_changed"]

SCHEMA = 1
"""Of the CSV and JSON: it rises when a column or field changes its meaning or goes; new ones may come."""

CELLS = (
    *SETTING,
    *VARIANT,
    "density",
    "sparsity",
    "seed",
    "cell",
    "planned",
    "kind",
    "status_a",
    "status_b",
    "accuracy_a",
    "accuracy_b",
    "difference",
    "numerics_a",
    "numerics_b",
    "key_a",
    "key_b",
    "why",
)
"""The columns of a row a cell, in CSV and JSON: docs/compare.md says what each one holds."""

LISTED = 40
"""So many cells are listed for people; CSV and JSON have all."""

_PLACE = ["name", "density", "sparsity"]
_BOTH = ("same bits", "other bits", "other cell")
_ONE = ("only in A", "only in B", "neither")


@dataclass(frozen=True)
class Changed:
    """Two sides of one suite, and what `inventory.differences` found of their cells."""

    suite: str
    a: Mapping[str, Any]
    """What the side is called (`name`), and of its suite `version` and `digest`."""
    b: Mapping[str, Any]
    cells: Sequence[Mapping[str, Any]]

    @property
    def counts(self) -> dict[str, int]:
        """How many cells there are of each kind."""
        kinds = Counter(row["kind"] for row in self.cells)
        return {kind: kinds[kind] for kind in (*_BOTH, *_ONE)}

    @property
    def same(self) -> bool:
        """True if both have the same results, bit by bit, of the same cells."""
        return all(row["kind"] in ("same bits", "neither") and row["planned"] == "both" for row in self.cells)


def changes(found: Sequence[Changed], format: str = "md") -> str:
    """Return what changed in one suite or several, ending in a newline: "md", "csv" or "json"."""
    return FORMATS[format](found)


def methods_changed(changed: Changed) -> pd.DataFrame:
    """Return a row a setting, method and sparsity: means of A and B, and B − A over common seeds, paired.

    Columns: SETTING, method, ablations, density, sparsity; `cells` and how many are of each kind; `mean_a`,
    `mean_b` (finished cells), `n`, `mean`, `low`, `high`, `p` of B − A (diverged runs count as a guess).
    """
    frame = pd.DataFrame(changed.cells)
    if frame.empty:
        return frame
    keys = [*SETTING, *VARIANT, "density", "sparsity"]
    kinds = pd.get_dummies(frame["kind"]).reindex(columns=[*_BOTH, *_ONE], fill_value=False).astype(int)
    counted = pd.concat([frame[keys], kinds], axis=1).groupby(keys, sort=False, dropna=False)
    means = frame.groupby(keys, sort=False, dropna=False).agg(
        cells=("kind", "size"), mean_a=("accuracy_a", "mean"), mean_b=("accuracy_b", "mean")
    )
    pairs = _paired(frame)
    result = counted.sum().reset_index().merge(means.reset_index(), on=keys).merge(pairs, on=keys, how="left")
    return result.assign(n=result["n"].fillna(0).astype("int64"))


def _paired(frame: pd.DataFrame) -> pd.DataFrame:
    """Return B − A by setting, method and sparsity: the paired statistics of two methods, A and B."""
    sides = []
    for side in ("b", "a"):
        names = list(zip(frame["method"], frame["ablations"], strict=True))
        sides.append(
            frame[[*SETTING, "density", "sparsity", "seed"]].assign(
                name=pd.Series([variant_name(*name) for name in names], index=frame.index, dtype=object),
                method=side,
                ablations="",
                status=frame[f"status_{side}"],
                counted=frame[f"counted_{side}"].astype("float64"),
                **{ALSO: pd.Series([()] * len(frame), index=frame.index, dtype=object)},
            )
        )
    whole = pd.concat(sides, ignore_index=True).assign(accuracy=float("nan"))
    paired = compare(whole, at=_PLACE)
    known = {variant_name(*names): names for names in frame[list(VARIANT)].itertuples(index=False, name=None)}
    paired["method"] = [known[name][0] for name in paired["name"]]
    paired["ablations"] = [known[name][1] for name in paired["name"]]
    return paired[[*SETTING, *VARIANT, "density", "sparsity", "n", "mean", "low", "high", "p"]]


# -- for people ------------------------------------------------------------------------------------------


def _markdown(found: Sequence[Changed]) -> str:
    return "\n".join(markdown.write(_document(changed)) for changed in found)


def _document(changed: Changed) -> Document:
    methods = methods_changed(changed)
    blocks: list[Block] = [Notes(tuple((None, line) for line in _said(changed)))]
    sections = []
    if len(methods):
        for names, rows in methods.groupby(list(SETTING), sort=False, dropna=False):
            labels = dict(zip(SETTING, map(str, names), strict=True))
            if said := _setting(rows):
                sections.append(Section(heading(labels), said))
    listed = [row for row in changed.cells if row["kind"] == "other bits"]
    if listed:
        sections.append(Section("Cells that differ in bits", _listed(listed)))
    title = f"{changed.suite}: {changed.a['name']} (A) and {changed.b['name']} (B)"
    return Document(title, tuple(blocks), tuple(sections))


def _setting(rows: pd.DataFrame) -> tuple[Block, ...]:
    """Return what of a setting is not the same: a table of what both have, in words what only one has."""
    moved = rows[rows["other bits"] + rows["other cell"] > 0]
    lines: list[tuple[int | None, str]] = []
    for kind in _ONE[:2]:
        cells: dict[str, int] = {}
        for method, ablations, number in rows[[*VARIANT, kind]].itertuples(index=False, name=None):
            name = variant_name(method, ablations)
            cells[name] = cells.get(name, 0) + number
        names = [f"{name} ({_cells(number)})" for name, number in cells.items() if number]
        if names:
            lines.append((None, f"{kind[0].upper()}{kind[1:]}: {', '.join(names)}."))
    blocks: tuple[Block, ...] = (_table(moved),) if len(moved) else ()
    return (*blocks, Notes(tuple(lines))) if lines else blocks


def _said(changed: Changed) -> list[str]:
    """Return in sentences how many cells are of each kind, where bits may differ, and what changed."""
    lines = [_side("A", changed.a), _side("B", changed.b)]
    counts = changed.counts
    both = sum(counts[kind] for kind in _BOTH)
    lines.append(
        f"Both have a result of {_cells(both)}: {counts['same bits']} the same bit by bit, "
        f"{counts['other bits']} the same cell with other bits, {counts['other cell']} that something was "
        "changed of."
    )
    for side, other in (("A", "B"), ("B", "A")):
        rows = [row for row in changed.cells if row["kind"] == f"only in {side}"]
        if rows:
            absent_there = sum(row["planned"] == side for row in rows)
            lines.append(
                f"Only {side} has a result of {_cells(len(rows))}: {absent_there} are not in {other}'s "
                f"suite, {len(rows) - absent_there} have none there."
            )
    if counts["neither"]:
        lines.append(f"Neither has a result of {_cells(counts['neither'])}.")
    lines += _numerics(changed)
    whys = Counter(part for row in changed.cells if row["why"] for part in str(row["why"]).split("; "))
    lines += [f"Changed: {why} ({_cells(number)})." for why, number in whys.most_common(12)]
    if len(whys) > 12:
        lines.append(f"And {len(whys) - 12} more changes: CSV and JSON have all.")
    return lines


def _side(letter: str, side: Mapping[str, Any]) -> str:
    digest = str(side.get("digest"))[:8]
    return f"{letter}: {side['name']}, version {side.get('version')} of the suite ({digest})."


def _cells(number: int) -> str:
    return f"{number:,} cell{'s' * (number != 1)}"


def _numerics(changed: Changed) -> list[str]:
    """Say which machines' arithmetic made the results, and whether other bits are to be wondered at."""
    lines = []
    for side in ("a", "b"):
        classes = sorted({str(row[f"numerics_{side}"]) for row in changed.cells} - {""})
        if classes:
            lines.append(f"Numerics of {side.upper()}: {'; '.join(classes)}.")
    other = [row for row in changed.cells if row["kind"] == "other bits"]
    within = sum(row["numerics_a"] == row["numerics_b"] for row in other)
    across = len(other) - within
    if across:
        lines.append(f"{_cells(across)} with other bits: of two numerics classes.")
    if within:
        lines.append(
            f"{_cells(within)} with other bits: of one numerics class, within which the same cell gives the "
            "same bits. Something else differs there, or one of the records was changed."
        )
    return lines


def _table(rows: pd.DataFrame) -> Table:
    labels = percent_labels(rows["sparsity"])
    kinds = ("same bits", "other bits", "other cell", "only A", "only B")
    columns = ("method", "sparsity", *kinds, "A", "B", "B − A", "95 % interval", "p")
    body = []
    for row in rows.to_dict("records"):
        interval = "" if absent(row["low"]) else f"[{signed(row['low'])}, {signed(row['high'])}]"
        body.append(
            (
                Cell(variant_name(row["method"], row["ablations"])),
                Cell(f"{labels[row['sparsity']]} %", True),
                *(Cell(str(row[kind]) if row[kind] else "", True) for kind in (*_BOTH, *_ONE[:2])),
                *(_number(row[name]) for name in ("mean_a", "mean_b")),
                Cell("" if absent(row["mean"]) else signed(row["mean"]), True),
                Cell(interval, True),
                p_value(row["p"]),
            )
        )
    return Table("changes", columns, tuple(body))


def _number(value: float) -> Cell:
    return Cell() if absent(value) else Cell(spelled(value, "points"), True)


def _listed(rows: Sequence[Mapping[str, Any]]) -> tuple[Block, ...]:
    largest = sorted(rows, key=lambda row: -abs(row["difference"] or 0.0))
    body = [
        (
            Cell(row["cell"]),
            *(Cell(_accuracy(row, side), True) for side in ("a", "b")),
            Cell("" if row["difference"] is None else signed(row["difference"]), True),
        )
        for row in largest[:LISTED]
    ]
    blocks: list[Block] = [Table("cells", ("cell", "A", "B", "B − A"), tuple(body))]
    if len(rows) > LISTED:
        blocks.append(f"And {len(rows) - LISTED:,} more, none of them further apart: CSV and JSON have all.")
    return tuple(blocks)


def _accuracy(row: Mapping[str, Any], side: str) -> str:
    value = row[f"accuracy_{side}"]
    return str(row[f"status_{side}"]) if value is None else spelled(value, "points")


# -- for programs ----------------------------------------------------------------------------------------


def _csv(found: Sequence[Changed]) -> str:
    rows = ({"schema": SCHEMA, "suite": changed.suite, **row} for changed in found for row in changed.cells)
    return csv_rows.write(rows, ["schema", "suite", *CELLS])


def _json(found: Sequence[Changed]) -> str:
    whole = {
        "schema": SCHEMA,
        "suites": [
            {
                "suite": changed.suite,
                "a": dict(changed.a),
                "b": dict(changed.b),
                "same": changed.same,
                "counts": {kind.replace(" ", "_"): number for kind, number in changed.counts.items()},
                "methods": [
                    {str(name).replace(" ", "_"): plain_value(value) for name, value in row.items()}
                    for row in methods_changed(changed).to_dict("records")
                ],
                "cells": [{name: plain_value(row[name]) for name in CELLS} for row in changed.cells],
            }
            for changed in found
        ],
    }
    return json_text(whole) + "\n"


FORMATS: Mapping[str, Callable[[Sequence[Changed]], str]] = {"md": _markdown, "csv": _csv, "json": _json}
"""The formats of what changed."""
