"""How tables spell numbers: accuracies with their spread, places, differences, amounts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from prunebench.report.document import Cell
from prunebench.report.footnotes import Footnotes, diverged_remark, empty_remark, lacking_remark, trust_remark
from prunebench.report.methods import Row

__all__ = ["absent", "accuracy", "amount", "difference", "place", "seconds", "signed"]


def absent(value: Any) -> bool:
    """True of None, NaN, pandas' NA, and what is no number because it is infinite."""
    return bool(pd.isna(value)) or (isinstance(value, float) and math.isinf(value))


def signed(value: float) -> str:
    """Return a difference with its sign and two digits; what rounds to nothing has none.

    >>> signed(0.123), signed(-1), signed(-0.001)
    ('+0.12', '-1.00', '0.00')
    """
    text = f"{value:+.2f}"
    return "0.00" if float(text) == 0 else text


def amount(value: float) -> str:
    """Return a large count with three digits and a prefix of the SI.

    >>> amount(1.9166e11), amount(950), amount(0), amount(2.03e22)
    ('192 G', '950', '0', '20,300 E')
    """
    for prefix, size in (("E", 1e18), ("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            scaled = value / size
            return f"{scaled:,.0f} {prefix}" if scaled >= 1000 else f"{scaled:.3g} {prefix}"
    return f"{value:.3g}"


def seconds(value: float) -> str:
    """Return a time with three digits.

    >>> seconds(0.01234), seconds(75), seconds(5000), seconds(0)
    ('12.3 ms', '75 s', '83.3 min', '0 s')
    """
    if 0 < value < 1:
        return f"{1000 * value:.3g} ms"
    if value >= 2 * 3600:
        return f"{value / 3600:,.3g} h"
    return f"{value / 60:.3g} min" if value >= 120 else f"{value:.3g} s"


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
    spread = f" ± {row['sd']:.2f}" if not absent(row["sd"]) else ""
    beside = [f"{diverged} of {planned} diverged"] if diverged else []
    beside += [f"n = {n}"] if n + diverged != seeds else []
    number = f" ({', '.join(beside)})" if beside else ""
    return Cell(f"{row['mean']:.2f}{spread}{number}", True, marks, float(row["mean"]))


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
    mean = row["difference_mean"]
    text = signed(mean)
    if not absent(row["difference_low"]):
        text = f"{text} [{signed(row['difference_low'])}, {signed(row['difference_high'])}]"
    return Cell(text, True, marks, float(mean))
