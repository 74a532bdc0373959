"""How a cell came out, in a few words."""

from __future__ import annotations

from prunebench.numbers import spelled
from prunebench.plan import PlannedCell
from prunebench.store import Store

__all__ = ["summary"]


def summary(store: Store, cell: PlannedCell) -> str:
    """Return how a cell came out, in a few words: "96.39 %" or "diverged at step 120"."""
    result = store.read_record(cell.key).result
    if result["outcome"] == "diverged":
        return f"diverged at step {result['diverged']['step']}"
    return f"{spelled(100 * result['test']['correct'] / result['test']['examples'], 'points')} %"
