"""The leaderboard of a plan, for `run` and `leaderboard`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prunebench.inventory.snapshot import Snapshot
    from prunebench.plan import Plan
    from prunebench.store import Store

__all__ = ["board"]


def board(
    plan: Plan,
    store: Store,
    format: str,
    *,
    asked: Collection[str] | None = None,
    sparsities: Sequence[float] = (),
    snapshot: Snapshot | None = None,
) -> str | None:
    """Return a plan's leaderboard, or None where nothing of it has been run.

    `asked`: ids of the cells that were asked for. Of the others those that have no result are "unselected",
    not missing, and settings of nothing but such are left out; None: the whole plan, as far as it has been
    run. `sparsities`: the columns shown, where not the suite's own. `snapshot` saves reading records again.
    """
    from prunebench.inventory.rows import of_selection, rows

    shown = rows(plan, store, snapshot)
    if not any(row["status"] in _RESULTS for row in shown):
        return None
    from prunebench.analysis import table
    from prunebench.report.leaderboard import leaderboard

    settings = dict(plan.suite)
    own = (settings.get("leaderboard") or {}).get("margin")
    settings["margin"] = settings.get("margins") if own is None else own
    if asked is None:
        settings["absent"] = "not run yet"
    else:
        shown = of_selection(shown, asked)
    if sparsities:
        settings["sparsities"] = list(sparsities)
    return leaderboard(table(shown), suite=settings, format=format)


_RESULTS = ("finished", "diverged")
