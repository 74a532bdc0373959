"""Checks judged from rows as they come from a store, for callers that make no tables themselves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from prunebench.analysis import measures, table
from prunebench.checks.evaluate import evaluate
from prunebench.checks.outcomes import Verdicts

__all__ = ["evaluate_rows"]

Rows = Sequence[Mapping[str, Any]]


def evaluate_rows(
    suite: Mapping[str, Any],
    cells: Rows,
    measured: Rows,
    quantities: Callable[[str], Any],
    *,
    only: Collection[str] | None = None,
) -> Verdicts:
    """Return the verdicts of a suite's checks from a row a cell, and a row a cell and measure.

    The other arguments are those of `evaluate`.
    """
    return evaluate(suite, table(cells), measures(measured) if measured else None, quantities, only=only)
