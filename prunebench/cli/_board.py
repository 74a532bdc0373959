"""The leaderboard of a plan, for `run` and `leaderboard`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prunebench.plan import Plan
    from prunebench.store import Store

__all__ = ["board"]


def board(plan: Plan, store: Store, format: str) -> str | None:
    """Return a plan's leaderboard, or None where nothing of it has been run."""
    from prunebench.engine.rows import rows

    found = rows(plan, store)
    if not any(row["status"] in ("finished", "diverged") for row in found):
        return None
    from prunebench.analysis import table
    from prunebench.report.leaderboard import leaderboard

    settings = dict(plan.suite)
    own = (settings.get("leaderboard") or {}).get("margin")
    settings["margin"] = settings.get("margins") if own is None else own
    return leaderboard(table(found), suite=settings, format=format)
