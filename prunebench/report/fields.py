"""How tables spell numbers: accuracies with their spread, places, differences, amounts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from prunebench.numbers import spelled
from prunebench.report.document import Cell
from prunebench.report.footnotes import Footnotes, diverged_remark, empty_remark, lacking_remark, trust_remark
from prunebench.report.methods import Row

__all__ = ["absent", "accuracy", "difference", "interval", "place", "signed"]


def absent(value: Any) -> bool:
    """True of None, NaN, pandas' NA, and what is no number because it is infinite."""
    return bool(pd.isna(value)) or (isinstance(value, float) and math.isinf(value))


def signed(value: float) -> str:
    """Return a difference of accuracies in points, as "+0.12"."""
    return spelled(value, "difference")


def accuracy(row: Row | None, remarks: Sequence[str], seeds: int, notes: Footnotes) -> Cell:
    """Return a mean with its spread, and what a reader must know of it; `seeds`: as many as most have."""
    if row is None:
        return Cell()
    n, diverged, planned = row["n"], row["diverged"], row["planned"]
    marks = notes.mark(
        *remarks,
        diverged_remark(row, mixed=n > 0) if diverged else "",
        lacking_remark(row, over_range=row["at"] == "range", absent=notes.absent),
        empty_remark(row["empty_layers"], planned),
        trust_remark(row),
    )
    if n == 0:
        return Cell("diverged" if diverged else "failed" if row["failed"] else "–", marks=marks)
    spread = f" ± {spelled(row['sd'], 'points')}" if not absent(row["sd"]) else ""
    beside = [f"{diverged} of {planned} diverged"] if diverged else []
    beside += [f"n = {n}"] if n + diverged != seeds else []
    number = f" ({', '.join(beside)})" if beside else ""
    return Cell(f"{spelled(row['mean'], 'points')}{spread}{number}", True, marks, float(row["mean"]))


def place(row: Row | None) -> Cell:
    """Return a place: an interval of so many methods."""
    if row is None or absent(row["best"]):
        return Cell()
    best, worst = row["best"], row["worst"]
    text = f"{best} of {row['of']}" if best == worst else f"{best}–{worst} of {row['of']}"
    return Cell(text, True, value=(best + worst) / 2)


def difference(row: Row | None, notes: Footnotes) -> Cell:
    """Return the difference to the baseline with its interval."""
    if row is None or absent(row["difference_mean"]):
        return Cell()
    mixed = 0 < row["difference_diverged"] < row["difference_n"]
    marks = notes.mark(diverged_remark(row, mixed=True)) if mixed else ()
    mean, low, high = (row[f"difference_{name}"] for name in ("mean", "low", "high"))
    return replace(interval(mean, low, high, "difference"), marks=marks)


def interval(value: Any, low: Any, high: Any, form: str) -> Cell:
    """Return a number with its interval, as far as there is one; `form`: a key of `numbers.FORMS`."""
    if absent(value):
        return Cell()
    ends = "" if absent(low) or absent(high) else f" [{spelled(low, form)}, {spelled(high, form)}]"
    return Cell(spelled(value, form) + ends, True, value=float(value))
