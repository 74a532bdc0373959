"""What the columns of points may hold: one place for files of points, files of fits and questions."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["ALIKE", "COUNTS", "OWN", "SCALES", "in_words", "percent_hint", "refusal"]

ALIKE = 0.75
"""How like a column's name another must be to be meant by it: depth and width, or parameters and
average_parameters, are no misspellings of each other."""

SHARES = ("density", "sparsity")
ERRORS = ("error", "error_unpruned")
SCALES = ("depth", "width", "examples")
"""What the networks of a family differ in."""
COUNTS = ("prunable",)
"""Columns that count weights of the whole network."""

OWN = ("density", *ERRORS, *SCALES, "seed", *COUNTS)
"""The columns that all points may have; what a form calls otherwise is its own."""


_MOST = 1e15
"""Whole numbers up to here are exact, and no network is larger."""


def in_words(name: str) -> str:
    """Return what a value of a column is called: "one depth", "one number of examples"."""
    return "number of examples" if name == "examples" else name


def refusal(name: str, value: float, most: float = 1.0) -> str:
    """Return what a column may hold where a value is not that, else nothing.

    most: the largest error that there can be, 1 for a fraction

    >>> refusal("density", 0.5), refusal("density", 0.0)
    ('', 'the share of weights that is left, above 0, up to 1')
    """
    if not math.isfinite(value):
        return "a number"
    if name == "density" and not 0 < value <= 1:
        return "the share of weights that is left, above 0, up to 1"
    if name == "sparsity" and not 0 <= value < 1:
        return "the share of weights removed, from 0 to below 1"
    if name in ERRORS and not 0 < value <= most:
        return "a fraction above 0, up to 1" if most == 1 else "a loss above 0"
    if name in SCALES and not 0 < value <= _MOST:
        return "a number above 0" if value <= 0 else f"at most {_MOST:g}"
    if name in ("seed", "network") and not (0 <= value <= _MOST and value == int(value)):
        return "a whole number of at least 0"
    if name in COUNTS and not (1 <= value <= _MOST and value == int(value)):
        return "a whole number of weights, those of the network before pruning"
    return ""


def percent_hint(name: str, known: Sequence[float]) -> str:
    """Return that a column's numbers look like percent, where they do."""
    if name in (*SHARES, *ERRORS) and 1 < max(known) <= 100:
        return f" ({sum(value > 1 for value in known)} of {len(known)} are above 1: percent? divide by 100)"
    return ""
